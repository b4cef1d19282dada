import Foundation
import VidxFiles
import VidxIndexes

/// The 10,000 package descriptions of the repository's demo, as vectors.
enum DemoData {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../datasets/debian-packages").standardized

  static func packages() throws -> ArraySource {
    let vectors = try vectors("packages.npy")
    return ArraySource(
      rowIDs: vectors.indices.map { Int64($0 + 1) }, vectors: vectors.flatMap { $0 },
      dimensions: vectors.first?.count ?? 0)
  }

  static func queries() throws -> [[Float]] { try vectors("queries.npy") }

  private static func vectors(_ name: String) throws -> [[Float]] {
    let file = try NPYFile(path: folder.appending(path: name).path(percentEncoded: false))
    return try (0..<file.count).map { try file.vector($0) }
  }
}
