import Synchronization
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

@Suite struct ReaderFilterTests {
  let database: TestDatabase

  init() throws { database = try TestDatabase() }

  /// An index of rows 1...40 with labels 0...3.
  private func make(journal: String = "delete") throws -> IndexStore {
    let connection = try database.open()
    try connection.execute("PRAGMA journal_mode = \(journal)")
    let store = try IndexStore.make(connection, definition(1, metric: .l2))
    try connection.execute("CREATE TABLE rows(id INTEGER PRIMARY KEY, label INTEGER)")
    try connection.execute("INSERT INTO v_config(key, value) VALUES ('rows_table', 'rows')")
    let values = (1...40).map { "(\($0), \($0 % 4))" }.joined(separator: ", ")
    try connection.execute("INSERT INTO rows VALUES \(values)")
    try store.addSegment(Dictionary(uniqueKeysWithValues: (Int64(1)...40).map { ($0, [Float($0)]) }))
    return store
  }

  private static func ids(_ resolved: ReaderFilter.Resolved) throws -> [Int64] {
    var counters = SearchCounters()
    let query = try PreparedQuery([0], dimensions: 1, metric: .l2)
    return try resolved.snapshot.search(
      query, k: 100, parameters: SearchParameters(), filter: resolved.filter, counters: &counters
    ).map(\.rowID)
  }

  @Test(arguments: ["delete", "wal"]) func seesEveryCommit(_ journal: String) throws {
    let store = try make(journal: journal)
    let reader = try IndexReader(path: database.path, name: "v")
    let text = ReaderFilter(FilterText(.condition, "label = ?1", [.integer(1)]))
    let chosen = ReaderFilter(rowIDs: [9, 5, 1, 5, 77])
    for id in Int64(41)...60 {
      switch id % 4 {
      case 0: try store.add([id: [Float(id)]])
      case 1: try store.connection.execute("INSERT INTO rows VALUES (\(id), 1)")
      case 2: try store.transaction { try store.delete(rowID: id - 41) }
      default: try store.connection.execute("UPDATE rows SET label = 1 WHERE id = \(id - 31)")
      }
      let expected = try store.connection.prepare("SELECT id FROM rows WHERE label = 1").rowIDs()
        .filter { try store.contains(rowID: $0) }.sorted()
      let first = try reader.resolve(text)
      #expect(try !first.isCached && Self.ids(first) == expected)
      let second = try reader.resolve(text)
      #expect(try second.isCached && Self.ids(second) == expected)
      let some = try reader.resolve(chosen)
      #expect(try Self.ids(some) == [1, 5, 9].filter { try store.contains(rowID: $0) })
      #expect(some.filter.rowsYielded == 4)
    }
  }

  /// Another filter of the same text uses the rows of the first; a repeated search does not even ask for them.
  @Test func rowsAreReadOnce() throws {
    _ = try make()
    let reader = try IndexReader(path: database.path, name: "v")
    let text = FilterText(.condition, "label = 2")
    let filter = ReaderFilter(text)
    for _ in 0..<5 { _ = try reader.resolve(filter) }
    #expect(try reader.withStore { $0.filterCounts } == (0, 1))
    #expect(try reader.resolve(ReaderFilter(text)).isCached)
    #expect(try reader.withStore { $0.filterCounts } == (1, 1))
  }

  @Test func aSnapshotKeepsItsRows() throws {
    let store = try make()
    let reader = try IndexReader(path: database.path, name: "v")
    let snapshot = try reader.snapshot()
    let filter = ReaderFilter(FilterText(.condition, "label = 1"))
    let before = try Self.ids(reader.resolve(filter, for: snapshot, version: 1))
    try store.connection.execute("UPDATE rows SET label = 1")
    try store.add([41: [41]])
    let kept = try reader.resolve(filter, for: snapshot, version: 1)
    #expect(try kept.isCached && Self.ids(kept) == before)
    let later = try reader.resolve(filter, for: reader.snapshot(), version: 2)
    #expect(try Self.ids(later) == Array(1...40))
    // The rows of now, the vectors of then.
    let anew = try reader.resolve(ReaderFilter(FilterText(.condition, "1")), for: snapshot, version: 1)
    #expect(try Self.ids(anew) == Array(1...40))
  }

  @Test func aTableThatWasRenamedIsFound() throws {
    let connection = try database.open()
    #expect(unsafe Extension.register(on: connection.handle) == 0)
    try connection.execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, e BLOB, label INTEGER)")
    try connection.execute("INSERT INTO notes VALUES (1, '[1]', 5), (2, '[2]', 6)")
    try connection.execute("CREATE VIRTUAL TABLE w USING vidx(dimensions=1, metric=l2, content=notes, column=e)")
    let reader = try IndexReader(path: database.path, name: "w")
    let filter = ReaderFilter(FilterText(.condition, "label = 6"))
    #expect(try Self.ids(reader.resolve(filter)) == [2])
    try connection.execute("ALTER TABLE notes RENAME TO jottings")
    #expect(try Self.ids(reader.resolve(filter)) == [2])
  }

  /// Columns are found by their names in each state: an index may have been made anew with others, in another order.
  @Test func conditionsFollowTheirColumns() throws {
    let connection = try database.open()
    #expect(unsafe Extension.register(on: connection.handle) == 0)
    func make(_ columns: String) throws {
      try connection.execute(
        """
        DROP TABLE IF EXISTS w;
        CREATE VIRTUAL TABLE w USING vidx(dimensions = 1, metric = l2, index = flat, \(columns));
        """)
    }
    try make("filter a, filter b")
    try connection.execute("INSERT INTO w(rowid, vector, a, b) VALUES (1, '[1]', 10, 20), (2, '[2]', 20, 10)")
    let reader = try IndexReader(path: database.path, name: "w")
    let filter = ReaderFilter([NamedCondition("B", .equals(.integer(20)))])
    let old = try reader.snapshot()
    #expect(try Self.ids(reader.resolve(filter)) == [1])
    try make("filter b, filter a")
    try connection.execute("INSERT INTO w(rowid, vector, a, b) VALUES (3, '[1]', 10, 20), (4, '[2]', 20, 10)")
    #expect(try Self.ids(reader.resolve(filter)) == [3])
    #expect(try Self.ids(reader.resolve(filter, for: old, version: 1_000)) == [1])
    try connection.execute("INSERT INTO w(w) VALUES ('optimize')")
    #expect(try Self.ids(reader.resolve(filter)) == [3])
    // Fewer columns than the position says, in the delta and then in a segment.
    try make("filter b")
    try connection.execute("INSERT INTO w(rowid, vector, b) VALUES (5, '[1]', 20)")
    #expect(try Self.ids(reader.resolve(filter)) == [5])
    try make("filter bb")
    try connection.execute("INSERT INTO w(rowid, vector, bb) VALUES (6, '[1]', 20)")
    let expected = StoreError.noFilterColumn(index: "w", column: "B", known: ["bb"])
    for _ in 0..<2 {
      #expect(throws: expected) { try reader.resolve(filter) }
      try connection.execute("INSERT INTO w(w) VALUES ('optimize')")
    }
    #expect(expected.message == "index w has no filter column 'B' (did you mean 'bb'?): it has bb")
    try connection.execute("DROP TABLE w; CREATE VIRTUAL TABLE w USING vidx(dimensions = 1, metric = l2)")
    #expect(throws: StoreError.noFilterColumn(index: "w", column: "B", known: [])) { try reader.resolve(filter) }
  }

  /// What the C interface and Python compare is what SQL compares, whatever the encoding of the database.
  @Test(arguments: ["UTF-8", "UTF-16le", "UTF-16be"]) func conditionsCompareAsTheDatabaseDoes(encoding: String) throws {
    let connection = try database.open()
    try connection.execute("PRAGMA encoding = '\(encoding)'")
    #expect(unsafe Extension.register(on: connection.handle) == 0)
    try connection.execute("CREATE VIRTUAL TABLE w USING vidx(dimensions = 1, metric = l2, filter a)")
    let texts = ["a", "b", "\u{101}", "\u{fffd}", "\u{10000}"]
    for (i, text) in texts.enumerated() {
      try connection.execute("INSERT INTO w(rowid, vector, a) VALUES (\(i), '[\(i)]', '\(text)')")
    }
    let reader = try IndexReader(path: database.path, name: "w")
    for _ in 0..<2 {
      for text in texts {
        let bound = FilterCondition.Bound(.string(text), isInclusive: false)
        let filter = ReaderFilter([NamedCondition("a", .range(lower: bound, upper: nil))])
        let expected = try connection.prepare("SELECT rowid FROM w WHERE +a > '\(text)'").rowIDs()
        #expect(try Self.ids(reader.resolve(filter)) == expected.sorted(), "\(text)")
      }
      try connection.execute("INSERT INTO w(w) VALUES ('optimize')")
    }
  }

  @Test func threadsShareAFilterWhileRowsCome() throws {
    _ = try make()
    let reader = try IndexReader(path: database.path, name: "v")
    let filter = ReaderFilter(FilterText(.condition, "label = 9"))
    let written = Atomic<Int>(0)
    let path = database.path
    Parallel.run(threads: 4) { worker in
      do {
        if worker == 0 {
          let connection = try Connection(path: path)
          for id in 1...30 {
            try connection.execute("UPDATE rows SET label = 9 WHERE id = \(id)")
            written.store(id, ordering: .sequentiallyConsistent)
          }
          return
        }
        for _ in 0..<200 {
          let least = written.load(ordering: .sequentiallyConsistent)
          let found = try Self.ids(reader.resolve(filter))
          #expect(found.count >= least && found == found.indices.map { Int64($0 + 1) })
        }
      } catch { Issue.record("\(error)") }
    }
  }
}
