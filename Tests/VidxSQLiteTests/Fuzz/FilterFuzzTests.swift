import CSQLite
import TestSupport
import Testing
import VidxIndexes

@testable import VidxSQLite

/// Predicates, their parameters and sets of row ids that somebody broke on purpose: each is refused with an error, or
/// gives the rows that SQLite gives for it; nothing is written, no setting is changed, nothing goes on for ever.
@Suite struct FilterFuzzTests {
  private static let words = Mutation([
    "(", ")", "((", "))", "'", "\"", "`", "[", "]", ";", "--", "/*", "*/", "\n", " AND ", " OR ", " NOT ", "?", "?1",
    ":a", "id", "items", "author", "NULL", "SELECT", "WITH", "VALUES", "UNION", "IN", "EXISTS", "LIKE", "0x7f", "1e999",
    "9223372036854775808", "''", "x'00'", "pragma_table_info('v_config')", "sqlite_master", "v", "v_delta", ",", ".",
    "%",
  ])

  /// 30 rows in a table, an index over it, another table beside.
  private func session(onDisk: Bool = false) throws -> SQLSession {
    let session = try SQLSession(onDisk: onDisk)
    // A mutated text may give rows without end.
    #expect(unsafe Extension.register(on: session.connection.handle, mostRowIDs: 5_000) == SQLITE_OK)
    try session.run(
      """
      CREATE TABLE items(id INTEGER PRIMARY KEY, author TEXT, quality REAL, note TEXT, embedding BLOB);
      CREATE TABLE tags(item INTEGER, tag TEXT);
      WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
      INSERT INTO items SELECT i, (CASE i % 3 WHEN 0 THEN 'ada' WHEN 1 THEN 'bea' ELSE 'grace' END), (i % 10) / 10.0,
        '{"level": ' || (i % 5) || '}', vector('[' || i || ', ' || (i % 4) || ']') FROM n;
      INSERT INTO tags SELECT id, CASE id % 2 WHEN 0 THEN 'red' ELSE 'blue' END FROM items;
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2, index = flat, content = items, column = embedding)
      """)
    return session
  }

  /// Runs the body; where it goes on for too long, it ends with an error of SQLite.
  private func bounded<Result>(_ session: SQLSession, _ body: () throws -> Result) throws -> Result {
    var looks = 0
    return try session.connection.cancelling(
      when: {
        looks += 1
        return looks > 3_000
      }, body)
  }

  private func rows(_ session: SQLSession, _ sql: String, _ values: [SQLCell] = []) throws -> Set<Int64>? {
    do {
      return Set(
        try bounded(session) { try session.rows(sql, values) }.compactMap {
          if case .integer(let id)? = $0.first { id } else { nil }
        })
    } catch is SQLiteError { return nil }
  }

  /// What no text may change.
  private func settings(_ session: SQLSession) throws -> [[SQLCell]] {
    try ["query_only", "writable_schema", "trusted_schema", "foreign_keys", "recursive_triggers", "locking_mode"]
      .flatMap { try session.rows("PRAGMA \($0)") } + session.rows("SELECT total_changes()")
      + session.rows("SELECT type, name, sql FROM sqlite_master")
      + session.rows("SELECT name, file FROM pragma_database_list WHERE name <> 'temp'")
  }

  private func plain(_ text: String) -> String {
    SQLText.isQuery(text) ? text : "SELECT id FROM items WHERE (\(text)\n)"
  }

  @Test func predicatesInSQL() throws {
    let session = try session()
    let before = try settings(session)
    let corpus = try Corpus.texts("filters.txt")
    var random = SplitMix(seed: FuzzCases.seed(4))
    var answered = 0
    for number in 0..<corpus.count + FuzzCases.count(2_000) {
      let bytes = number < corpus.count ? corpus[number] : Self.words.text(of: corpus, &random)
      let text = String(decoding: bytes, as: UTF8.self)
      try FuzzCases.note("filter: \(text)")
      let sql = "SELECT rowid FROM v WHERE vector MATCH '[1,0]' AND k = 50 AND filter = ?"
      guard let found = try rows(session, sql, [.text(text)]) else { continue }
      answered += 1
      guard let expected = try rows(session, plain(text)) else { continue }
      #expect(found == expected.filter { (1...30).contains($0) }, "\(text)")
    }
    #expect(answered >= 20)
    #expect(try settings(session) == before)
  }

  /// The same on a connection of ours, where an authorizer looks at it.
  @Test func predicatesOfTheLibrary() throws {
    let session = try session()
    let before = try settings(session)
    let corpus = try Corpus.texts("filters.txt")
    let store = try IndexStore.open(session.connection, "v")
    session.connection.mostRowIDs = 5_000
    var random = SplitMix(seed: FuzzCases.seed(5))
    var answered = 0
    for number in 0..<corpus.count + FuzzCases.count(2_000) {
      let bytes = number < corpus.count ? corpus[number] : Self.words.text(of: corpus, &random)
      let text = String(decoding: bytes, as: UTF8.self)
      try FuzzCases.note("condition: \(text)")
      for form in [FilterText.Form.conditionOfRows, .select] {
        do {
          let ids = try session.connection.transaction(isImmediate: false) {
            try store.rowIDs(FilterText(form, text), timeout: 0.5).ids
          }
          answered += 1
          let sql = form == .select ? text : "SELECT id FROM items WHERE (\(text)\n)"
          if let expected = try rows(session, sql) { #expect(Set(ids) == expected, "\(text)") }
        } catch is FilterError {} catch is SQLiteError {}
      }
    }
    #expect(answered >= 20)
    #expect(try settings(session) == before)
  }

  @Test func parameters() throws {
    let session = try session()
    let corpus = try Corpus.texts("parameters.txt")
    let json = Mutation([
      "[", "]", "{", "}", ",", ":", "\"", "\\", "\\u0000", "\\ud800", "null", "true", "1e999", "-", "0", "NaN",
      "9223372036854775808", "'", " ",
    ])
    let sql =
      "SELECT rowid FROM v WHERE vector MATCH '[1,0]' AND k = 50 AND filter = 'author = ? AND quality > ?' "
      + "AND filter_parameters = ?"
    var random = SplitMix(seed: FuzzCases.seed(6))
    var answered = 0
    for number in 0..<corpus.count + FuzzCases.count(2_000) {
      let text = number < corpus.count ? corpus[number] : json.text(of: corpus, &random)
      try FuzzCases.note("parameters: \(String(decoding: text, as: UTF8.self))")
      let values = String(decoding: text, as: UTF8.self)
      guard let found = try rows(session, sql, [.text(values)]) else { continue }
      answered += 1
      let expected = try rows(
        session,
        """
        SELECT id FROM items WHERE author = (SELECT atom FROM json_each(?1) LIMIT 1)
        AND quality > (SELECT atom FROM json_each(?1) LIMIT 1 OFFSET 1)
        """, [.text(values)])
      #expect(found == expected, "\(values)")
    }
    #expect(answered >= 4)
  }

  @Test func setsOfRowIDs() throws {
    let session = try session()
    let corpus = try Corpus.texts("sets.txt")
    var random = SplitMix(seed: FuzzCases.seed(7))
    var answered = 0
    for number in 0..<corpus.count + FuzzCases.count(2_000) {
      let bytes = number < corpus.count ? corpus[number] : Self.words.text(of: corpus, &random)
      // Nothing may end the brackets.
      let text = String(decoding: bytes, as: UTF8.self)
      if Brackets.closeTooMany(in: text) { continue }
      try FuzzCases.note("set: \(text)")
      let search = "SELECT rowid FROM v WHERE vector MATCH '[1,0]' AND k = 50 AND rowid IN (\(text)\n)"
      guard let found = try rows(session, search) else { continue }
      answered += 1
      guard let expected = try rows(session, "SELECT id FROM items WHERE id IN (\(text)\n)") else { continue }
      #expect(found == expected, "\(text)")
    }
    #expect(answered >= 10)
  }

  /// Row ids without end.
  @Test func whatGivesTooManyRowsIsRefused() throws {
    let session = try session()
    let endless = "WITH c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c"
    let search = "SELECT rowid FROM v WHERE vector MATCH '[1,0]' AND k = 5"
    let error = try session.error(search + " AND filter = '\(endless)'")
    #expect(error.message.contains("more than 5000 row ids"), "\(error)")
    let set = try session.error(search + " AND rowid IN (\(endless) LIMIT 6000)")
    #expect(set.message.contains("IN (...) has more than 5000 values"), "\(set)")
    let store = try IndexStore.open(session.connection, "v")
    session.connection.mostRowIDs = 100
    #expect(throws: FilterError.tooManyRows(limit: 100)) { try store.rowIDs(FilterText(.select, endless)) }
    #expect(try store.rowIDs(FilterText(.select, endless + " LIMIT 100")).ids.count == 100)
  }

  /// What is no query is not even compiled: some statements do what they say while they are.
  @Test(
    arguments: [
      "PRAGMA query_only = 1", "PRAGMA hard_heap_limit = 1", "/* a */ PRAGMA writable_schema = 1",
      "ATTACH 'x.db' AS x", "BEGIN", "SAVEPOINT s", "DELETE FROM items", "EXPLAIN SELECT 1", "", ";",
      "WITH a AS (SELECT 1) DELETE FROM items", "CREATE TABLE t(a)", "VACUUM INTO 'x.db'",
    ])
  func whatIsNoQueryIsRefused(text: String) throws {
    let session = try session()
    let before = try settings(session)
    let store = try IndexStore.open(session.connection, "v")
    #expect(throws: FilterError.self) { try store.check(FilterText(.select, text)) }
    #expect(try settings(session) == before)
    #expect(try session.integers("PRAGMA hard_heap_limit") == [0])
  }

  @Test func theAuthorizerRefusesFunctionsThatRunCode() throws {
    let session = try session()
    let store = try IndexStore.open(session.connection, "v")
    for text in ["load_extension('x') IS NULL", "LOAD_EXTENSION('x', 'y') IS NULL", "fts3_tokenizer('x') IS NULL"] {
      let error = #expect(throws: FilterError.self) { try store.check(FilterText(.conditionOfRows, text)) }
      #expect(error.map { "\($0)".contains("not authorized") } ?? false, "\(text): \(String(describing: error))")
    }
  }

  /// Virtual tables compile statements of their own, which write, when they are opened.
  @Test func theAuthorizerLetsVirtualTablesOpen() throws {
    let session = try session(onDisk: true)
    try session.run("CREATE VIRTUAL TABLE places USING rtree(id, a, b); INSERT INTO places VALUES (3, 1, 2)")
    try session.run("CREATE VIRTUAL TABLE words USING fts5(word); INSERT INTO words(rowid, word) VALUES (4, 'heron')")
    let other = try SQLSession.connect(try #require(session.path))
    let store = try IndexStore.open(other, "v")
    for (text, ids) in [
      ("id IN (SELECT id FROM places WHERE a < 5)", [3]), ("id IN (SELECT rowid FROM words('heron'))", [4]),
    ] as [(String, [Int64])] {
      #expect(try store.rowIDs(FilterText(.conditionOfRows, text)).ids == ids)
    }
  }
}
