import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

@Suite struct PreparedFilterTests {
  let database: TestDatabase

  init() throws { database = try TestDatabase() }

  /// Segments, tombstones, a delta, zero vectors; ids that are in the index, were in it, and never were.
  @Test(arguments: [IndexKind.flat, .ivfflat, .hnsw])
  func agreesWithBruteForce(kind: IndexKind) throws {
    var random = SplitMix(seed: 11)
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition(6, kind: kind))
    var rows = Self.rows(1...300, &random)
    try store.addSegment(rows)
    let others = Self.rows(301...400, &random)
    try store.addSegment(others)
    rows.merge(others) { $1 }
    for id in stride(from: Int64(1), through: 400, by: 7) {
      try store.transaction { try store.delete(rowID: id) }
      rows[id] = nil
    }
    let new = Self.rows(390...450, &random)
    try store.transaction {
      for (id, vector) in new { try store.insert(rowID: id, vector: vector, onConflict: .replace) }
    }
    rows.merge(new) { $1 }
    let reader = try IndexReader(path: database.path, name: "v")
    for size in [0, 1, 3, 40, 200, 600] {
      let ids = Set((0..<size).map { _ in Int64.random(in: -20...500, using: &random) }).sorted()
      let snapshot = try reader.snapshot()
      let filter = try snapshot.prepare(rowIDs: ids)
      #expect(filter.rowsYielded == ids.count)
      #expect(filter.rowsWithoutVector == ids.filter { rows[$0] == nil }.count)
      try expectSearches(snapshot, filter, among: ids, of: rows, store, &random)
    }
  }

  private func expectSearches(
    _ snapshot: IndexSnapshot, _ filter: PreparedFilter, among ids: [Int64], of rows: [Int64: [Float]],
    _ store: IndexStore, _ random: inout SplitMix
  ) throws {
    let exact = SearchParameters(exact: true)
    let memory = SearchMemory()
    var report = SearchReport()
    let queries = (0..<5).map { _ in random.vector(6) }
    let prepared = try queries.map { query in
      try unsafe query.withUnsafeBufferPointer { unsafe try snapshot.prepare($0) }
    }
    let batch = try snapshot.search(prepared, k: 9, parameters: exact, filter: filter, threads: 2, report: &report)
    for (i, query) in queries.enumerated() {
      let expected = neighbours(of: query, in: rows, .cosine, filter: ids)
      let hits = try unsafe query.withUnsafeBufferPointer {
        unsafe Array(try snapshot.search($0, k: 9, parameters: exact, filter: filter, in: memory, report: &report))
      }
      expect(Self.found(hits), are: expected, k: 9, rows, query, .cosine)
      #expect(hits.map(\.rowID) == batch[i].map(\.rowID))
      #expect(report.exact && report.complete && report.plan == .exact)
      #expect(report.filter == FilterReport(filter))
      let answer = try store.search(StoreRequest(query: query, k: 9, filter: ids, parameters: exact))
      #expect(answer.hits == Self.found(hits) && answer.filter == report.filter)
      // Not exact, and complete all the same.
      let approximate = try snapshot.search(
        prepared[i], k: 9, parameters: SearchParameters(), filter: filter, counters: &report.counters)
      #expect(approximate.count == min(9, expected.count))
      #expect(Set(approximate.map(\.rowID)).isSubset(of: ids))
    }
  }

  @Test func isOfOneState() throws {
    let store = try IndexStore.make(try database.open(), definition(1, metric: .l2))
    try store.add([1: [1], 2: [2]])
    let reader = try IndexReader(path: database.path, name: "v")
    let before = try reader.snapshot()
    let filter = try before.prepare(rowIDs: [2, 3])
    #expect(before.isState(of: filter))
    try store.add([3: [3]])
    let after = try reader.snapshot()
    #expect(!after.isState(of: filter))
    // A snapshot does not change, nor does what was prepared for it.
    var counters = SearchCounters()
    let query = try PreparedQuery([9], dimensions: 1, metric: .l2)
    let old = try before.search(query, k: 9, parameters: SearchParameters(), filter: filter, counters: &counters)
    #expect(old.map(\.rowID) == [2])
    let now = try after.search(
      query, k: 9, parameters: SearchParameters(), filter: after.prepare(rowIDs: [2, 3]), counters: &counters)
    #expect(now.map(\.rowID) == [3, 2])
  }

  private static func rows(_ range: ClosedRange<Int64>, _ random: inout SplitMix) -> [Int64: [Float]] {
    var rows: [Int64: [Float]] = [:]
    for id in range { rows[id] = id % 29 == 0 ? [Float](repeating: 0, count: 6) : random.vector(6) }
    return rows
  }

  private static func found(_ hits: [Hit]) -> [StoreHit] {
    hits.map { StoreHit(rowID: $0.rowID, distance: Metric.cosine.distance(fromScore: $0.score)) }
  }
}
