import TestSupport
import Testing
import VidxSQLite

/// `after_distance` and `after_rowid`: pages.
@Suite struct PageTests {
  /// All rows, page by page; the first begins after NULL.
  private func pages(
    _ session: SQLSession, of k: Int64, query: SQLCell, _ terms: String = ""
  ) throws -> [[SQLCell]] {
    var rows: [[SQLCell]] = []
    var cursor: [SQLCell] = [.null, .null]
    while true {
      let page = try session.rows(
        """
        SELECT distance, rowid FROM v WHERE vector MATCH ? AND k = ? AND after_distance = ? AND after_rowid = ? \(terms)
        ORDER BY distance, rowid
        """, [query, .integer(k)] + cursor)
      #expect(page.count <= Int(k))
      rows += page
      guard let last = page.last else { return rows }
      cursor = last
      try #require(rows.count < 100_000, "pages go round in circles")
    }
  }

  @Test(arguments: VectorTable.Layout.all)
  func tileTheExactOrder(_ layout: VectorTable.Layout) throws {
    let table = try VectorTable(layout)
    let truth = table.nearest()
    for k in [1, 7, 64, 1_000] as [Int64] {
      let found = try pages(table.session, of: k, query: .text("[1,0,-2,3]"))
      #expect(found == truth.map { [.real($0.distance), .integer($0.id)] }, "pages of \(k)")
    }
    let items = try table.items("quality > 0.3")
    let filtered = try pages(
      table.session, of: 4, query: .text("[1,0,-2,3]"),
      "AND rowid IN (SELECT id FROM items WHERE quality > 0.3) AND rowid <> 31 AND distance < 6")
    let expected = truth.filter { items.contains($0.id) && $0.id != 31 && $0.distance < 6 }
    #expect(filtered == expected.map { [.real($0.distance), .integer($0.id)] })
  }

  /// Distances are rounded from scores: different scores with one distance must not let a row fall between two pages.
  @Test(arguments: ["cosine", "l2"], ["flat", "hnsw"])
  func holdWhereDistancesRound(metric: String, kind: String) throws {
    let session = try SQLSession(onDisk: true)
    try session.run("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = \(metric), index = \(kind)); BEGIN")
    var random = SplitMix(seed: 99)
    let count = 3_000
    // Vectors so close together that neighbouring scores share distances.
    for id in 1...count {
      let vector: [Float] = [1 + Float(random.next() % 4_000) * 1e-6, 3 + Float(random.next() % 4_000) * 1e-6]
      _ = try session.rows("INSERT INTO v(rowid, vector) VALUES (?, ?)", .integer(Int64(id)), .vector(vector))
    }
    try session.run("COMMIT; INSERT INTO v(v) VALUES ('optimize')")
    let found = try pages(session, of: 37, query: .vector([-1, 0.5]))
    #expect(found.count == count)
    #expect(Set(found.map { "\($0[1])" }).count == count)
    let distances = found.map { "\($0[0])" }
    #expect(Set(distances).count < count, "no two rows were equally far: the test tests nothing")
  }

  @Test func areRightWithoutACursorRow() throws {
    let table = try VectorTable(.init(kind: .hnsw, storage: .mixed))
    let truth = table.nearest()
    let cursor = truth[20]
    _ = try table.session.rows("DELETE FROM v WHERE rowid = ?", .integer(cursor.id))
    let found = try table.neighbours(
      """
      SELECT rowid, distance FROM v WHERE vector MATCH \(VectorTable.literal) AND k = 9 AND after_distance = ?
      AND after_rowid = ?
      """, .real(cursor.distance), .integer(cursor.id))
    #expect(found == Array(truth[21..<30]))
  }

  /// A distance alone would skip the rest of its rows, and a row id alone restrict nothing.
  @Test(arguments: [
    "after_distance = 1", "after_rowid = 1", "after_distance = NULL", "after_rowid = NULL",
    "after_distance = 1 AND after_rowid = NULL", "after_distance = NULL AND after_rowid = 1",
  ])
  func needBothHalvesOfTheCursor(terms: String) throws {
    let session = try VectorTable(.init(kind: .flat, storage: .mixed)).session
    for k in ["", "AND k = 3"] {
      let error = try session.error("SELECT rowid FROM v WHERE vector MATCH \(VectorTable.literal) AND \(terms) \(k)")
      #expect(error.message.contains("after_distance and after_rowid go together"), "\(error.message)")
    }
  }

  /// Without k, all rows after the cursor.
  @Test func needNoK() throws {
    let table = try VectorTable(.init(kind: .ivfflat, storage: .segment))
    let truth = table.nearest()
    let found = try table.neighbours(
      """
      SELECT v.rowid, distance FROM v JOIN items i ON i.id = v.rowid
      WHERE vector MATCH \(VectorTable.literal) AND after_distance = ? AND after_rowid = ? ORDER BY distance, v.rowid
      """, .real(truth[10].distance), .integer(truth[10].id))
    let items = try table.items("1")
    #expect(found == truth[11...].filter { items.contains($0.id) })
  }
}
