import Testing
import Vidx

/// Pages of one state.
@Suite struct SnapshotTests {
  private func makeDatabase(_ directory: TemporaryDirectory, rows: Int) async throws -> VectorDatabase {
    let database = try await VectorDatabase(path: directory.file("t.db"))
    let index = try await database.createIndex("v", options: IndexOptions(dimensions: 8, metric: .l2))
    let sample = SampleVectors(count: rows)
    try await database.transaction { transaction in
      for (row, vector) in sample.vectors.enumerated() {
        try transaction.insert(vector, id: Int64(row + 1), into: "v")
      }
    }
    try await index.optimize()
    return database
  }

  @Test func pagesDoNotSeeWhatIsInsertedMeanwhile() async throws {
    let directory = try TemporaryDirectory()
    let database = try await makeDatabase(directory, rows: 400)
    let query = SampleVectors(count: 1, seed: 5).vectors[0]
    let truth = SampleVectors(count: 400).nearest(to: query, k: 400)
    let path = database.path
    let ids = try await database.snapshot { snapshot in
      let other = try Session(path: path, mode: .readWrite)
      var settings = SearchSettings(after: .start)
      var ids: [Int64] = []
      while true {
        let page = try snapshot.search("v", near: query, k: 33, settings: settings)
        #expect(page.isExact && page.isComplete)
        guard let last = page.hits.last else { return ids }
        ids += page.hits.map(\.id)
        settings.after = last.cursor
        // Nearest of all, and taken away what is still to come.
        try other.transaction {
          _ = try other.insert(query, id: Int64(1_000 + ids.count), into: "v")
          _ = try other.delete(id: truth[399], from: "v")
        }
      }
    }
    #expect(ids == truth)
    // Afterwards they are seen.
    let nearest = try await database.index("v").search(near: query, k: 1)
    #expect(nearest.hits[0].id > 1_000)
  }

  /// Without a snapshot a page begins where the one before ended, whatever has come or gone.
  @Test func pagesGoOnBetweenCommits() async throws {
    let directory = try TemporaryDirectory()
    let database = try await makeDatabase(directory, rows: 200)
    let index = try await database.index("v")
    let query = SampleVectors(count: 1, seed: 6).vectors[0]
    let truth = SampleVectors(count: 200).nearest(to: query, k: 200)
    var settings = SearchSettings(after: .start)
    let first = try await index.search(near: query, k: 20, settings: settings)
    #expect(first.hits.map(\.id) == Array(truth.prefix(20)))
    try await index.insert(query, id: 900)
    try await index.delete(id: truth[19])
    settings.after = try #require(first.hits.last).cursor
    let second = try await index.search(near: query, k: 20, settings: settings)
    #expect(second.hits.map(\.id) == Array(truth[20..<40]))
    let filtered = try await index.search(
      near: query, k: 20, filter: .ids(Array(truth[30..<50]) + [77_777]), settings: settings)
    #expect(filtered.hits.map(\.id) == Array(truth[30..<50]))
    #expect(filtered.rowsYielded == 21)
    #expect(filtered.rowsWithoutVector == 1)
  }
}
