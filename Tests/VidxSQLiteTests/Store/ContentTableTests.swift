import CSQLite
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

/// Indexes that follow a table of the user, through the virtual table itself.
struct ContentTableTests {
  private func connect(_ database: TestDatabase) throws -> Connection {
    let connection = try database.open()
    #expect(unsafe Extension.register(on: connection.handle) { BuildOptions(threads: 1) } == SQLITE_OK)
    try connection.execute(
      "CREATE TABLE docs(title TEXT UNIQUE, id INTEGER PRIMARY KEY, embedding BLOB, note TEXT)")
    return connection
  }

  private func index(_ connection: Connection) throws {
    try connection.execute(
      "CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2, index = flat, content = docs, column = embedding)"
    )
  }

  /// Fails unless the index holds exactly what the table holds.
  private func expectInStep(
    _ connection: Connection, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let store = try IndexStore.open(connection)
    let problems = try store.integrityCheck(deep: true)
    #expect(problems == [], comment, sourceLocation: sourceLocation)
    let count = try connection.prepare("SELECT count(*) FROM docs WHERE embedding IS NOT NULL")
    #expect(try count.step())
    #expect(try Int64(store.rowCount()) == count.int64(0), comment, sourceLocation: sourceLocation)
  }

  @Test func rowsThatAreThereAreIndexed() throws {
    let database = try TestDatabase()
    let connection = try connect(database)
    try connection.execute(
      """
      INSERT INTO docs VALUES ('a', 5, x'0000803f00000040', 'blob'), ('b', -3, '[3, 4.5]', 'text'), \
      ('c', 9, NULL, 'none')
      """)
    try index(connection)
    let store = try IndexStore.open(connection)
    #expect(try store.vector(rowID: 5) == [1, 2] && store.vector(rowID: -3) == [3, 4.5])
    #expect(try store.rowCount() == 2)
    #expect(try database.segmentFiles() == [], "few rows go to the delta")
    try expectInStep(connection)
  }

  @Test func manyRowsGoStraightIntoASegment() throws {
    let database = try TestDatabase()
    let connection = try connect(database)
    try connection.execute(
      """
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) \
      INSERT INTO docs(id, embedding) SELECT i * 3, '[' || i || ', 1]' FROM n
      """)
    try index(connection)
    let store = try IndexStore.open(connection)
    #expect(try store.search(StoreRequest(query: [700, 1], k: 1)).hits.map(\.rowID) == [2100])
    #expect(store.settled?.views.count == 1 && store.delta?.cache.count == 0)
    #expect(try database.segmentFiles().count == 1)
    try expectInStep(connection)
    try store.sweep()
    #expect(try database.segmentFiles().count == 1)
  }

  @Test func everyChangeOfTheTableIsFollowed() throws {
    let database = try TestDatabase()
    let connection = try connect(database)
    try connection.execute("INSERT INTO docs(id, title, embedding) VALUES (1, 'a', '[1,1]'), (2, 'b', '[2,2]')")
    try index(connection)
    for change in [
      "INSERT INTO docs(title, embedding) VALUES ('c', '[3,3]')",
      "INSERT INTO docs(title, embedding) VALUES ('n', NULL)",
      "UPDATE docs SET embedding = '[4,4]' WHERE id = 1",
      "UPDATE docs SET note = 'x'",
      "UPDATE docs SET embedding = NULL WHERE id = 2",
      "UPDATE docs SET embedding = '[5,5]' WHERE id = 2",
      "UPDATE docs SET id = 20 WHERE id = 2",
      "UPDATE docs SET rowid = 21, embedding = '[6,6]' WHERE _rowid_ = 20",
      "INSERT OR REPLACE INTO docs(id, title, embedding) VALUES (1, 'a', '[7,7]')",
      "INSERT OR REPLACE INTO docs(id, title, embedding) VALUES (1, 'a', NULL)",
      "REPLACE INTO docs(id, title, embedding) VALUES (1, 'a', '[8,8]')",
      "INSERT OR IGNORE INTO docs(id, title, embedding) VALUES (1, 'a', '[9,9]'), (30, 'k', '[9,9]')",
      "INSERT INTO docs(id, title, embedding) VALUES (1, 'a', '[9,9]') "
        + "ON CONFLICT(id) DO UPDATE SET embedding = excluded.embedding",
      "UPDATE OR REPLACE docs SET id = 1 WHERE id = 30",
      "INSERT OR FAIL INTO docs(id, title, embedding) VALUES (40, 'm', '[1,2]')",
      "UPDATE docs SET id = id + 1000",
      "DELETE FROM docs WHERE id = 1001",
      "DELETE FROM docs",
      "INSERT INTO docs(id, title, embedding) VALUES (3, 'z', '[0,0]')",
    ] {
      try connection.execute(change)
      try expectInStep(connection, "\(change)")
    }
    try connection.execute("BEGIN; INSERT INTO docs(id, embedding) VALUES (7, '[7,7]'); ROLLBACK")
    try expectInStep(connection, "rolled back")
  }

  /// SQLite fires the triggers of an event in an order of its own; in any, the index holds what the table has.
  @Test(arguments: [true, false])
  func triggersOfTheUserMayWriteFirst(beforeTheIndex: Bool) throws {
    let database = try TestDatabase()
    let connection = try connect(database)
    if !beforeTheIndex { try index(connection) }
    try connection.execute(
      """
      CREATE TRIGGER scale AFTER INSERT ON docs WHEN new.note = 'scale' BEGIN
        UPDATE docs SET embedding = '[10,10]' WHERE id = new.id; END;
      CREATE TRIGGER clear AFTER INSERT ON docs WHEN new.note = 'clear' BEGIN
        UPDATE docs SET embedding = NULL WHERE id = new.id; END;
      CREATE TRIGGER drop_it AFTER INSERT ON docs WHEN new.note = 'drop' BEGIN
        DELETE FROM docs WHERE id = new.id; END;
      CREATE TRIGGER rescale AFTER UPDATE OF title ON docs BEGIN
        UPDATE docs SET embedding = '[20,20]' WHERE id = new.id; END;
      CREATE TRIGGER refill AFTER UPDATE OF id ON docs BEGIN
        INSERT INTO docs(id, embedding) VALUES (old.id, '[30,30]'); END;
      CREATE TRIGGER keep AFTER DELETE ON docs WHEN old.note = 'keep' BEGIN
        INSERT INTO docs(id, embedding, note) VALUES (old.id, '[40,40]', 'kept'); END;
      """)
    if beforeTheIndex { try index(connection) }
    for change in [
      "INSERT INTO docs(id, embedding, note) VALUES (1, '[1,1]', 'scale')",
      "INSERT INTO docs(id, embedding, note) VALUES (2, '[1,1]', 'clear')",
      "INSERT INTO docs(id, embedding, note) VALUES (3, '[1,1]', 'drop')",
      "INSERT INTO docs(id, embedding, note) VALUES (4, '[1,1]', 'keep')",
      "UPDATE docs SET title = 'x', embedding = '[2,2]' WHERE id = 4",
      "UPDATE docs SET id = 40 WHERE id = 4",
      "DELETE FROM docs WHERE id = 40",
    ] {
      try connection.execute(change)
      try expectInStep(connection, "\(change)")
    }
    let store = try IndexStore.open(connection)
    #expect(try store.vector(rowID: 1) == [10, 10] && store.vector(rowID: 2) == nil && store.vector(rowID: 3) == nil)
    #expect(try store.vector(rowID: 4) == [30, 30] && store.vector(rowID: 40) == [40, 40])
  }

  @Test func aRowThatCannotBeIndexedIsRefused() throws {
    let database = try TestDatabase()
    let connection = try connect(database)
    try index(connection)
    for bad in ["'[1]'", "'[1,2,3]'", "x'00'", "'no'", "7", "1.5", "x'0000c07f00000000'"] {
      #expect(throws: SQLiteError.self, "\(bad)") {
        try connection.execute("INSERT INTO docs(id, embedding) VALUES (1, \(bad))")
      }
    }
    try expectInStep(connection)
  }

  @Test(arguments: ["'[1]'", "'[1,2,3]'", "x'00'", "'no'", "7", "1.5", "x'0000c07f00000000'", "'[1e39, 0]'"])
  func aRowThatCannotBeIndexedRefusesTheCreation(bad: String) throws {
    let database = try TestDatabase()
    let connection = try connect(database)
    try connection.execute("INSERT INTO docs(id, embedding) VALUES (1, '[1,2]'), (17, \(bad))")
    let error = #expect(throws: StoreError.self) {
      try connection.transaction {
        try IndexStore.create(
          connection, schema: "main", table: "v",
          definition: definition(2, metric: .l2, content: "docs", column: "embedding"))
      }
    }
    guard case .contentRow(table: "docs", rowID: 17, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(error?.message.contains("row 17 of docs") == true)
    // Inside a transaction that goes on, too, nothing is left behind.
    try connection.execute("BEGIN")
    #expect(throws: SQLiteError.self) { try index(connection) }
    try connection.execute("COMMIT")
    let leftovers = try connection.prepare("SELECT count(*) FROM sqlite_master WHERE name LIKE 'v%'")
    #expect(try leftovers.step())
    #expect(leftovers.int64(0) == 0)
  }

  @Test(
    arguments: [
      ("", ContentFault.missing),
      ("CREATE VIEW t AS SELECT 1 AS id, 2 AS e", .view),
      ("CREATE VIRTUAL TABLE t USING vidx(dimensions = 2)", .virtual),
      ("CREATE TABLE t(id INTEGER PRIMARY KEY, e) WITHOUT ROWID", .withoutRowID),
      ("CREATE TABLE t(id TEXT PRIMARY KEY, e) WITHOUT ROWID", .withoutRowID),
      ("CREATE TABLE t(id TEXT PRIMARY KEY, e)", .noIntegerPrimaryKey),
      ("CREATE TABLE t(id INT PRIMARY KEY, e)", .noIntegerPrimaryKey),
      ("CREATE TABLE t(id INTEGER, e)", .noIntegerPrimaryKey),
      ("CREATE TABLE t(a INTEGER, e, PRIMARY KEY(a, e))", .noIntegerPrimaryKey),
      ("CREATE TABLE t(id INTEGER PRIMARY KEY DESC, e)", .descendingPrimaryKey),
      ("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", .missingColumn("e")),
      ("CREATE TABLE t(e INTEGER PRIMARY KEY)", .keyAsVector("e")),
    ])
  func tablesThatCannotBeContentAreRefused(schema: String, fault: ContentFault) throws {
    let database = try TestDatabase()
    let connection = try connect(database)
    try connection.execute(schema)
    #expect(throws: StoreError.content(table: "t", fault)) {
      try IndexStore.create(
        connection, schema: "main", table: "v", definition: definition(2, content: "t", column: "e"))
    }
    #expect(throws: StoreError.noIndex(schema: "main", table: "v")) { try IndexStore.open(connection) }
  }

  @Test(
    arguments: [
      "CREATE TABLE t(id INTEGER PRIMARY KEY, e)", "CREATE TABLE T(ID integer primary key autoincrement, E BLOB)",
      "CREATE TABLE t(e, rowid INTEGER PRIMARY KEY)", "CREATE TABLE t(e, id INTEGER, PRIMARY KEY(id DESC))",
      "CREATE TABLE t(rowid, _rowid_, oid, id INTEGER PRIMARY KEY, e)",
      "CREATE TABLE t(id INTEGER PRIMARY KEY, j TEXT, e AS (j) STORED)",
    ])
  func tablesThatCanBeContent(schema: String) throws {
    let database = try TestDatabase()
    let connection = try connect(database)
    try connection.execute(schema)
    let column = schema.contains("AS (j)") ? "j" : "e"
    let id = schema.contains("rowid INTEGER") ? "rowid" : "id"
    try connection.execute("INSERT INTO t(\(id), \(column)) VALUES (4, '[1,2]')")
    try connection.execute("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, content = t, column = e)")
    try connection.execute("UPDATE t SET \(column) = '[3,4]'")
    try connection.execute("INSERT INTO t(\(id), \(column)) VALUES (5, '[5,6]')")
    let store = try IndexStore.open(connection)
    #expect(try store.vector(rowID: 4) == [3, 4] && store.vector(rowID: 5) == [5, 6])
    #expect(try store.integrityCheck(deep: true) == [])
  }

  @Test func renamesAreFollowed() throws {
    let database = try TestDatabase()
    let connection = try connect(database)
    try connection.execute("INSERT INTO docs(id, embedding) VALUES (1, '[1,1]')")
    try index(connection)
    try connection.execute("ALTER TABLE docs RENAME TO papers")
    try connection.execute("INSERT INTO papers(id, embedding) VALUES (2, '[2,2]')")
    #expect(try IndexStore.open(connection).integrityCheck(deep: true) == [])
    try connection.execute("ALTER TABLE v RENAME TO w")
    try connection.execute("UPDATE papers SET embedding = '[3,3]' WHERE id = 1")
    let store = try IndexStore.open(connection, "w")
    #expect(try store.vector(rowID: 1) == [3, 3] && store.rowCount() == 2)
    #expect(try store.integrityCheck(deep: true) == [])
    try connection.execute("DROP TABLE w")
    try connection.execute("INSERT INTO papers(id, embedding) VALUES (3, 'anything')")
    let leftovers = try connection.prepare("SELECT group_concat(name) FROM sqlite_master WHERE tbl_name <> 'papers'")
    #expect(try leftovers.step())
    #expect(leftovers.text(0) == nil)
  }

  @Test func aRenamedColumnIsExplained() throws {
    let database = try TestDatabase()
    let connection = try connect(database)
    try connection.execute("INSERT INTO docs(id, embedding) VALUES (1, '[1,1]')")
    try index(connection)
    try connection.execute("ALTER TABLE docs RENAME COLUMN embedding TO e")
    try connection.execute("UPDATE docs SET e = '[2,2]'")
    let store = try IndexStore.open(connection)
    #expect(try store.vector(rowID: 1) == [2, 2])
    #expect(throws: StoreError.content(table: "docs", .lostColumn("embedding"))) { try store.rebuild(options: .serial) }
    let problems = try store.integrityCheck()
    #expect(problems.count == 1 && problems[0].contains("make it again with the name the column has now"))
    try connection.execute(
      "DROP TABLE v; CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, content = docs, column = e)")
    #expect(try IndexStore.open(connection).integrityCheck(deep: true) == [])
  }

  @Test func rowsOutOfStepAreReported() throws {
    let database = try TestDatabase()
    let connection = try connect(database)
    try connection.execute("INSERT INTO docs(id, title, embedding) VALUES (1, 'a', '[1,1]'), (2, 'b', '[2,2]')")
    try index(connection)
    let store = try IndexStore.open(connection)
    // REPLACE takes row 2 away for its title; nobody tells the index to look.
    try connection.execute("DROP TRIGGER v_content_inserting")
    try connection.execute("REPLACE INTO docs(id, title, embedding) VALUES (3, 'b', '[3,3]')")
    try connection.execute("DELETE FROM v WHERE rowid = 1")
    try connection.execute("UPDATE v SET vector = '[9,9]' WHERE rowid = 3")
    let problems = try store.integrityCheck(deep: true)
    #expect(
      problems == [
        "1 rows of docs are missing from index v: 1", "1 rows of index v are not in docs: 2",
        "1 rows have another vector in index v than in docs: 3",
      ])
    #expect(try store.integrityCheck(deep: false).count == 2)
    try store.transaction { try store.rebuild(options: .serial) }
    try expectInStep(connection, "rebuilt")
    try connection.execute("DROP TABLE docs")
    #expect(try store.integrityCheck().first?.contains("no such table") == true)
    #expect(throws: StoreError.content(table: "docs", .missing)) { try store.rebuild(options: .serial) }
  }

  @Test func aRebuildRepairsAnIndexWithoutItsFiles() throws {
    let database = try TestDatabase()
    let connection = try connect(database)
    try connection.execute("INSERT INTO docs(id, embedding) VALUES (1, '[1,1]'), (2, '[2,2]')")
    try index(connection)
    try IndexStore.open(connection).optimizeOutsideTransaction(options: .serial)
    let folder = SegmentFolder(path: database.segments)
    for name in try folder.list() { try folder.remove(name) }
    let store = try IndexStore.open(connection)
    #expect(throws: StoreError.self) { try store.search(StoreRequest(query: [1, 1], k: 1)) }
    try connection.execute("INSERT INTO v(v) VALUES ('rebuild')")
    #expect(try store.search(StoreRequest(query: [1, 1], k: 1)).hits.map(\.rowID) == [1])
    try expectInStep(connection)
  }

  @Test(arguments: ["DROP TRIGGER v_content_delete", "DROP TABLE docs"]) func aRebuildFollowsAgain(lost: String) throws
  {
    let database = try TestDatabase()
    let connection = try connect(database)
    try connection.execute("INSERT INTO docs(id, embedding) VALUES (1, '[1,1]'), (2, '[2,2]')")
    try index(connection)
    try connection.execute(lost)
    try connection.execute(
      """
      CREATE TABLE IF NOT EXISTS docs(title TEXT UNIQUE, id INTEGER PRIMARY KEY, embedding BLOB, note TEXT);
      DELETE FROM docs WHERE id = 1;
      INSERT OR IGNORE INTO docs(id, embedding) VALUES (2, '[3,3]');
      INSERT INTO v(v) VALUES ('rebuild')
      """)
    try expectInStep(connection, "rebuilt")
    for change in [
      "INSERT INTO docs(id, embedding) VALUES (3, '[3,3]')", "UPDATE docs SET embedding = '[4,4]' WHERE id = 2",
      "DELETE FROM docs WHERE id = 3",
    ] {
      try connection.execute(change)
      try expectInStep(connection, "\(change)")
    }
  }

  @Test func aRebuildThatFailsLeavesTheIndexAsItWas() throws {
    let database = try TestDatabase()
    let connection = try connect(database)
    try connection.execute("INSERT INTO docs(id, embedding) VALUES (1, '[1,1]')")
    try index(connection)
    try connection.execute("DROP TRIGGER v_content_update")
    try connection.execute("UPDATE docs SET embedding = 'broken'")
    let store = try IndexStore.open(connection)
    try connection.execute("BEGIN")
    #expect(throws: SQLiteError.self) { try connection.execute("INSERT INTO v(v) VALUES ('rebuild')") }
    try connection.execute("COMMIT")
    #expect(try store.vector(rowID: 1) == [1, 1])
  }
}
