import CSQLite
import TestSupport
import Testing
import VidxSQLite

/// Filter columns in SQL, against an ordinary table with the same rows.
@Suite("Filter columns") struct FilterColumnTests {
  /// Every statement is run on both tables: `v` of vidx and `o`, an ordinary one.
  private final class Twins {
    let session: SQLSession
    var random: SplitMix
    static let columns = ["a", "b", "tenant"]

    init(kind: String, seed: UInt64) throws {
      session = try SQLSession(onDisk: true)
      random = SplitMix(seed: seed)
      try session.run(
        """
        CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2, index = \(kind), filter a, filter "b",
          partition tenant);
        CREATE TABLE o(id INTEGER PRIMARY KEY, vector, a, b, tenant)
        """)
    }

    static let values: [SQLCell] = [
      .null, 0, 1, 1.0, 2, -1, 0.5, .integer(9_007_199_254_740_993), .real(9_007_199_254_740_992), .integer(.max),
      .integer(.min), .real(9.3e18), .real(-1e300), "", "a", "A", "b", "1", "a\u{e9}", .blob([]), .blob([0x61]),
      .blob([0, 255]),
    ]

    func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }
    func value() -> SQLCell { Self.values[below(Self.values.count)] }
    func vector() -> SQLCell { .vector([Float(below(9)) - 4, Float(below(9)) - 4]) }

    func change() throws {
      let id = SQLCell.integer(Int64(below(60)))
      switch below(10) {
      case 0...4:
        let row = [id, vector(), value(), value(), .integer(Int64(below(3)))]
        _ = try session.rows("INSERT OR REPLACE INTO v(rowid, vector, a, b, tenant) VALUES (?, ?, ?, ?, ?)", row)
        _ = try session.rows("INSERT OR REPLACE INTO o(id, vector, a, b, tenant) VALUES (?, ?, ?, ?, ?)", row)
      case 5:
        let new = [vector(), id]
        _ = try session.rows("UPDATE v SET vector = ? WHERE rowid = ?", new)
        _ = try session.rows("UPDATE o SET vector = ? WHERE id = ?", new)
      case 6, 7:
        let column = Self.columns[below(3)]
        let new = [value(), value()]
        _ = try session.rows("UPDATE v SET \(column) = ? WHERE a IS ?", new)
        _ = try session.rows("UPDATE o SET \(column) = ? WHERE a IS ?", new)
      case 8:
        let chosen = [value()]
        _ = try session.rows("DELETE FROM v WHERE b = ?", chosen)
        _ = try session.rows("DELETE FROM o WHERE b = ?", chosen)
      default:
        _ = try session.rows("DELETE FROM v WHERE rowid = ?", id)
        _ = try session.rows("DELETE FROM o WHERE id = ?", id)
      }
    }

    /// A term that an index can take.
    func term() -> (sql: String, values: [SQLCell]) {
      let column = Self.columns[below(3)]
      switch below(9) {
      case 0: return ("\(column) IS NULL", [])
      case 1: return ("\(column) IS NOT NULL", [])
      case 2: return ("\(column) IN (?, ?, ?)", [value(), value(), value()])
      case 3: return ("\(column) BETWEEN ? AND ?", [value(), value()])
      case 4: return ("\(column) IS ?", [value()])
      case 5: return ("\(column) IS NOT ?", [value()])
      default:
        let operation = ["=", "<", "<=", ">", ">=", "<>"][below(6)]
        return ("\(column) \(operation) ?", [value()])
      }
    }

    func compare(sourceLocation: SourceLocation = #_sourceLocation) throws {
      let terms = (0...below(3)).map { _ in term() }
      let values = terms.flatMap(\.values)
      let all = terms.map(\.sql).joined(separator: " AND ")
      let some = terms.map(\.sql).joined(separator: " OR ")
      for condition in [all, some, "NOT (\(all))"] {
        let expected = try session.rows(
          "SELECT id, a, b, tenant, vector_text(vector) FROM o WHERE \(condition) ORDER BY id", values)
        let found = try session.rows(
          "SELECT rowid, a, b, tenant, vector_text(vector) FROM v WHERE \(condition) ORDER BY rowid", values)
        #expect(found == expected, "\(condition) \(values)", sourceLocation: sourceLocation)
      }
      let query = vector()
      let expected = try session.rows(
        "SELECT id, a FROM o WHERE \(all) ORDER BY l2_distance(vector, ?), id LIMIT 5", values + [query])
      let nearest = try session.rows(
        "SELECT rowid, a FROM v WHERE \(all) AND vector MATCH ? AND k = 5 AND ef_search = 1000 ORDER BY distance, rowid",
        values + [query])
      #expect(nearest == expected, "\(all) \(values) k", sourceLocation: sourceLocation)
      let limited = try session.rows(
        "SELECT rowid, a FROM v WHERE \(all) AND vector MATCH ? ORDER BY distance, rowid LIMIT 5", values + [query])
      #expect(limited == expected, "\(all) \(values) LIMIT", sourceLocation: sourceLocation)
      let several = "rowid IN (SELECT rowid FROM v WHERE \(some))"
      let either = try session.rows(
        "SELECT rowid, a FROM v WHERE \(several) AND vector MATCH ? AND k = 5 AND ef_search = 1000 ORDER BY distance, rowid",
        values + [query])
      let truth = try session.rows(
        "SELECT id, a FROM o WHERE \(some) ORDER BY l2_distance(vector, ?), id LIMIT 5", values + [query])
      #expect(either == truth, "\(some) \(values)", sourceLocation: sourceLocation)
    }
  }

  @Test("Answer as an ordinary table does, through every change", arguments: ["flat", "hnsw", "ivfflat"], [1, 2])
  func twins(kind: String, seed: Int) throws {
    let twins = try Twins(kind: kind, seed: UInt64(seed))
    for round in 0..<40 {
      for _ in 0..<5 { try twins.change() }
      try twins.compare()
      switch round % 8 {
      case 1, 6: try twins.session.run("INSERT INTO v(v) VALUES ('optimize')")
      case 3:
        try twins.session.run("BEGIN")
        for _ in 0..<5 { try twins.change() }
        try twins.compare()
        try twins.session.run("ROLLBACK")
      case 4:
        try twins.session.run("BEGIN; SAVEPOINT s")
        for _ in 0..<3 { try twins.change() }
        try twins.session.run("ROLLBACK TO s; RELEASE s")
        for _ in 0..<3 { try twins.change() }
        try twins.compare()
        try twins.session.run("COMMIT")
      case 7: try twins.session.run("INSERT INTO v(v) VALUES ('rebuild')")
      default: break
      }
      try twins.compare()
    }
    try twins.session.run("INSERT INTO v(v) VALUES ('integrity-check')")
    let path = try #require(twins.session.path)
    let other = try SQLSession.connect(path)
    #expect(
      try SQLSession.rows(other, "SELECT rowid, a, b, tenant FROM v ORDER BY rowid")
        == SQLSession.rows(other, "SELECT id, a, b, tenant FROM o ORDER BY id"))
  }

  private func catalogue() throws -> SQLSession {
    let session = try SQLSession(onDisk: true)
    try session.run("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2, filter section, filter size)")
    try session.run(
      """
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
      INSERT INTO v(rowid, vector, section, size)
      SELECT i, '[' || i || ',0]', 's' || (i % 30), i FROM n
      """)
    return session
  }

  @Test("Terms are taken before k counts, by the index alone")
  func plans() throws {
    let session = try catalogue()
    for _ in 0..<2 {
      #expect(
        try session.integers(
          "SELECT rowid FROM v WHERE vector MATCH '[0,0]' AND k = 3 AND section = 's7' AND size > 20") == [37, 67, 97])
      #expect(
        try session.integers(
          "SELECT rowid FROM v WHERE vector MATCH '[0,0]' AND k = 3 AND section IN ('s7', 's8') AND size <> 8")
          == [7, 37, 38])
      #expect(try session.integers("SELECT rowid FROM v WHERE size BETWEEN 10 AND 12") == [10, 11, 12])
      try session.run("INSERT INTO v(v) VALUES ('optimize')")
    }
    let plan = try session.rows("EXPLAIN QUERY PLAN SELECT rowid FROM v WHERE section = 's7' AND size IN (7, 8)")
    guard case .text(let detail)? = plan.first?.last else { return #expect(Bool(false), "no plan") }
    #expect(detail.contains("=0") && detail.contains("i1"))
  }

  @Test("Columns that the index knows nothing of are damage")
  func damagedDefinition() throws {
    let session = try catalogue()
    try session.run("UPDATE v_config SET value = 1 WHERE key = 'version'")
    let other = try SQLSession.connect(#require(session.path))
    let error = #expect(throws: SQLiteError.self) { try other.execute("SELECT section FROM v") }
    #expect(error?.message.contains("filter_columns") == true)
  }

  @Test("Another collation is left to SQLite")
  func collation() throws {
    let session = try catalogue()
    #expect(try session.integers("SELECT count(*) FROM v WHERE section = 'S7' COLLATE NOCASE") == [10])
    #expect(try session.integers("SELECT count(*) FROM v WHERE section = 'S7'") == [0])
  }

  @Test("The value of another table joins what k selected")
  func joins() throws {
    let session = try catalogue()
    try session.run("CREATE TABLE t(section); INSERT INTO t VALUES ('s7'), ('s8')")
    #expect(
      try session.integers(
        "SELECT v.rowid FROM v JOIN t ON t.section = v.section WHERE vector MATCH '[0,0]' AND k = 7 ORDER BY v.rowid")
        == [7])
    #expect(
      try session.integers(
        """
        SELECT rowid FROM v WHERE vector MATCH '[0,0]' AND k = 3 AND section IN (SELECT section FROM t)
        """) == [7, 8, 37])
  }

  /// As docs/SQL.md says under Traps: where SQLite would convert, the index finds what needs no converting.
  @Test("Nothing is converted")
  func affinity() throws {
    let session = try SQLSession(onDisk: true)
    try session.run(
      """
      CREATE TABLE n(i INTEGER, t TEXT, u); INSERT INTO n VALUES (5, '5', '5');
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 1, filter a);
      INSERT INTO v(rowid, vector, a) VALUES (1, '[1]', 5), (2, '[1]', '5'), (3, '[1]', 5.0), (4, '[1]', 'x')
      """)
    let cases: [(String, [Int64])] = [
      ("a IN (5)", [1, 3]), ("a IN ('5')", [2]), ("a IN (5, 'x')", [1, 3, 4]), ("a IN (SELECT u FROM n)", [2]),
      ("a IN (SELECT t FROM n)", [2]), ("a IN (SELECT i + 0 FROM n)", [1, 3]), ("a = CAST('5' AS INTEGER)", [1, 3]),
      // Of an ordinary table 2 would pass, too.
      ("a IN (SELECT i FROM n)", [1, 3]), ("a = (SELECT i FROM n)", [1, 3]),
    ]
    for _ in 0..<2 {
      for (condition, expected) in cases {
        #expect(
          try session.integers("SELECT rowid FROM v WHERE \(condition) ORDER BY rowid") == expected, "\(condition)")
        let search = "SELECT rowid FROM v WHERE vector MATCH '[1]' AND k = 9 AND \(condition) ORDER BY rowid"
        #expect(try session.integers(search) == expected, "\(condition)")
      }
      try session.run("INSERT INTO v(v) VALUES ('optimize')")
    }
  }

  @Test("A content table gives its columns, and is followed")
  func content() throws {
    let session = try SQLSession(onDisk: true)
    try session.run(
      """
      CREATE TABLE m(id INTEGER PRIMARY KEY, embedding, services TEXT COLLATE NOCASE, n INTEGER);
      INSERT INTO m VALUES (1, '[1,0]', 'hotel', 1), (2, '[2,0]', 'taxi', 2), (3, NULL, 'taxi', 3);
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2, content = 'm', column = 'embedding',
        filter services, filter n)
      """)
    func ids(_ condition: String) throws -> [Int64] {
      try session.integers("SELECT rowid FROM v WHERE vector MATCH '[0,0]' AND k = 9 AND \(condition)")
    }
    #expect(try ids("services = 'taxi'") == [2])
    try session.run("UPDATE m SET services = 'Taxi' WHERE id = 2; UPDATE m SET n = 7 WHERE id = 1")
    #expect(try ids("services = 'taxi'") == [])
    #expect(try ids("services = 'Taxi' AND n = 2") == [2])
    #expect(try ids("n > 2") == [1])
    try session.run("UPDATE m SET embedding = '[3,0]' WHERE id = 3; INSERT INTO v(v) VALUES ('optimize')")
    #expect(try ids("n >= 3") == [1, 3])
    try session.run("INSERT INTO v(v) VALUES ('rebuild'); INSERT INTO v(v) VALUES ('integrity-check')")
    #expect(try ids("n >= 3") == [1, 3])
    try session.run("DROP TRIGGER v_content_update; UPDATE m SET n = 8 WHERE id = 1")
    #expect(try session.error("INSERT INTO v(v) VALUES ('integrity-check')").message.contains("filter columns"))
  }

  @Test("A whole content table is built with its columns")
  func contentBuild() throws {
    let session = try SQLSession(onDisk: true)
    try session.run(
      """
      CREATE TABLE m(id INTEGER PRIMARY KEY, e, label);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
      INSERT INTO m SELECT i, '[' || i || ',1]', i % 100 FROM n;
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2, content = m, column = e, filter label)
      """)
    #expect(try session.integers("SELECT count(*) FROM v_segments") == [1])
    #expect(
      try session.integers("SELECT rowid FROM v WHERE vector MATCH '[0,0]' AND k = 3 AND label = 42")
        == [42, 142, 242])
  }

  @Test(
    "What cannot be declared is refused with advice",
    arguments: [
      ("filter vector", "'vector'"), ("filter k", "choose another name"), ("filter rowid", "choose another name"),
      ("filter a, partition A", "declared twice"), ("fliter section", "did you mean 'filter section'"),
      ("filter section TEXT", "it has no type"), ("filter = section", "filter section"), ("filter v", "v"),
      ((0...64).map { "filter c\($0)" }.joined(separator: ", "), "at most 64"),
    ])
  func refused(arguments: String, message: String) throws {
    let session = try SQLSession()
    let error = try session.error("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, \(arguments))")
    #expect(error.message.contains(message), "\(error.message)")
  }

  /// Under BINARY SQLite compares bytes as they are in the database: U+0101 comes before "a" in UTF-16le, U+10000
  /// before U+FFFD in all but UTF-8.
  @Test("Ranges of texts follow the encoding of the database", arguments: ["UTF-8", "UTF-16le", "UTF-16be"])
  func encodings(encoding: String) throws {
    let session = try SQLSession(onDisk: true)
    try session.run(
      """
      PRAGMA encoding = '\(encoding)';
      CREATE TABLE o(id INTEGER PRIMARY KEY, a);
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 1, metric = l2, filter a);
      """)
    let values: [SQLCell] = [
      "", "a", "ab", "b", "\u{101}", "\u{e9}", "\u{fffd}", "\u{ffff}", "\u{10000}", "\u{1f600}x", "a\u{10000}",
      "a\u{fffd}", .null, 5, 0.5, .blob([0x61]), .blob([]),
    ]
    for round in 0..<2 {
      for (i, value) in values.enumerated() {
        let id = SQLCell.integer(Int64(100 * round + i))
        _ = try session.rows("INSERT INTO o VALUES (?, ?)", id, value)
        _ = try session.rows("INSERT INTO v(rowid, vector, a) VALUES (?, ?, ?)", id, .vector([1]), value)
      }
      for a in values {
        for condition in ["a < ?1", "a <= ?1", "a > ?1", "a >= ?1", "a BETWEEN 'a' AND ?1", "a = ?1", "a <> ?1"] {
          let expected = try session.integers("SELECT id FROM o WHERE \(condition) ORDER BY id", a)
          #expect(
            try session.integers("SELECT rowid FROM v WHERE \(condition) ORDER BY rowid", a) == expected,
            "\(condition) \(a)")
          let nearest = "SELECT rowid FROM v WHERE vector MATCH '[1]' AND k = 99 AND \(condition) ORDER BY rowid"
          #expect(try session.integers(nearest, a) == expected, "\(condition) \(a)")
        }
      }
      try session.run("INSERT INTO v(v) VALUES ('optimize')")
    }
  }

  @Test("Content in UTF-16 is read as it is in UTF-8", arguments: ["UTF-8", "UTF-16le", "UTF-16be"])
  func contentEncodings(encoding: String) throws {
    let session = try SQLSession(onDisk: true)
    try session.run(
      """
      PRAGMA encoding = '\(encoding)';
      CREATE TABLE m(id INTEGER PRIMARY KEY, e, label);
      INSERT INTO m VALUES (1, '[1, 2]', 'h\u{f4}tel'), (2, '[2, 2]', '\u{1f600}');
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2, content = m, column = e, filter label);
      INSERT INTO m VALUES (3, '[3, 2]', 'h\u{f4}tel'), (4, '[4, 2]', NULL);
      UPDATE m SET label = 'h\u{f4}tel' WHERE id = 4
      """)
    for command in ["integrity-check", "optimize", "integrity-check", "rebuild", "integrity-check"] {
      try session.run("INSERT INTO v(v) VALUES ('\(command)')")
      #expect(
        try session.rows("SELECT rowid, label, vector_text(vector) FROM v WHERE label >= 'h' ORDER BY rowid")
          == session.rows("SELECT id, label, replace(e, ' ', '') FROM m WHERE label >= 'h' ORDER BY id"), "\(command)")
      let search = "SELECT rowid FROM v WHERE vector MATCH '[0,2]' AND k = 9 AND label = ?"
      #expect(try session.integers(search, .text("h\u{f4}tel")) == [1, 3, 4], "\(command)")
    }
  }

  @Test("A table that another connection makes anew has the columns it has now")
  func madeAnew() throws {
    let session = try SQLSession(onDisk: true)
    try session.run(
      """
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 1, metric = l2, filter a, filter b);
      INSERT INTO v(rowid, vector, a, b) VALUES (1, '[1]', 10, 20), (2, '[2]', 20, 10)
      """)
    let other = try SQLSession.connect(#require(session.path))
    let sql = "SELECT rowid FROM v WHERE vector MATCH '[0]' AND k = 9 AND b = 20"
    #expect(try SQLSession.rows(other, sql) == [[1]])
    try session.run(
      """
      DROP TABLE v;
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 1, metric = l2, filter b);
      INSERT INTO v(rowid, vector, b) VALUES (7, '[1]', 20), (8, '[1]', 10)
      """)
    #expect(try SQLSession.rows(other, sql) == [[7]])
  }

  @Test("A content table must have the column")
  func missingColumn() throws {
    let session = try SQLSession()
    try session.run("CREATE TABLE m(id INTEGER PRIMARY KEY, e, services)")
    let error = try session.error(
      "CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, content = m, column = e, filter service)")
    #expect(error.message.contains("did you mean 'services'?"), "\(error.message)")
  }
}
