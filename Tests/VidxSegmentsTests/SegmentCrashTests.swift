import Foundation
import Testing

@testable import VidxSegments

@Suite("Killed while writing")
struct SegmentCrashTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// Dies, by a signal that no one can handle, just before the first such system call, or after the last of all.
  private static func publishAndDie(in path: String, before operation: String) throws {
    let fileSystem = FaultyFileSystem(before: { call in
      if call.operation.rawValue == operation { _ = kill(getpid(), SIGKILL) }
    })
    let sample = SampleSegment.section(.vectors, byteCount: 2 << 20)
    try withExtendedLifetime(sample.publish(in: path, piece: 300_000, fileSystem: fileSystem)) {
      _ = kill(getpid(), SIGKILL)
    }
  }

  @Test(
    "There is no segment or all of it, and a sweep cleans up",
    arguments: [
      ("makeDirectory", []), ("create", []), ("lock", ["sample-1.seg.tmp"]), ("write", ["sample-1.seg.tmp"]),
      ("synchronize", ["sample-1.seg.tmp"]), ("rename", ["sample-1.seg.tmp"]), ("open", ["sample-1.seg"]),
      ("nothing more", ["sample-1.seg"]),
    ])
  func killed(before operation: String, leaving names: [String]) async throws {
    let folder = directory.folder
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = folder.path as String, operation] in
      try Self.publishAndDie(in: path, before: operation)
    }
    #expect(try folder.list() == names)
    for name in names where name.hasSuffix(".seg") {
      #expect(try SegmentFile(path: folder.path + "/" + name).check() == [])
    }
    // Its locks died with the process.
    #expect(folder.sweep { [] }.removed == names)
  }
}
