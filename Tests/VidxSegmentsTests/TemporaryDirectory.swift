import Foundation

@testable import VidxSegments

/// An empty directory that disappears with this object.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent(
      "vidx-segments-\(SegmentIdentifier.random())")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
    path = url.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Where the segments of the database `app.db` of this directory go.
  var folder: SegmentFolder { SegmentFolder(databasePath: path + "/app.db") }

  func contents(of path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

  func write(_ bytes: [UInt8], to path: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }

  func permissions(of path: String) throws -> UInt32 {
    try POSIXFileSystem().status(ofPath: path).permissions
  }
}
