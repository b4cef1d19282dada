import Foundation
import Testing

@testable import VidxSegments

@Suite("SegmentFile")
struct SegmentFileTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test("Sections that are missing or of another length are refused")
  func sections() throws {
    let path = try SampleSegment.tiny.publish(in: directory.path).path
    let file = try SegmentFile(path: path)
    #expect(file.path == path)
    #expect(throws: SegmentError.missingSection(section: .centroids, path: path)) {
      try file.section(.centroids, expecting: 0)
    }
    #expect(throws: SegmentError.wrongSectionLength(section: .vectors, expected: 192, found: 128, path: path)) {
      try file.section(.vectors, expecting: 192)
    }
    #expect(throws: SegmentError.wrongSectionLength(section: .norms, expected: 12, found: 0, path: path)) {
      try file.optionalSection(.norms, expecting: 12)
    }
    #expect(try file.optionalSection(.listStarts, expecting: 8) == nil)
    #expect(file.byteCount(of: .vectors) == 128 && file.byteCount(of: .listStarts) == nil)
  }

  @Test("A section is one object, but verified without validation is not validated")
  func sectionIdentity() throws {
    let path = try SampleSegment.tiny.publish(in: directory.path).path
    let file = try SegmentFile(path: path)
    let plain = try file.section(.rowIDs, expecting: 24)
    try plain.verifyAll()
    #expect(try plain === file.section(.rowIDs, expecting: 24))
    let validated = try unsafe file.section(.rowIDs, expecting: 24, validate: { _, _ in false })
    #expect(throws: SegmentError.invalidContent(section: .rowIDs, offset: 0, path: path)) { try validated.verifyAll() }
    #expect(try unsafe validated === file.section(.rowIDs, expecting: 24, validate: { _, _ in false }))
  }

  @Test("What is no segment is called that: empty, text, a directory, a FIFO")
  func notASegment() throws {
    let path = directory.path + "/x.seg"
    for bytes in [[], [0x56], Array("SQLite format 3\0 and more".utf8), Array(repeating: 0, count: 8192)] as [[UInt8]] {
      try directory.write(bytes, to: path)
      #expect(throws: SegmentError.notASegment(path: path)) { try SegmentFile(path: path) }
    }
    #expect(throws: SegmentError.notASegment(path: directory.path)) { try SegmentFile(path: directory.path) }
    let result = unsafe mkfifo(directory.path + "/fifo.seg", 0o600)
    #expect(result == 0)
    #expect(throws: SegmentError.notASegment(path: directory.path + "/fifo.seg")) {
      try SegmentFile(path: directory.path + "/fifo.seg")
    }
  }

  @Test("A missing file is not found, and the message says what may have happened")
  func notFound() {
    let path = directory.path + "/gone.seg"
    #expect(throws: SegmentError.notFound(path: path)) { try SegmentFile(path: path) }
    #expect(throws: SegmentError.notFound(path: path)) { try SegmentFile.shared(path: path) }
  }

  @Test("Opening reads the header and checksums, no section")
  func opening() throws {
    let path = try SampleSegment.section(.vectors, byteCount: 1 << 20).publish(in: directory.path).path
    // Damage in every block goes unnoticed: so nothing of them has been read.
    var bytes = try directory.contents(of: path)
    for block in 0..<16 { bytes[4096 + block << 16] ^= 0xFF }
    try directory.write(bytes, to: path)
    #expect(try SegmentFile(path: path).check().count == 16)
  }

  @Test("Connections share the segment, its sections and what is verified")
  func shared() throws {
    let path = try SampleSegment.tiny.publish(in: directory.path).path
    let first = try SegmentFile.shared(path: path)
    try first.section(.vectors, expecting: 128).verifyAll()
    let second = try SegmentFile.shared(
      path: directory.path + "/../" + (directory.path as NSString).lastPathComponent
        + "/sample-1.seg")
    #expect(first === second)
    #expect(try second.section(.vectors, expecting: 128).isVerified)
    #expect(try SegmentFile(path: path) !== first)
  }

  @Test("A segment that nobody holds is closed, and opened anew when asked for again")
  func sharedLifetime() throws {
    let path = try SampleSegment.tiny.publish(in: directory.path).path
    var file: SegmentFile? = try SegmentFile.shared(path: path)
    weak let watched = file
    try file?.section(.vectors, expecting: 128).verifyAll()
    #expect(watched != nil)
    file = nil
    #expect(watched == nil)
    #expect(try !SegmentFile.shared(path: path).section(.vectors, expecting: 128).isVerified)
  }

  @Test("A file that was written to since is not the one that was verified")
  func sharedAfterChange() throws {
    let path = try SampleSegment.tiny.publish(in: directory.path).path
    let before = try SegmentFile.shared(path: path)
    let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    try handle.seek(toOffset: 4100)
    try handle.write(contentsOf: [0xAA])
    try handle.close()
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: 10)], ofItemAtPath: path)
    let after = try SegmentFile.shared(path: path)
    #expect(after !== before)
    #expect(throws: SegmentError.self) { try after.section(.vectors, expecting: 128).verifyAll() }
  }

  @Test("Two segments at different paths are two objects")
  func sharedTwo() throws {
    var other = SampleSegment.tiny
    other.fileName = "other-1.seg"
    other.description.identifier = .random()
    let first = try SegmentFile.shared(path: SampleSegment.tiny.publish(in: directory.path).path)
    let second = try SegmentFile.shared(path: other.publish(in: directory.path).path)
    #expect(first !== second)
    #expect(first.description.identifier != second.description.identifier)
  }

  @Test("Threads that open the same segment at once get the same object")
  func sharedThreads() throws {
    let path = try SampleSegment.tiny.publish(in: directory.path).path
    let files = Locked<[SegmentFile?]>([])
    DispatchQueue.concurrentPerform(iterations: 16) { _ in
      let file = try? SegmentFile.shared(path: path)
      files.withLock { $0.append(file) }
    }
    let opened = files.withLock { $0 }
    #expect(opened.count == 16 && opened[0] != nil)
    #expect(opened.allSatisfy { $0 === opened[0] })
  }
}
