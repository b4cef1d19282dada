import TestSupport
import Testing
import VidxIndexes

@testable import VidxSQLite

/// Conditions whose terms `key IN (SELECT ...)` are written otherwise: each lets the same rows pass.
@Suite struct MembershipTests {
  private static let key = "\"main\".\"rows\".\"id\""

  private func rewritten(_ sql: String) -> String? {
    Membership.rewritten(sql, table: "rows", key: "id", at: Self.key)
  }

  /// How many memberships have been found.
  private func count(_ sql: String) -> Int {
    guard let text = rewritten(sql) else { return 0 }
    return text.components(of: "EXISTS (WITH vidx_rows(c0)")
  }

  @Test func findsTermsOfAConjunction() {
    for (sql, found) in [
      ("id IN (SELECT 1)", 1), ("id IN (SELECT 1) AND u < 5", 1), ("u < 5 and rows.id in (SELECT 1)", 1),
      ("u = 1 AND id IN (SELECT 1)AND id IN (VALUES (2)) AND 1", 2), ("u BETWEEN 1 AND 2 AND id IN (SELECT 1)", 1),
      ("NOT u AND id IN (SELECT 1)", 1), ("u NOT BETWEEN 1 AND (2) AND id IN (SELECT 1) AND t = 'AND'", 1),
      ("(u OR t) AND id IN (SELECT 1)", 1), ("u = :or AND id IN (SELECT 1)", 1), ("u=?1AND id IN (SELECT 1)", 1),
      ("t = 'it''s OR' -- OR\nAND id IN (SELECT 1) /* OR */", 0), ("/* OR */ u AND id IN (SELECT 1)", 1),
      ("[or] AND \"or\" AND `or` AND id IN (SELECT 1)", 1), ("u > (SELECT 1 OR 2) AND id IN (SELECT 1)", 1),
      ("(CASE WHEN u THEN 1 END) AND id IN (SELECT 1)", 1), ("json_extract(t, '$.a') = 1 AND id IN (SELECT 1)", 1),
    ] {
      #expect(count(sql) == found, "\(sql)")
    }
  }

  @Test func leavesAloneWhatIsNoConjunction() {
    for sql in [
      "id IN (SELECT 1) OR u", "u AND id IN (SELECT 1) OR u", "NOT id IN (SELECT 1) AND u", "(id IN (SELECT 1) AND u)",
      "id NOT IN (SELECT 1) AND u", "id IN (SELECT 1) = u AND u", "u = id IN (SELECT 1) AND u",
      "CASE WHEN u AND id IN (SELECT 1) AND u THEN 1 END", "SELECT u FROM o WHERE u AND id IN (SELECT 1)",
      "u BETWEEN 1 AND id IN (SELECT 1)", "u BETWEEN 1 AND id IN (SELECT 1) AND u", "u AND id IN (SELECT 1) BETWEEN 0",
      "u = ?1BETWEEN 2 AND id IN (SELECT 1)", "u AND id IN (SELECT 1) ISNULL", "u) AND id IN (SELECT 1) AND (u",
      "u = $a(b AND id IN (SELECT 1) AND u)", "u = :a::b AND id IN (SELECT 1)", "u, u AND id IN (SELECT 1)",
      "u \u{FEFF}BETWEEN 1 AND id IN (SELECT 1)", "u = 'x AND id IN (SELECT 1)", "u AND id IN (SELECT 1", "id AND u",
      "WITH a AS (SELECT 1) SELECT u AND id IN (SELECT 1) AND u FROM a", "",
    ] {
      #expect(rewritten(sql) == nil, "\(sql)")
    }
  }

  private static let terms = [
    "id IN (SELECT r.id FROM rows r JOIN grades g ON g.u = r.u WHERE g.grade = 2)",
    "rows.id IN (VALUES (1), (NULL), (17))",
    "\"id\" in(SELECT NULL)", "id IN (SELECT max(id) FROM rows GROUP BY label)", "id IN (SELECT u FROM grades) ",
    "id IN (SELECT g.u FROM grades g WHERE g.u > rows.u)", "id IN (SELECT id || '' FROM rows WHERE u < 50 LIMIT 40)",
    "id IN (SELECT 1 -- ) AND\n UNION SELECT 2 AND 3)", "id IN (WITH a(b) AS (SELECT u FROM grades) SELECT b FROM a)",
    "u < 50", "u BETWEEN 10 AND 70", "u NOT BETWEEN id AND 30", "label = 'a AND b'", "label <> 'it''s (AND'",
    "NOT id IN (SELECT 3)",
    "id NOT IN (SELECT 4)", "(u = 1 OR id IN (SELECT u FROM rows))",
    "CASE WHEN u AND id IN (SELECT 2) THEN 1 ELSE u END",
    "u /* AND ( */ > 3", "u > 2 -- ) OR '\n", "id IN (SELECT u FROM rows) IS NOT NULL", "+id IN (SELECT u FROM rows)",
    "id IN (SELECT NULL UNION SELECT 5) IS NULL", "5 BETWEEN 3 AND id IN (SELECT u FROM grades)", "u ISNULL", "NOT u",
    "u BETWEEN ?1AND 90", "?1BETWEEN 2 AND id IN (SELECT u FROM grades)", ":b IS NOT NULL", "EXISTS (SELECT 1 AND 2)",
    "[and] IN (SELECT 1)", "\"and\" = `and`", "u = id IN (SELECT u FROM grades)", "- - u < 20", "x'41' < label",
    "label LIKE '%AND%' ESCAPE '-'", "u IS NOT DISTINCT FROM u", "1e1 > u", "u IN (1, 2, 3)", "coalesce(u, 1) AND 1",
  ]
  private static let joints = [" AND ", " AND ", " and ", "\nAND\t", " AND ", ")AND(", " OR ", " AND NOT ", " IS "]

  @Test(arguments: 0..<8) func letsTheSameRowsPass(part: Int) throws {
    let session = try SQLSession()
    try session.run(
      """
      CREATE TABLE rows(id INTEGER PRIMARY KEY, u INTEGER, label TEXT, "and" INTEGER);
      CREATE TABLE grades(u INTEGER PRIMARY KEY, grade INTEGER);
      WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 120)
      INSERT INTO rows SELECT i, nullif(i * 37 % 101, 9), CASE i % 4 WHEN 0 THEN 'a AND b' ELSE i END, i % 3 FROM c;
      INSERT INTO grades SELECT id, id % 4 FROM rows WHERE id % 3 > 0
      """)
    var random = SplitMix(seed: UInt64(part) + 71)
    var (compared, changed) = (0, 0)
    for _ in 0..<400 {
      var sql = Self.terms.randomElement(using: &random) ?? ""
      for _ in 0..<Int.random(in: 0..<5, using: &random) {
        sql += (Self.joints.randomElement(using: &random) ?? "") + (Self.terms.randomElement(using: &random) ?? "")
      }
      func ids(_ condition: String) throws -> [Int64] {
        let statement = try session.connection.prepare("SELECT id FROM rows WHERE (\(condition)\n) ORDER BY id")
        for i in 0..<statement.parameterCount { try statement.bind(11 + i, at: Int32(i + 1)) }
        var ids: [Int64] = []
        while try statement.step() { ids.append(statement.int64(0)) }
        return ids
      }
      // Older versions of SQLite do not know all of the terms.
      guard let expected = try? ids(sql) else { continue }
      compared += 1
      guard let other = rewritten(sql) else { continue }
      changed += 1
      #expect(try ids(other) == expected, "\(sql)")
    }
    #expect(compared > 300 && changed > 40, "\(compared) \(changed)")
  }

  /// 120 rows, of which every tenth has no vector, and an index over them.
  private func contentTable() throws -> (session: SQLSession, store: IndexStore) {
    let session = try SQLSession()
    try session.run(
      """
      CREATE TABLE rows(id INTEGER PRIMARY KEY, u INTEGER, vector TEXT);
      WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 120)
      INSERT INTO rows SELECT i, i * 37 % 101, CASE WHEN i % 10 THEN '[1,' || i || ']' END FROM c;
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2, index = flat, content = rows, column = vector)
      """)
    return (session, try IndexStore.open(session.connection))
  }

  /// Whole numbers are taken as they come, and anything else is compared with the key, from the first row on.
  @Test(arguments: [
    "SELECT id FROM rows WHERE u < 40", "VALUES (1), ('17'), (2.0), (NULL), ('x'), (1), (999), (x'31')", "SELECT NULL",
    "SELECT id FROM rows WHERE u < 20 UNION ALL SELECT id || '' FROM rows WHERE u > 60", "SELECT 1 WHERE 0",
    "SELECT id || '' FROM rows WHERE u < 50", "SELECT id / 1.0 FROM rows", "SELECT id / 2.0 FROM rows WHERE u > 9",
    "SELECT u + 100 FROM rows", "SELECT CAST(id AS TEXT) FROM rows UNION SELECT id FROM rows WHERE u < 3",
  ])
  func passAsSQLiteCompares(select: String) throws {
    let (session, store) = try contentTable()
    let expected = try session.connection.prepare(
      "SELECT id FROM rows WHERE id IN (\(select)) AND vector IS NOT NULL ORDER BY id"
    ).rowIDs()
    for spaces in ["", " ", "  "] {
      // Another text each time, or its rows would be kept; and each twice.
      for _ in 1...2 {
        store.forgetFilterRows()
        let hits = try session.connection.transaction(isImmediate: false) {
          var request = StoreRequest(query: [1, 0], k: 200)
          request.prepared = try store.filter(FilterText(.condition, "id IN (\(select)\n)\(spaces)")).filter
          return try store.search(request).hits
        }
        #expect(hits.map(\.rowID) == expected)
      }
    }
  }

  @Test("Rows of a content table are not looked up to read a membership")
  func takesTheNumbersOfAMembership() throws {
    let (session, store) = try contentTable()
    let select = "SELECT id FROM rows"
    let statement = try FilterStatement(FilterText(.condition, "id IN (\(select))"), of: store)
    let reading = try statement.reading([], StatementLimit(seconds: nil))
    defer { reading.end() }
    #expect(try reading.finish().count == 120)
    let joined = try session.connection.prepare("SELECT r.id FROM (\(select)) s CROSS JOIN rows r ON r.id = s.id")
    #expect(try joined.rowIDs().count == 120)
    #expect(reading.steps < 6 * 120 && reading.steps < joined.steps)
  }
}

extension String {
  /// How often a text occurs.
  fileprivate func components(of text: String) -> Int {
    var (count, rest) = (0, self[...])
    while let place = rest.firstIndex(where: { _ in true }) {
      if rest.hasPrefix(text) { count += 1 }
      rest = rest[rest.index(after: place)...]
    }
    return count
  }
}
