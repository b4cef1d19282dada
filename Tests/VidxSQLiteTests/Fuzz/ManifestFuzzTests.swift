import Foundation
import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

/// Internal tables edited by hand: whatever they hold, the index answers or throws what it throws for damage; and what
/// `integrityCheck` finds sound, it answers rightly.
@Suite struct ManifestFuzzTests {
  private static let tables = [
    ("config", ["key", "value"]), ("segments", ["id", "file", "entries", "bytes"]),
    ("delta", ["id", "stamp", "vector", "f0"]), ("tombstones", ["segment", "entry"]),
  ]

  /// What a column may come to hold.
  private static let values = [
    "NULL", "0", "1", "2", "-1", "7", "40", "2147483647", "2147483648", "4294967295", "9223372036854775807",
    "-9223372036854775808", "1.5", "-0.0", "9e999", "-9e999", "''", "'x'", "'7'", "' 7 '", "'../../etc/passwd'",
    "'a-1.seg'", "'cosine'", "'hnsw'", "'int8'", "'v'", "x''", "x'00'", "zeroblob(16)", "zeroblob(32)",
    "zeroblob(70000)", "x'0000c07f0000c07f0000c07f0000c07f'", "x'ffffffffffffffff'", "'a' || char(0) || '.seg'",
    "hex(zeroblob(3000)) || '.seg'", "x'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'",
    "CAST('a-1.seg' AS BLOB)", "char(769)", "(SELECT file FROM v_segments LIMIT 1)",
    "(SELECT CAST(file AS BLOB) FROM v_segments LIMIT 1)", "(SELECT value FROM v_config WHERE key = 'revision')",
    "(SELECT vector FROM v_delta LIMIT 1)",
  ]

  private static let keys = [
    "version", "dimensions", "metric", "index", "m", "ef_construction", "lists", "codec", "seed", "content", "column",
    "filter_columns", "filter:0", "partition:0", "rows_table", "revision", "retired:a-1.seg",
    "unfinished", "merge_after", "threads", "memory",
  ]

  /// Two segments, a delta, tombstones, a filter column; 4 dimensions.
  private func index(_ kind: IndexKind, _ database: TestDatabase) throws -> Connection {
    let connection = try database.open()
    let made = IndexDefinition(
      configuration: IndexConfiguration(dimensions: 4, metric: .l2, kind: kind), filterColumns: [FilterColumn("f")])
    let store = try IndexStore.make(connection, made)
    var random = SplitMix(seed: 71)
    try store.addSegment(Dictionary(uniqueKeysWithValues: (Int64(1)...30).map { ($0, random.vector(4)) }))
    try store.addSegment(Dictionary(uniqueKeysWithValues: (Int64(31)...40).map { ($0, random.vector(4)) }))
    try store.transaction {
      for rowID in Int64(41)...44 {
        try store.insert(rowID: rowID, vector: random.vector(4), values: [.integer(rowID)])
      }
      for rowID in [Int64(3), 7, 33] { try store.delete(rowID: rowID) }
    }
    return connection
  }

  private func edit(_ random: inout SplitMix) -> String {
    func pick(_ texts: [String]) -> String { texts[Int.random(in: 0..<texts.count, using: &random)] }
    let (suffix, columns) = Self.tables[Int.random(in: 0..<Self.tables.count, using: &random)]
    let (table, column, value) = ("v_\(suffix)", pick(columns), pick(Self.values))
    switch Int.random(in: 0..<8, using: &random) {
    case 0: return "INSERT INTO \(table) SELECT * FROM \(table) LIMIT \(pick(["1", "2", "100"]))"
    case 1: return "DELETE FROM \(table) WHERE rowid IN (SELECT rowid FROM \(table) LIMIT \(pick(["1", "100"])))"
    case 2: return "INSERT INTO v_config(key, value) VALUES ('\(pick(Self.keys))', \(value))"
    case 3, 4: return "UPDATE v_config SET value = \(value) WHERE key = '\(pick(Self.keys))'"
    case 5: return "UPDATE \(table) SET \(column) = \(value)"
    default: return "UPDATE \(table) SET \(column) = \(value) WHERE rowid = (SELECT min(rowid) FROM \(table))"
    }
  }

  /// The tables as somebody may make them: without any constraint.
  private func loosen(_ connection: Connection) throws {
    for (suffix, columns) in Self.tables {
      let list = columns.joined(separator: ", ")
      try connection.execute(
        """
        CREATE TEMP TABLE loose AS SELECT \(list) FROM v_\(suffix); DROP TABLE main.v_\(suffix);
        CREATE TABLE main.v_\(suffix) AS SELECT * FROM loose; DROP TABLE loose
        """)
    }
  }

  /// - Returns: how often it was refused.
  private func use(_ edits: [String], _ connection: Connection, isLoose: Bool, merges: Bool) throws -> Int {
    try connection.execute("BEGIN")
    defer { #expect(throws: Never.self) { try connection.execute("ROLLBACK") } }
    if isLoose { try loosen(connection) }
    for edit in edits {
      do { try connection.execute(edit) } catch {}
    }
    let use = IndexUse()
    try use.attempt { try use.everything(IndexStore.open(connection), merges: merges) }
    return use.refused
  }

  @Test(arguments: [IndexKind.flat, .hnsw])
  func survivesEdits(kind: IndexKind) throws {
    let database = try TestDatabase()
    let connection = try index(kind, database)
    #expect(try use([], connection, isLoose: false, merges: true) == 0)
    // A merge has its id from the constraint.
    #expect(try use([], connection, isLoose: true, merges: false) == 0)
    for text in try Corpus.texts("manifest.sql") {
      let edit = String(decoding: text, as: UTF8.self)
      try FuzzCases.note("manifest: \(edit)")
      for isLoose in [false, true] { _ = try use([edit], connection, isLoose: isLoose, merges: true) }
    }
    var random = SplitMix(seed: FuzzCases.seed(72))
    var refused = 0
    for number in 0..<FuzzCases.count(500) {
      let edits = (0..<Int.random(in: 1...3, using: &random)).map { _ in edit(&random) }
      let isLoose = number % 4 != 0
      try FuzzCases.note("manifest, \(isLoose ? "loose" : "as made"): \(edits.joined(separator: "; "))")
      if try use(edits, connection, isLoose: isLoose, merges: number % 8 == 1) > 0 { refused += 1 }
    }
    #expect(refused > 100)
    // Nothing of it stayed.
    #expect(try IndexStore.open(connection).integrityCheck(deep: true) == [])
    try IndexStore.sweep(connection, schema: "main")
    #expect(try database.segmentFiles().count == 2)
  }

  /// The same tables, read through SQL and by a reader of their own.
  @Test func survivesEditsThatAreCommitted() throws {
    for text in try Corpus.texts("manifest.sql") {
      let edit = String(decoding: text, as: UTF8.self)
      try FuzzCases.note("committed: \(edit)")
      let database = try TestDatabase()
      let connection = try SQLSession.connect(database.path)
      try connection.execute(
        """
        PRAGMA synchronous = OFF;
        CREATE VIRTUAL TABLE v USING vidx(dimensions = 4, metric = l2, index = flat, filter f);
        INSERT INTO v(rowid, vector, f) VALUES (1, '[1,0,0,0]', 1), (2, '[0,1,0,0]', 2);
        INSERT INTO v(v) VALUES ('optimize');
        INSERT INTO v(rowid, vector, f) VALUES (3, '[0,0,1,0]', 3);
        DELETE FROM v WHERE rowid = 2
        """)
      // Beside the table that is open.
      let other = try database.open()
      do { try other.execute(edit) } catch {}
      for connection in [connection, try SQLSession.connect(database.path)] {
        try connection.execute("PRAGMA synchronous = OFF")
        for sql in [
          "SELECT rowid, distance FROM v WHERE vector MATCH '[1,0,0,0]' AND k = 5",
          "SELECT rowid, vector FROM v WHERE f = 3",
          "SELECT rowid FROM v WHERE vector MATCH '[1,0,0,0]' ORDER BY distance",
          "INSERT INTO v(rowid, vector) VALUES (9, '[1,1,1,1]')", "DELETE FROM v WHERE rowid = 1",
          "INSERT INTO v(v) VALUES ('integrity-check')", "INSERT INTO v(v) VALUES ('merge')",
          "INSERT INTO v(v) VALUES ('rebuild')", "ALTER TABLE v RENAME TO w", "ALTER TABLE w RENAME TO v",
        ] {
          try FuzzCases.note("committed: \(edit); \(sql)")
          do { _ = try SQLSession.rows(connection, sql) } catch is SQLiteError {}
        }
      }
      try FuzzCases.note("committed: \(edit); a reader")
      do {
        _ = try IndexReader(path: database.path, name: "v").snapshot()
      } catch is StoreError {} catch is SQLiteError {}
      do { try SQLSession.connect(database.path).execute("DROP TABLE v") } catch is SQLiteError {}
    }
  }

  /// Triggers of somebody on internal tables, which ask and change the index while it changes itself.
  @Test(
    arguments: [
      "SELECT count(*) FROM v WHERE vector MATCH '[1,0,0,0]' AND k = 5", "INSERT INTO v(vector) VALUES ('[1,2,3,4]')",
      "DELETE FROM v WHERE rowid < 3", "UPDATE v SET vector = '[9,9,9,9]'", "INSERT INTO v(v) VALUES ('optimize')",
      "DELETE FROM v_delta", "DELETE FROM v_segments",
      "UPDATE v_config SET value = zeroblob(32) WHERE key = 'revision'",
    ])
  func survivesTriggersOnItsTables(body: String) throws {
    for (event, table) in [
      ("INSERT", "delta"), ("DELETE", "delta"), ("UPDATE", "config"), ("INSERT", "segments"), ("INSERT", "tombstones"),
    ] {
      let database = try TestDatabase()
      let connection = try SQLSession.connect(database.path)
      try connection.execute("PRAGMA synchronous = OFF")
      try connection.execute(
        """
        CREATE VIRTUAL TABLE v USING vidx(dimensions = 4, metric = l2, index = flat);
        INSERT INTO v(rowid, vector) VALUES (1, '[1,0,0,0]'), (2, '[0,1,0,0]'), (5, '[0,1,1,0]');
        INSERT INTO v(v) VALUES ('optimize');
        INSERT INTO v(rowid, vector) VALUES (3, '[0,0,1,0]');
        CREATE TRIGGER mine AFTER \(event) ON v_\(table) BEGIN \(body); END
        """)
      for sql in [
        "INSERT INTO v(rowid, vector) VALUES (9, '[1,1,1,1]')", "UPDATE v SET vector = '[2,2,2,2]' WHERE rowid = 1",
        "DELETE FROM v WHERE rowid = 3", "INSERT INTO v(v) VALUES ('optimize')",
        "SELECT rowid FROM v WHERE vector MATCH '[1,0,0,0]' AND k = 5",
      ] {
        do { _ = try SQLSession.rows(connection, sql) } catch is SQLiteError {}
      }
      // The index keeps statements whose triggers use the index: SQLite would keep both after the connection is closed.
      try connection.execute("DROP TRIGGER mine; DROP TABLE v")
    }
  }

  /// A statement of the index that would run inside itself.
  @Test func aRebuildInsideARebuildIsRefused() throws {
    let session = try SQLSession(onDisk: true)
    try session.run(
      """
      CREATE TABLE t(id INTEGER PRIMARY KEY, e BLOB);
      INSERT INTO t VALUES (1, vector('[1]')), (2, vector('[2]'));
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 1, metric = l2, index = flat, content = t, column = e);
      CREATE TRIGGER mine AFTER DELETE ON v_delta BEGIN INSERT INTO v(v) VALUES ('rebuild'); END
      """)
    let error = try session.error("INSERT INTO v(v) VALUES ('rebuild')")
    #expect(error.message.contains("drop the trigger"), "\(error)")
    try session.run(
      "DROP TRIGGER mine; INSERT INTO v(v) VALUES ('rebuild'); INSERT INTO v(v) VALUES ('integrity-check')")
    #expect(try session.integers("SELECT rowid FROM v ORDER BY rowid") == [1, 2])
  }
}

/// Everything that an index can be asked, which may be refused.
private final class IndexUse {
  private(set) var refused = 0

  func attempt(_ body: () throws -> Void) throws {
    do { try body() } catch is StoreError { refused += 1 } catch is SQLiteError { refused += 1 } catch is BuildError {
      refused += 1
    } catch is FilterError { refused += 1 }
  }

  func everything(_ store: IndexStore, merges: Bool) throws {
    defer { store.rollback() }
    let query: [Float] = [1, 0.5, 0, -0.5]
    try attempt { _ = try store.search(StoreRequest(query: query, k: 3)) }
    try attempt { _ = try store.search(StoreRequest(query: query, k: 3, filter: [1, 2, 3, 41, 42])) }
    try attempt {
      let conditions = try store.filterConditions([NamedCondition("f", .isNotNull)])
      _ = try store.search(StoreRequest(query: query, k: 3, conditions: conditions))
      let scan = try store.scan(conditions: conditions)
      while try scan.next() != nil {}
    }
    try attempt {
      let stream = try store.stream(StoreRequest(query: query))
      while try stream.next() != nil {}
    }
    try attempt { _ = try store.contents() }
    try attempt { _ = try store.readableSegments() }
    try attempt { _ = try store.rowCount() }
    try attempt { _ = try IndexStore.namedFiles(store.connection, schema: "main") }
    try attempt { _ = try store.rowTable() }
    try attempt {
      if try store.integrityCheck(deep: true).isEmpty { try agree(store, query) } else { refused += 1 }
    }
    try attempt { _ = try store.transaction { try store.insert(rowID: 100, vector: query, values: [.integer(1)]) } }
    try attempt { _ = try store.transaction { try store.delete(rowID: 5) } }
    try attempt { try store.transaction { try store.update(rowID: 42, to: 43, onConflict: .replace) } }
    if merges {
      try attempt { try store.transaction { try store.optimize(options: .serial) } }
      try attempt { try store.transaction { try store.rebuild(options: .serial) } }
      try attempt { _ = try store.search(StoreRequest(query: query, k: 3)) }
    }
  }

  /// What the index says to be all its rows are those that a search finds, by distance, each once.
  private func agree(_ store: IndexStore, _ query: [Float]) throws {
    var rows: [Int64: [Float]] = [:]
    let scan = try store.scan()
    while let (rowID, vector) = try scan.nextRow() {
      #expect(rows.updateValue(vector, forKey: rowID) == nil, "row \(rowID) comes twice")
    }
    let metric = store.definition.configuration.metric
    let answer = try store.search(StoreRequest(query: query, k: 1_000, parameters: SearchParameters(exact: true)))
    expect(answer.hits, are: neighbours(of: query, in: rows, metric), k: 1_000, rows, query, metric)
  }
}
