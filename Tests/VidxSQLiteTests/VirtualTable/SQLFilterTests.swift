import CSQLite
import Foundation
import Testing
import VidxSQLite

/// The columns `filter` and `filter_parameters`: any SQL predicate, before k counts.
@Suite("Filters in SQL") struct SQLFilterTests {
  /// An index `v` over the table `rows`, of 3,000 rows with distinct vectors.
  private func make(_ kind: String, columns: String = "") throws -> SQLSession {
    let session = try SQLSession(onDisk: true)
    try session.run(
      """
      CREATE TABLE rows(id INTEGER PRIMARY KEY, e BLOB, a INTEGER, b TEXT, tags TEXT);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
      INSERT INTO rows SELECT i, vector(json_array((i * i * 31 + i * 7919) % 3001, (i * i * 17 + i * 104729) % 2503, i % 17)), i % 10,
        nullif('name ' || (i % 7), 'name 3'), json_array('t' || (i % 5), 't' || (i % 3)) FROM n;
      CREATE TABLE grades(row INTEGER, grade REAL);
      INSERT INTO grades SELECT id, id % 100 / 100.0 FROM rows WHERE id % 2;
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 3, metric = l2, index = \(kind), content = rows, column = e\(columns))
      """)
    return session
  }

  private static let query = "'[1500,1200,8]'"
  private let match = "vector MATCH \(query)"

  private func truth(_ session: SQLSession, _ condition: String, k: Int = 10) throws -> [Int64] {
    try session.integers(
      "SELECT id FROM rows WHERE (\(condition)\n) ORDER BY l2_distance(e, \(Self.query)), id LIMIT \(k)")
  }

  private func last(_ session: SQLSession) throws -> [String: Any] {
    let row = try #require(try session.rows("SELECT vidx_last_search()").first)
    guard case .text(let text) = row[0] else { throw SQLSession.NotAnInteger(sql: "vidx_last_search()", row: row) }
    return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  private static let conditions = [
    "a = 1 OR b LIKE 'name 5%'", "NOT (a IN (1, 2, 3) OR b = 'name 1')", "b IS NULL", "a = 3 AND b IS NOT NULL -- all",
    "EXISTS (SELECT 1 FROM grades WHERE row = rows.id AND grade > 0.9)", "id % 997 = 5",
    "EXISTS (SELECT 1 FROM json_each(tags) t WHERE t.value = 't4')", "json_extract(tags, '$[1]') = 't2'",
    "id IN (SELECT row FROM grades ORDER BY grade DESC LIMIT 40)", "length(b) > 3 AND abs(a - 5) < 2", "0", "1",
    "id = 77",
  ]

  @Test("k rows whenever k pass, the same as an ordinary table's", arguments: ["flat", "hnsw", "ivfflat"])
  func answers(kind: String) throws {
    let session = try make(kind)
    let setting = kind == "flat" ? "" : "AND exact = 1"
    for condition in Self.conditions {
      let expected = try truth(session, condition)
      // Checked or read; read and kept; kept.
      for round in 0..<3 {
        let found = try session.integers(
          "SELECT rowid FROM v WHERE \(match) AND k = 10 AND filter = ? \(setting)", .text(condition))
        #expect(found == expected, "\(condition) round \(round)")
        #expect(try last(session)["complete"] as? Bool == true)
      }
      let passing = Set(try session.integers("SELECT id FROM rows WHERE (\(condition)\n)"))
      let found = try session.integers("SELECT rowid FROM v WHERE \(match) AND k = 10 AND filter = ?", .text(condition))
      #expect(found.count == min(10, passing.count) && passing.isSuperset(of: found), "\(condition)")
      let selected = try session.integers(
        "SELECT rowid FROM v WHERE \(match) AND k = 10 AND filter = ? \(setting)",
        .text("SELECT id FROM rows WHERE \(condition)"))
      #expect(selected == expected, "SELECT \(condition)")
    }
  }

  @Test("The first search checks, the second reads, the third finds the rows kept")
  func reports() throws {
    let session = try make("hnsw")
    let search = "SELECT rowid FROM v WHERE \(match) AND k = 10 AND filter = 'a <> 4'"
    _ = try session.rows(search)
    let first = try last(session)
    #expect(first["plan"] as? String == "checked graph")
    #expect(try #require(first["rows_checked"] as? Int) >= 10)
    #expect(first["filter_cached"] as? Bool == false)
    for isCached in [false, true, true] {
      _ = try session.rows(search)
      let report = try last(session)
      #expect(report["rows_yielded"] as? Int == 2_700)
      #expect(report["rows_checked"] as? Int == 0)
      #expect(report["filter_cached"] as? Bool == isCached)
    }
    // Pages and streams use what is kept.
    _ = try session.rows("\(search) AND after_distance = NULL AND after_rowid = NULL")
    #expect(try last(session)["filter_cached"] as? Bool == true)
    _ = try session.rows("SELECT rowid FROM v WHERE \(match) AND filter = 'a <> 4' ORDER BY distance LIMIT 3")
    #expect(try last(session)["filter_cached"] as? Bool == true)
    // Until something is committed.
    try session.run("UPDATE rows SET a = 4 WHERE id = 1")
    _ = try session.rows("\(search) AND exact = 1")
    #expect(try last(session)["rows_yielded"] as? Int == 2_699)
    #expect(try last(session)["filter_cached"] as? Bool == false)
  }

  @Test("Changes of the open transaction count")
  func transactions() throws {
    let session = try make("hnsw")
    let search = "SELECT rowid FROM v WHERE \(match) AND k = 5 AND exact = 1 AND filter = 'a = 1'"
    let before = try session.integers(search)
    #expect(try session.integers(search) == before)
    try session.run("BEGIN; UPDATE rows SET a = 1 WHERE a = 2; DELETE FROM rows WHERE id = \(before[0])")
    let inside = try truth(session, "a = 1", k: 5)
    #expect(try session.integers(search) == inside && inside != before)
    try session.run("SAVEPOINT s; UPDATE rows SET a = 1")
    #expect(try session.integers(search) == truth(session, "1", k: 5))
    try session.run("ROLLBACK TO s")
    #expect(try session.integers(search) == inside)
    try session.run("ROLLBACK")
    #expect(try session.integers(search) == before)
    // Another connection's commits are seen.
    let other = try SQLSession.connect(#require(session.path))
    try other.execute("UPDATE rows SET a = 1 WHERE a = 2")
    #expect(try session.integers(search) == truth(session, "a = 1", k: 5))
  }

  @Test("Values stand for parameters")
  func parameters() throws {
    let session = try make("flat")
    let cases: [(String, String, String)] = [
      ("a = ?1 AND b = ?2", "[3, \"name 1\"]", "a = 3 AND b = 'name 1'"), ("a = ?", "[4]", "a = 4"),
      ("a = :x OR a = :y", "[4, 5]", "a IN (4, 5)"), ("b IS ?", "[null]", "b IS NULL"),
      ("a = ? AND ?", "[1, true]", "a = 1"), ("a > ?", "[8.5]", "a = 9"),
      ("b = ?", "[\"name \\u0031\"]", "b = 'name 1'"),
      ("a = ?", "[\"1\"]", "a = 1"), ("SELECT row FROM grades WHERE grade = ?", "[0.25]", "id % 100 = 25"),
    ]
    for (filter, values, condition) in cases {
      for _ in 0..<2 {
        let found = try session.integers(
          "SELECT rowid FROM v WHERE \(match) AND k = 6 AND filter = ? AND filter_parameters = ?", .text(filter),
          .text(values))
        #expect(try found == truth(session, condition, k: 6), "\(filter) \(values)")
      }
    }
    let row = try session.rows(
      "SELECT filter, filter_parameters FROM v WHERE \(match) AND k = 1 AND filter = 'a = ?' AND filter_parameters = '[2]'"
    )
    #expect(row == [["a = ?", "[2]"]])
    // NULL is none.
    #expect(try session.rows("SELECT filter FROM v WHERE \(match) AND k = 1 AND filter = NULL") == [[nil]])
  }

  @Test("All other terms go with a filter", arguments: ["flat", "hnsw", "ivfflat"])
  func combinations(kind: String) throws {
    let session = try make(kind, columns: ", filter a, filter b")
    let bound = try session.rows("SELECT l2_distance(e, \(Self.query)) FROM rows WHERE a = 1 ORDER BY 1 LIMIT 30").last
    guard case .real(let distance)? = bound?.first else { return #expect(Bool(false), "no bound") }
    let near = "l2_distance(e, \(Self.query))"
    let cases: [(String, String)] = [
      ("a = 1", "a = 1"), ("a IN (1, 2) AND b = 'name 2'", "a IN (1, 2) AND b = 'name 2'"),
      ("rowid IN (SELECT row FROM grades WHERE grade > 0.3)", "id IN (SELECT row FROM grades WHERE grade > 0.3)"),
      ("rowid BETWEEN 100 AND 300", "id BETWEEN 100 AND 300"), ("rowid > 2990 AND a > 3", "id > 2990 AND a > 3"),
      ("rowid <> 17 AND rowid <> 34", "id NOT IN (17, 34)"), ("rowid = 51", "id = 51"),
      ("distance < \(distance)", "\(near) < \(distance)"), ("distance > \(distance)", "\(near) > \(distance)"),
      ("distance > \(distance) AND a = 2 AND rowid < 2000", "\(near) > \(distance) AND a = 2 AND id < 2000"),
      ("rowid IN (34, 51, 68, 85) AND a <> 4", "id IN (34, 51, 68, 85) AND a <> 4"),
    ]
    for filter in ["id % 17 = 0", "id % 2 = 0 OR b = 'name 4'"] {
      for (term, condition) in cases {
        let expected = try truth(session, "(\(filter)) AND \(condition)")
        for form in [filter, "SELECT id FROM rows WHERE \(filter)"] {
          for _ in 0..<2 {
            let search = "SELECT rowid FROM v WHERE \(match) AND filter = ? AND exact = 1 AND \(term)"
            #expect(try session.integers("\(search) AND k = 10", .text(form)) == expected, "\(form) with \(term)")
            #expect(
              try session.integers("\(search) ORDER BY distance, rowid LIMIT 10", .text(form)) == expected,
              "\(form) with \(term), streamed")
          }
          let passing = Set(try session.integers("SELECT id FROM rows WHERE (\(filter)) AND \(condition)"))
          let found = try session.integers(
            "SELECT rowid FROM v WHERE \(match) AND filter = ? AND \(term) AND k = 10", .text(form))
          #expect(passing.isSuperset(of: found), "\(form) with \(term)")
          // A threshold may end an approximate search early.
          if !term.contains("distance <") { #expect(found.count == min(10, passing.count), "\(form) with \(term)") }
        }
      }
    }
  }

  @Test("Pages neither repeat nor skip")
  func pages() throws {
    let session = try make("hnsw")
    var found: [Int64] = []
    var (distance, row) = (SQLCell.null, SQLCell.null)
    while true {
      let page = try session.rows(
        """
        SELECT rowid, distance FROM v WHERE \(match) AND k = 7 AND filter = 'id % 50 = 3' AND after_distance = ?
          AND after_rowid = ?
        """, distance, row)
      guard let last = page.last else { break }
      found += page.map { if case .integer(let id) = $0[0] { id } else { -1 } }
      (row, distance) = (last[0], last[1])
    }
    #expect(try found == truth(session, "id % 50 = 3", k: 100) && found.count == 60)
  }

  @Test("A search for each row of another table has a filter of its own")
  func joins() throws {
    let session = try make("flat")
    try session.run(
      "CREATE TABLE questions(id INTEGER PRIMARY KEY, a); INSERT INTO questions VALUES (1, 2), (2, 5), (3, 2)")
    let found = try session.rows(
      """
      SELECT q.id, v.rowid FROM questions q JOIN v ON \(match) AND k = 2 AND filter = 'a = ?'
        AND filter_parameters = json_array(q.a) ORDER BY q.id, v.distance
      """)
    let (two, five) = (try truth(session, "a = 2", k: 2), try truth(session, "a = 5", k: 2))
    #expect(
      found
        == [(1, two[0]), (1, two[1]), (2, five[0]), (2, five[1]), (3, two[0]), (3, two[1])].map {
          [.integer($0.0), .integer($0.1)]
        })
  }

  @Test("Wrong filters are told from right ones")
  func refusals() throws {
    let session = try make("flat")
    for (terms, message) in [
      ("filter = 'a = '", "syntax error; correct the SQL of the condition"),
      ("filter = 'a = = 3'", "near \"=\": syntax error; correct the SQL of the condition\n  a = = 3\n      ^"),
      ("filter = 'colour = 3'", "no such column: colour"), ("filter = 'SELECT row FROM grade'", "no such table: grade"),
      ("filter = 'a = ?'", "the statement has 1 parameters; 0 values are given"),
      ("filter = 'a = 1' AND filter_parameters = '[1]'", "the statement has 0 parameters; 1 values are given"),
      (
        "filter = 'a = ?' AND filter_parameters = '3'", "must be a JSON array, such as '[\"ada\", 0.8]': it is no array"
      ),
      ("filter = 'a = ?' AND filter_parameters = '[3'", "malformed JSON"),
      ("filter = 'a = ?' AND filter_parameters = '[[3]]'", "an array is in it"),
      ("filter = 'a = ?' AND filter_parameters = 3", "filter_parameters must be TEXT, not INTEGER"),
      ("filter_parameters = '[1]'", "give filter, too"), ("filter = 3", "filter must be TEXT, not INTEGER"),
      ("filter > 'a = 1'", "write filter = '<condition, or SELECT of row ids>'"),
      ("filter = 'SELECT b FROM rows'", "where a row id was expected"),
      ("filter = 'SELECT 1; SELECT 2'", "more than one statement"),
      ("filter = 'WITH w(i) AS (SELECT 1) DELETE FROM rows WHERE id IN w'", "give a SELECT of row ids"),
      ("filter = 'DELETE FROM rows'", "syntax error"), ("filter = 'json_extract(b, ''$'') = 1'", "malformed JSON"),
      ("filter = 'load_extension(b) = 1'", "the condition calls load_extension()"),
    ] {
      for kind in ["AND k = 3", "ORDER BY distance"] {
        let sql = "SELECT rowid FROM v WHERE \(match) AND \(terms) \(kind)"
        let error = #expect(throws: SQLiteError.self, "\(terms)") { try session.rows(sql) }
        #expect(error?.message.contains(message) == true, "\(terms): \(error?.message ?? "")")
      }
    }
    let without = try session.error("SELECT rowid FROM v WHERE filter = 'a = 1'")
    #expect(without.message.contains("filter = ... is a setting of a search: add vector MATCH"))
    #expect(try session.integers("SELECT count(*) FROM rows") == [3_000])
    for name in ["filter", "filter_parameters"] {
      let error = try session.error("CREATE VIRTUAL TABLE w USING vidx(dimensions = 1, filter \(name))")
      #expect(error.message.contains("choose another name"))
    }
  }

  @Test("An index with its own vectors takes a SELECT, and conditions on its own columns")
  func ownVectors() throws {
    let session = try SQLSession(onDisk: true)
    try session.run(
      """
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 1, metric = l2, filter c);
      INSERT INTO v(rowid, vector, c) VALUES (1, '[1]', 'a'), (2, '[2]', 'b'), (3, '[3]', 'c'), (4, '[4]', NULL);
      CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (2), (4), (9)
      """)
    for _ in 0..<2 {
      for (filter, expected) in [
        ("SELECT id FROM t", [2, 4]), ("rowid IN (SELECT id FROM t)", [2, 4]), ("c = 'c' OR c IS NULL", [3, 4]),
        ("SELECT rowid FROM v WHERE vector MATCH '[9]' AND k = 3", [2, 3, 4]),
        ("VALUES (1), (3), (NULL), (3)", [1, 3]),
      ] {
        for _ in 0..<3 {
          let search = "SELECT rowid FROM v WHERE vector MATCH '[0]' AND k = 3 AND filter = ?"
          #expect(try session.integers(search, .text(filter)) == expected.map(Int64.init), "\(filter)")
        }
      }
      try session.run("INSERT INTO v(v) VALUES ('optimize')")
    }
    let error = try session.error("SELECT rowid FROM v WHERE vector MATCH '[0]' AND k = 3 AND filter = 'author = 1'")
    #expect(error.message.contains("has no table of rows") && error.message.contains("or be a SELECT of row ids"))
  }

  @Test("Filters that ask themselves end")
  func circles() throws {
    let session = try make("flat")
    try session.run(
      "CREATE VIEW circle AS SELECT rowid AS id FROM v WHERE \(match) AND k = 3 AND filter = 'id IN (SELECT id FROM circle)'"
    )
    for _ in 0..<2 {
      #expect(try session.error("SELECT * FROM circle").message.contains("and so on"))
      // Filters in filters are fine.
      let inner = "SELECT rowid FROM v WHERE \(match) AND k = 20 AND filter = 'a = 3'"
      let found = try session.integers(
        "SELECT rowid FROM v WHERE \(match) AND k = 2 AND filter = ?", .text("id IN (\(inner))"))
      #expect(try found == truth(session, "a = 3", k: 2))
    }
  }

  @Test("PRAGMA case_sensitive_like changes the answer, kept or not")
  func likes() throws {
    let session = try make("flat")
    let search = "SELECT rowid FROM v WHERE \(match) AND k = 3 AND filter = 'b LIKE ''NAME 1'''"
    for _ in 0..<3 { #expect(try session.integers(search).count == 3) }
    #expect(try last(session)["filter_cached"] as? Bool == true)
    try session.run("PRAGMA case_sensitive_like = ON")
    #expect(try session.integers(search).isEmpty)
    try session.run("PRAGMA case_sensitive_like = OFF")
    #expect(try session.integers(search).count == 3)
  }

  @Test("Other schemas", arguments: ["temp", "other"])
  func schemas(schema: String) throws {
    let session = try SQLSession(onDisk: true)
    let path = try #require(session.path)
    try session.run("ATTACH '\(path).other' AS other")
    try session.run(
      """
      CREATE TABLE \(schema).m(id INTEGER PRIMARY KEY, e, a);
      INSERT INTO \(schema).m VALUES (1, '[1]', 1), (2, '[2]', 2), (3, '[3]', 1);
      CREATE VIRTUAL TABLE \(schema).v USING vidx(dimensions = 1, metric = l2, content = m, column = e);
      CREATE TABLE main.m(id INTEGER PRIMARY KEY, e, a);
      """)
    for _ in 0..<3 {
      let found = try session.integers(
        "SELECT rowid FROM \(schema).v WHERE vector MATCH '[0]' AND k = 2 AND filter = 'a = 1'")
      #expect(found == [1, 3])
    }
    try session.run("UPDATE \(schema).m SET a = 1 WHERE id = 2")
    let found = try session.integers(
      "SELECT rowid FROM \(schema).v WHERE vector MATCH '[0]' AND k = 2 AND filter = 'a = 1'")
    #expect(found == [1, 2])
  }

  @Test("The connection closes, whatever filters were asked")
  func closing() throws {
    let session = try make("hnsw")
    let path = try #require(session.path)
    var database: OpaquePointer?
    let opened = unsafe sqlite3_open(path, &database)
    #expect(opened == SQLITE_OK)
    guard let database = unsafe database else { return }
    let registered = unsafe Extension.register(on: database)
    #expect(registered == SQLITE_OK)
    for filter in [
      "a = 1", "SELECT row FROM grades", "id IN (SELECT rowid FROM v)", "id IN (SELECT value FROM json_each(tags))",
    ] {
      let sql = "SELECT rowid FROM v WHERE \(match) AND k = 3 AND filter = '\(filter)'"
      let code = unsafe sqlite3_exec(database, sql + ";" + sql, nil, nil, nil)
      #expect(code == SQLITE_OK, "\(filter)")
    }
    let closed = unsafe sqlite3_close(database)
    #expect(closed == SQLITE_OK)
  }

  @Test("The host's handlers stay its own")
  func handlers() throws {
    final class Calls { var (progress, authorizations, isStopping) = (0, 0, false) }
    let session = try make("flat")
    let database = unsafe session.connection.handle
    let calls = Calls()
    let context = unsafe Unmanaged.passUnretained(calls).toOpaque()
    unsafe sqlite3_progress_handler(
      database, 100,
      { context in
        guard let context = unsafe context else { return 0 }
        let calls = unsafe Unmanaged<Calls>.fromOpaque(context).takeUnretainedValue()
        calls.progress += 1
        return calls.isStopping ? 1 : 0
      }, context)
    unsafe _ = sqlite3_set_authorizer(
      database,
      { context, action, table, _, _, _ in
        guard let context = unsafe context else { return SQLITE_OK }
        unsafe Unmanaged<Calls>.fromOpaque(context).takeUnretainedValue().authorizations += 1
        guard action == SQLITE_READ, let table = unsafe table else { return SQLITE_OK }
        return unsafe String(cString: table) == "grades" ? SQLITE_DENY : SQLITE_OK
      }, context)
    let search = "SELECT rowid FROM v WHERE \(match) AND k = 3 AND filter = 'a * 2 <> 4'"
    #expect(try session.integers(search).count == 3)
    let (progress, authorizations) = (calls.progress, calls.authorizations)
    #expect(
      try session.error("SELECT rowid FROM v WHERE \(match) AND k = 3 AND filter = 'SELECT row FROM grades'")
        .message.contains("prohibited"))
    #expect(try session.integers("SELECT count(*) FROM rows WHERE a > 2") == [2_100])
    #expect(calls.progress > progress && calls.authorizations > authorizations)
    calls.isStopping = true
    #expect(try session.error("\(search) AND exact = 1").isInterrupt)
    calls.isStopping = false
    #expect(try session.integers(search).count == 3)
    unsafe sqlite3_progress_handler(database, 0, nil, nil)
    unsafe _ = sqlite3_set_authorizer(database, nil, nil)
    withExtendedLifetime(calls) {}
  }
}
