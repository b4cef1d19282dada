import TestSupport
import Testing
import VidxSQLite

/// `vector MATCH ?` without k: rows by distance, as long as SQLite asks for more; and searches inside larger queries.
@Suite struct StreamTests {
  private let match = "v.vector MATCH \(VectorTable.literal)"

  /// Rows of equal distance may come in any order: puts them in order of row id.
  private func settled(_ rows: [VectorTable.Neighbour]) -> [VectorTable.Neighbour] {
    var result: [VectorTable.Neighbour] = []
    var start = 0
    for end in rows.indices.map({ $0 + 1 }) where end == rows.count || rows[end].distance != rows[start].distance {
      result += rows[start..<end].sorted { $0.id < $1.id }
      start = end
    }
    return result
  }

  @Test(arguments: VectorTable.Layout.all)
  func givesEveryRowInOrder(_ layout: VectorTable.Layout) throws {
    let table = try VectorTable(layout)
    let all = try table.neighbours(
      "SELECT rowid, distance FROM v WHERE \(match) \(layout.kind.thorough) ORDER BY distance")
    #expect(settled(all) == table.nearest(), "seed \(VectorTable.seed)")
    let unordered = try table.neighbours("SELECT rowid, distance FROM v WHERE \(match)")
    #expect(unordered.sorted { ($0.distance, $0.id) < ($1.distance, $1.id) } == table.nearest())
  }

  @Test(arguments: VectorTable.Layout.all)
  func stopsAtTheLimit(_ layout: VectorTable.Layout) throws {
    let table = try VectorTable(layout)
    let distances = table.nearest().map(\.distance)
    func found(_ tail: String) throws -> [Double] {
      try table.neighbours(
        "SELECT rowid, distance FROM v WHERE \(match) \(layout.kind.thorough) ORDER BY distance \(tail)"
      ).map(\.distance)
    }
    #expect(try found("LIMIT 5") == Array(distances.prefix(5)))
    #expect(try found("LIMIT 5 OFFSET 20") == Array(distances[20..<25]))
    #expect(try found("LIMIT -1 OFFSET 20") == Array(distances[20...]))
    #expect(try found("LIMIT 0") == [])
    #expect(try found("LIMIT 1000") == distances)
  }

  @Test(arguments: VectorTable.Layout.all)
  func restrictsAsItGoes(_ layout: VectorTable.Layout) throws {
    let table = try VectorTable(layout)
    let truth = table.nearest()
    func expect(_ term: String, allows: (VectorTable.Neighbour) -> Bool) throws {
      let found = try table.neighbours(
        "SELECT rowid, distance FROM v WHERE \(match) AND \(term) \(layout.kind.thorough) ORDER BY distance")
      #expect(settled(found) == truth.filter(allows), "\(term)")
    }
    try expect("distance < 5") { $0.distance < 5 }
    try expect("distance <= 5") { $0.distance <= 5 }
    try expect("distance > 5") { $0.distance > 5 }
    try expect("distance BETWEEN 4 AND 6.5") { (4...6.5).contains($0.distance) }
    try expect("distance = \(truth[9].distance)") { $0.distance == truth[9].distance }
    try expect("distance IN (\(truth[0].distance), \(truth[40].distance))") {
      $0.distance == truth[0].distance || $0.distance == truth[40].distance
    }
    try expect("abs(distance) < 4") { $0.distance < 4 }
    try expect("rowid = 61") { $0.id == 61 }
    try expect("rowid > 100") { $0.id > 100 }
    try expect("rowid % 2 = 0") { $0.id % 2 == 0 }
    try expect("rowid NOT IN (61, 64)") { $0.id != 61 && $0.id != 64 }
    let odd = try table.items("category = 'odd'")
    try expect("rowid IN (SELECT id FROM items WHERE category = 'odd')") { odd.contains($0.id) }
    try expect("EXISTS (SELECT 1 FROM items WHERE id = v.rowid AND category = 'odd')") { odd.contains($0.id) }
    try expect("(rowid = 61 OR rowid = 91)") { $0.id == 61 || $0.id == 91 }
    try expect("(distance < 3 OR distance > 8)") { $0.distance < 3 || $0.distance > 8 }
  }

  @Test(arguments: VectorTable.Kind.allCases)
  func sortsAsAsked(_ kind: VectorTable.Kind) throws {
    let table = try VectorTable(.init(kind: kind, storage: .mixed))
    let truth = table.nearest()
    func expect(_ order: String, _ expected: [VectorTable.Neighbour]) throws {
      let found = try table.neighbours("SELECT rowid, distance FROM v WHERE \(match) \(kind.thorough) \(order)")
      #expect(found == expected, "\(order)")
    }
    try expect("ORDER BY distance, rowid", truth)
    try expect("ORDER BY distance + 0, rowid LIMIT 9", Array(truth.prefix(9)))
    try expect(
      "ORDER BY distance DESC, rowid LIMIT 9",
      Array(truth.sorted { (-$0.distance, $0.id) < (-$1.distance, $1.id) }.prefix(9)))
    try expect("ORDER BY rowid DESC", truth.sorted { $0.id > $1.id })
  }

  // MARK: Joins

  /// pgvector's shape: the other tables decide, LIMIT stops the search.
  @Test(arguments: VectorTable.Layout.all)
  func joinsDecide(_ layout: VectorTable.Layout) throws {
    let table = try VectorTable(layout)
    for condition in ["quality > 0.7", "category = 'odd'", "quality > 2"] {
      let passing = try table.items(condition)
      let expected = table.nearest().filter { passing.contains($0.id) }
      for from in [
        "v JOIN items ON items.id = v.rowid", "items JOIN v ON items.id = v.rowid",
        "v CROSS JOIN items ON items.id = v.rowid", "items CROSS JOIN v ON items.id = v.rowid",
      ] {
        let found = try table.neighbours(
          """
          SELECT v.rowid, distance FROM \(from) WHERE \(match) AND \(condition) \(layout.kind.thorough)
          ORDER BY distance
          """
        )
        #expect(settled(found) == expected, "\(from) WHERE \(condition)")
        let first = try table.neighbours(
          """
          SELECT v.rowid, distance FROM \(from) WHERE \(match) AND \(condition) \(layout.kind.thorough)
          ORDER BY distance LIMIT 6
          """)
        #expect(first.map(\.distance) == expected.prefix(6).map(\.distance), "\(from) WHERE \(condition)")
      }
    }
  }

  /// What k counts does not depend on the order of the tables that SQLite chooses: k selects, and joins take from that.
  @Test(arguments: VectorTable.Kind.allCases)
  func kSelectsBeforeJoins(_ kind: VectorTable.Kind) throws {
    let table = try VectorTable(.init(kind: kind, storage: .mixed))
    let odd = try table.items("category = 'odd'")
    let expected = table.nearest().prefix(20).filter { odd.contains($0.id) }
    try table.session.run("CREATE INDEX by_category ON items(category)")
    for from in [
      "v JOIN items ON items.id = v.rowid", "items JOIN v ON items.id = v.rowid",
      "v CROSS JOIN items ON items.id = v.rowid",
      "(\(Self.subquery(match, kind))) AS v JOIN items ON items.id = v.rowid",
    ] {
      let search = from.hasPrefix("(") ? "1" : "\(match) AND k = 20 \(kind.thorough)"
      let found = try table.neighbours(
        "SELECT v.rowid, distance FROM \(from) WHERE \(search) AND category = 'odd' ORDER BY distance, v.rowid")
      #expect(found == expected, "\(from)")
    }
    // Terms of row ids that depend on the other table join, too.
    let greater = try table.session.integers(
      "SELECT count(*) FROM v, items WHERE \(match) AND k = 5 AND v.rowid > items.id \(kind.thorough)")
    let items = try table.items("1")
    #expect(greater == [table.nearest().prefix(5).reduce(0) { sum, row in sum + Int64(items.count { row.id > $0 }) }])
  }

  private static func subquery(_ match: String, _ kind: VectorTable.Kind) -> String {
    "SELECT rowid, distance FROM v WHERE \(match) AND k = 20 \(kind.thorough)"
  }

  /// A search that another table's rows do not change is not repeated for them, unless rows have changed meanwhile.
  @Test func repeatedSearchesSeeChanges() throws {
    let table = try VectorTable(.init(kind: .flat, storage: .mixed))
    let items = try table.session.integers("SELECT count(*) FROM items")[0]
    let product = "FROM items CROSS JOIN v WHERE \(match) AND k = 5"
    #expect(try table.session.integers("SELECT count(*) \(product)") == [5 * items])
    let statement = try table.session.connection.prepare("SELECT items.id, v.rowid \(product)")
    var expected = table.nearest().map(\.id)
    for item in 0..<3 {
      for i in 0..<5 {
        #expect(try statement.step())
        #expect(statement.int64(1) == expected[i], "item \(item)")
      }
      // The nearest row goes.
      try table.session.run("DELETE FROM v WHERE rowid = \(expected.removeFirst())")
    }
  }

  /// ROLLBACK TO brings rows back without counting as a change.
  @Test func repeatedSearchesSeeRollbacks() throws {
    let table = try VectorTable(.init(kind: .flat, storage: .mixed))
    let truth = table.nearest().map(\.id)
    try table.session.run("BEGIN; SAVEPOINT s; DELETE FROM v WHERE rowid = \(truth[0])")
    let statement = try table.session.connection.prepare(
      "SELECT items.id, v.rowid FROM items LEFT JOIN v ON \(match) AND k = 3")
    func three() throws -> [Int64] {
      var rowIDs: [Int64] = []
      for _ in 0..<3 where try statement.step() { rowIDs.append(statement.int64(1)) }
      return rowIDs
    }
    #expect(try three() == Array(truth[1..<4]))
    try table.session.run("ROLLBACK TO s")
    #expect(try three() == Array(truth[0..<3]))
    statement.finalize()
    try table.session.run("COMMIT")
  }

  /// Where the query forces the other table to come first, each of its rows restricts a search of its own.
  @Test(arguments: VectorTable.Kind.allCases)
  func aForcedOrderSearchesForEveryRow(_ kind: VectorTable.Kind) throws {
    let table = try VectorTable(.init(kind: kind, storage: .mixed))
    let odd = try table.items("category = 'odd'")
    let found = try table.neighbours(
      """
      SELECT v.rowid, distance FROM items CROSS JOIN v ON v.rowid = items.id
      WHERE \(match) AND k = 20 AND category = 'odd' ORDER BY distance, v.rowid
      """)
    #expect(found == table.nearest().filter { odd.contains($0.id) })
  }

  @Test(arguments: VectorTable.Kind.allCases)
  func leftJoinsGiveTheDistanceOfEachRow(_ kind: VectorTable.Kind) throws {
    let table = try VectorTable(.init(kind: kind, storage: .mixed))
    let rows = try table.session.rows(
      "SELECT items.id, v.distance FROM items LEFT JOIN v ON v.rowid = items.id AND \(match) ORDER BY items.id")
    let truth = Dictionary(uniqueKeysWithValues: table.nearest().map { ($0.id, $0.distance) })
    let expected = try table.items("1").sorted().map { id -> [SQLCell] in
      [.integer(id), truth[id].map(SQLCell.real) ?? .null]
    }
    #expect(rows == expected)
    // The other way round, a search that keeps rows without an item.
    let kept = try table.neighbours(
      """
      SELECT v.rowid, distance FROM v LEFT JOIN items ON items.id = v.rowid
      WHERE \(match) AND items.id IS NULL \(kind.thorough) ORDER BY distance
      """)
    let items = try table.items("1")
    #expect(settled(kept) == table.nearest().filter { !items.contains($0.id) })
  }

  // MARK: Searches inside queries

  @Test(arguments: VectorTable.Kind.allCases)
  func searchesForEveryRowOfAnotherTable(_ kind: VectorTable.Kind) throws {
    let table = try VectorTable(.init(kind: kind, storage: .mixed))
    try table.session.run("CREATE TABLE questions(id INTEGER PRIMARY KEY, vector, wanted INTEGER)")
    let questions: [(Int64, [Float], Int)] = [(1, [0, 0, 0, 0], 3), (2, [4, -4, 4, -4], 0), (3, [1, 0, -2, 3], 7)]
    for (id, vector, wanted) in questions {
      _ = try table.session.rows(
        "INSERT INTO questions VALUES (?, ?, ?)", .integer(id), .vector(vector), .integer(Int64(wanted)))
    }
    let expected = questions.flatMap { question in
      table.nearest(to: question.1).prefix(question.2).map {
        [SQLCell.integer(question.0), .integer($0.id), .real($0.distance)]
      }
    }
    for from in ["questions q, v", "v, questions q", "questions q CROSS JOIN v"] {
      let found = try table.session.rows(
        """
        SELECT q.id, v.rowid, distance FROM \(from) WHERE v.vector MATCH q.vector AND v.k = q.wanted \(kind.thorough)
        ORDER BY q.id, distance, v.rowid
        """)
      #expect(found == expected, "\(from)")
    }
    // The nearest row to each, by a correlated subquery.
    let firsts = try table.session.rows(
      """
      SELECT id, (SELECT rowid FROM v WHERE v.vector MATCH q.vector AND k = 1 \(kind.thorough))
      FROM questions q ORDER BY id
      """)
    #expect(firsts == questions.map { [.integer($0.0), .integer(table.nearest(to: $0.1)[0].id)] })
    // The same table twice: the neighbours of a row.
    let pairs = try table.session.rows(
      """
      SELECT a.rowid, b.rowid, b.distance FROM v a, v b
      WHERE a.rowid IN (61, 91) AND b.vector MATCH a.vector AND b.k = 3
      \(kind.thorough.replacing("AND ", with: "AND b."))
      ORDER BY a.rowid, b.distance, b.rowid
      """)
    let truth = try [Int64(61), 91].flatMap { id in
      table.nearest(to: try #require(table.vectors[id])).prefix(3).map {
        [SQLCell.integer(id), .integer($0.id), .real($0.distance)]
      }
    }
    #expect(pairs == truth)
  }

  @Test func nestsInLargerQueries() throws {
    let table = try VectorTable(.init(kind: .flat, storage: .mixed))
    let truth = table.nearest()
    let five = truth.prefix(5)
    let nearest = "SELECT rowid AS id, distance FROM v WHERE \(match) AND k = 5"
    func integers(_ sql: String) throws -> [Int64] { try table.session.integers(sql) }
    #expect(try integers("SELECT id FROM (\(nearest)) ORDER BY distance DESC, id DESC") == five.reversed().map(\.id))
    #expect(try integers("WITH n AS (\(nearest)) SELECT id FROM n ORDER BY distance, id") == five.map(\.id))
    #expect(
      try integers("WITH n AS MATERIALIZED (\(nearest)) SELECT count(*) FROM n a JOIN n b USING (id)") == [5])
    #expect(try integers("SELECT count(*) FROM v WHERE \(match) AND k = 5") == [5])
    #expect(
      try integers("SELECT count(*) FROM v WHERE \(match) AND distance < 5") == [
        Int64(truth.filter { $0.distance < 5 }.count)
      ])
    #expect(
      try integers("SELECT count(*) FROM items WHERE id IN (SELECT id FROM (\(nearest)))")
        == [Int64(try table.items("1").intersection(five.map(\.id)).count)])
    #expect(try integers("SELECT id FROM (\(nearest) UNION ALL SELECT rowid, 0 FROM v WHERE rowid = 61)").count == 6)
    #expect(
      try integers("SELECT row_number() OVER (ORDER BY distance) FROM v WHERE \(match) AND k = 4") == [1, 2, 3, 4])
    #expect(try table.session.column("SELECT min(distance) FROM v WHERE \(match)") == [.real(truth[0].distance)])
    #expect(
      try table.session.column("SELECT max(distance) FROM v WHERE \(match)") == [.real(truth[truth.count - 1].distance)]
    )
    #expect(try integers("SELECT 1 WHERE EXISTS (SELECT 1 FROM v WHERE \(match) AND distance < 0)").isEmpty)
    // Two searches in one query.
    #expect(
      try integers(
        """
        SELECT rowid FROM v WHERE \(match) AND k = 1
        UNION SELECT rowid FROM v WHERE vector MATCH '[9,9,9,9]' AND k = 1
        """
      )
        == Set([truth[0].id, table.nearest(to: [9, 9, 9, 9])[0].id]).sorted())
    #expect(Set(try integers("SELECT rowid FROM v WHERE \(match) OR rowid = 3")) == Set(table.ids))
    // Either of two searches.
    #expect(
      Set(
        try integers(
          "SELECT rowid FROM v WHERE (\(match) AND k = 2) OR (vector MATCH '[9,9,9,9]' AND k = 1) OR rowid = 61"))
        == Set(truth.prefix(2).map(\.id) + [table.nearest(to: [9, 9, 9, 9])[0].id, 61]))
  }

  /// Pages of three, over many rows that are equally far.
  @Test(arguments: VectorTable.Kind.allCases)
  func pagesNeitherSkipNorRepeat(_ kind: VectorTable.Kind) throws {
    let table = try VectorTable(.init(kind: kind, storage: .mixed))
    var found: [VectorTable.Neighbour] = []
    while true {
      let (distance, id) = (found.last?.distance ?? -1, found.last?.id ?? 0)
      let page = try table.neighbours(
        """
        SELECT rowid, distance FROM v WHERE \(match) \(kind.thorough)
          AND distance >= ?1 AND (distance > ?1 OR rowid > ?2) ORDER BY distance, rowid LIMIT 3
        """, .real(distance), .integer(id))
      if page.isEmpty { break }
      try #require(found.count < table.ids.count, "pages repeat")
      found += page
    }
    #expect(found == table.nearest())
  }

  /// What stands around a subquery counts before k, unless the subquery is materialised.
  @Test(arguments: VectorTable.Kind.allCases)
  func materialisedSubqueriesKeepK(_ kind: VectorTable.Kind) throws {
    let table = try VectorTable(.init(kind: kind, storage: .mixed))
    let bound = table.nearest()[2].distance
    let nearest = Self.subquery(match, kind)
    let kept = try table.neighbours(
      "WITH w AS MATERIALIZED (\(nearest)) SELECT * FROM w WHERE distance > \(bound) ORDER BY distance, rowid")
    #expect(kept == table.nearest().prefix(20).filter { $0.distance > bound })
    let merged = try table.neighbours("SELECT rowid, distance FROM (\(nearest)) WHERE distance > \(bound)")
    #expect(merged == Array(table.nearest().filter { $0.distance > bound }.prefix(20)))
  }

  @Test(arguments: VectorTable.Kind.allCases)
  func groupsAndDistinct(_ kind: VectorTable.Kind) throws {
    let table = try VectorTable(.init(kind: kind, storage: .mixed))
    let truth = table.nearest()
    var counts: [(Double, Int64)] = []
    for row in truth {
      if counts.last?.0 == row.distance { counts[counts.count - 1].1 += 1 } else { counts.append((row.distance, 1)) }
    }
    let grouped = try table.session.rows(
      "SELECT distance, count(*) FROM v WHERE \(match) \(kind.thorough) GROUP BY distance ORDER BY distance")
    #expect(grouped == counts.map { [.real($0.0), .integer($0.1)] })
    let limited = try table.session.rows(
      "SELECT distance, count(*) FROM v WHERE \(match) \(kind.thorough) GROUP BY distance LIMIT 3")
    #expect(limited == counts.prefix(3).map { [.real($0.0), .integer($0.1)] })
    let distinct = try table.session.column("SELECT DISTINCT distance FROM v WHERE \(match) \(kind.thorough) LIMIT 4")
    #expect(distinct == counts.prefix(4).map { .real($0.0) })
    let sorted = try table.session.column(
      "SELECT DISTINCT distance FROM v WHERE \(match) \(kind.thorough) ORDER BY distance DESC LIMIT 4")
    #expect(sorted == counts.reversed().prefix(4).map { .real($0.0) })
    let byCategory = try table.session.rows(
      """
      SELECT category, min(distance) FROM v JOIN items ON items.id = v.rowid WHERE \(match) \(kind.thorough)
      GROUP BY category ORDER BY category
      """)
    for (row, category) in zip(byCategory, ["even", "odd"]) {
      let items = try table.items("category = '\(category)'")
      let first = try #require(truth.first { items.contains($0.id) })
      #expect(row == [.text(category), .real(first.distance)])
    }
  }

  // MARK: Order of approximate answers

  /// A graph meets some rows late; what a query reads first is in order all the same, and no row is lost or doubled.
  @Test(arguments: ["hnsw", "ivfflat"])
  func theFirstRowsAreInOrder(_ kind: String) throws {
    let session = try SQLSession(onDisk: true)
    let (dimensions, rows, seed) = (24, 1_500, UInt64(99))
    try session.run("CREATE VIRTUAL TABLE v USING vidx(dimensions = \(dimensions), metric = l2, index = \(kind))")
    var random = SplitMix(seed: seed)
    func vector() -> SQLCell { .vector((0..<dimensions).map { _ in Float.random(in: -1...1, using: &random) }) }
    try session.run("BEGIN")
    let insert = try session.connection.prepare("INSERT INTO v(vector) VALUES (?)")
    for _ in 0..<rows {
      guard case .blob(let bytes) = vector() else { continue }
      unsafe try bytes.withUnsafeBytes { unsafe try insert.bind(blob: $0, at: 1) }
      try insert.run()
    }
    insert.finalize()
    try session.run("COMMIT; INSERT INTO v(v) VALUES ('optimize')")
    for query in 0..<10 {
      let answer = try session.rows("SELECT distance, rowid FROM v WHERE vector MATCH ? ORDER BY distance", vector())
      let distances = answer.compactMap { row in if case .real(let distance) = row[0] { distance } else { nil } }
      #expect(Set(answer.map { $0[1] }).count == rows && answer.count == rows, "query \(query), seed \(seed)")
      let first = distances.prefix(64)
      #expect(Array(first) == first.sorted(), "query \(query), seed \(seed)")
      let steps = zip(distances, distances.dropFirst()).count { $0 > $1 }
      #expect(steps <= 5, "one for each batch after the first: query \(query), seed \(seed)")
    }
  }

  // MARK: How SQLite runs it

  private func plan(_ table: VectorTable, _ sql: String) throws -> String {
    try table.session.rows("EXPLAIN QUERY PLAN \(sql)").map { "\($0[3])" }.joined(separator: "; ")
  }

  @Test func runsOneSearchAndLooksUpTheOtherTables() throws {
    let table = try VectorTable(.init(kind: .hnsw, storage: .segment))
    try table.session.run("CREATE INDEX by_category ON items(category)")
    for tail in ["ORDER BY distance LIMIT 3", "AND k = 10", "AND k = 10 ORDER BY distance"] {
      let plan = try plan(
        table, "SELECT v.rowid FROM items JOIN v ON items.id = v.rowid WHERE \(match) AND category = 'odd' \(tail)")
      #expect(plan.hasPrefix("'SCAN v VIRTUAL TABLE INDEX 0:Q"), "\(plan)")
      #expect(plan.contains("SEARCH items USING INTEGER PRIMARY KEY"), "\(plan)")
      #expect(!plan.contains("TEMP B-TREE"), "\(plan)")
    }
  }

  @Test func sortsOnlyWhenItMust() throws {
    let table = try VectorTable(.init(kind: .hnsw, storage: .delta), rows: 10)
    let select = "SELECT rowid FROM v WHERE \(match)"
    for order in ["ORDER BY distance", "AND k = 3 ORDER BY distance, rowid", "AND k = 3 ORDER BY distance"] {
      #expect(try !plan(table, "\(select) \(order)").contains("TEMP B-TREE"), "\(order)")
    }
    for order in ["ORDER BY distance DESC", "ORDER BY distance, rowid", "ORDER BY distance + 0", "ORDER BY rowid"] {
      #expect(try plan(table, "\(select) \(order)").contains("TEMP B-TREE"), "\(order)")
    }
    #expect(try !plan(table, "SELECT rowid FROM v ORDER BY rowid").contains("TEMP B-TREE"))
  }

  /// A statement that stops early has read only a part; one that is abandoned leaves nothing behind.
  @Test func abandonedStatementsLeaveNothingOpen() throws {
    let table = try VectorTable(.init(kind: .hnsw, storage: .mixed))
    let statement = try table.session.connection.prepare("SELECT rowid FROM v WHERE \(match) ORDER BY distance")
    for _ in 0..<3 { #expect(try statement.step()) }
    statement.reset()
    #expect(try statement.step())
    #expect(statement.int64(0) == table.nearest()[0].id)
    statement.finalize()
    try table.session.run("DROP TABLE v")
  }
}
