import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

/// Filters in SQL that nobody has asked before: rows are read, or found first and then checked.
@Suite struct CheckedSearchTests {
  let database: TestDatabase

  init() throws { database = try TestDatabase() }

  private static let rowCount = 6_000

  /// Rows in 30 heaps, with `u` from 0 to 999 at random, indexed and not, and the heap as `label`.
  private func make(_ kind: IndexKind) throws -> (store: IndexStore, vectors: [Int64: [Float]]) {
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition(12, metric: .l2, kind: kind))
    try connection.execute("CREATE TABLE rows(id INTEGER PRIMARY KEY, label INTEGER, u INTEGER, free INTEGER)")
    try connection.execute("CREATE INDEX rows_u ON rows(u)")
    try connection.execute("CREATE TABLE grades(u INTEGER PRIMARY KEY, grade INTEGER)")
    try connection.execute(
      """
      WITH RECURSIVE c(u) AS (SELECT 0 UNION ALL SELECT u + 1 FROM c WHERE u < 999)
      INSERT INTO grades SELECT u, u * 7 % 4 FROM c
      """)
    try connection.execute("INSERT INTO v_config(key, value) VALUES ('rows_table', 'rows')")
    var random = SplitMix(seed: 5)
    let heaps = (0..<30).map { _ in random.vector(12) }
    var vectors: [Int64: [Float]] = [:]
    try connection.transaction {
      let insert = try connection.prepare("INSERT INTO rows VALUES (?1, ?2, ?3, ?3)")
      for id in 1...Int64(Self.rowCount) {
        let heap = Int.random(in: 0..<30, using: &random)
        vectors[id] = zip(heaps[heap], random.vector(12)).map { $0 + 0.3 * $1 }
        for (i, value) in [Int(id), heap, Int.random(in: 0..<1_000, using: &random)].enumerated() {
          try insert.bind(value, at: Int32(i + 1))
        }
        try insert.run()
      }
    }
    try store.addSegment(vectors.filter { $0.key % 50 != 0 })
    try store.add(vectors.filter { $0.key % 50 == 0 })
    return (store, vectors)
  }

  private func search(
    _ store: IndexStore, _ query: [Float], k: Int = 10, _ text: FilterText, within: Float? = nil,
    parameters: SearchParameters = SearchParameters(), timeout: Double? = nil
  ) throws -> (answer: StoreAnswer, isChecked: Bool, isCached: Bool) {
    try store.connection.transaction(isImmediate: false) {
      var request = StoreRequest(query: query, k: k, within: within, parameters: parameters)
      switch try store.search(request, under: text, timeout: timeout) {
      case .answer(let answer): return (answer, true, false)
      case .filter(let resolved):
        request.prepared = resolved.filter
        return (try store.search(request), false, resolved.isCached)
      }
    }
  }

  private func condition(_ sql: String, _ values: FilterValue...) -> FilterText {
    FilterText(.condition, sql, values)
  }

  private static let conditions = [
    "u < 500", "free < 500", "free < 100", "u < 100", "u < 10", "free < 10", "u < 1", "label = 3", "label <> 3", "1",
    "0",
    "free < 500 AND label IN (SELECT label FROM rows WHERE u < 300 LIMIT 9)", "free % 3 = 0 -- to the end",
    "rows.id IN (SELECT r.id FROM rows r JOIN grades g ON g.u = r.free WHERE g.grade = 2)",
    "id IN (SELECT r.id FROM rows r JOIN grades USING (u) WHERE r.id IN (1, rows.id) AND grade < 2 -- )\n)",
    "id IN (VALUES (1), ('17'), (2.0), (NULL), ('x'))", "id IN (SELECT max(id) FROM rows GROUP BY free)",
    "id IN (SELECT id FROM rows WHERE u < 300 ORDER BY u, id LIMIT 900)",
    "id IN (SELECT id || '' FROM rows WHERE u < 500)",
    "id IN (SELECT id FROM rows WHERE u < 100 UNION SELECT id || '' FROM rows WHERE u > 400)",
    "id IN (SELECT grade + 5 FROM grades WHERE u = \"label\")",
  ]

  /// Whichever way it is answered: an index without approximations answers as brute force does.
  @Test(arguments: conditions) func isExactOverFlatIndexes(_ sql: String) throws {
    let (store, vectors) = try make(.flat)
    let passing = try store.connection.prepare("SELECT id FROM rows WHERE (\(sql)\n)").rowIDs()
    var random = SplitMix(seed: 8)
    for (number, k) in [1, 10, 100, 10].enumerated() {
      let query = number == 3 ? vectors[17] ?? [] : random.vector(12)
      let expected = neighbours(of: query, in: vectors, .l2, filter: passing).prefix(k).map(\.rowID)
      // Another text each time, or its rows would be kept.
      for text in [
        condition("\(sql)\n AND \(number) = ?1", .integer(Int64(number))),
        condition(sql + String(repeating: " ", count: number)),
        FilterText(
          .select, "SELECT id, u AS c0 FROM rows WHERE (\(sql)\n) AND ?1 = \(number)", [.integer(Int64(number))]),
      ] {
        let (answer, _, isCached) = try search(store, query, k: k, text)
        #expect(answer.hits.map(\.rowID) == expected && answer.exact && answer.complete && !isCached)
      }
    }
  }

  @Test("A membership is read row by row, not run to its end before the first")
  func membershipsAreReadInParts() throws {
    let (store, _) = try make(.flat)
    let sql = "rows.id IN (SELECT r.id FROM rows r JOIN grades g ON g.u = r.free WHERE g.grade >= ?1)"
    let statement = try FilterStatement(condition(sql), of: store)
    let reading = try statement.reading([.integer(0)], StatementLimit(seconds: nil))
    defer { reading.end() }
    #expect(try !reading.read(steps: 1_000))
    #expect((32..<500).contains(reading.ids.count))
    #expect(try Set(reading.finish()).count == Self.rowCount)
  }

  /// Half of the rows pass: some thirty are checked instead of reading thousands of ids.
  @Test(arguments: [IndexKind.flat, .hnsw, .ivfflat]) func checksFewWhereManyPass(_ kind: IndexKind) throws {
    let (store, vectors) = try make(kind)
    let passing = try store.connection.prepare("SELECT id FROM rows WHERE free < 500").rowIDs()
    var found = 0
    for number in 0..<40 {
      let query = vectors[Int64(number * 100 + 7)] ?? []
      let (answer, isChecked, _) = try search(
        store, query, condition("free < ?1 + ?2", .integer(500), .real(Double(number) / 100)))
      #expect(isChecked && answer.hits.count == 10 && answer.complete)
      #expect(answer.plan == (kind == .flat ? .exact : kind == .hnsw ? .checkedGraph : .checkedLists))
      let report = try #require(answer.filter)
      #expect((10...64).contains(report.rowsChecked) && (10...report.rowsChecked).contains(report.rowsYielded))
      #expect(answer.counters.rowsScored == report.rowsYielded)
      // Nobody has looked which of the others are in the index.
      #expect(report.rowsWithoutVector == nil)
      let expected = Set(neighbours(of: query, in: vectors, .l2, filter: passing).prefix(10).map(\.rowID))
      found += answer.hits.count { expected.contains($0.rowID) }
    }
    #expect(found >= (kind == .flat ? 400 : 385), "\(found) of 400")
  }

  /// Few pass, and an index of SQLite has them ready: all are read at once, and no row is checked.
  @Test func readsFewAtOnce() throws {
    let (store, vectors) = try make(.hnsw)
    for number in 0..<5 {
      let (answer, isChecked, _) = try search(
        store, vectors[1] ?? [], condition("u = ?1", .integer(Int64(number))))
      #expect(!isChecked && answer.filter?.rowsChecked == 0)
    }
  }

  /// No row near the query passes: k rows come all the same.
  @Test func readsWhereNothingNearPasses() throws {
    let (store, vectors) = try make(.hnsw)
    let label = try store.connection.prepare("SELECT label FROM rows WHERE id = 7")
    #expect(try label.step())
    let other = (label.int64(0) + 15) % 30
    label.reset()
    let passing = try store.connection.prepare("SELECT id FROM rows WHERE label = \(other)").rowIDs()
    for number in 0..<10 {
      let text = condition("label = ?1 AND ?2 = ?2", .integer(other), .integer(Int64(number)))
      let (answer, _, _) = try search(store, vectors[7] ?? [], text)
      let expected = neighbours(of: vectors[7] ?? [], in: vectors, .l2, filter: passing).prefix(10).map(\.rowID)
      #expect(answer.hits.count == 10 && Set(answer.hits.map(\.rowID)).subtracting(expected).count <= 1)
    }
  }

  /// A search for candidates that takes longer than reading is not begun.
  @Test(arguments: [true, false]) func readsWhatIsSoonerThanMoreCandidates(isDear: Bool) throws {
    let (store, vectors) = try make(.flat)
    let text = condition("free = 5")
    try store.connection.transaction(isImmediate: false) {
      let stamp = try store.beginFilter()
      try store.run(text, StatementLimit(seconds: nil), stamp, kept: { _ in Issue.record("nothing is kept") }) { run in
        let check = try #require(try run.statement.rowCheck(text, of: store))
        var counts: [Int] = []
        let search = CheckedSearch(
          k: 10, rowCount: Self.rowCount, searchedCount: nil, run, check, nil
        ) { count in
          counts.append(count)
          let answer = try store.search(StoreRequest(query: vectors[1] ?? [], k: count))
          return CheckedSearch.Candidates(count: count, answer: answer, nanoseconds: 1_000)
        } expected: { count in
          #expect(count > 30)
          return isDear ? 1e9 : 0
        }
        let outcome = try search.outcome(nil, asks: false)
        guard case .read = outcome else {
          Issue.record("\(outcome) of 0.1 %")
          return
        }
        #expect(isDear ? counts == [30] : counts.count > 1)
      }
    }
  }

  @Test func manyCandidatesAreWalkedForOfManyRows() {
    let parameters = SearchParameters(targetRecall: 0.95)
    for (count, rows, isExact) in [
      (4_096, 80_000, false), (4_097, 80_000, true), (20_000, 1_000_000, false), (30_000, 1_000_000, true),
      (20_000, 10_000_000, false), (30_000, 10_000_000, true),
    ] {
      #expect(parameters.findingCandidates(count, k: 10, kind: .hnsw, of: rows).isExact == isExact)
      #expect(!parameters.findingCandidates(count, k: 10, kind: .ivfflat, of: rows).isExact)
    }
  }

  /// What several searches took to read is expected of the next, but for every seventeenth, and as long as it is so.
  @Test func remembersWhatReadingTook() {
    var history = FilterHistory()
    for steps in [50_000, 40_000, 60_000, 45_000, 50_000, 50_000, 50_000] { history.finished(steps: steps) }
    #expect(history.unfinishedSteps == 16_000)
    history.finished(steps: 70_000)
    #expect(history.unfinishedSteps == 40_000)
    var assumed: [Int] = []
    for _ in 0..<34 {
      history.checked(40, k: 10)
      assumed.append(history.unfinishedSteps)
    }
    #expect(assumed.count { $0 == 16_000 } == 2 && assumed.count { $0 == 40_000 } == 32)
    history.finished(steps: 5_000)
    #expect(history.unfinishedSteps == 5_000 && history.candidatesPerRow == 2)
    history.finished(steps: 900)
    #expect(history.unfinishedSteps == 900)
    for _ in 0..<8 { history.finished(steps: 9_000_000) }
    #expect(history.unfinishedSteps == 128_000)
  }

  /// A SELECT in brackets is not run as a whole for the rows that are checked: the row goes into its joins.
  @Test(arguments: ["%", "free >= 0 AND %", "%\nAND label BETWEEN 0 AND 30 AND % AND (1 OR 0) -- AND"])
  func checksJoinsRowByRow(frame: String) throws {
    let (store, vectors) = try make(.flat)
    let join = "rows.id IN (SELECT r.id FROM rows r JOIN grades g ON g.u = r.free WHERE g.grade = ?1)"
    let sql = frame.split(separator: "%", omittingEmptySubsequences: false).joined(separator: join)
    for grade in Int64(0)..<4 {
      let query = vectors[grade * 100 + 7] ?? []
      let (answer, isChecked, _) = try search(store, query, condition(sql, .integer(grade)))
      let passing = try store.connection.prepare(
        "SELECT id FROM rows WHERE free * 7 % 4 = \(grade)"
      ).rowIDs()
      let expected = neighbours(of: query, in: vectors, .l2, filter: passing).prefix(10).map(\.rowID)
      #expect(isChecked && answer.hits.map(\.rowID) == expected)
    }
  }

  @Test func seesWhatIsAMembership() {
    func found(_ sql: String) -> String? { Membership(sql, table: "rows", key: "id")?.select }
    for sql in [
      "id IN (SELECT 1)", " rows . id  in\n(SELECT 1)", "\"rows\".\"id\" IN(SELECT 1)\t", "ROWS.ID In (SELECT 1)",
    ] {
      #expect(found(sql) == (sql.contains(" . ") ? nil : "SELECT 1"), "\(sql)")
    }
    #expect(found("id IN (SELECT ')' /* ) */ FROM (x) -- )\n)") == "SELECT ')' /* ) */ FROM (x) -- )\n")
    #expect(found("id IN (WITH a AS (VALUES (1)) SELECT * FROM a)") != nil)
    for sql in [
      "", "id", "id IN", "id IN (", "id IN (SELECT 1", "id IN (1, 2)", "id NOT IN (SELECT 1)", "NOT id IN (SELECT 1)",
      "id IN (SELECT 1) AND u < 5", "id IN (SELECT 1) OR 1", "id IN (SELECT 1)) OR (1", "other.id IN (SELECT 1)",
      "u IN (SELECT 1)", "main.rows.id IN (SELECT 1)", "-id IN (SELECT 1)", "id IN rows", "id IN (selection)", "\"id",
      "\"i\"\"d\" IN (SELECT 1)", "(id IN (SELECT 1))", "id IN (SELECT 1) -- all",
    ] {
      #expect(found(sql) == nil, "\(sql)")
    }
  }

  /// Who asks for the same again will ask more often: the second time its rows are read, and then kept.
  @Test func asksForRowsOfWhatIsRepeated() throws {
    let (store, vectors) = try make(.hnsw)
    let text = condition("free < 500")
    let query = vectors[3] ?? []
    let searches = try (0..<3).map { _ in try search(store, query, text) }
    #expect(searches.map(\.isChecked) == [true, false, false])
    #expect(searches.map(\.isCached) == [false, false, true])
    #expect(searches[2].answer.filter?.rowsYielded ?? 0 > 2_500)
    // In another state it is another filter.
    try store.add([7_000: query])
    #expect(try search(store, query, text).isChecked)
  }

  @Test func isExactWhereThatIsAskedFor() throws {
    let (store, vectors) = try make(.hnsw)
    for parameters in [
      SearchParameters(exact: true), SearchParameters(targetRecall: 1), SearchParameters(plan: .exact),
    ] {
      let (answer, isChecked, _) = try search(
        store, vectors[3] ?? [], condition("free < 501"), parameters: parameters)
      #expect(!isChecked && answer.exact)
    }
  }

  @Test(arguments: [IndexKind.flat, .hnsw]) func staysWithinADistance(_ kind: IndexKind) throws {
    let (store, vectors) = try make(kind)
    let passing = try store.connection.prepare("SELECT id FROM rows WHERE free < 500").rowIDs()
    let query = vectors[11] ?? []
    let all = neighbours(of: query, in: vectors, .l2, filter: passing)
    let within = Float(all[4].distance + all[5].distance) / 2
    let (answer, isChecked, _) = try search(store, query, condition("free < 500"), within: within)
    #expect(isChecked && answer.hits.map(\.rowID) == all.prefix(5).map(\.rowID))
    #expect(answer.complete == (kind == .flat))
  }

  /// Row by row these would run the whole text: they are read instead, whatever the way of writing.
  @Test(arguments: [
    "SELECT id FROM rows WHERE free < 500 ORDER BY u LIMIT 2500", "SELECT DISTINCT id FROM rows WHERE free < 500",
    "SELECT max(id) FROM rows GROUP BY id % 2500", "VALUES (5), (7), (9), (11), (13)",
    "SELECT id FROM rows WHERE free < 200 UNION SELECT id FROM rows WHERE free > 700",
    "WITH some AS (SELECT id, free FROM rows) SELECT id FROM some WHERE free < 500",
  ])
  func answersAnySelect(_ sql: String) throws {
    let (store, vectors) = try make(.flat)
    let passing = try store.connection.prepare(sql).rowIDs()
    for id in [Int64(1), 2, 3] {
      let expected = neighbours(of: vectors[id] ?? [], in: vectors, .l2, filter: passing).prefix(10).map(\.rowID)
      let (answer, _, _) = try search(store, vectors[id] ?? [], FilterText(.select, sql + " /* \(id) */"))
      #expect(answer.hits.map(\.rowID) == expected)
    }
  }

  /// A virtual table that is told some of its rows answers the k nearest of those: its texts are read.
  @Test func readsWhatAsksAnotherIndex() throws {
    let (store, vectors) = try make(.flat)
    #expect(unsafe Extension.register(on: store.connection.handle) == 0)
    try store.connection.execute("CREATE VIRTUAL TABLE other USING vidx(dimensions=1, metric=l2, index=flat)")
    try store.connection.execute(
      "INSERT INTO other(rowid, vector) SELECT id, '[' || (6000 - id) || ']' FROM rows")
    try store.connection.execute("INSERT INTO other(other) VALUES ('optimize')")
    let texts = [
      FilterText(.select, "SELECT rowid FROM other WHERE vector MATCH '[0]' AND k = 3000"),
      condition("id IN (SELECT rowid FROM other WHERE vector MATCH '[0]' AND k = 3000)"),
    ]
    let expected = neighbours(of: vectors[9] ?? [], in: vectors, .l2, filter: Array(3_001...6_000)).prefix(10)
    for text in texts {
      let (answer, isChecked, _) = try search(store, vectors[9] ?? [], text)
      #expect(!isChecked && answer.hits.map(\.rowID) == expected.map(\.rowID))
    }
  }

  @Test func checksJSONOfRows() throws {
    let (store, vectors) = try make(.hnsw)
    let sql = "EXISTS (SELECT 1 FROM json_each('[' || free || ',' || label || ']') WHERE value < 500)"
    #expect(try search(store, vectors[9] ?? [], condition(sql)).isChecked)
  }

  /// What ends the brackets around a condition compiles, and is no condition to be put beside another.
  @Test(arguments: [
    ("1) GROUP BY (label", true), ("a = ')' AND [)] = \")\" -- )", false), ("(a) /* ) */ OR (b)", false),
  ])
  func seesWhereBracketsEnd(_ sql: String, endsEarly: Bool) throws {
    #expect(Brackets.closeTooMany(in: sql) == endsEarly)
    if !endsEarly { return }
    let (store, vectors) = try make(.flat)
    let passing = try store.connection.prepare("SELECT id FROM rows WHERE (\(sql)\n)").rowIDs()
    let expected = neighbours(of: vectors[9] ?? [], in: vectors, .l2, filter: passing).prefix(10).map(\.rowID)
    #expect(try search(store, vectors[9] ?? [], condition(sql)).answer.hits.map(\.rowID) == expected)
  }

  /// What cannot be kept is checked each time.
  @Test func checksClocksEachTime() throws {
    let (store, vectors) = try make(.hnsw)
    for _ in 0..<3 {
      #expect(try search(store, vectors[9] ?? [], condition("free < 500 AND date('now') > '2000-01-01'")).isChecked)
    }
  }

  @Test func refusesWhatIsNoRowID() throws {
    let (store, vectors) = try make(.hnsw)
    for column in ["free || 'x'", "CAST(id AS TEXT)", "id + 0.5"] {
      #expect(throws: FilterError.self) {
        _ = try search(store, vectors[1] ?? [], FilterText(.select, "SELECT \(column) FROM rows"))
      }
    }
    #expect(throws: FilterError.valueCount(expected: 1, given: 0)) {
      _ = try search(store, vectors[1] ?? [], condition("free < ?"))
    }
  }

  @Test func endsWhenItsTimeIsOver() throws {
    let (store, vectors) = try make(.hnsw)
    let endless = "(WITH RECURSIVE c(i) AS (SELECT free UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c) > 0"
    #expect(throws: FilterError.timeout(seconds: 0.05)) {
      _ = try search(store, vectors[1] ?? [], condition(endless), timeout: 0.05)
    }
    // Nothing is left behind that would end others.
    #expect(try search(store, vectors[1] ?? [], condition("free < 500")).answer.hits.count == 10)
  }

  /// The time is looked at while candidates are searched for, and not only while SQLite works.
  @Test func endsBetweenItsSteps() throws {
    let (store, vectors) = try make(.hnsw)
    let text = condition("free < 500")
    try store.connection.transaction(isImmediate: false) {
      let limit = StatementLimit(seconds: 0.1)
      let stamp = try store.beginFilter()
      #expect(throws: FilterError.timeout(seconds: 0.1)) {
        try store.run(text, limit, stamp, kept: { _ in }) { run in
          let check = try #require(try run.statement.rowCheck(text, of: store))
          try check.bind([])
          defer { check.clear() }
          var searches = 0
          let search = CheckedSearch(k: 10, rowCount: Self.rowCount, searchedCount: nil, run, check, nil) { count in
            searches += 1
            // Any time: what SQLite does takes less than a look.
            let end = ContinuousClock.now + .milliseconds(110)
            while ContinuousClock.now < end {}
            let answer = try store.search(StoreRequest(query: vectors[1] ?? [], k: count))
            return CheckedSearch.Candidates(count: count, answer: answer, nanoseconds: 0)
          } expected: { _ in
            0
          }
          // None, where the machine was busy with other things.
          defer { #expect(searches <= 1) }
          _ = try search.outcome(nil, asks: false)
        }
      }
    }
    #expect(try search(store, vectors[1] ?? [], text).isChecked)
  }

  /// Cancelled, whether rows are read or checked, and nothing is left behind.
  @Test(arguments: [true, false]) func endsWhenItIsCancelled(isExact: Bool) throws {
    let (store, vectors) = try make(.hnsw)
    let endless = "(WITH RECURSIVE c(i) AS (SELECT free UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c) > 0"
    var looks = 0
    let error = #expect(throws: SQLiteError.self) {
      try store.connection.cancelling(when: {
        looks += 1
        return looks > 20
      }) {
        _ = try search(store, vectors[1] ?? [], condition(endless), parameters: SearchParameters(exact: isExact))
      }
    }
    #expect(error?.isInterrupt == true && looks == 21)
    #expect(try search(store, vectors[1] ?? [], condition("free < 500")).answer.hits.count == 10)
    #expect(looks == 21)
  }

  /// What is no row id is refused although reading was tried in vain before, by values that gave some.
  @Test func refusesWhatIsNoRowIDWhateverWasAskedBefore() throws {
    let (store, vectors) = try make(.hnsw)
    let sql = "SELECT 'x' WHERE ?1 >= 500 UNION ALL SELECT id FROM rows WHERE free < ?1"
    for number in 0..<5 {
      let value = FilterValue.real(400 + Double(number))
      #expect(try search(store, vectors[1] ?? [], FilterText(.select, sql, [value])).isChecked)
      #expect(throws: FilterError.self) {
        _ = try search(store, vectors[1] ?? [], FilterText(.select, sql, [.integer(Int64(500 + number))]))
      }
    }
  }

  /// In parts of whatever size: the rows are those of one go.
  @Test(arguments: ["u < 900", "free < 900", "free = 5"], [100, 1_000, 30_000])
  func readsInParts(_ sql: String, steps: Int) throws {
    let (store, _) = try make(.flat)
    let statement = try store.connection.prepare("SELECT id FROM rows WHERE \(sql)")
    let expected = try statement.rowIDs()
    let reading = FilterReading(statement, limit: StatementLimit(seconds: nil))
    defer { reading.end() }
    var parts = 0
    while parts < 400, try !reading.read(steps: steps) { parts += 1 }
    #expect(try reading.finish() == expected)
    // Only who looks for a row for longer than two parts has to begin anew.
    #expect(parts < 400 || sql == "free = 5")
    #expect(parts > 0 || steps == 30_000)
  }
}
