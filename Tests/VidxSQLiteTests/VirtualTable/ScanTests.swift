import Testing
import VidxSQLite

/// Reading a table without a search.
@Suite struct ScanTests {
  @Test(arguments: VectorTable.Layout.all)
  func givesAllRowsByRowID(_ layout: VectorTable.Layout) throws {
    let table = try VectorTable(layout)
    let rows = try table.session.rows("SELECT rowid, vector FROM v")
    #expect(rows == table.ids.map { [.integer($0), .vector(table.vectors[$0] ?? [])] })
    #expect(try table.session.integers("SELECT count(*) FROM v") == [Int64(table.ids.count)])
    #expect(try table.session.integers("SELECT rowid FROM v ORDER BY rowid DESC") == table.ids.reversed())
    #expect(try table.session.integers("SELECT max(rowid) FROM v") == table.ids.suffix(1))
  }

  @Test(arguments: VectorTable.Layout.all)
  func findsRows(_ layout: VectorTable.Layout) throws {
    let table = try VectorTable(layout)
    func expect(_ condition: String, allows: (Int64) -> Bool) throws {
      #expect(
        try table.session.integers("SELECT rowid FROM v WHERE \(condition)") == table.ids.filter(allows), "\(condition)"
      )
    }
    try expect("rowid = 61") { $0 == 61 }
    try expect("rowid = 60") { _ in false }
    try expect("rowid = '61'") { $0 == 61 }
    try expect("rowid = 61.5") { _ in false }
    try expect("rowid = NULL") { _ in false }
    try expect("rowid IS NULL") { _ in false }
    try expect("rowid IS 61") { $0 == 61 }
    try expect("rowid IN (61, 1000000, 31, 61, NULL)") { $0 == 61 || $0 == 31 }
    try expect("rowid IN (SELECT id FROM items WHERE category = 'odd')") {
      (try? table.items("category = 'odd'").contains($0)) ?? false
    }
    try expect("rowid NOT IN (31, 61)") { $0 != 31 && $0 != 61 }
    try expect("rowid BETWEEN 50 AND 70") { (50...70).contains($0) }
    try expect("rowid > 70.5") { $0 > 70 }
    try expect("rowid < 70 AND rowid >= 31") { $0 < 70 && $0 >= 31 }
    try expect("rowid < 'text'") { _ in true }
    try expect("rowid > 'text'") { _ in false }
    try expect("rowid > NULL") { _ in false }
    try expect("rowid = 31 OR rowid = 61 OR rowid > 250") { $0 == 31 || $0 == 61 || $0 > 250 }
    try expect("vector_dims(vector) = 4") { _ in true }
    let vector = try #require(table.vectors[61])
    #expect(
      try Set(table.session.rows("SELECT rowid FROM v WHERE vector = ?", .vector(vector)))
        == Set(table.ids.filter { table.vectors[$0] == vector }.map { [.integer($0)] }))
  }

  @Test func thereIsNoDistanceWithoutASearch() throws {
    let table = try VectorTable(.init(kind: .hnsw, storage: .mixed), rows: 20)
    let rows = try table.session.rows("SELECT DISTINCT distance, k, ef_search, probes, v FROM v")
    #expect(rows == [[nil, nil, nil, nil, nil]])
    #expect(try table.session.rows("SELECT rowid FROM v WHERE distance < 1").isEmpty)
    #expect(try table.session.integers("SELECT count(*) FROM v WHERE distance IS NULL") == [Int64(table.ids.count)])
  }

  @Test func joinsByRowID() throws {
    let table = try VectorTable(.init(kind: .hnsw, storage: .mixed))
    let items = try table.items("quality > 0.5")
    let expected = table.ids.filter(items.contains)
    for from in ["v JOIN items", "items JOIN v", "items CROSS JOIN v", "v CROSS JOIN items"] {
      let found = try table.session.rows(
        "SELECT v.rowid, v.vector FROM \(from) ON items.id = v.rowid WHERE quality > 0.5 ORDER BY v.rowid")
      #expect(found == expected.map { [.integer($0), .vector(table.vectors[$0] ?? [])] }, "\(from)")
    }
  }

  @Test func anEmptyTableIsEmpty() throws {
    let session = try SQLSession()
    try session.run("CREATE VIRTUAL TABLE v USING vidx(dimensions = 3)")
    #expect(try session.rows("SELECT * FROM v").isEmpty)
    #expect(try session.rows("SELECT rowid FROM v WHERE rowid = 1").isEmpty)
    #expect(try session.rows("SELECT rowid FROM v WHERE vector MATCH '[1,2,3]' AND k = 5").isEmpty)
    #expect(try session.rows("SELECT rowid FROM v WHERE vector MATCH '[1,2,3]' ORDER BY distance").isEmpty)
    #expect(try session.integers("SELECT count(*) FROM v") == [0])
  }
}

extension SQLCell: Hashable {
  func hash(into hasher: inout Hasher) { hasher.combine(description) }
}
