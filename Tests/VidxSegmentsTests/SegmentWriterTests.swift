import Foundation
import Testing

@testable import VidxSegments

@Suite("SegmentWriter")
struct SegmentWriterTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  typealias Impossible = (field: HeaderField, value: UInt64, change: @Sendable (inout SegmentDescription) -> Void)

  @Test("Every section comes back as it was written", arguments: [1, 7, 4096, 65_535, 65_536, 1 << 20, Int.max])
  func roundTrip(piece: Int) throws {
    let lengths = [0, 1, 4095, 4096, 4097, 65_535, 65_536, 65_537, 131_072, (1 << 20) + 3, (2 << 20) + 1]
    // Small pieces of small sections only: what matters is where they cross blocks and the buffer.
    let kinds = zip(SectionKind.allCases, lengths.filter { piece > 7 || $0 < 70_000 })
    let sample = SampleSegment(sections: kinds.map { ($0, SampleSegment.pattern($1)) })
    let published = try sample.publish(in: directory.path, piece: piece)

    let file = try SegmentFile(path: published.path)
    #expect(file.description == sample.description)
    #expect(file.byteCount == published.byteCount)
    #expect(file.check() == [])
    for (kind, bytes) in sample.sections {
      let section = try file.section(kind, expecting: bytes.count)
      try section.verifyAll()
      #expect(section.isVerified)
      #expect(section.contents == bytes, "\(kind)")
      #expect(unsafe Int(bitPattern: section.bytes.baseAddress) % 4096 == 0, "\(kind)")
    }
  }

  @Test("Checksums made elsewhere are those made here", arguments: [0, 1, 65_536, 131_072, 131_073, 300_000])
  func knownChecksums(length: Int) throws {
    let bytes = SampleSegment.pattern(length)
    let sample = SampleSegment(sections: [(.vectors, bytes), (.rowIDs, SampleSegment.pattern(70_000))])
    var writer = try SegmentWriter(
      directory: directory.path, fileName: "known-1.seg", description: sample.description)
    try writer.begin(.vectors)
    for start in stride(from: 0, to: length, by: 2 * SegmentWriter.blockByteCount) {
      try unsafe bytes[start..<min(start + 2 * SegmentWriter.blockByteCount, length)].withUnsafeBytes { part in
        try unsafe writer.append(part, checksums: SegmentWriter.checksums(of: part))
      }
    }
    try writer.begin(.rowIDs)
    try unsafe sample.sections[1].1.withUnsafeBytes { try unsafe writer.append($0) }
    _ = try writer.publish()
    let known = try SegmentFile(path: directory.path + "/known-1.seg")
    #expect(known.check() == [])
    #expect(try known.section(.vectors, expecting: length).contents == bytes)
  }

  @Test("A segment with no sections is a segment")
  func noSections() throws {
    var sample = SampleSegment(sections: [])
    sample.description.vectorCount = 0
    sample.description.entryCount = 0
    let published = try sample.publish(in: directory.path)
    #expect(published.byteCount == 4096)
    let file = try SegmentFile(path: published.path)
    #expect(file.check() == [])
    #expect(try file.optionalSection(.vectors, expecting: 0) == nil)
  }

  @Test("The steps are those that survive a loss of power: contents, then name, then folder")
  func order() throws {
    let fileSystem = FaultyFileSystem()
    _ = try SampleSegment.tiny.publish(in: directory.path, fileSystem: fileSystem)
    let parent = (directory.path as NSString).deletingLastPathComponent
    let folder = (directory.path as NSString).lastPathComponent
    let calls = fileSystem.calls.drop { $0.operation != .write }.filter { $0.operation != .open }
    #expect(
      Array(calls) == [
        .init(.write, "sample-1.seg.tmp"),
        .init(.write, "sample-1.seg.tmp"),
        .init(.synchronize, "sample-1.seg.tmp"),
        .init(.rename, "sample-1.seg.tmp"),
        .init(.synchronize, folder),
        .init(.synchronize, (parent as NSString).lastPathComponent),
      ])
  }

  @Test("Before the header is written, the bytes are no segment")
  func headerLast() throws {
    let folder = directory.folder
    let before: @Sendable (FaultyFileSystem.Call) -> Void = { call in
      guard call.operation == .write else { return }
      #expect(throws: SegmentError.self) { try SegmentFile(path: folder.path + "/sample-1.seg.tmp") }
      #expect(throws: SegmentError.notFound(path: folder.path + "/sample-1.seg")) {
        try SegmentFile(path: folder.path + "/sample-1.seg")
      }
    }
    let fileSystem = FaultyFileSystem(before: before)
    _ = try SampleSegment.section(.vectors, byteCount: 7 << 20).publish(
      in: folder.path, piece: 300_000, fileSystem: fileSystem)
    #expect(fileSystem.calls.filter { $0.operation == .write }.count >= 4)
  }

  @Test("A writer dropped before publishing leaves nothing")
  func dropped() throws {
    let fileSystem = FaultyFileSystem()
    do {
      var writer = try SegmentWriter(
        directory: directory.path, fileName: "a-1.seg", description: SampleSegment.tiny.description,
        fileSystem: fileSystem)
      try writer.begin(.vectors)
      try writer.append([1, 2, 3][...])
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["a-1.seg.tmp"])
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
    #expect(fileSystem.openNames == [])
  }

  @Test("A segment is never overwritten")
  func alreadyExists() throws {
    let path = try SampleSegment.tiny.publish(in: directory.path).path
    let bytes = try directory.contents(of: path)
    var other = SampleSegment.tiny
    other.description.metric = 1
    #expect(throws: SegmentError.alreadyExists(path: path)) { try other.publish(in: directory.path) }
    #expect(try directory.contents(of: path) == bytes)
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["sample-1.seg"])
  }

  @Test("Two writers of one name: the second is refused, and leaves the first alone")
  func sameName() throws {
    let description = SampleSegment.tiny.description
    let first = try SegmentWriter(directory: directory.path, fileName: "a-1.seg", description: description)
    #expect(throws: SegmentError.alreadyExists(path: directory.path + "/a-1.seg.tmp")) {
      _ = try SegmentWriter(directory: directory.path, fileName: "a-1.seg", description: description)
    }
    let published = try first.publish()
    #expect(try SegmentFile(path: published.path).check() == [])
  }

  private static let impossible: [Impossible] = [
    (.metric, 5, { $0.metric = 5 }), (.metric, 0, { $0.metric = 0 }), (.codec, 9, { $0.codec = 9 }),
    (.dimensions, 0, { $0.dimensions = 0 }), (.dimensions, 65_537, { $0.dimensions = 65_537 }),
    (.entryCount, 0xFFFF_FFFF, { $0.entryCount = 0xFFFF_FFFF }), (.entryCount, .max, { $0.entryCount = -1 }),
    (.vectorCount, 4, { $0.vectorCount = 4 }), (.vectorCount, .max, { $0.vectorCount = -1 }),
  ]

  @Test("What the format cannot express is refused before a file is made", arguments: impossible)
  func description(impossible: Impossible) throws {
    var sample = SampleSegment.tiny
    impossible.change(&sample.description)
    let path = directory.path + "/sample-1.seg"
    #expect(throws: SegmentError.invalidHeader(field: impossible.field, value: impossible.value, path: path)) {
      try sample.publish(in: directory.path)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
  }

  @Test(
    "Files get the permissions of the folder, whatever the umask", arguments: [0o700, 0o750, 0o755, 0o777] as [UInt32])
  func permissions(folder: UInt32) throws {
    try FileManager.default.setAttributes([.posixPermissions: Int(folder)], ofItemAtPath: directory.path)
    let published = try SampleSegment.tiny.publish(in: directory.path)
    #expect(try directory.permissions(of: published.path) == folder & 0o666)
  }

  @Test("Discarding removes the file and is an error the second time; releasing is not")
  func discard() throws {
    let fileSystem = FaultyFileSystem()
    let published = try SampleSegment.tiny.publish(in: directory.path, fileSystem: fileSystem)
    #expect(fileSystem.openNames == ["sample-1.seg.tmp"])
    try published.discard()
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
    #expect(fileSystem.openNames == [])
    #expect(throws: SegmentError.self) { try published.discard() }
    published.release()
    published.release()
  }
}
