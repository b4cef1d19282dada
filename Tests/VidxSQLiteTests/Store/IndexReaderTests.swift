import Foundation
import Synchronization
import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

@Suite struct IndexReaderTests {
  let database: TestDatabase

  init() throws { database = try TestDatabase() }

  /// Every answer is that of the state committed last, in both kinds of journal, whatever changed.
  @Test(arguments: ["delete", "truncate", "persist", "wal"])
  func seesEveryCommit(_ journal: String) throws {
    let connection = try database.open()
    try connection.execute("PRAGMA journal_mode = \(journal)")
    let store = try IndexStore.make(connection, definition(4, metric: .l2))
    var rows = Self.rows(1...40, seed: 1)
    try store.addSegment(rows)
    let reader = try IndexReader(path: database.path, name: "v")
    var random = SplitMix(seed: 7)
    for step in 0..<120 {
      let id = Int64.random(in: 1...60, using: &random)
      let vector = random.vector(4)
      switch step % 6 {
      case 5: try store.optimizeOutsideTransaction(options: .serial)
      case 0 where rows[id] != nil:
        try store.transaction { try store.delete(rowID: id) }
        rows[id] = nil
      default:
        try store.transaction { try store.insert(rowID: id, vector: vector, onConflict: .replace) }
        rows[id] = vector
      }
      let query = random.vector(4)
      let snapshot = try reader.snapshot()
      #expect(snapshot.rowCount == rows.count)
      expect(
        try Self.hits(snapshot, query, k: 5), are: neighbours(of: query, in: rows, .l2), k: 5, rows, query, .l2,
        "step \(step)")
    }
  }

  /// Pages of one snapshot tile the exact order while rows come and go, with equal distances among them.
  @Test(arguments: [IndexKind.flat, .hnsw, .ivfflat]) func pagesOfASnapshotTileItsOrder(_ kind: IndexKind) throws {
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition(3, metric: .l2, kind: kind))
    var random = SplitMix(seed: 12)
    var rows: [Int64: [Float]] = [:]
    for id in Int64(1)...900 { rows[id] = (0..<3).map { _ in Float(Int.random(in: 0..<4, using: &random)) } }
    try store.addSegment(rows.filter { $0.key <= 800 })
    try store.add(rows.filter { $0.key > 800 })
    let reader = try IndexReader(path: database.path, name: "v")
    let snapshot = try reader.snapshot()
    let query: [Float] = [1, 2, 0]
    let passing = rows.keys.filter { $0 % 3 != 0 }.sorted()
    let filter = try snapshot.prepare(rowIDs: passing)
    for (within, filter) in [(nil, nil), (Float(1.5), nil), (nil, filter), (Float(2), filter)] {
      let all = neighbours(of: query, in: rows, .l2, filter: filter == nil ? nil : passing)
        .filter { within == nil || Float($0.distance) <= within ?? 0 }
      var cursor = StoreCursor(distance: -.infinity, rowID: .min)
      var found: [Int64] = []
      while true {
        var report = SearchReport()
        let page = try snapshot.page(
          PreparedQuery(query, dimensions: 3, metric: .l2), k: 37, after: cursor, within: within, filter: filter,
          report: &report)
        #expect(report.exact && report.complete && (report.filter != nil) == (filter != nil))
        found += page.map(\.rowID)
        guard let last = page.last else { break }
        cursor = StoreCursor(distance: last.distance, rowID: last.rowID)
        // Nearest of all, and one that is still to come.
        try store.transaction {
          try store.insert(rowID: Int64(1_000 + found.count), vector: query, onConflict: .replace)
          if try store.contains(rowID: all[all.count - 1].rowID) { try store.delete(rowID: all[all.count - 1].rowID) }
        }
        _ = try reader.snapshot()
      }
      #expect(found == all.map(\.rowID))
    }
  }

  @Test(arguments: [IndexKind.flat, .hnsw]) func staysWithinADistance(_ kind: IndexKind) throws {
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition(4, metric: .l2, kind: kind))
    let rows = Self.rows(1...700, seed: 4)
    try store.addSegment(rows)
    let snapshot = try IndexReader(path: database.path, name: "v").snapshot()
    let query = rows[5] ?? []
    let all = neighbours(of: query, in: rows, .l2)
    let within = Float(all[6].distance + all[7].distance) / 2
    for (k, parameters) in [(5, SearchParameters()), (30, SearchParameters()), (30, SearchParameters(plan: .exact))] {
      let memory = SearchMemory()
      var report = SearchReport()
      let hits = try unsafe query.withUnsafeBufferPointer {
        try unsafe Array(
          snapshot.search($0, k: k, parameters: parameters, within: within, in: memory, report: &report))
      }
      #expect(hits.map(\.rowID) == all.prefix(min(k, 7)).map(\.rowID))
      #expect(report.complete == (report.exact || k == 5))
      let prepared = try PreparedQuery(query, dimensions: 4, metric: .l2)
      let batch = try snapshot.search(
        [prepared, prepared], k: k, parameters: parameters, within: within, threads: 2, report: &report)
      #expect(batch.map { $0.map(\.rowID) } == [hits.map(\.rowID), hits.map(\.rowID)])
    }
  }

  /// What is not committed is not seen, and what is rolled back never.
  @Test func doesNotSeeTransactionsInProgress() throws {
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition(2, metric: .l2))
    try store.add([1: [0, 0]])
    let reader = try IndexReader(path: database.path, name: "v")
    try connection.execute("BEGIN IMMEDIATE")
    try store.insert(rowID: 2, vector: [1, 1])
    #expect(try reader.snapshot().rowCount == 1)
    try connection.execute("ROLLBACK")
    store.rollback()
    #expect(try reader.snapshot().rowCount == 1)
    try store.add([3: [1, 1]])
    #expect(try Self.hits(reader.snapshot(), [1, 1], k: 9).map(\.rowID) == [3, 1])
  }

  /// A snapshot that somebody holds stays as it is, also its delta.
  @Test func snapshotsDoNotChange() throws {
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition(2, metric: .l2))
    try store.add([1: [0, 0]])
    let reader = try IndexReader(path: database.path, name: "v")
    var held: [IndexSnapshot] = []
    for id in Int64(2)...20 {
      held.append(try reader.snapshot())
      try store.add([id: [0, Float(id)]])
    }
    for (i, snapshot) in held.enumerated() {
      #expect(try Self.hits(snapshot, [0, 0], k: 99).map(\.rowID) == Array(1...Int64(i + 1)))
    }
  }

  /// Without a write-ahead log nothing but the header is looked at as long as nobody commits.
  @Test func theHeaderTellsWhetherAnythingWasCommitted() throws {
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition(2, metric: .l2))
    let other = try database.open()
    try other.prepare("PRAGMA schema_version").run()
    let before = try #require(HeaderMark(other, schema: "main"))
    try store.add([1: [0, 0]])
    let after = try #require(HeaderMark(other, schema: "main"))
    #expect(before != after)
    try #expect(store.rowCount() == 1)
    #expect(HeaderMark(other, schema: "main") == after)
    try connection.execute("PRAGMA journal_mode = WAL")
    #expect(HeaderMark(other, schema: "main") == nil)
    #expect(HeaderMark(try Connection(path: ":memory:"), schema: "main") == nil)
  }

  /// A commit may fail when the header is written already. Once that is undone, the same change tried again writes the
  /// same header, which must not be taken for one that was read.
  @Test(arguments: [false, true]) func aCommitThatFailedDoesNotHideTheNext(inStore: Bool) throws {
    try IndexStore.make(try database.open(), definition(2, metric: .l2)).add([1: [0, 0]])
    let reader = try IndexReader(path: database.path, name: "v")
    let store = try IndexStore.open(database.open())
    func rowCount() throws -> Int {
      if inStore { return try store.search(StoreRequest(query: [1, 1], k: 9)).hits.count }
      return try reader.snapshot().rowCount
    }
    #expect(try rowCount() == 1)
    let failed = try commitRow()
    // So a process leaves the file that is killed before it removes the journal: whoever reads next undoes the commit.
    try failed.journal.write(to: journal)
    #expect(try rowCount() == 1)
    #expect(!FileManager.default.fileExists(atPath: journal.path))
    #expect(try commitRow().header == failed.header)
    #expect(try rowCount() == 2)
  }

  private var journal: URL { URL(fileURLWithPath: database.path + "-journal") }

  /// Adds row 2; returns the journal of that commit, complete, and the header after it.
  private func commitRow() throws -> (journal: Data, header: HeaderMark) {
    let connection = try database.open()
    // Otherwise the journal is not valid before the commit syncs it.
    try connection.execute("PRAGMA synchronous = OFF")
    try connection.execute("BEGIN IMMEDIATE")
    let store = try IndexStore.open(connection)
    try store.insert(rowID: 2, vector: [1, 1])
    // The journal gets the first page now, and not only when the commit counts up.
    try connection.execute("PRAGMA user_version = 1")
    let bytes = try Data(contentsOf: journal)
    try connection.execute("COMMIT")
    store.commit()
    return (bytes, try #require(HeaderMark(connection, schema: "main")))
  }

  @Test func threadsSearchWhileRowsCome() throws {
    let store = try IndexStore.make(try database.open(), definition(4, metric: .l2, kind: .hnsw))
    try store.addSegment(Self.rows(1...500, seed: 3))
    let reader = try IndexReader(path: database.path, name: "v")
    let written = Atomic<Int>(500)
    let path = database.path
    Parallel.run(threads: 4) { worker in
      do {
        if worker == 0 {
          let store = try IndexStore.open(Connection(path: path))
          for id in Int64(501)...540 {
            try store.add([id: [9, 9, 9, Float(id)]])
            written.store(Int(id), ordering: .sequentiallyConsistent)
          }
          return
        }
        for _ in 0..<400 {
          let least = written.load(ordering: .sequentiallyConsistent)
          let snapshot = try reader.snapshot()
          #expect(snapshot.rowCount >= least)
          let hits = try Self.hits(snapshot, [9, 9, 9, 1000], k: 1)
          #expect(least == 500 || hits[0].rowID >= Int64(least))
        }
      } catch { Issue.record("\(error)") }
    }
  }

  private static func rows(_ range: ClosedRange<Int64>, seed: UInt64) -> [Int64: [Float]] {
    var random = SplitMix(seed: seed)
    return Dictionary(uniqueKeysWithValues: range.map { ($0, random.vector(4)) })
  }

  private static func hits(_ snapshot: IndexSnapshot, _ query: [Float], k: Int) throws -> [StoreHit] {
    var counters = SearchCounters()
    let prepared = try unsafe query.withUnsafeBufferPointer { unsafe try snapshot.prepare($0) }
    return try snapshot.search(prepared, k: k, parameters: SearchParameters(), counters: &counters).map {
      StoreHit(rowID: $0.rowID, distance: snapshot.configuration.metric.distance(fromScore: $0.score))
    }
  }
}
