import Foundation
import Testing

@testable import VidxSegments

@Suite("Publishing when the system fails")
struct SegmentPublishFaultTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  // Larger than the write buffer, in several sections, into a folder that is yet to be made: every step there is.
  private var sample: SampleSegment {
    SampleSegment(sections: [
      (.vectors, SampleSegment.pattern((1 << 20) + 100)), (.rowIDs, SampleSegment.pattern(300_000)),
    ])
  }

  @Test(
    "After a failure of any single call there is no file, or all of it",
    arguments: [.once(ENOSPC), .once(EIO), .once(EACCES), .spaceFromHere] as [FaultyFileSystem.Fault])
  func anyCall(fault: FaultyFileSystem.Fault) throws {
    let sample = sample
    let complete = try sample.encoded()
    var index = 0
    while true {
      let databasePath = directory.path + "/\(index).db"
      try directory.write([], to: databasePath)
      let folder = SegmentFolder(databasePath: databasePath)
      let fileSystem = FaultyFileSystem(fault: fault, at: index)
      let result = Result { () throws(SegmentError) in
        try sample.publish(in: folder.path, piece: 100_000, fileSystem: fileSystem)
      }
      let call = fileSystem.calls.indices.contains(index) ? "\(fileSystem.calls[index])" : "none"
      switch result {
      case .success(let published):
        #expect(try directory.contents(of: published.path) == complete, "call \(index): \(call)")
        // A full disk does not stop calls that take no space.
        if !fileSystem.hasFired { #expect(index > 15, "\(fileSystem.calls)") }
        published.release()
      case .failure(.io(_, let code, let path)):
        #expect(fault == .once(code) || code == ENOSPC, "call \(index): \(call)")
        #expect(path.hasPrefix(directory.path) || directory.path.hasPrefix(path), "call \(index): \(call): \(path)")
        #expect(try folder.list() == [], "call \(index): \(call)")
      case .failure(let error):
        Issue.record("call \(index): \(call): \(error)")
      }
      #expect(fileSystem.openNames == [], "call \(index): \(call)")
      if !fileSystem.hasFired { break }
      index += 1
    }
  }

  @Test("When removing the temporary file fails as well, the next sweep removes it")
  func removeFails() throws {
    let folder = directory.folder
    let fileSystem = FaultyFileSystem(fault: .once(EIO), when: { _, call in call.operation == .remove })
    do {
      let writer = try SegmentWriter(
        directory: folder.path, fileName: "a-1.seg", description: sample.description, fileSystem: fileSystem)
      _ = consume writer
    }
    #expect(fileSystem.hasFired)
    #expect(try folder.list() == ["a-1.seg.tmp"])
    #expect(folder.sweep { [] }.removed == ["a-1.seg.tmp"])
    #expect(try folder.list() == [])
  }

  @Test("A call that a signal interrupts is made again, whichever it is")
  func interrupted() throws {
    let sample = sample
    let complete = try sample.encoded()
    var index = 0
    while true {
      let fileSystem = FaultyFileSystem(fault: .once(EINTR), at: index)
      let published = try sample.publish(in: directory.folder.path, piece: 100_000, fileSystem: fileSystem)
      #expect(try directory.contents(of: published.path) == complete, "call \(index)")
      let file = try SegmentFile(path: published.path)
      #expect(file.check() == [])
      try published.discard()
      if !fileSystem.hasFired { break }
      index += 1
    }
    #expect(index > 15)
  }

  @Test("Short writes are continued", arguments: [1000, 65_536, 1_000_003])
  func shortWrites(byteCount: Int) throws {
    let fileSystem = FaultyFileSystem(fault: .shortWrites(byteCount))
    let published = try sample.publish(in: directory.path, fileSystem: fileSystem)
    #expect(try directory.contents(of: published.path) == sample.encoded())
  }

  @Test("A write that does nothing is an error, not a loop")
  func emptyWrites() throws {
    let fileSystem = FaultyFileSystem(fault: .shortWrites(0))
    let path = directory.path + "/sample-1.seg.tmp"
    #expect(throws: SegmentError.io(operation: .write, code: EIO, path: path)) {
      try sample.publish(in: directory.path, fileSystem: fileSystem)
    }
  }

  @Test("A sweep that takes the temporary file at birth makes the writer create another")
  func sweptAtBirth() throws {
    let folder = directory.folder
    let sweeps = Locked(0)
    let fileSystem = FaultyFileSystem(before: { call in
      guard call.operation == .lock,
        sweeps.withLock({
          $0 += 1; return $0
        }) <= 3
      else { return }
      #expect(folder.sweep { [] }.removed == ["sample-1.seg.tmp"])
    })
    let published = try sample.publish(in: folder.path, fileSystem: fileSystem)
    #expect(fileSystem.calls.filter { $0.operation == .create }.count == 4)
    #expect(try SegmentFile(path: published.path).check() == [])
    #expect(try folder.list() == ["sample-1.seg"])
  }

  @Test("Opening fails with a typed error at any call, and leaves no descriptor open")
  func opening() throws {
    let path = try sample.publish(in: directory.path).path
    var index = 0
    while true {
      let fileSystem = FaultyFileSystem(fault: .once(EIO), at: index)
      let result = Result { () throws(SegmentError) in try SegmentFile(path: path, fileSystem: fileSystem) }
      #expect(fileSystem.openNames == [])
      guard fileSystem.hasFired else {
        #expect(try result.get().check() == [])
        break
      }
      let operation = fileSystem.calls[index].operation
      #expect(throws: SegmentError.io(operation: operation, code: EIO, path: path)) { try result.get() }
      index += 1
    }
    #expect(index == 4)
  }
}
