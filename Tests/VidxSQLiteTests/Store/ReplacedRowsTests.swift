import CSQLite
import Testing
import VidxIndexes

@testable import VidxSQLite

/// Rows of a content table that go for the sake of a UNIQUE key, which no trigger is told of.
struct ReplacedRowsTests {
  private let database: TestDatabase
  private let connection: Connection

  init() throws {
    database = try TestDatabase()
    connection = try database.open()
    #expect(unsafe Extension.register(on: connection.handle) { BuildOptions(threads: 1) } == SQLITE_OK)
  }

  private func make(_ table: String) throws {
    try connection.execute(table)
    try connection.execute(
      "CREATE VIRTUAL TABLE v USING vidx(dimensions = 1, metric = l2, index = flat, content = docs, column = e)")
  }

  private func integers(_ sql: String) throws -> [Int64] {
    let statement = try connection.prepare(sql)
    var result: [Int64] = []
    while try statement.step() { result.append(statement.int64(0)) }
    return result
  }

  /// A search finds exactly the rows of the table, as the full check does.
  private func expectInStep(_ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let rows = try integers("SELECT id FROM docs WHERE e IS NOT NULL ORDER BY id")
    let found = try integers("SELECT rowid FROM v WHERE vector MATCH '[0]' AND k = 100").sorted()
    #expect(found == rows, comment, sourceLocation: sourceLocation)
    #expect(try IndexStore.open(connection).integrityCheck(deep: true) == [], comment, sourceLocation: sourceLocation)
  }

  private func run(_ statements: [String]) throws {
    for statement in statements {
      try connection.execute(statement)
      try expectInStep("\(statement)")
    }
  }

  @Test func rowsGoForAnotherKey() throws {
    try make("CREATE TABLE docs(id INTEGER PRIMARY KEY, title TEXT UNIQUE, a INTEGER, b TEXT, e BLOB, UNIQUE(a, b))")
    try run([
      "INSERT INTO docs VALUES (1, 'a', 1, 'x', '[1]'), (2, 'b', 2, 'x', '[2]'), (3, 'c', 3, 'x', '[3]')",
      "REPLACE INTO docs(title, e) VALUES ('a', '[4]')",
      "INSERT OR REPLACE INTO docs(id, title, a, b, e) VALUES (9, 'b', 3, 'x', '[5]')",
      "INSERT INTO docs(title, a, b, e) VALUES ('d', 4, 'x', '[6]'), ('e', 5, 'x', '[7]'), ('f', 5, 'y', '[8]')",
      "UPDATE OR REPLACE docs SET title = 'd' WHERE title = 'e'",
      "UPDATE OR REPLACE docs SET a = 5, b = 'x' WHERE title = 'f'",
      "UPDATE OR REPLACE docs SET id = 20, title = 'f' WHERE title = 'b'",
      "REPLACE INTO docs(title, e) VALUES ('f', NULL)",
      "REPLACE INTO docs(id, title, e) VALUES (9, 'f', '[9]')",
      "INSERT OR REPLACE INTO docs(title, a, b, e) SELECT 'f', 5, b, e FROM docs WHERE b IS NOT NULL",
    ])
    #expect(try integers("SELECT count(*) FROM docs") == [2])
  }

  @Test("Triggers that write before the row is replaced do not make it forgotten")
  func rowsGoBehindOtherWrites() throws {
    try connection.execute(
      """
      CREATE TABLE docs(id INTEGER PRIMARY KEY, pos INTEGER UNIQUE, slug TEXT UNIQUE, e BLOB);
      CREATE TRIGGER shift BEFORE INSERT ON docs BEGIN
        UPDATE docs SET pos = pos + 100 WHERE pos >= new.pos AND slug <> new.slug;
      END
      """)
    try connection.execute(
      "CREATE VIRTUAL TABLE v USING vidx(dimensions = 1, metric = l2, index = flat, content = docs, column = e)")
    try run([
      "INSERT INTO docs VALUES (1, 1, 'a', '[1]'), (2, 2, 'b', '[2]')",
      "INSERT OR REPLACE INTO docs VALUES (3, 2, 'a', '[3]')",
      "INSERT OR REPLACE INTO docs VALUES (4, 1, 'b', '[4]'), (5, 1, 'a', '[5]')",
    ])
  }

  @Test func partialKeysHaveComments() throws {
    try connection.execute(
      """
      CREATE TABLE docs(id INTEGER PRIMARY KEY, slug TEXT, deleted INTEGER, e BLOB);
      CREATE UNIQUE INDEX live ON docs(slug) -- live only
        WHERE deleted = 0
      """)
    try connection.execute(
      "CREATE VIRTUAL TABLE v USING vidx(dimensions = 1, metric = l2, index = flat, content = docs, column = e)")
    try run([
      "INSERT INTO docs VALUES (1, 'a', 0, '[1]'), (2, 'a', 1, '[2]')", "REPLACE INTO docs VALUES (3, 'a', 0, '[3]')",
    ])
  }

  @Test("What is not written replaces nothing")
  func rowsThatStay() throws {
    try make("CREATE TABLE docs(id INTEGER PRIMARY KEY, title TEXT UNIQUE, e BLOB)")
    try run([
      "INSERT INTO docs VALUES (1, 'a', '[1]'), (2, 'b', '[2]')",
      "INSERT OR IGNORE INTO docs(title, e) VALUES ('a', '[3]'), ('c', '[3]')",
      "INSERT INTO docs(title, e) VALUES ('a', '[4]') ON CONFLICT DO NOTHING",
      "INSERT INTO docs(title, e) VALUES ('a', '[5]') ON CONFLICT(title) DO UPDATE SET e = excluded.e",
      "UPDATE OR IGNORE docs SET title = 'b' WHERE id = 1",
      "INSERT INTO docs(title, e) VALUES ('d', '[6]')",
    ])
    for refused in [
      "INSERT INTO docs(title, e) VALUES ('a', '[7]')", "INSERT OR FAIL INTO docs(title, e) VALUES ('a', '[7]')",
      "UPDATE docs SET title = 'b' WHERE id = 1", "UPDATE OR FAIL docs SET title = 'b' WHERE id = 1",
    ] {
      #expect(throws: SQLiteError.self) { try connection.execute(refused) }
      try expectInStep("\(refused)")
    }
    #expect(try integers("SELECT rowid FROM v WHERE vector MATCH '[5]' AND k = 1") == [1])
    try connection.execute("BEGIN; REPLACE INTO docs(title, e) VALUES ('a', '[8]')")
    try expectInStep("replaced")
    try connection.execute("ROLLBACK")
    try expectInStep("rolled back")
    #expect(try integers("SELECT id FROM docs WHERE title = 'a'") == [1])
  }

  @Test("The table's own definition may say REPLACE, in any collation, of some rows, by what is computed")
  func kindsOfKeys() throws {
    try make(
      """
      CREATE TABLE docs(id INTEGER PRIMARY KEY, title TEXT COLLATE NOCASE UNIQUE ON CONFLICT REPLACE, part TEXT, \
      is_best INTEGER, e BLOB, upper_part TEXT AS (upper(part)) UNIQUE ON CONFLICT REPLACE);
      CREATE UNIQUE INDEX "odd (name)" ON docs(is_best) WHERE /* ( */ is_best = 1 -- );
      """)
    try run([
      "INSERT INTO docs(id, title, part, is_best, e) VALUES (1, 'a', 'p', 1, '[1]'), (2, 'b', 'q', 0, '[2]')",
      "INSERT INTO docs(id, title, e) VALUES (3, 'A', '[3]')",
      "INSERT INTO docs(id, part, is_best, e) VALUES (4, 'r', 1, '[4]'), (5, 's', 0, '[5]')",
      "INSERT INTO docs(id, part, e) VALUES (6, 'Q', '[6]')",
      "UPDATE OR REPLACE docs SET is_best = 1 WHERE id = 5",
      "INSERT OR REPLACE INTO docs(id, is_best, e) VALUES (7, 1, '[7]')",
      "INSERT INTO docs(id, is_best, e) VALUES (8, 0, '[8]'), (9, 0, '[9]')",
    ])
    #expect(try integers("SELECT id FROM docs ORDER BY id") == [3, 6, 7, 8, 9])
  }

  @Test("Keys computed from columns that updates leave alone", arguments: ["VIRTUAL", "STORED"], [false, true])
  func computedKeys(_ storage: String, _ isPartial: Bool) throws {
    try make(
      """
      CREATE TABLE docs(id INTEGER PRIMARY KEY, first TEXT, [last name] TEXT, part INTEGER, remark TEXT, e BLOB, \
      name TEXT AS (First || "last name") \(storage));
      CREATE UNIQUE INDEX names ON docs(name) \(isPartial ? "WHERE part = 1" : "")
      """)
    try run([
      "INSERT INTO docs VALUES (1, 'a', 'x', 1, '', '[1]'), (2, 'b', 'x', 1, '', '[2]'), (3, 'c', 'x', 1, '', '[3]')",
      "UPDATE OR REPLACE docs SET first = 'a' WHERE id = 2",
      "UPDATE OR REPLACE docs SET [last name] = 'y', remark = 'c' WHERE first = 'a'",
      "INSERT INTO docs VALUES (4, 'a', 'z', 1, '', '[4]')",
      "UPDATE OR REPLACE docs SET [last name] = 'y' WHERE id = 4",
      "ALTER TABLE docs DROP COLUMN remark",
    ])
    #expect(try integers("SELECT id FROM docs ORDER BY id") == [3, 4])
  }

  @Test("A key that comes later is followed from the next rebuild on")
  func keysThatComeLater() throws {
    try make("CREATE TABLE docs(id INTEGER PRIMARY KEY, title TEXT, e BLOB)")
    try run(["INSERT INTO docs VALUES (1, 'a', '[1]')", "CREATE UNIQUE INDEX later ON docs(title)"])
    try connection.execute("REPLACE INTO docs VALUES (2, 'a', '[2]')")
    #expect(try IndexStore.open(connection).integrityCheck() == ["1 rows of index v are not in docs: 1"])
    try run([
      "INSERT INTO v(v) VALUES ('rebuild')", "REPLACE INTO docs VALUES (3, 'a', '[3]')",
      "ALTER TABLE v RENAME TO w; ALTER TABLE w RENAME TO v", "REPLACE INTO docs VALUES (4, 'a', '[4]')",
      "ALTER TABLE docs RENAME COLUMN id TO number; ALTER TABLE docs RENAME COLUMN title TO name; "
        + "REPLACE INTO docs VALUES (5, 'a', '[5]'); ALTER TABLE docs RENAME COLUMN number TO id",
      "ALTER TABLE docs RENAME TO papers; REPLACE INTO papers VALUES (6, 'a', '[6]'); ALTER TABLE papers RENAME TO docs",
    ])
    try connection.execute("DROP TABLE v; REPLACE INTO docs VALUES (7, 'a', 'anything')")
    #expect(try integers("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'") == [0])
  }

  @Test("Delete triggers that do fire do no harm")
  func recursiveTriggers() throws {
    try make("CREATE TABLE docs(id INTEGER PRIMARY KEY, title TEXT UNIQUE, e BLOB)")
    try connection.execute("PRAGMA recursive_triggers = ON")
    try run([
      "INSERT INTO docs VALUES (1, 'a', '[1]'), (2, 'b', '[2]')", "REPLACE INTO docs VALUES (3, 'a', '[3]')",
      "UPDATE OR REPLACE docs SET title = 'a' WHERE id = 2",
    ])
  }

  @Test("The commands of the triggers are not for people")
  func theirCommands() throws {
    try make("CREATE TABLE docs(id INTEGER PRIMARY KEY, title TEXT UNIQUE, e BLOB)")
    try connection.execute("INSERT INTO docs VALUES (1, 'a', '[1]')")
    #expect(throws: SQLiteError.self) { try connection.execute("INSERT INTO v(v) VALUES ('replaced')") }
    try connection.execute("INSERT INTO v(v, rowid) VALUES ('replacing', 1), ('replaced', 2)")
    try expectInStep("a row that is there stays")
  }
}
