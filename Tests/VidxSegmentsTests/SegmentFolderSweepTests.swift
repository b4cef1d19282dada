import Foundation
import Testing

@testable import VidxSegments

@Suite("Sweeping the folder")
struct SegmentFolderSweepTests {
  let directory: TemporaryDirectory
  let folder: SegmentFolder

  init() throws {
    directory = try TemporaryDirectory()
    folder = directory.folder
    try folder.create()
  }

  private func write(_ names: String...) throws {
    for name in names { try directory.write([1, 2, 3], to: folder.path + "/" + name) }
  }

  private func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  }

  @Test("What is not named goes, what is named and what is not ours stays")
  func unnamed() throws {
    try write("a-1.seg", "a-2.seg", "b-3.seg", "b-4.seg.tmp", "notes.txt", "copy of a-2.seg")
    let result = folder.sweep { ["a-1.seg", "b-3.seg"] }
    #expect(result == SweepResult(removed: ["a-2.seg", "b-4.seg.tmp"], failures: []))
    #expect(try names() == ["a-1.seg", "b-3.seg", "copy of a-2.seg", "notes.txt"])
  }

  @Test("Without a folder, and in an empty one, nobody is asked")
  func nothingToDo() {
    var asked = 0
    for folder in [folder, SegmentFolder(path: directory.path + "/none-vidx")] {
      let result = folder.sweep {
        asked += 1
        return []
      }
      #expect(result == SweepResult())
    }
    #expect(asked == 0)
  }

  @Test("A segment being written, or published and not yet committed, stays until it is let go")
  func lockedStays() throws {
    var writer = try SegmentWriter(
      directory: folder.path, fileName: "a-1.seg", description: SampleSegment.tiny.description)
    try writer.begin(.vectors)
    #expect(folder.sweep { [] } == SweepResult())
    #expect(try names() == ["a-1.seg.tmp"])
    let published = try writer.publish()
    #expect(folder.sweep { [] } == SweepResult())
    #expect(try names() == ["a-1.seg"])
    try write("b-1.seg")
    #expect(try folder.withoutWriters(["a-1.seg", "b-1.seg", "gone.seg"]) == ["b-1.seg"])
    published.release()
    #expect(try folder.withoutWriters(["a-1.seg", "b-1.seg", "gone.seg"]) == ["a-1.seg", "b-1.seg"])
    #expect(folder.sweep { ["a-1.seg", "b-1.seg"] } == SweepResult())
    #expect(folder.sweep { ["b-1.seg"] }.removed == ["a-1.seg"])
  }

  @Test("A journal that was emptied, and not removed, is synchronised before anything goes", arguments: [true, false])
  func journalFirst(isThere: Bool) throws {
    try write("a-1.seg")
    let journal = String(folder.path.dropLast(SegmentFolder.suffix.count)) + "-journal"
    if isThere { try directory.write([], to: journal) }
    let fileSystem = FaultyFileSystem()
    #expect(SegmentFolder(path: folder.path, fileSystem: fileSystem).sweep { [] }.removed == ["a-1.seg"])
    let calls = fileSystem.calls.filter { [.synchronize, .remove].contains($0.operation) }
    #expect(calls.last == .init(.remove, "a-1.seg"))
    #expect(calls.filter { $0.operation == .synchronize }.count == (isThere ? 2 : 1))
  }

  @Test("The names are asked for only when the files are locked, so that no commit falls between")
  func lockFirst() throws {
    try write("a-1.seg", "a-2.seg")
    let fileSystem = FaultyFileSystem()
    let result = SegmentFolder(path: folder.path, fileSystem: fileSystem).sweep {
      #expect(fileSystem.calls.filter { $0.operation == .lock }.map(\.name) == ["a-1.seg", "a-2.seg"])
      for name in ["a-1.seg", "a-2.seg"] {
        let isFree = try? OpenFile(folder.path + "/" + name, for: .locking, fileSystem: POSIXFileSystem()).lock()
        #expect(isFree == false, "\(name)")
      }
      return ["a-2.seg"]
    }
    #expect(result.removed == ["a-1.seg"])
    #expect(fileSystem.openNames == [])
  }

  @Test("A commit between listing and locking is seen")
  func committedMeanwhile() throws {
    var sample = SampleSegment.tiny
    sample.fileName = "a-1.seg"
    let published = try sample.publish(in: folder.path)
    let committed = Locked<Set<String>>([])
    // The writer commits and lets go after the sweep has listed the file, just before the sweep locks it.
    let fileSystem = FaultyFileSystem(before: { call in
      guard call.operation == .lock else { return }
      committed.withLock { _ = $0.insert("a-1.seg") }
      published.release()
    })
    let result = SegmentFolder(path: folder.path, fileSystem: fileSystem).sweep { committed.withLock { $0 } }
    #expect(result == SweepResult())
    #expect(try SegmentFile(path: published.path).check() == [])
  }

  @Test("A temporary file that is published and committed while it is swept is not lost")
  func renamedMeanwhile() throws {
    try write("a-1.seg.tmp")
    let path = folder.path
    // Between the sweep's opening of the name and its lock, the file gets its final name.
    let fileSystem = FaultyFileSystem(before: { call in
      guard call == .init(.lock, "a-1.seg.tmp") else { return }
      unsafe _ = rename(path + "/a-1.seg.tmp", path + "/a-1.seg")
    })
    let result = SegmentFolder(path: path, fileSystem: fileSystem).sweep { ["a-1.seg"] }
    #expect(result == SweepResult())
    #expect(try names() == ["a-1.seg"])
  }

  @Test("A name that means another file by the time it is removed is left alone")
  func replacedMeanwhile() throws {
    try write("a-1.seg")
    let path = folder.path + "/a-1.seg"
    let result = folder.sweep {
      unsafe unlink(path)
      try? directory.write([9], to: path)
      return []
    }
    #expect(result == SweepResult())
    #expect(try directory.contents(of: path) == [9])
  }

  @Test("Two sweeps at once remove each file once")
  func twoSweeps() throws {
    for index in 0..<200 { try write("a-\(index).seg") }
    let removed = Locked<[String]>([])
    DispatchQueue.concurrentPerform(iterations: 4) { _ in
      let result = folder.sweep { ["a-0.seg"] }
      removed.withLock { $0 += result.removed }
      #expect(result.failures == [])
    }
    // A file that one of them finds locked may be left by both; a later sweep gets it.
    let rest = folder.sweep { ["a-0.seg"] }.removed
    let all = removed.withLock { $0 } + rest
    #expect(all.count == 199 && Set(all).count == 199)
    #expect(try names() == ["a-0.seg"])
  }

  @Test("When the names cannot be had, nothing is removed and all is unlocked")
  func namesUnavailable() throws {
    struct Unavailable: Error, Equatable {}
    try write("a-1.seg")
    let fileSystem = FaultyFileSystem()
    #expect(throws: Unavailable()) {
      try SegmentFolder(path: folder.path, fileSystem: fileSystem).sweep { () throws(Unavailable) in
        throw Unavailable()
      }
    }
    #expect(try names() == ["a-1.seg"])
    #expect(fileSystem.openNames == [])
  }

  @Test(
    "What cannot be removed is reported, and does not keep the rest", arguments: [FileOperation.open, .lock, .remove])
  func failures(operation: FileOperation) throws {
    try write("a-1.seg", "a-2.seg", "a-3.seg")
    let fileSystem = FaultyFileSystem(
      fault: .once(EIO), when: { _, call in call == .init(operation, "a-2.seg") })
    let result = SegmentFolder(path: folder.path, fileSystem: fileSystem).sweep { [] }
    #expect(result.removed == ["a-1.seg", "a-3.seg"])
    #expect(result.failures == [.io(operation: operation, code: EIO, path: folder.path + "/a-2.seg")])
    #expect(try names() == ["a-2.seg"])
    #expect(fileSystem.openNames == [])
  }

  @Test("A folder that cannot be listed is reported")
  func unlistable() throws {
    let fileSystem = FaultyFileSystem(fault: .once(EACCES), when: { _, call in call.operation == .list })
    let result = SegmentFolder(path: folder.path, fileSystem: fileSystem).sweep { [] }
    #expect(result == SweepResult(removed: [], failures: [.io(operation: .list, code: EACCES, path: folder.path)]))
  }

  @Test("A link that bears a segment's name is not followed")
  func symbolicLink() throws {
    try directory.write([7], to: directory.path + "/precious")
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/a-1.seg", withDestinationPath: directory.path + "/precious")
    let result = folder.sweep { [] }
    #expect(result.removed == [])
    #expect(result.failures == [.io(operation: .open, code: ELOOP, path: folder.path + "/a-1.seg")])
    #expect(try directory.contents(of: directory.path + "/precious") == [7])
  }
}
