import Foundation
import Testing
import VidxSQLite

/// Filter columns compare as the columns of the content table do.
@Suite("Types of filter columns") struct FilterColumnTypeTests {
  private static let values: [SQLCell] = [
    nil, 5, 5.0, 5.5, "5", " 5 ", "5.0", "05", "5abc", "x", "", -1, "-1", .integer(.max), "9223372036854775807", 1e300,
    .blob([0x35]), .blob([]), "ADA", "ada",
  ]
  private static let types = ["INTEGER", "REAL", "TEXT", "NUMERIC", "", "BLOB", "VARCHAR(20)", "DOUBLE", "DATE"]

  private func make(_ type: String) throws -> SQLSession {
    let session = try SQLSession(onDisk: true)
    try session.run(
      """
      CREATE TABLE m(id INTEGER PRIMARY KEY, e, u \(type));
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 1, metric = l2, content = m, column = e, filter u)
      """)
    for value in Self.values { _ = try session.rows("INSERT INTO m(e, u) VALUES ('[1]', ?)", value) }
    return session
  }

  private func compare(_ session: SQLSession, _ condition: String, _ values: SQLCell...) throws {
    func ids(_ sql: String) throws -> [SQLCell] { try session.rows(sql, values).compactMap(\.first) }
    let expected = try ids("SELECT id FROM m WHERE \(condition) ORDER BY id")
    #expect(try ids("SELECT rowid FROM v WHERE \(condition) ORDER BY rowid") == expected, "\(condition) \(values)")
    let nearest = "SELECT rowid FROM v WHERE vector MATCH '[1]' AND \(condition)"
    #expect(try ids("\(nearest) AND k = 99 ORDER BY rowid") == expected, "\(condition) \(values), k")
    // All are as near: the first by row id, and as many as are asked for whenever so many pass.
    #expect(try ids("\(nearest) AND k = 2") == Array(expected.prefix(2)), "\(condition) \(values), k = 2")
    #expect(try ids("\(nearest) LIMIT 2").count == min(2, expected.count), "\(condition) \(values), LIMIT")
    #expect(try ids("\(nearest) ORDER BY distance, rowid") == expected, "\(condition) \(values), streamed")
  }

  @Test("Terms answer as on the table", arguments: types)
  func terms(type: String) throws {
    let session = try make(type)
    for round in 0..<3 {
      for value in Self.values {
        for operation in ["=", "<", "<=", ">", ">=", "<>", "IS", "IS NOT"] {
          try compare(session, "u \(operation) ?", value)
        }
        try compare(session, "u BETWEEN ? AND ?", value, "7")
        try compare(session, "u IN (?, ?)", value, "5")
        try compare(session, "u IN (SELECT ?)", value)
      }
      switch round {
      case 0:
        try session.run("INSERT INTO v(v) VALUES ('optimize')")
        // The content table's name is looked up each time.
        try session.run("ALTER TABLE m RENAME TO m2; ALTER TABLE m2 RENAME TO m")
      case 1: try session.run("UPDATE m SET u = '7' WHERE id = 3; DELETE FROM m WHERE id = 9")
      default: break
      }
    }
  }

  @Test("Values that bring a type with them", arguments: ["INTEGER", "REAL", "TEXT", "NUMERIC", "VARCHAR(20)"])
  func operands(type: String) throws {
    let session = try make(type)
    try session.run(
      """
      INSERT INTO m(e, u) VALUES ('[1]', '10'), ('[1]', '9.50');
      CREATE TABLE o(id INTEGER PRIMARY KEY, n INTEGER, r REAL, t TEXT, b);
      INSERT INTO o VALUES (1, 9, 9.5, '9', 9), (2, 5, 5.0, '5', 5), (3, -1, -1, '-1', '-1'), (4, NULL, NULL, NULL,
        NULL), (5, NULL, NULL, NULL, NULL)
      """)
    let operations = ["=", "<", "<=", ">", ">=", "<>", "IS", "IS NOT"]
    for _ in 0..<2 {
      for column in ["n", "r", "t", "b"] {
        for operation in operations {
          for row in 1...4 {
            try compare(session, "u \(operation) (SELECT \(column) FROM o WHERE id = \(row))")
          }
          let joins = try ["m", "v"].map { table in
            try session.rows(
              "SELECT o.id, x.rowid FROM o CROSS JOIN \(table) x WHERE x.u \(operation) o.\(column) ORDER BY 1, 2")
          }
          #expect(joins[0] == joins[1], "\(operation) \(column)")
        }
        try compare(session, "u IN (SELECT \(column) FROM o)")
        try compare(session, "u IN (SELECT id FROM o)")
      }
      for value in ["CAST(9 AS INTEGER)", "CAST('5' AS REAL)", "CAST(5 AS TEXT)", "9", "5.0", "+5", "5 + 4"] {
        for operation in operations { try compare(session, "u \(operation) \(value)") }
      }
      try session.run("INSERT INTO v(v) VALUES ('optimize')")
    }
  }

  @Test("LIMIT counts what SQLite lets pass, and k what is compared as SQLite does")
  func numbers() throws {
    let session = try make("TEXT")
    let nearest = "SELECT rowid FROM v WHERE vector MATCH '[1]'"
    func isComplete(_ word: String) throws -> Bool {
      try session.rows("SELECT vidx_last_search()").description.contains("\"complete\":\(word)")
    }
    #expect(try session.integers("\(nearest) AND u = 5 ORDER BY distance LIMIT 2").sorted() == [2, 5])
    #expect(try session.integers("\(nearest) AND u = CAST(5 AS INTEGER) AND k = 9") == [2, 3, 5, 6, 7, 8])
    #expect(try isComplete("true"))
    #expect(try session.integers("\(nearest) AND u = 5 AND k = 3") == [2, 5])
    #expect(try isComplete("true"))
    #expect(try session.integers("\(nearest) AND u = '5' AND k = 9") == [2, 5])
    #expect(try isComplete("true"))
  }

  @Test("Views, triggers and compound statements say how they compare, too")
  func programs() throws {
    let session = try make("TEXT")
    let nearest = "SELECT rowid AS id FROM v WHERE vector MATCH '[1]' AND k = 2"
    try session.run(
      """
      CREATE VIEW texts AS \(nearest) AND u = 5;
      CREATE VIEW numbers AS \(nearest) AND u = CAST(5 AS INTEGER);
      CREATE TABLE found(id);
      CREATE TABLE expected(id);
      CREATE TABLE asks(n INTEGER);
      CREATE TRIGGER ask AFTER INSERT ON asks BEGIN
        INSERT INTO found \(nearest) AND u = new.n;
        INSERT INTO expected SELECT id FROM m WHERE u = new.n ORDER BY id LIMIT 2;
      END
      """)
    #expect(try session.integers("SELECT id FROM texts") == [2, 5])
    #expect(try session.integers("SELECT id FROM numbers") == [2, 3])
    #expect(try session.integers("SELECT id FROM (\(nearest) AND u = ? AND u <> 6)", 5) == [2, 5])
    try session.run("INSERT INTO asks VALUES (5)")
    #expect(try session.integers("SELECT id FROM found") == session.integers("SELECT id FROM expected"))
    #expect(try session.integers("SELECT id FROM found").count == 2)
    // One program compares in both ways: what may pass is checked again, and that is said.
    let both = try session.integers("SELECT id FROM texts UNION ALL SELECT id FROM numbers")
    #expect(both.count <= 4 && Set(both).isSubset(of: [2, 3, 5]))
    #expect(try session.rows("SELECT vidx_last_search()").description.contains("\"complete\":null"))
  }

  @Test("A statement inside another, over the same index")
  func nested() throws {
    let session = try make("TEXT")
    let outer = try session.connection.prepare(
      "SELECT rowid FROM v WHERE vector MATCH '[1]' AND k = 2 AND u = CAST(5 AS INTEGER)")
    #expect(try outer.step())
    // Which of the two statements asks is not told: what comes passes.
    let inner = try session.integers("SELECT rowid FROM v WHERE vector MATCH '[1]' AND k = 2 AND u = 5")
    #expect(Set(inner).isSubset(of: [2, 5]))
    outer.reset()
    #expect(try session.integers("SELECT rowid FROM v WHERE vector MATCH '[1]' AND k = 2 AND u = 5") == [2, 5])
  }

  @Test("Another's lock is an error of the statement, and the types are right for the next one")
  func locked() throws {
    let session = try make("INTEGER")
    let other = try SQLSession.connect(#require(session.path))
    try other.execute("PRAGMA busy_timeout = 0")
    // The schema is read; no table is connected to.
    _ = try SQLSession.rows(other, "SELECT count(*) FROM sqlite_master")
    try session.run("BEGIN EXCLUSIVE")
    let search = "SELECT rowid FROM v WHERE u = '5' ORDER BY rowid"
    let error = #expect(throws: SQLiteError.self) { try SQLSession.rows(other, search) }
    #expect(error?.isBusy == true, "\(String(describing: error))")
    try session.run("COMMIT")
    let expected = try session.rows("SELECT id FROM m WHERE u = '5' ORDER BY id")
    #expect(expected.count > 2)
    #expect(try SQLSession.rows(other, search) == expected)
  }

  @Test("A content table made anew by the same connection", arguments: [false, true])
  func madeAnew(isSettled: Bool) throws {
    let session = try make("INTEGER")
    if isSettled { try session.run("INSERT INTO v(v) VALUES ('optimize')") }
    let search = "SELECT rowid FROM v WHERE u = '5' ORDER BY rowid"
    let before = try session.rows(search)
    func makeAnew() throws {
      try session.run("DROP TABLE m; CREATE TABLE m(id INTEGER PRIMARY KEY, e, u TEXT)")
      for value in Self.values { _ = try session.rows("INSERT INTO m(e, u) VALUES ('[1]', ?)", value) }
    }
    // What is rolled back has its types back.
    try session.run("BEGIN")
    try makeAnew()
    let error = try session.error(search)
    #expect(error.message.contains("table m has been made anew with columns of other types"), "\(error.message)")
    #expect(try session.integers("SELECT count(*) FROM v").count == 1)
    try session.run("INSERT INTO v(v) VALUES ('rebuild')")
    #expect(try session.rows(search) == session.rows("SELECT id FROM m WHERE u = '5' ORDER BY id"))
    try session.run("ROLLBACK")
    #expect(try session.rows(search) == before)
    try compare(session, "u = '5'")
    try makeAnew()
    try session.run("INSERT INTO v(v) VALUES ('rebuild')")
    // Followed again.
    try session.run("INSERT INTO m(e, u) VALUES ('[1]', 5); UPDATE m SET u = '05' WHERE id = 2")
    for condition in ["u = '5'", "u = 5", "u < 5", "u IN ('5', '05')", "u > '4'"] { try compare(session, condition) }
    try session.run("INSERT INTO v(v) VALUES ('integrity-check')")
    try session.run("DROP TABLE v")
    #expect(try session.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'").isEmpty)
  }

  @Test("Bounds beside a pattern restrict before k counts")
  func boundsOfPatterns() throws {
    let session = try SQLSession()
    try session.run(
      """
      CREATE VIRTUAL TABLE w USING vidx(dimensions = 1, metric = l2, index = flat, filter t);
      INSERT INTO w(rowid, vector, t) VALUES (1, '[1]', 'zx'), (2, '[2]', 'ax'), (3, '[3]', 'bx'), (4, '[4]', '*x'),
        (5, '[5]', 'ay'), (6, '[6]', x'6178');
      CREATE TABLE ordinary AS SELECT t FROM w ORDER BY rowid
      """)
    let nearest = "SELECT rowid FROM w WHERE vector MATCH '[0]'"
    func isComplete(_ word: String) throws -> Bool {
      try session.rows("SELECT vidx_last_search()").description.contains("\"complete\":\(word)")
    }
    let range = "t >= 'a' AND t < 'b'"
    #expect(try session.integers("\(nearest) AND k = 1 AND \(range) AND t GLOB ?", "*x*") == [2])
    #expect(try isComplete("true"))
    #expect(try session.integers("\(nearest) AND k = 1 AND \(range) AND t GLOB '*x*'") == [2])
    #expect(try session.integers("\(nearest) AND k = 1 AND t >= '*' AND t < '+' AND t GLOB '*x*'") == [4])
    // SQLite's own bounds leave out BLOBs, which match in some builds of it.
    for pattern in ["a*", "ax*"] {
      let expected = try session.integers("SELECT rowid FROM ordinary WHERE t GLOB ?", .text(pattern))
      #expect(expected.starts(with: pattern == "a*" ? [2, 5] : [2]))
      #expect(try session.integers("\(nearest) AND k = 3 AND t GLOB ?", .text(pattern)) == expected)
      #expect(try session.integers("\(nearest) AND k = 3 AND t GLOB '\(pattern)'") == expected)
      #expect(try isComplete("true"))
    }
    let folded = "t >= 'A' COLLATE NOCASE AND t < 'B' COLLATE NOCASE"
    #expect(try session.integers("\(nearest) AND k = 1 AND \(folded) AND t LIKE ?", "%x%").isEmpty)
    #expect(try isComplete("null"))
  }

  @Test("A content table of another name by now", arguments: ["INTEGER", "TEXT"])
  func renamed(type: String) throws {
    let session = try make(type)
    try session.run("ALTER TABLE m RENAME TO other")
    let connections = [session.connection, try SQLSession.connect(#require(session.path))]
    for connection in connections {
      for condition in ["u = '5'", "u = 5", "u IN (5)", "u > '4'"] {
        #expect(
          try SQLSession.rows(connection, "SELECT rowid FROM v WHERE vector MATCH '[1]' AND k = 99 AND \(condition)")
            == SQLSession.rows(connection, "SELECT id FROM other WHERE \(condition) ORDER BY id"), "\(condition)")
      }
    }
  }

  @Test("ANY is no type in a STRICT table")
  func strict() throws {
    let session = try SQLSession(onDisk: true)
    try session.run(
      """
      CREATE TABLE m(id INTEGER PRIMARY KEY, e ANY, u ANY, i INTEGER) STRICT;
      INSERT INTO m VALUES (1, '[1]', 5, 5), (2, '[1]', '5', 6);
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 1, metric = l2, content = m, column = e, filter u, filter i)
      """)
    for condition in ["u = '5'", "u = 5", "i = '5'", "u IN (5)"] { try compare(session, condition) }
  }

  @Test("Patterns restrict before k counts, as LIKE and GLOB of an ordinary table", arguments: ["INTEGER", "TEXT", ""])
  func patterns(type: String) throws {
    let session = try make(type)
    let patterns: [SQLCell] = [
      "5%", "%5", "%", "", "a%", "ADA", "_", "5*", "*", "[a-f]*", "[^5]*", "?", nil, 5, 5.0, .blob([0x35]), "1e%",
      "%.%",
    ]
    for _ in 0..<2 {
      for pattern in patterns {
        try compare(session, "u LIKE ?", pattern)
        try compare(session, "u GLOB ?", pattern)
        try compare(session, "u LIKE ? AND u > '5'", pattern)
      }
      try compare(session, "u LIKE 'ad%'")
      try session.run("INSERT INTO v(v) VALUES ('optimize')")
    }
    #expect(try session.rows("EXPLAIN QUERY PLAN SELECT rowid FROM v WHERE u LIKE '5%'").description.contains("l0"))
    // Another LIKE than SQLite's is left to it.
    try session.run("PRAGMA case_sensitive_like = ON")
    #expect(try !session.rows("EXPLAIN QUERY PLAN SELECT rowid FROM v WHERE u LIKE '5%'").description.contains("l0"))
    #expect(
      try session.rows("SELECT rowid FROM v WHERE u LIKE 'a%'") == session.rows("SELECT id FROM m WHERE u LIKE 'a%'"))
  }

  @Test("k rows come whenever k match a pattern")
  func patternsBeforeK() throws {
    let session = try SQLSession(onDisk: true)
    try session.run(
      """
      CREATE VIRTUAL TABLE w USING vidx(dimensions = 1, metric = l2, filter t);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
      INSERT INTO w(rowid, vector, t) SELECT i, json_array(i), CASE i % 100 WHEN 0 THEN 'Rare ' ELSE 'often ' END || i FROM n
      """)
    for _ in 0..<2 {
      for pattern in ["t LIKE 'rare%'", "t LIKE '%ARE %'", "t GLOB 'Rare*'"] {
        let search = "SELECT rowid FROM w WHERE vector MATCH '[0]' AND k = 3 AND \(pattern)"
        #expect(try session.integers(search) == [100, 200, 300], "\(pattern)")
        let report = try session.rows("SELECT vidx_last_search()").description
        #expect(report.contains("\"complete\":true") && report.contains("\"rows_yielded\":5"), "\(pattern): \(report)")
      }
      try session.run("INSERT INTO w(w) VALUES ('optimize')")
    }
  }
}
