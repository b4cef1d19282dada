import CSQLite
import Testing
import VidxIndexes

@testable import VidxSQLite

/// Names that SQLite and Swift see differently.
@Suite struct IdentifierTests {
  /// A mark and an accent behind it are one character to Swift, and to SQLite the end of a name and a word.
  @Test func marksAreDoubledWhateverFollows() {
    for accent in ["", "\u{301}", "\u{200D}", "\u{FE0F}", "\u{20E3}"] {
      #expect(quoted(identifier: "a\"\(accent)b").utf8.elementsEqual("\"a\"\"\(accent)b\"".utf8))
      #expect(quoted(literal: "'\(accent)").utf8.elementsEqual("'''\(accent)'".utf8))
    }
  }

  static let names = ["a\"\u{301} b", "\"\u{301}", "'\u{200D}", "a'\u{301}) ; DROP TABLE victim; --", "`\u{301}[", "]"]

  @Test(arguments: names)
  func anyNameIsOne(name: String) throws {
    let session = try SQLSession(onDisk: true)
    let table = quoted(identifier: name)
    let content = quoted(identifier: name + " rows")
    try session.run(
      """
      CREATE TABLE victim(a); CREATE TABLE \(content)(id INTEGER PRIMARY KEY, \(table) BLOB);
      INSERT INTO \(content) VALUES (1, vector('[1,0]')), (2, vector('[0,1]'));
      CREATE VIRTUAL TABLE \(table) USING vidx(dimensions = 2, metric = l2, content = \(quoted(literal: name + " rows")),
        column = \(table));
      INSERT INTO \(content) VALUES (3, vector('[3,0]'));
      INSERT INTO \(table)(\(table)) VALUES ('optimize')
      """)
    let nearest = "WHERE vector MATCH '[1,0]' AND k = 9"
    #expect(try session.integers("SELECT rowid FROM \(table) \(nearest)") == [1, 2, 3])
    #expect(try session.integers("SELECT rowid FROM \(table) \(nearest) AND filter = 'id > 1'") == [2, 3])
    #expect(try session.connection.indexNames().map { Array($0.utf8) } == [Array(name.utf8)])
    #expect(try IndexStore.namedFiles(session.connection, schema: "main").count == 1)
    try IndexStore.sweep(session.connection, schema: "main")
    try session.run("ALTER TABLE \(table) RENAME TO \(quoted(identifier: name + name))")
    let renamed = quoted(identifier: name + name)
    #expect(try session.integers("SELECT rowid FROM \(renamed) \(nearest)") == [1, 2, 3])
    try session.run("INSERT INTO \(renamed)(\(renamed)) VALUES ('integrity-check'); DROP TABLE \(renamed)")
    #expect(try session.integers("SELECT count(*) FROM sqlite_master") == [2])
  }

  /// é of one code point and of two.
  static let one = "caf\u{E9}"
  static let two = "cafe\u{301}"

  @Test func namesThatLookTheSameAreTwo() throws {
    #expect(Self.one == Self.two && !isSameName(Self.one, Self.two) && isSameName("Ab", "aB"))
    let session = try SQLSession()
    for (name, vector) in [(Self.one, "[1]"), (Self.two, "[2]")] {
      try session.run(
        "CREATE VIRTUAL TABLE \(name) USING vidx(dimensions = 1); INSERT INTO \(name)(vector) VALUES ('\(vector)')")
    }
    for (name, vector) in [(Self.one, "[1]"), (Self.two, "[2]")] {
      #expect(try session.column("SELECT vector_text(vector) FROM \(name)") == [.text(vector)])
    }
    try session.run("DROP TABLE \(Self.one)")
    #expect(try session.column("SELECT vector_text(vector) FROM \(Self.two)") == ["[2]"])
  }

  @Test func columnsThatLookTheSameAreTwo() throws {
    let session = try SQLSession()
    try session.run(
      """
      CREATE TABLE t(id INTEGER PRIMARY KEY, \(Self.one) BLOB, \(Self.two) BLOB);
      INSERT INTO t VALUES (1, vector('[1]'), vector('[2]'));
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 1, metric = l2, content = t, column = \(Self.two))
      """)
    #expect(try session.column("SELECT vector_text(vector) FROM v") == ["[2]"])
  }

  /// A virtual table is refused under whatever name.
  @Test func aMarkedNameDoesNotHideAVirtualTable() throws {
    let session = try SQLSession()
    try session.run("CREATE VIRTUAL TABLE \"si\"\"\u{301}zes\" USING dbstat(main)")
    let text = "SELECT pageno FROM \"si\"\"\u{301}zes\", json_each('[1]')"
    #expect(try VirtualTables(namedIn: text, session.connection).refused != nil)
  }

  /// Comparing takes time as the square of the lengths.
  @Test func longWordsResembleNothing() {
    #expect(nearestSpelling(to: "optimise", among: ["optimize"]) == "optimize")
    #expect(nearestSpelling(to: String(repeating: "optimize", count: 1_000_000), among: ["optimize"]) == nil)
    #expect(nearestSpelling(to: "optimise", among: [String(repeating: "x", count: 10_000_000), "optimize"]) != nil)
  }
}
