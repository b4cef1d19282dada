import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

/// Filters of several terms: texts in SQL, row ids, tests of filter columns.
@Suite struct CombinedFilterTests {
  let database: TestDatabase

  init() throws { database = try TestDatabase() }

  private static let rowCount = 4_000

  private struct Row {
    var vector: [Float]
    var label: Int64
    var size: Int64?
  }

  /// Rows with `label` from 0 to 19 and `size` from 0 to 99 or NULL: as filter columns, and in a table of rows, which
  /// has a hundred rows more than the index.
  private func make(_ kind: String = "flat") throws -> (store: IndexStore, rows: [Int64: Row]) {
    let connection = try database.open()
    #expect(unsafe Extension.register(on: connection.handle) == 0)
    try connection.execute(
      """
      CREATE VIRTUAL TABLE w USING vidx(dimensions = 6, metric = l2, index = \(kind), filter label, filter size);
      CREATE TABLE rows(id INTEGER PRIMARY KEY, label INTEGER, size INTEGER, free INTEGER);
      INSERT INTO w_config(key, value) VALUES ('rows_table', 'rows');
      """)
    var random = SplitMix(seed: 3)
    var rows: [Int64: Row] = [:]
    try connection.transaction {
      let insert = try connection.prepare("INSERT INTO w(rowid, vector, label, size) VALUES (?1, ?2, ?3, ?4)")
      let beside = try connection.prepare("INSERT INTO rows VALUES (?1, ?2, ?3, ?1)")
      for id in 1...Int64(Self.rowCount + 100) {
        let row = Row(
          vector: random.vector(6), label: .random(in: 0..<20, using: &random),
          size: Bool.random(using: &random) ? .random(in: 0..<100, using: &random) : nil)
        let size = row.size.map { FilterValue.integer($0) } ?? .null
        for (i, value) in [.integer(id), .integer(row.label), size].enumerated() {
          try beside.bind(value, at: Int32(i + 1))
        }
        try beside.run()
        if id > Self.rowCount { continue }
        rows[id] = row
        let text = "[\(row.vector.map(\.description).joined(separator: ","))]"
        for (i, value) in [.integer(id), .text(text), .integer(row.label), size].enumerated() {
          try insert.bind(value, at: Int32(i + 1))
        }
        try insert.run()
        // Some rows stay in the delta.
        if id == 3_800 { try connection.execute("INSERT INTO w(w) VALUES ('optimize')") }
      }
    }
    return (try IndexStore.open(connection, "w"), rows)
  }

  private func search(
    _ store: IndexStore, _ query: [Float], _ terms: FilterTerms, parameters: SearchParameters = SearchParameters()
  ) throws -> (answer: StoreAnswer, isChecked: Bool) {
    try store.connection.transaction(isImmediate: false) {
      var request = StoreRequest(query: query, k: 10, parameters: parameters)
      switch try store.search(request, under: terms) {
      case .answer(let answer): return (answer, true)
      case .filter(let resolved):
        request.prepared = resolved.filter
        return (try store.search(request), false)
      }
    }
  }

  private static func combined(_ parts: FilterTerms...) -> FilterTerms {
    var terms = FilterTerms()
    for part in parts { terms.add(part) }
    return terms
  }

  private func text(_ sql: String) -> FilterTerms { FilterTerms(FilterText(.condition, sql)) }

  /// However a filter is spelt and whatever is asked again, the rows are those for which all of it holds.
  @Test(arguments: ["flat", "hnsw"]) func areEqualHoweverSpelt(_ kind: String) throws {
    let (store, rows) = try make(kind)
    let few = FilterTerms([NamedCondition("LABEL", .isIn([.integer(3), .integer(7)]))])
    let sized = FilterTerms([NamedCondition("size", .range(lower: .init(.integer(20), isInclusive: true), upper: nil))])
    let ids = FilterTerms(rowIDs: (0..<4_000).map { $0 * 2 })
    let spellings: [[FilterTerms]] = [
      [text("label IN (3, 7) AND size >= 20 AND id % 2 = 0 AND id < 8000")],
      [few, sized, ids], [ids, sized, few], [few, text("size >= 20"), ids], [text("size >= 20"), ids, few, ids],
      [text("label IN (3, 7)"), text("size >= 20"), ids], [text("label IN (3, 7)"), text("id % 2 = 0"), sized],
      [few, sized, FilterTerms(FilterText(.select, "SELECT id FROM rows WHERE id % 2 = 0"))],
    ]
    let passing = rows.filter { [3, 7].contains($0.value.label) && $0.value.size ?? 0 >= 20 && $0.key % 2 == 0 }
    let vectors = rows.mapValues(\.vector)
    for query in [1, 2_000, 3_999].compactMap({ vectors[$0] }) {
      let expected = neighbours(of: query, in: vectors, .l2, filter: passing.map(\.key)).prefix(10).map(\.rowID)
      for parts in spellings {
        var terms = FilterTerms()
        for part in parts { terms.add(part) }
        for _ in 0..<3 {
          let (answer, _) = try search(store, query, terms, parameters: SearchParameters(exact: true))
          #expect(answer.hits.map(\.rowID) == expected && answer.exact && answer.complete)
        }
        let (loose, _) = try search(store, query, terms)
        #expect(loose.complete && loose.hits.count == 10)
        #expect(Set(loose.hits.map(\.rowID)).intersection(expected).count >= (kind == "flat" ? 10 : 9))
        // The row ids themselves.
        let found = try store.connection.transaction(isImmediate: false) { try store.rowIDs(terms) }
        #expect(found.filter { $0 <= Self.rowCount } == passing.keys.sorted())
      }
    }
  }

  /// Among the rows that pass the filter columns the nearest are checked, and no text is read to its end for it.
  @Test func checksAmongWhatPassesFilterColumns() throws {
    let (store, rows) = try make("hnsw")
    let vectors = rows.mapValues(\.vector)
    for number in 0..<20 {
      let query = vectors[Int64(number * 190 + 1)] ?? []
      let terms = Self.combined(
        FilterTerms([NamedCondition("label", .equals(.integer(Int64(number))))]),
        text("free % 3 <> \(number % 3) -- \(number)"))
      let passing = rows.filter { $0.value.label == Int64(number) && $0.key % 3 != Int64(number % 3) }
      let expected = neighbours(of: query, in: vectors, .l2, filter: passing.map(\.key)).prefix(10).map(\.rowID)
      let (answer, isChecked) = try search(store, query, terms)
      #expect(isChecked && answer.complete && answer.hits.count == 10)
      #expect(Set(answer.hits.map(\.rowID)).intersection(expected).count >= 9)
      let report = try #require(answer.filter)
      #expect((10...100).contains(report.rowsChecked) && report.rowsWithoutVector == nil)
    }
  }

  /// Fewer rows than k pass the filter columns: all of them are checked.
  @Test(arguments: ["flat", "hnsw"]) func checksAllOfFew(_ kind: String) throws {
    let (store, rows) = try make(kind)
    let few = FilterTerms([
      NamedCondition("label", .equals(.integer(5))), NamedCondition("size", .equals(.integer(50))),
    ])
    let passing = rows.filter { $0.value.label == 5 && $0.value.size == 50 }
    let (answer, isChecked) = try search(store, rows[1]?.vector ?? [], Self.combined(few, text("free > 0")))
    #expect(isChecked && answer.complete && Set(answer.hits.map(\.rowID)) == Set(passing.keys))
    #expect(answer.filter?.rowsChecked == passing.count)
    let (none, _) = try search(store, rows[1]?.vector ?? [], Self.combined(few, text("free < 0")))
    #expect(none.complete && none.hits.isEmpty)
  }

  /// Row ids without a vector are counted where only one term gives row ids.
  @Test func countsWhatItCan() throws {
    let (store, _) = try make()
    let label = FilterTerms([NamedCondition("label", .equals(.integer(5)))])
    func report(_ terms: FilterTerms) throws -> FilterReport {
      let exact = SearchParameters(exact: true)
      return try #require(try search(store, [0, 0, 0, 0, 0, 1], terms, parameters: exact).answer.filter)
    }
    let wide = try report(text("id > 3950"))
    #expect(wide.rowsYielded == 150 && wide.rowsWithoutVector == 100)
    let one = try report(Self.combined(label, text("id > 3950")))
    #expect(one.rowsYielded == 150 && one.rowsWithoutVector == 100)
    let two = try report(Self.combined(text("id > 3950"), text("id > 3960")))
    #expect(two.rowsYielded == 40 && two.rowsWithoutVector == nil)
  }

  @Test func conditionsMayVaryUnderOneText() throws {
    let (store, rows) = try make()
    let sql = text("free % 2 = 0")
    for label in Int64(0)..<20 {
      let terms = Self.combined(sql, FilterTerms([NamedCondition("label", .equals(.integer(label)))]))
      let passing = rows.filter { $0.value.label == label && $0.key % 2 == 0 }
      let vectors = rows.mapValues(\.vector)
      let expected = neighbours(of: vectors[9] ?? [], in: vectors, .l2, filter: passing.map(\.key)).prefix(10)
      let (answer, isChecked) = try search(store, vectors[9] ?? [], terms)
      #expect(answer.hits.map(\.rowID) == expected.map(\.rowID))
      // The second time the text is asked its rows are read; kept, they serve the others.
      #expect(isChecked == (label == 0))
    }
    #expect(store.filterCounts.hits == 18)
  }

  @Test func refusesUnknownColumns() throws {
    let (store, _) = try make()
    let terms = Self.combined(text("1"), FilterTerms([NamedCondition("labl", .isNull)]))
    #expect(throws: StoreError.noFilterColumn(index: "w", column: "labl", known: ["label", "size"])) {
      _ = try search(store, [0, 0, 0, 0, 0, 1], terms)
    }
  }

  /// The same through a reader, of its latest state and of a snapshot.
  @Test func readersCombineToo() throws {
    let (store, rows) = try make()
    let reader = try IndexReader(path: database.path, name: "w")
    let snapshot = try reader.snapshot()
    let filter = ReaderFilter(
      Self.combined(
        text("free % 2 = 0"), FilterTerms([NamedCondition("label", .equals(.integer(4)))]),
        FilterTerms(rowIDs: (1...3_000).map { $0 })))
    func ids(_ resolved: ReaderFilter.Resolved) throws -> [Int64] {
      var counters = SearchCounters()
      let query = try PreparedQuery([0, 0, 0, 0, 0, 0], dimensions: 6, metric: .l2)
      return try resolved.snapshot.search(
        query, k: 5_000, parameters: SearchParameters(), filter: resolved.filter, counters: &counters
      ).map(\.rowID).sorted()
    }
    let passing = rows.filter { $0.value.label == 4 && $0.key % 2 == 0 && $0.key <= 3_000 }.keys.sorted()
    #expect(try ids(reader.resolve(filter)) == passing)
    #expect(try reader.resolve(filter).isCached)
    #expect(try ids(reader.resolve(filter, for: snapshot, version: 77)) == passing)
    try store.connection.execute("UPDATE rows SET free = 1 WHERE id = \(passing[0])")
    #expect(try ids(reader.resolve(filter)) == Array(passing.dropFirst()))
  }

  /// Cancelled, and asked again.
  @Test func readersAreCancelled() throws {
    _ = try make()
    let reader = try IndexReader(path: database.path, name: "w")
    let endless = "id IN (WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT i FROM c)"
    let filter = ReaderFilter(FilterText(.condition, endless))
    for _ in 0..<2 {
      var looks = 0
      let error = #expect(throws: SQLiteError.self) {
        _ = try reader.resolve(
          filter,
          SearchLimits(isCancelled: {
            looks += 1
            return looks == 10
          }))
      }
      #expect(error?.isInterrupt == true)
    }
    #expect(try !reader.resolve(ReaderFilter(FilterText(.condition, "label = 1"))).isCached)
  }
}
