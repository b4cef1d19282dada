import Testing
import VidxSQLite

/// `vector MATCH ? AND k = ?`.
@Suite struct SearchTests {
  private let match = "v.vector MATCH \(VectorTable.literal)"

  @Test(arguments: VectorTable.Layout.all)
  func findsTheNearest(_ layout: VectorTable.Layout) throws {
    let table = try VectorTable(layout)
    let truth = table.nearest()
    for k in [0, 1, 7, 30, truth.count, truth.count + 1, 100_000] {
      let found = try table.neighbours(
        "SELECT rowid, distance FROM v WHERE \(match) AND k = ? \(layout.kind.thorough)", .integer(Int64(k)))
      #expect(found == Array(truth.prefix(k)), "k = \(k), seed \(VectorTable.seed)")
    }
  }

  @Test func takesBlobsTextAndSubqueries() throws {
    let table = try VectorTable(.init(kind: .flat, storage: .delta))
    let expected = table.nearest().prefix(3).map(\.id)
    for query in [SQLCell.vector(VectorTable.query), .text("[1, 0, -2, 3]")] {
      #expect(try table.session.integers("SELECT rowid FROM v WHERE vector MATCH ? AND k = 3", query) == expected)
    }
    let like = try #require(table.ids.dropFirst(20).first)
    let others = table.nearest(to: try #require(table.vectors[like])).filter { $0.id != like }
    let found = try table.neighbours(
      """
      SELECT rowid, distance FROM v WHERE vector MATCH (SELECT vector FROM v WHERE rowid = ?1) AND k = 5 AND rowid <> ?1
      """, .integer(like))
    #expect(found == Array(others.prefix(5)))
  }

  // MARK: Filters

  @Test(arguments: VectorTable.Layout.all)
  func restrictsToASetBeforeKCounts(_ layout: VectorTable.Layout) throws {
    let table = try VectorTable(layout)
    for condition in ["quality > 0.7", "category = 'odd'", "quality > 0.1", "id < 20", "0", "1", "id = 31"] {
      let passing = try table.items(condition)
      let found = try table.neighbours(
        """
        SELECT rowid, distance FROM v WHERE \(match) AND k = 8 \(layout.kind.thorough)
        AND rowid IN (SELECT id FROM items WHERE \(condition))
        """)
      #expect(found == Array(table.nearest().filter { passing.contains($0.id) }.prefix(8)), "\(condition)")
    }
  }

  @Test(arguments: VectorTable.Layout.all)
  func restrictsToConstantRowIDs(_ layout: VectorTable.Layout) throws {
    let table = try VectorTable(layout)
    let truth = table.nearest()
    func expect(_ term: String, _ parameters: SQLCell..., allows: (VectorTable.Neighbour) -> Bool) throws {
      let found = try table.session.rows(
        "SELECT rowid, distance FROM v WHERE \(match) AND k = 4 AND \(term) \(layout.kind.thorough)", parameters)
      let expected = truth.filter(allows).prefix(4).map { [SQLCell.integer($0.id), .real($0.distance)] }
      #expect(found == Array(expected), "\(term)")
    }
    let far = try #require(truth.last)
    // The parser turns IN of one value into =.
    try expect("rowid = ?", .integer(far.id)) { $0.id == far.id }
    try expect("rowid IN (?)", .integer(far.id)) { $0.id == far.id }
    try expect("rowid IN (?, 61, 61, NULL, 1.5, 'x', 62)", .integer(far.id)) { $0.id == far.id || $0.id == 61 }
    try expect("rowid = 62") { _ in false }
    try expect("rowid = NULL") { _ in false }
    try expect("rowid = 61.0") { $0.id == 61 }
    try expect("rowid IS 61") { $0.id == 61 }
    try expect("rowid IS NULL") { _ in false }
    try expect("rowid = 61.5") { _ in false }
    try expect("rowid <> ? AND rowid <> ?", .integer(truth[0].id), .integer(truth[2].id)) {
      $0.id != truth[0].id && $0.id != truth[2].id
    }
    try expect("rowid <> NULL") { _ in false }
    try expect("rowid > 100") { $0.id > 100 }
    try expect("rowid >= 100 AND rowid < 200.5") { $0.id >= 100 && $0.id <= 200 }
    try expect("rowid > 99.5 AND rowid <= 1e300") { $0.id >= 100 }
    try expect("rowid BETWEEN 50 AND 60") { (50...60).contains($0.id) }
    try expect("rowid > 9223372036854775807") { _ in false }
    try expect("rowid < -9223372036854775808") { _ in false }
    try expect("rowid > 'text'") { _ in false }
    try expect("rowid IN (31, 61, 91) AND rowid > 31") { $0.id == 61 || $0.id == 91 }
    try expect("rowid IN (31, 61, 91) AND rowid IN (61, 91, 121) AND rowid <> 91") { $0.id == 61 }
    try expect("rowid IN (SELECT id FROM items) AND rowid = 61") { $0.id == 61 }
  }

  @Test(arguments: VectorTable.Layout.all)
  func restrictsTheDistance(_ layout: VectorTable.Layout) throws {
    let table = try VectorTable(layout)
    let truth = table.nearest()
    func expect(_ term: String, _ value: Double, k: Int, allows: (Double) -> Bool) throws {
      let found = try table.neighbours(
        "SELECT rowid, distance FROM v WHERE \(match) AND k = ? AND distance \(term) ? \(layout.kind.thorough)",
        .integer(Int64(k)), .real(value))
      #expect(found == Array(truth.filter { allows($0.distance) }.prefix(k)), "\(term) \(value), k = \(k)")
    }
    // Distances that occur, and one between.
    for bound in [truth[0].distance, truth[truth.count / 2].distance, 5.4321, 0, -1, 1e300] {
      for k in [5, 1_000] {
        try expect("<", bound, k: k) { $0 < bound }
        try expect("<=", bound, k: k) { $0 <= bound }
        try expect(">", bound, k: k) { $0 > bound }
        try expect(">=", bound, k: k) { $0 >= bound }
        try expect("=", bound, k: k) { $0 == bound }
      }
    }
    let range = try table.neighbours(
      """
      SELECT rowid, distance FROM v WHERE \(match) AND k = 6 AND distance > 3 AND distance <= 6 \(layout.kind.thorough)
      """
    )
    #expect(range == Array(truth.filter { $0.distance > 3 && $0.distance <= 6 }.prefix(6)))
    #expect(try table.neighbours("SELECT rowid, distance FROM v WHERE \(match) AND k = 6 AND distance < NULL").isEmpty)
    #expect(try table.neighbours("SELECT rowid, distance FROM v WHERE \(match) AND k = 6 AND distance > 'x'").isEmpty)
  }

  @Test(arguments: VectorTable.Kind.allCases)
  func pagesByDistance(_ kind: VectorTable.Kind) throws {
    let table = try VectorTable(.init(kind: kind, storage: .mixed))
    var last = -1.0
    var seen: [VectorTable.Neighbour] = []
    while true {
      // A page takes all rows of its last distance, or the next would miss some.
      let page = try table.neighbours(
        """
        SELECT rowid, distance FROM v WHERE \(match) AND k = 1000 AND distance > ?1 \(kind.thorough)
        AND distance <= (SELECT max(distance) FROM
          (SELECT distance FROM v WHERE \(match) AND k = 10 AND distance > ?1 \(kind.thorough)))
        """, .real(last))
      guard let end = page.last else { break }
      seen += page
      last = end.distance
    }
    #expect(seen == table.nearest())
  }

  // MARK: Order

  @Test(arguments: VectorTable.Kind.allCases)
  func sortsAsAsked(_ kind: VectorTable.Kind) throws {
    let table = try VectorTable(.init(kind: kind, storage: .mixed))
    let nearest = Array(table.nearest().prefix(12))
    func expect(_ order: String, _ expected: [VectorTable.Neighbour]) throws {
      let found = try table.neighbours(
        "SELECT rowid, distance FROM v WHERE \(match) AND k = 12 \(kind.thorough) \(order)")
      #expect(found == expected, "\(order)")
    }
    try expect("ORDER BY distance", nearest)
    try expect("ORDER BY distance, rowid", nearest)
    try expect("ORDER BY (distance) + 0, rowid", nearest)
    try expect("ORDER BY distance DESC, rowid DESC", nearest.reversed())
    try expect("ORDER BY distance, rowid DESC", nearest.sorted { ($0.distance, -$0.id) < ($1.distance, -$1.id) })
    try expect("ORDER BY rowid", nearest.sorted { $0.id < $1.id })
    try expect("ORDER BY distance LIMIT 4", Array(nearest.prefix(4)))
    try expect("ORDER BY distance LIMIT 4 OFFSET 3", Array(nearest[3..<7]))
    try expect("LIMIT 100 OFFSET 10", Array(nearest[10...]))
    try expect("ORDER BY distance DESC, rowid DESC LIMIT 2", Array(nearest.reversed().prefix(2)))
  }

  // MARK: Columns

  @Test func givesTheColumns() throws {
    let table = try VectorTable(.init(kind: .hnsw, storage: .mixed))
    let nearest = try #require(table.nearest().first)
    let vector = try #require(table.vectors[nearest.id])
    #expect(
      try table.session.rows(
        """
        SELECT rowid, vector, distance, k, ef_search, probes, v
        FROM v WHERE \(match) AND k = 1 AND ef_search = 300 AND probes = 2
        """) == [[.integer(nearest.id), .vector(vector), .real(nearest.distance), 1, 300, 2, nil]])
    // Hidden columns are hidden.
    #expect(try table.session.rows("SELECT * FROM v WHERE \(match) AND k = 1") == [[.vector(vector)]])
    #expect(
      try table.session.rows("SELECT ef_search, probes FROM v WHERE \(match) AND k = 1 AND ef_search = NULL")
        == [[nil, nil]])
  }

  // MARK: Refusals

  @Test(arguments: [
    ("vector MATCH '[1,2]' AND k = 3", "vidx table v: expected 4 dimensions, not 2"),
    ("vector MATCH x'00' AND k = 3", "MATCH: a vector BLOB holds 32-bit floats"),
    ("vector MATCH '[1,2' AND k = 3", "MATCH: the vector's text ends early"),
    ("vector MATCH 17 AND k = 3", "MATCH: a vector is a BLOB of 32-bit floats (little-endian) or TEXT"),
    ("vector MATCH 1.5 AND k = 3", "not REAL"),
    ("vector MATCH '[1,2,3,NaN]' AND k = 3", "component 3"),
    ("vector MATCH '[1,2,3,4]' AND k = -1", "k must be between 0 and 2147483647, not -1"),
    ("vector MATCH '[1,2,3,4]' AND k = 2147483648", "k must be between 0 and 2147483647"),
    ("vector MATCH '[1,2,3,4]' AND k = NULL", "k must be a whole number, not NULL"),
    ("vector MATCH '[1,2,3,4]' AND k = 1.5", "k must be a whole number, not REAL"),
    ("vector MATCH '[1,2,3,4]' AND k = 'many'", "k must be a whole number, not TEXT"),
    ("vector MATCH '[1,2,3,4]' AND k = 3 AND ef_search = 0", "ef_search must be between 1 and"),
    ("vector MATCH '[1,2,3,4]' AND k = 3 AND probes = 0", "probes must be between 1 and"),
    ("vector MATCH '[1,2,3,4]' AND k < 3", "write k = <number>"),
    ("vector MATCH '[1,2,3,4]' AND ef_search > 3", "write ef_search = <number>"),
    ("k = 3", "add vector MATCH"),
    ("probes = 3", "add vector MATCH"),
    ("distance MATCH '[1,2,3,4]'", "unable to use function MATCH"),
  ])
  func refuses(_ condition: String, message: String) throws {
    let table = try VectorTable(.init(kind: .flat, storage: .delta), rows: 4)
    let error = try table.session.error("SELECT rowid FROM v WHERE \(condition)")
    #expect(error.message.contains(message), "\(error.message)")
  }

  @Test func nothingIsNearToNull() throws {
    let table = try VectorTable(.init(kind: .flat, storage: .delta), rows: 4)
    #expect(try table.session.rows("SELECT rowid FROM v WHERE vector MATCH NULL AND k = 3").isEmpty)
    #expect(try table.session.rows("SELECT rowid FROM v WHERE vector MATCH NULL ORDER BY distance").isEmpty)
    #expect(try table.session.rows("SELECT rowid FROM v WHERE vector MATCH ? AND k = 3").isEmpty)
  }

  @Test(arguments: [VectorTable.Kind.flat, .hnsw, .ivfflat], [false, true])
  func zeroVectorsAreNobodysNeighboursUnderCosine(_ kind: VectorTable.Kind, isSettled: Bool) throws {
    let session = try SQLSession(onDisk: true)
    try session.run("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, index = \(kind.rawValue))")
    try session.run("INSERT INTO v(rowid, vector) VALUES (1, '[0,0]'), (2, '[1,1]'), (3, '[-1,1]'), (4, '[0,0]')")
    if isSettled { try session.run("INSERT INTO v(v) VALUES ('optimize')") }
    #expect(try session.integers("SELECT rowid FROM v WHERE vector MATCH '[1,1]' AND k = 9") == [2, 3])
    #expect(try session.integers("SELECT rowid FROM v WHERE vector MATCH '[1,1]' ORDER BY distance") == [2, 3])
    #expect(try session.rows("SELECT rowid FROM v WHERE vector MATCH '[1,1]' AND k = 9 AND rowid = 1").isEmpty)
    #expect(try session.rows("SELECT rowid FROM v WHERE vector MATCH '[1,1]' AND rowid = 1").isEmpty)
    #expect(try session.integers("SELECT rowid FROM v") == [1, 2, 3, 4])
    #expect(try session.column("SELECT vector_text(vector) FROM v WHERE rowid = 4") == ["[0,0]"])
    #expect(
      try session.error("SELECT rowid FROM v WHERE vector MATCH '[0,0]' AND k = 1").message.contains("zero vector"))
  }

  @Test(
    arguments: [
      ("cosine", [(2, 0.0), (3, 1 - 0.5.squareRoot()), (1, 1.0)]),
      ("l2", [(3, 2.0.squareRoot()), (1, 5.0.squareRoot()), (2, 3.0)]),
      ("ip", [(2, -10.0), (3, -2.0), (1, 0.0)]),
      ("l1", [(3, 2.0), (1, 3.0), (2, 3.0)]),
    ] as [(String, [(Int64, Double)])])
  func everyMetricIsSmallerIsNearer(_ metric: String, expected: [(Int64, Double)]) throws {
    let session = try SQLSession()
    try session.run("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = \(metric))")
    try session.run("INSERT INTO v(rowid, vector) VALUES (1, '[0,1]'), (2, '[5,0]'), (3, '[1,1]')")
    let rows = try session.rows("SELECT rowid, distance FROM v WHERE vector MATCH '[2,0]' AND k = 3")
    #expect(rows.map { $0[0] } == expected.map { .integer($0.0) }, "\(rows)")
    for (row, truth) in zip(rows, expected) {
      guard case .real(let distance) = row[1] else {
        Issue.record("\(row)")
        continue
      }
      #expect(abs(distance - truth.1) < 1e-6)
    }
  }
}
