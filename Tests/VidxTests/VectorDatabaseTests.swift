import Foundation
import Testing
import Vidx

@Suite struct VectorDatabaseTests {
  let directory: TemporaryDirectory
  let database: VectorDatabase
  let sample = SampleVectors(count: 60)

  init() async throws {
    directory = try TemporaryDirectory()
    database = try await VectorDatabase(path: directory.file("t.db"))
  }

  /// A table of 60 rows and an index over it.
  func fill(_ type: IndexType = .flat) async throws -> VectorIndex {
    try await database.execute("CREATE TABLE things(id INTEGER PRIMARY KEY, size INTEGER)")
    let options = IndexOptions(dimensions: 8, metric: .l2, type: type, rowTable: "things")
    let index = try await database.createIndex("v", options: options)
    let vectors = sample.vectors
    try await database.transaction { transaction in
      for (number, vector) in vectors.enumerated() {
        let id = Int64(number + 1)
        try transaction.execute("INSERT INTO things VALUES (?, ?)", [.integer(id), .integer(id * 2)])
        try transaction.insert(vector, id: id, into: "v")
      }
    }
    return index
  }

  // MARK: Searching

  @Test(arguments: [IndexType.flat, .ivfflat(lists: 3), .hnsw(m: 4, efConstruction: 32)])
  func findsNeighbours(type: IndexType) async throws {
    let index = try await fill(type)
    for state in ["in the delta", "in a segment"] {
      let settings = SearchSettings(efSearch: 60, probes: 3)
      let all = try await index.search(near: sample.vectors[3], k: 5, settings: settings)
      #expect(all.hits.map(\.id) == sample.nearest(to: sample.vectors[3], k: 5), "\(state)")
      #expect(all.hits[0].distance == 0)
      #expect(all.isComplete)
      #expect(all.counters.rowsScored > 0)
      let some = try await index.search(near: sample.vectors[3], k: 5, where: "size > ?", [60], settings: settings)
      #expect(some.hits.map(\.id) == sample.nearest(to: sample.vectors[3], k: 5) { $0 > 30 }, "\(state)")
      let chosen = try await index.search(near: sample.vectors[3], k: 5, filter: .ids([9, 2, 9, 999, 5]))
      #expect(Set(chosen.hits.map(\.id)) == [9, 2, 5])
      let selected = try await index.search(
        near: sample.vectors[3], k: 3, filter: .idsFrom("SELECT id FROM things WHERE size = ?", parameters: [14]))
      #expect(selected.hits.map(\.id) == [7])
      let distance = Double(all.hits[2].distance)
      let close = try await index.search(
        near: sample.vectors[3], k: 60, settings: SearchSettings(within: distance, efSearch: 60, probes: 3))
      #expect(close.hits.map(\.id) == Array(all.hits.map(\.id).prefix(3)))
      try await index.optimize()
    }
    #expect(try await index.summary().segments.count == 1)
    #expect(try await index.check() == [])
  }

  private static let endless =
    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT i FROM c WHERE i < 0"

  /// Cancelling its task ends a condition that would run for ever, and nothing else.
  @Test(arguments: [":memory:", "t.db"]) func cancellingEndsAConditionThatRuns(name: String) async throws {
    let database =
      name == "t.db" ? database : try await VectorDatabase(path: name, readers: 1)
    let index = try await database.createIndex("c", options: IndexOptions(dimensions: 2, metric: .l2))
    for id in 1...9 { try await index.insert([Float(id), 0], id: Int64(id)) }
    let filter = RowFilter.idsFrom(Self.endless)
    let works: [@Sendable () async throws -> Void] = [
      { _ = try await index.search(near: [0, 0], filter: filter) },
      { _ = try await index.search(near: [0, 0], filter: filter, settings: SearchSettings(exact: true)) },
      { _ = try await index.search(nearEach: [[0, 0]], filter: filter) },
      { _ = try await database.query(Self.endless) },
      { _ = try await database.snapshot { try $0.search("c", near: [0, 0], filter: filter) } },
    ]
    for work in works {
      let task = Task { try await work() }
      // Most of the time it runs by then, and when it does not it is cancelled before it begins.
      try await Task.sleep(for: .milliseconds(20))
      task.cancel()
      let error = await #expect(throws: VidxError.self) { try await task.value }
      #expect(error?.code == .cancelled)
      #expect(try await index.search(near: [0, 0], k: 2, filter: .idsFrom("SELECT 3 UNION SELECT 5")).hits.count == 2)
    }
    try await vidxError(.timeout) {
      _ = try await index.search(near: [0, 0], filter: filter, settings: SearchSettings(timeout: 0.02))
    }
    #expect(try await index.search(near: [0, 0], k: 9).hits.map(\.id) == Array(1...9))
    #expect(try await database.check() == [])
  }

  /// So it does where vectors are compared.
  @Test(arguments: [1, 2]) func cancellingEndsASearchThatRuns(threads: Int) async throws {
    let index = try await database.createIndex("c", options: IndexOptions(dimensions: 8, metric: .l2, type: .flat))
    let vectors = SampleVectors(count: 4_000).vectors
    try await database.transaction { transaction in
      for (number, vector) in vectors.enumerated() { try transaction.insert(vector, id: Int64(number), into: "c") }
    }
    // Ten times as long as it takes until it is cancelled, and longer.
    let queries = Array(repeating: vectors, count: 25).flatMap { $0 }
    for isSettled in [false, true] {
      if isSettled { try await index.optimize() }
      let task = Task { try await index.search(nearEach: queries, k: 1, threads: threads).count }
      try await Task.sleep(for: .milliseconds(20))
      task.cancel()
      let error = await #expect(throws: VidxError.self) { _ = try await task.value }
      #expect(error?.code == .cancelled)
      #expect(try await index.search(near: vectors[7], k: 1).hits.map(\.id) == [7])
    }
  }

  @Test func searchesInBatches() async throws {
    let index = try await fill()
    let results = try await index.search(nearEach: sample.vectors, k: 2, filter: .where("size <= 40"))
    #expect(results.count == 60)
    for (vector, result) in zip(sample.vectors, results) {
      #expect(result.hits.map(\.id) == sample.nearest(to: vector, k: 2) { $0 <= 20 })
      #expect(result.isExact)
    }
  }

  @Test func readersRunSideBySideAndSeeWholeTransactions() async throws {
    let index = try await fill()
    let far = [Float](repeating: 100, count: 8)
    let database = database
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        for round in 0..<20 {
          try await database.transaction { transaction in
            // Two rows come and go together.
            for id in [Int64(1001), 1002] {
              if round.isMultiple(of: 2) {
                try transaction.insert(far, id: id, into: "v")
              } else {
                try transaction.delete(id: id, from: "v")
              }
            }
          }
        }
      }
      for _ in 0..<4 {
        group.addTask {
          for _ in 0..<20 {
            let ids = try await index.search(near: far, k: 62).hits.map(\.id)
            #expect([60, 62].contains(ids.count), "half a transaction was seen: \(ids.count) rows")
          }
        }
      }
      try await group.waitForAll()
    }
  }

  // MARK: Writing

  @Test func writesAndReplacesAndDeletes() async throws {
    let index = try await database.createIndex("v", options: IndexOptions(dimensions: 2, metric: .l2))
    #expect(try await index.insert([1, 2], id: 10) == 10)
    #expect(try await index.insert([3, 4]) == 11)
    try await index.upsert([5, 6], id: 10)
    try await index.upsert([7, 8], id: 30)
    #expect(try await index.vector(id: 10) == [5, 6])
    #expect(try await index.delete(id: 30))
    #expect(try await !index.delete(id: 30))
    #expect(try await index.summary().rows == 2)
    try await vidxError(.constraint, saying: "10") { try await index.insert([0, 0], id: 10) }
    try await vidxError(.noSuchRow, saying: "no row 30") { _ = try await index.vector(id: 30) }
    #expect(try await index.vector(id: 10) == [5, 6])
  }

  struct ChangedMyMind: Error {}

  @Test func rollsBackRowsAndVectorsTogether() async throws {
    let index = try await fill()
    let error = try await vidxError(.other) {
      try await database.transaction { transaction in
        try transaction.execute("DELETE FROM things")
        try transaction.delete(id: 1, from: "v")
        try transaction.upsert([Float](repeating: 9, count: 8), id: 2, into: "v")
        try transaction.insert([Float](repeating: 9, count: 8), id: 1000, into: "v")
        let inside = try transaction.search("v", near: [Float](repeating: 9, count: 8), k: 3)
        #expect(inside.hits.prefix(2).map(\.id) == [2, 1000])
        #expect(try transaction.query("SELECT count(*) AS n FROM things")[0]["n"] == 0)
        throw ChangedMyMind()
      }
    }
    #expect(error.cause is ChangedMyMind)
    #expect(try await database.query("SELECT count(*) AS n FROM things")[0]["n"] == 60)
    #expect(try await index.vector(id: 2) == sample.vectors[1])
    let after = try await index.search(near: sample.vectors[0], k: 60)
    #expect(after.hits.map(\.id) == sample.nearest(to: sample.vectors[0], k: 60))
    #expect(try await database.check() == [])
  }

  @Test func indexesMadeInARolledBackStateDoNotLinger() async throws {
    // The version of the schema is the same again after a rollback, and the table another.
    for dimensions in [2, 3] {
      try await vidxError(.badVector) {
        try await database.transaction { transaction in
          try transaction.execute("CREATE VIRTUAL TABLE w USING vidx(dimensions = \(dimensions), metric = l2)")
          try transaction.insert([Float](repeating: 1, count: dimensions), id: 1, into: "w")
          try transaction.insert([1], id: 2, into: "w")
        }
      }
    }
    #expect(try await database.indexes().isEmpty)
  }

  @Test func followsAColumn() async throws {
    try await database.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, e BLOB)")
    try await database.execute("INSERT INTO docs VALUES (1, ?), (2, '[0, 1]'), (3, NULL)", [.vector([1, 0])])
    let index = try await database.createIndex(
      "d", options: IndexOptions(dimensions: 2, metric: .l2, content: .column("e", ofTable: "docs")))
    #expect(try await index.search(near: [1, 0]).hits.map(\.id) == [1, 2])
    try await database.execute("UPDATE docs SET e = '[1, 0.1]' WHERE id = 3")
    #expect(try await index.search(near: [1, 0]).hits.map(\.id) == [1, 3, 2])
    let summary = try await index.summary()
    #expect(summary.options.rowTable == "docs")
    #expect(summary.options.content == .column("e", ofTable: "docs"))
    try await database.dropIndex("d")
    #expect(try await database.indexes().isEmpty)
    #expect(try await database.query("SELECT count(*) AS n FROM docs")[0]["n"] == 3)
  }

  @Test func survivesReopening() async throws {
    _ = try await fill(.hnsw())
    try await database.index("v").optimize()
    let again = try await VectorDatabase(path: database.path)
    let index = try await again.index("v")
    let hits = try await index.search(near: sample.vectors[7], k: 1).hits
    #expect(hits.map(\.id) == [8])
    #expect(try await again.indexes().map(\.name) == ["v"])
    #expect(try await index.summary().options == IndexOptions(dimensions: 8, metric: .l2, rowTable: "things"))
  }

  @Test func droppingAnIndexRemovesItsFiles() async throws {
    try await fill().optimize()
    #expect(directory.segments(of: "t.db").count == 1)
    try await database.dropIndex("v")
    #expect(directory.segments(of: "t.db") == [])
  }

  @Test func droppingAnIndexCanBeUndone() async throws {
    try await fill().optimize()
    try await database.execute("BEGIN")
    try await database.dropIndex("v")
    try await database.execute("ROLLBACK")
    #expect(try await database.indexes().map(\.name) == ["v"])
    #expect(try await database.check() == [])
  }

  @Test func worksInMemory() async throws {
    let memory = try await VectorDatabase(path: ":memory:")
    let index = try await memory.createIndex("v", options: IndexOptions(dimensions: 2, metric: .l2))
    try await index.insert([1, 1], id: 5)
    #expect(try await index.search(near: [1, 1]).hits.map(\.id) == [5])
    #expect(try await memory.query("SELECT count(*) AS n FROM v")[0]["n"] == 1)
  }
}
