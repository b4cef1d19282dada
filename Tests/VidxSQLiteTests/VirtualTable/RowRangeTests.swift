import Foundation
import Testing
import VidxSQLite

/// Ranges of row ids: those of few rows are sets, others are checked on the way.
@Suite("Ranges of row ids") struct RowRangeTests {
  private let match = "vector MATCH \(VectorTable.literal)"

  private func last(_ session: SQLSession) throws -> [String: Any] {
    let row = try #require(try session.rows("SELECT vidx_last_search()").first)
    guard case .text(let text) = row[0] else { throw SQLSession.NotAnInteger(sql: "vidx_last_search()", row: row) }
    return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  @Test("Few rows are all that is compared", arguments: VectorTable.Layout.all)
  func counters(_ layout: VectorTable.Layout) throws {
    let table = try VectorTable(layout, rows: 900)
    let ids = table.ids
    for (from, to) in [
      (ids[400], ids[404]), (ids[0], ids[9]), (ids[ids.count - 10], .max), (.min, ids[3]), (ids[40] + 1, ids[40] + 2),
    ] {
      let expected = table.nearest().filter { $0.id >= from && $0.id <= to }.map(\.id)
      let range = "rowid BETWEEN \(from == .min ? "-9e18" : "\(from)") AND \(to == .max ? "9e18" : "\(to)")"
      for search in [
        "SELECT rowid FROM v WHERE \(match) AND k = 10 AND \(range)",
        "SELECT rowid FROM v WHERE \(match) AND \(range) ORDER BY distance, rowid",
        "SELECT rowid FROM v WHERE \(match) AND \(range) ORDER BY distance LIMIT 10",
        "SELECT rowid FROM v WHERE \(match) AND k = 10 AND \(range) AND distance >= 0",
        "SELECT rowid FROM v WHERE \(match) AND k = 10 AND \(range) AND after_distance = NULL AND after_rowid = NULL",
      ] {
        #expect(try table.session.integers(search) == expected, "\(search)")
        let report = try last(table.session)
        #expect(try #require(report["distance_computations"] as? Int) <= expected.count, "\(search)")
        #expect(report["exact"] as? Bool == true && report["complete"] as? Bool == true, "\(search)")
        #expect(report["rows_yielded"] as? Int == expected.count, "\(search)")
      }
    }
  }

  @Test("Ranges go with sets and other terms", arguments: VectorTable.Layout.all)
  func combinations(_ layout: VectorTable.Layout) throws {
    let table = try VectorTable(layout, rows: 300)
    let odd = try table.items("category = 'odd'")
    for (from, to) in [(100, 400), (5, 850), (333, 333)] as [(Int64, Int64)] {
      let expected = table.nearest().filter { odd.contains($0.id) && $0.id > from && $0.id <= to && $0.id != 199 }.map(
        \.id)
      let found = try table.session.integers(
        """
        SELECT rowid FROM v WHERE \(match) AND k = 20 AND rowid > \(from) AND rowid <= \(to) AND rowid <> 199
          AND rowid IN (SELECT id FROM items WHERE category = 'odd') \(layout.kind.thorough)
        """)
      #expect(found == Array(expected.prefix(20)))
    }
  }

  /// A search has lists to go through here, a stream has a graph only.
  @Test("A stream of few rows compares them and no others")
  func streams() throws {
    let session = try SQLSession(onDisk: true)
    try session.run(
      """
      CREATE TABLE rows(id INTEGER PRIMARY KEY, e);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
      INSERT INTO rows SELECT i, vector(json_array(i * 7919 % 6001, i * 104729 % 5003, i * 31 % 4001, i % 2999)) FROM n;
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 4, metric = l2, content = rows, column = e)
      """)
    for filter in ["rowid BETWEEN 500 AND 619", "filter = 'id BETWEEN 500 AND 619'"] {
      let near = "vector MATCH '[3000,2500,2000,1500]'"
      let found = try session.integers(
        "SELECT rowid FROM v WHERE \(near) AND \(filter) AND +rowid > 0 ORDER BY distance")
      #expect(
        try found
          == session.integers(
            "SELECT id FROM rows WHERE id BETWEEN 500 AND 619 ORDER BY l2_distance(e, '[3000,2500,2000,1500]'), id"))
      let report = try last(session)
      #expect(
        report["exact"] as? Bool == true && report["distance_computations"] as? Int == 120, "\(filter): \(report)")
    }
  }

  @Test("Many rows are checked on the way")
  func wide() throws {
    let session = try SQLSession(onDisk: true)
    try session.run(
      """
      CREATE TABLE rows(id INTEGER PRIMARY KEY, e);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
      INSERT INTO rows SELECT i, json_array(i) FROM n;
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 1, metric = l2, index = flat, content = rows, column = e)
      """)
    for (term, expected, yielded) in [
      ("rowid > 1000", [1_001, 1_002], nil), ("rowid > 2000", [2_001, 2_002], 10_000), ("rowid < 3", [1, 2], 2),
    ] as [(String, [Int64], Int?)] {
      #expect(try session.integers("SELECT rowid FROM v WHERE vector MATCH '[0]' AND k = 2 AND \(term)") == expected)
      #expect(try last(session)["rows_yielded"] as? Int == yielded, "\(term)")
      #expect(
        try session.integers("SELECT rowid FROM v WHERE vector MATCH '[0]' AND \(term) ORDER BY distance LIMIT 2")
          == expected)
    }
  }
}
