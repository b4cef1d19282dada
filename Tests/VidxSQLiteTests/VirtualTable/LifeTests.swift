import CSQLite
import Foundation
import Testing

@testable import VidxSQLite

/// Making, finding again, renaming and dropping tables, and what SQLite does to their objects meanwhile.
@Suite struct LifeTests {
  private func fill(_ session: SQLSession, _ table: String = "v") throws {
    try session.run("CREATE VIRTUAL TABLE \(table) USING vidx(dimensions = 2, metric = l2)")
    try session.run("INSERT INTO \(table)(rowid, vector) VALUES (1, '[1,0]'), (2, '[2,0]')")
  }

  private let nearest = "SELECT rowid FROM v WHERE vector MATCH '[2,0]' AND k = 1"

  @Test(arguments: [
    ("", "option 'dimensions' is missing"),
    ("dimensions = 0", "dimensions must be between 1 and 16000"),
    ("dimensions = 3, metrik = l2", "did you mean 'metric'?"),
    (
      "dimensions = 3, codec = int7",
      "codec cannot be 'int7' (did you mean 'int8'?): known are auto, f32, f16, int8, int4, rabitq, rabitq+2, rabitq+4, "
        + "rabitq+6"
    ),
    ("dimensions = 3, content = nothing, column = vector", "nothing"),
  ])
  func refusesToCreate(_ arguments: String, message: String) throws {
    let session = try SQLSession()
    let error = try session.error("CREATE VIRTUAL TABLE v USING vidx(\(arguments))")
    #expect(error.message.contains(message), "\(error.message)")
    #expect(try session.rows("SELECT name FROM sqlite_schema").isEmpty)
  }

  @Test(arguments: [
    "vector", "Distance", "k", "ef_search", "probes", "target_recall", "plan", "model", "RowID", "oid", "_rowid_",
  ])
  func refusesNamesOfItsColumns(_ name: String) throws {
    let session = try SQLSession()
    #expect(
      try session.error("CREATE VIRTUAL TABLE \(name) USING vidx(dimensions = 2)").message.contains(
        "choose another name"))
    try fill(session)
    #expect(try session.error("ALTER TABLE v RENAME TO \(name)").message.contains("choose another name"))
    #expect(try session.integers(nearest) == [2])
  }

  @Test(arguments: ["my table", "tab\"le", "Ünïcode", "select", "it's"])
  func takesAnyOtherName(_ name: String) throws {
    let session = try SQLSession(onDisk: true)
    let table = quoted(identifier: name)
    try fill(session, table)
    try session.run("INSERT INTO \(table)(\(table)) VALUES ('optimize')")
    #expect(try session.integers("SELECT rowid FROM \(table) WHERE vector MATCH '[2,0]' AND k = 1") == [2])
    try session.run("DROP TABLE \(table)")
    #expect(try session.rows("SELECT name FROM sqlite_schema").isEmpty)
  }

  @Test func isFoundAgain() throws {
    let session = try SQLSession(onDisk: true)
    try fill(session)
    try session.run("INSERT INTO v(v) VALUES ('optimize'); INSERT INTO v(rowid, vector) VALUES (3, '[2,0.1]')")
    let other = try SQLSession.connect(try #require(session.path))
    #expect(try SQLSession.rows(other, "SELECT rowid FROM v WHERE vector MATCH '[2,0]' AND k = 9") == [[2], [3], [1]])
    try other.execute("DELETE FROM v WHERE rowid = 2")
    #expect(try session.integers(nearest) == [3])
  }

  @Test func renames() throws {
    let session = try SQLSession(onDisk: true)
    try fill(session)
    try session.run("INSERT INTO v(v) VALUES ('optimize')")
    try session.run("BEGIN; INSERT INTO v(rowid, vector) VALUES (3, '[3,0]'); ALTER TABLE v RENAME TO w")
    try session.run("INSERT INTO w(rowid, vector) VALUES (4, '[4,0]'); COMMIT")
    #expect(try session.integers("SELECT rowid FROM w WHERE vector MATCH '[4,0]' AND k = 9") == [4, 3, 2, 1])
    try session.run("INSERT INTO w(w) VALUES ('integrity-check')")
    #expect(try session.error("SELECT * FROM v").message.contains("no such table: v"))
    // The name is free, with nothing left of the old table.
    try fill(session)
    #expect(try session.integers(nearest) == [2])
    try session.run("BEGIN; ALTER TABLE v RENAME TO x; ROLLBACK")
    #expect(try session.integers(nearest) == [2])
  }

  @Test func dropsAndComesBackOnRollback() throws {
    let session = try SQLSession(onDisk: true)
    try fill(session)
    try session.run("INSERT INTO v(v) VALUES ('optimize'); INSERT INTO v(rowid, vector) VALUES (3, '[3,0]')")
    try session.run("BEGIN; DROP TABLE v")
    #expect(try session.rows("SELECT name FROM sqlite_schema").isEmpty)
    try session.run("ROLLBACK")
    #expect(try session.integers("SELECT rowid FROM v WHERE vector MATCH '[3,0]' AND k = 9") == [3, 2, 1])
    try session.run("BEGIN; DROP TABLE v; CREATE VIRTUAL TABLE v USING vidx(dimensions = 3)")
    try session.run("INSERT INTO v(vector) VALUES ('[1,2,3]'); ROLLBACK")
    #expect(try session.integers("SELECT rowid FROM v WHERE vector MATCH '[3,0]' AND k = 9") == [3, 2, 1])
    try session.run("DROP TABLE v")
    #expect(try session.rows("SELECT name FROM sqlite_schema").isEmpty)
  }

  @Test func aCreationThatIsRolledBackLeavesNothing() throws {
    let session = try SQLSession(onDisk: true)
    try session.run("BEGIN")
    try fill(session)
    #expect(try session.integers(nearest) == [2])
    try session.run("ROLLBACK")
    #expect(try session.rows("SELECT name FROM sqlite_schema").isEmpty)
    try fill(session)
    #expect(try session.integers(nearest) == [2])
  }

  /// SQLite drops the objects of all virtual tables when a CREATE VIRTUAL TABLE fails.
  @Test func survivesTheFailureOfAnother() throws {
    let session = try SQLSession(onDisk: true)
    try fill(session)
    try session.run("BEGIN; INSERT INTO v(rowid, vector) VALUES (3, '[2,0.1]')")
    let statement = try session.connection.prepare("SELECT rowid FROM v WHERE vector MATCH '[2,0]' ORDER BY distance")
    #expect(try statement.step())
    _ = try session.error("CREATE VIRTUAL TABLE w USING vidx(dimensions = none)")
    #expect(try session.integers("SELECT rowid FROM v WHERE vector MATCH '[2,0]' AND k = 2") == [2, 3])
    try session.run("INSERT INTO v(rowid, vector) VALUES (4, '[2,0.2]')")
    #expect(try statement.step())
    #expect(statement.int64(0) == 3)
    statement.finalize()
    try session.run("ROLLBACK")
    #expect(try session.integers("SELECT rowid FROM v WHERE vector MATCH '[2,0]' AND k = 9") == [2, 1])
  }

  /// A prepared statement keeps the object of the table it was compiled for.
  @Test func anotherDatabaseOfTheSameNameIsAnother() throws {
    let session = try SQLSession(onDisk: true)
    let folder = URL(fileURLWithPath: try #require(session.path)).deletingLastPathComponent().path
    for (file, vector) in [("one", "[1,1]"), ("two", "[2,2]")] {
      try session.run("ATTACH '\(folder)/\(file).db' AS a")
      try session.run("CREATE VIRTUAL TABLE a.v USING vidx(dimensions = 2, metric = l2)")
      try session.run("INSERT INTO a.v(vector) VALUES ('\(vector)')")
      try session.run("DETACH a")
    }
    let sql = "SELECT vector_text(vector) FROM a.v WHERE vector MATCH '[0,0]' AND k = 1"
    try session.run("ATTACH '\(folder)/one.db' AS a")
    let statement = try session.connection.prepare(sql)
    #expect(try statement.step())
    #expect(statement.text(0) == "[1,1]")
    statement.reset()
    try session.run("DETACH a; ATTACH '\(folder)/two.db' AS a")
    #expect(try session.column(sql) == ["[2,2]"])
    #expect(try statement.step())
    #expect(statement.text(0) == "[2,2]")
    // The same name in another schema is another table.
    try fill(session)
    try session.run("CREATE VIRTUAL TABLE temp.v USING vidx(dimensions = 1, metric = l2)")
    try session.run("INSERT INTO temp.v(vector) VALUES ('[5]')")
    #expect(try session.integers("SELECT count(*) FROM main.v") == [2])
    #expect(try session.column("SELECT vector_text(vector) FROM temp.v WHERE vector MATCH '[0]' AND k = 1") == ["[5]"])
  }

  /// `sqlite3_close` refuses while a statement is left: the index's own must go with the table's object.
  @Test func theConnectionCloses() throws {
    let session = try SQLSession(onDisk: true)
    var handle: OpaquePointer?
    let path = try #require(session.path)
    #expect(unsafe sqlite3_open(path, &handle) == SQLITE_OK)
    let database = unsafe try #require(unsafe handle)
    #expect(unsafe Extension.register(on: database) == SQLITE_OK)
    let sql = """
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 2);
      CREATE VIRTUAL TABLE w USING vidx(dimensions = 2);
      INSERT INTO v(vector) VALUES ('[1,2]'); INSERT INTO v(v) VALUES ('optimize');
      INSERT INTO v(vector) VALUES ('[1,3]');
      UPDATE v SET vector = '[3,4]' WHERE rowid = 1; DELETE FROM v WHERE rowid = 2;
      SELECT rowid, vector FROM v WHERE vector MATCH '[1,2]' AND k = 1;
      BEGIN; INSERT INTO w(vector) VALUES ('[1,2]'); DROP TABLE w; COMMIT;
      SELECT * FROM v
      """
    #expect(unsafe sqlite3_exec(database, sql, nil, nil, nil) == SQLITE_OK)
    #expect(unsafe sqlite3_close(database) == SQLITE_OK)
  }

  @Test func addingItTwiceChangesNothing() throws {
    let session = try SQLSession()
    try fill(session)
    #expect(unsafe Extension.register(on: session.connection.handle) == SQLITE_OK)
    #expect(try session.integers(nearest) == [2])
    #expect(try session.column("SELECT vidx_version()") == [.text(Extension.version)])
  }

  @Test func shadowTablesAreProtected() throws {
    let session = try SQLSession()
    try fill(session)
    // SQLite may be told to keep statements off the tables that a virtual table keeps for itself.
    #expect(try session.rows("SELECT type FROM pragma_table_list WHERE name = 'v_delta'") == [["shadow"]])
    #expect(try session.rows("SELECT type FROM pragma_table_list WHERE name = 'v'") == [["virtual"]])
  }

  /// A table whose index cannot be opened says so when it is used, and can still be dropped.
  @Test func aDamagedTableCanBeDropped() throws {
    let session = try SQLSession(onDisk: true)
    try fill(session)
    let other = try Connection(path: try #require(session.path))
    try other.execute("DELETE FROM v_config")
    let again = try SQLSession.connect(try #require(session.path))
    #expect(throws: SQLiteError.self) { try SQLSession.rows(again, nearest) }
    try again.execute("DROP TABLE v")
    #expect(try SQLSession.rows(again, "SELECT name FROM sqlite_schema").isEmpty)
  }

  @Test func worksWithContentTables() throws {
    let session = try SQLSession(onDisk: true)
    try session.run("CREATE TABLE t(id INTEGER PRIMARY KEY, e BLOB)")
    try session.run("INSERT INTO t VALUES (1, vector('[1,0]')), (2, NULL), (3, vector('[3,0]'))")
    try session.run("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2, content = t, column = e)")
    try session.run("PRAGMA trusted_schema = OFF")
    try session.run("UPDATE t SET e = vector('[2,0]') WHERE id = 2; DELETE FROM t WHERE id = 1")
    #expect(try session.integers("SELECT rowid FROM v WHERE vector MATCH '[2,0]' AND k = 9") == [2, 3])
    _ = try session.error("UPDATE t SET e = vector('[2,0,0]') WHERE id = 2")
    #expect(try session.integers("SELECT rowid FROM v WHERE vector MATCH '[2,0]' AND k = 9") == [2, 3])
    try session.run("ALTER TABLE v RENAME TO w; UPDATE t SET e = vector('[9,0]') WHERE id = 2")
    #expect(try session.integers("SELECT rowid FROM w WHERE vector MATCH '[9,0]' AND k = 9") == [2, 3])
    try session.run("DROP TABLE w; DELETE FROM t")
    #expect(try session.rows("SELECT name FROM sqlite_schema") == [["t"]])
  }
}
