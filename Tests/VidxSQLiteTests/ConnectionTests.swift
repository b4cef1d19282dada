import CSQLite
import Foundation
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

struct ConnectionTests {
  @Test func valuesGoInAndOut() throws {
    let connection = try Connection(path: ":memory:")
    let statement = try connection.prepare("SELECT ?1, ?2, :text, ?4, ?5, ?6 AS last")
    try statement.bind(Int64.min, at: 1)
    try statement.bind(-0.5, at: 2)
    try statement.bind("naïve \u{1F600}\u{0}end", at: 3)
    try statement.bind("", at: 4)
    try statement.bind(floats: [1, -2.5], at: 5)
    try statement.bindNull(at: 6)
    #expect(try statement.step())
    #expect(statement.int64(0) == .min && statement.double(1) == -0.5)
    #expect(statement.text(2) == "naïve \u{1F600}\u{0}end")
    #expect(statement.text(3) == "" && statement.type(3) == .text)
    #expect(unsafe statement.withBytes(4) { unsafe Array($0) } == [0, 0, 128, 63, 0, 0, 32, 192])
    #expect(statement.isNull(5) && statement.text(5) == nil)
    #expect(unsafe statement.withBytes(5) { $0.count } == 0)
    #expect(statement.columnCount == 6 && statement.columnName(5) == "last")
    #expect(statement.parameterCount == 6 && statement.parameterName(at: 3) == ":text")
    #expect(try !statement.step())
    statement.reset()
    try statement.bind(floats: [], at: 5)
    #expect(try statement.step())
    #expect(statement.type(4) == .blob)
  }

  @Test func errorsCarryTheStatementButNotItsValues() throws {
    let connection = try Connection(path: ":memory:")
    try connection.execute("CREATE TABLE t(a UNIQUE)")
    let insert = try connection.prepare("INSERT INTO t VALUES (?1)")
    try insert.bind("secret", at: 1)
    try insert.run()
    let error = #expect(throws: SQLiteError.self) { try insert.run() }
    #expect(error?.code == SQLITE_CONSTRAINT && error?.extendedCode == 2067)
    #expect(error?.sql == "INSERT INTO t VALUES (?1)")
    #expect(error?.description.contains("UNIQUE constraint failed: t.a") == true)
    #expect(error?.description.contains("secret") == false)
    try insert.bind("other", at: 1)
    try insert.run()
    #expect(connection.changes == 1 && connection.lastInsertRowID == 2)
  }

  @Test func whatCannotBeOpenedOrPrepared() throws {
    let database = try TestDatabase()
    try Data("this is no database, though it is long enough to look for one".utf8)
      .write(to: URL(fileURLWithPath: database.path))
    let error = #expect(throws: SQLiteError.self) { try database.open().execute("SELECT * FROM sqlite_master") }
    #expect(error?.code == SQLITE_NOTADB && error?.description.contains("not an SQLite database") == true)
    #expect(throws: SQLiteError.self) { try Connection(path: database.folder + "/none/app.db") }
    let connection = try Connection(path: ":memory:")
    for sql in ["SELEC", "SELECT * FROM nothing", "", "-- only a comment"] {
      #expect(throws: SQLiteError.self, "\(sql)") { try connection.prepare(sql) }
    }
    #expect(throws: SQLiteError.self) { try connection.prepare("SELECT 1").bind(1, at: 2) }
  }

  @Test func transactionsNestAndUndo() throws {
    struct Doom: Error {}
    let connection = try Connection(path: ":memory:")
    try connection.execute("CREATE TABLE t(a)")
    try connection.transaction {
      try connection.execute("INSERT INTO t VALUES (1)")
      #expect(!connection.isAutocommit && connection.isWriting(schema: "main"))
      #expect(throws: Doom.self) {
        try connection.transaction {
          try connection.execute("INSERT INTO t VALUES (2)")
          throw Doom()
        }
      }
      try connection.transaction { try connection.execute("INSERT INTO t VALUES (3)") }
    }
    #expect(throws: Doom.self) {
      try connection.transaction {
        try connection.execute("DELETE FROM t")
        throw Doom()
      }
    }
    #expect(connection.isAutocommit && !connection.isWriting(schema: "main"))
    let rows = try connection.prepare("SELECT group_concat(a) FROM t")
    #expect(try rows.step())
    #expect(rows.text(0) == "1,3")
  }

  @Test func aBusyDatabaseIsSaidToBe() throws {
    let database = try TestDatabase()
    let first = try database.open(busyTimeout: 0)
    let second = try database.open(busyTimeout: 0)
    try first.execute("CREATE TABLE t(a); BEGIN IMMEDIATE")
    let error = #expect(throws: SQLiteError.self) { try second.execute("BEGIN IMMEDIATE") }
    #expect(error?.isBusy == true && error?.description.contains("try again") == true)
    try first.execute("COMMIT")
  }

  @Test func filenames() throws {
    let database = try TestDatabase()
    let connection = try database.open()
    #expect(connection.filename(schema: "main")?.hasSuffix("/app.db") == true)
    #expect(connection.filename(schema: "temp") == nil && connection.filename(schema: "absent") == nil)
    #expect(try Connection(path: ":memory:").filename(schema: "main") == nil)
    try connection.execute("CREATE TABLE t(a)")
    #expect(!connection.isReadOnly(schema: "main"))
    #expect(try Connection(path: database.path, flags: SQLITE_OPEN_READONLY).isReadOnly(schema: "main"))
  }

  @Test func aStatementOutlivesItsConnectionObject() throws {
    var connection: Connection? = try Connection(path: ":memory:")
    let statement = try #require(try connection?.prepare("SELECT 7"))
    connection = nil
    #expect(try statement.step())
    #expect(statement.int64(0) == 7)
  }

  @Test(arguments: [("a", "\"a\""), ("", "\"\""), ("say \"hi\"", "\"say \"\"hi\"\"\""), ("it's", "\"it's\"")])
  func identifiersAreQuoted(name: String, sql: String) throws {
    #expect(quoted(identifier: name) == sql)
    let connection = try Connection(path: ":memory:")
    try connection.execute("CREATE TABLE \(quoted(identifier: name + " "))(\(quoted(identifier: name + "x")))")
    let literal = try connection.prepare("SELECT \(quoted(literal: name))")
    #expect(try literal.step())
    #expect(literal.text(0) == name)
  }
}
