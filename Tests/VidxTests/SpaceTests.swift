import Foundation
import Testing
import VidxSQLite

@testable import Vidx

@Suite("Space comes back without being asked")
struct SpaceTests {
  private static let rows = 2_000
  private static let batch = 250

  private let directory: TemporaryDirectory
  private let sample = SampleVectors(count: SpaceTests.rows, dimensions: 32)

  init() throws { directory = try TemporaryDirectory() }

  /// Waits for what is bound to happen, without reading the database: a reader would keep files from being removed.
  private func merges(_ count: Int, of database: VectorDatabase) async throws {
    while database.maintenanceReport.merges < count { try await Task.sleep(for: .milliseconds(2)) }
    #expect(database.maintenanceReport.lastError == nil)
  }

  /// Bytes of the database and its segments, with nothing left in the log.
  private func byteCount() throws -> Int {
    try Connection(path: directory.file("app.db")).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    let names = directory.segments(of: "app.db").map { "app.db-vidx/" + $0 } + ["app.db", "app.db-wal"]
    return try names.reduce(0) { sum, name in
      try sum + (FileManager.default.attributesOfItem(atPath: directory.file(name))[.size] as? Int ?? 0)
    }
  }

  @Test("Files are as large as fresh ones after everything was deleted and inserted again", .timeLimit(.minutes(5)))
  func deletedAndInsertedAgain() async throws {
    let database = try await VectorDatabase(
      path: directory.file("app.db"), maintenance: .automatic(mergeAfter: Self.batch - 50))
    try await database.createIndex("v", options: IndexOptions(dimensions: 32, metric: .l2))
    let vectors = sample.vectors
    var sizes: [Int] = []
    var expected = 0
    for round in 0..<3 {
      if round > 0 {
        try await database.execute("DELETE FROM v")
        expected += 1
        try await merges(expected, of: database)
        #expect(directory.segments(of: "app.db") == [])
      }
      for start in stride(from: 0, to: Self.rows, by: Self.batch) {
        try await database.transaction { transaction in
          for row in start..<start + Self.batch { try transaction.insert(vectors[row], id: Int64(row + 1), into: "v") }
        }
        expected += 1
        try await merges(expected, of: database)
      }
      sizes.append(try byteCount())
      let summary = try await database.index("v").summary()
      #expect(summary.rows == Self.rows && summary.deltaRows == 0 && summary.tombstones == 0)
      #expect(summary.segments.count == directory.segments(of: "app.db").count)
    }
    #expect(sizes[0] > Self.rows * 32 * 4)
    for size in sizes.dropFirst() { #expect(Double(size) <= 1.1 * Double(sizes[0]), "\(sizes)") }
    #expect(try await database.check() == [])
  }
}
