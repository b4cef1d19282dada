import TestSupport
import Testing
import VidxIndexes
import VidxVectors

@testable import VidxSQLite

/// Filters in SQL, and how long their rows are kept.
@Suite struct FilterTests {
  let database: TestDatabase

  init() throws { database = try TestDatabase() }

  /// An index of 60 rows whose table is `rows(id, label, day)`, on a connection that knows the module.
  private func open(journal: String = "delete") throws -> IndexStore {
    let connection = try database.open()
    #expect(unsafe Extension.register(on: connection.handle) == 0)
    try connection.execute("PRAGMA journal_mode = \(journal)")
    try connection.execute("CREATE TABLE rows(id INTEGER PRIMARY KEY, label INTEGER, day INTEGER, note TEXT)")
    try connection.execute("CREATE VIRTUAL TABLE v USING vidx(dimensions=1, metric=l2, index=flat)")
    try connection.execute("INSERT INTO v_config(key, value) VALUES ('rows_table', 'rows')")
    let store = try IndexStore.open(connection)
    let values = (1...60).map { "(\($0), \($0 % 7), \($0 * 13 % 50), iif(\($0) % 3, 'n' || \($0), NULL))" }
    try connection.execute("INSERT INTO rows VALUES \(values.joined(separator: ", "))")
    try store.addSegment(Dictionary(uniqueKeysWithValues: (Int64(1)...50).map { ($0, [Float($0)]) }))
    return store
  }

  private func resolve(_ store: IndexStore, _ text: FilterText, timeout: Double? = nil) throws -> ResolvedFilter {
    try store.connection.transaction(isImmediate: false) { try store.filter(text, timeout: timeout) }
  }

  private func rows(_ store: IndexStore, _ text: FilterText) throws -> (ids: [Int64], isCached: Bool) {
    try store.connection.transaction(isImmediate: false) {
      let resolved = try store.filter(text)
      let answer = try store.search(StoreRequest(query: [0], k: 100, prepared: resolved.filter))
      return (answer.hits.map(\.rowID).sorted(), resolved.isCached)
    }
  }

  private func condition(_ sql: String, _ values: FilterValue...) -> FilterText {
    FilterText(.condition, sql, values)
  }

  /// However a condition is written, the rows are those that SQLite says, less those without a vector.
  @Test(arguments: [
    "label = 3", "label = 3 AND day > 20 OR note IS NULL", "NOT label IN (1, 2)", "note LIKE 'n1%'", "1", "0", "NULL",
    "id BETWEEN 40 AND 70 -- to the end", "EXISTS (SELECT 1 FROM rows r WHERE r.label = rows.label AND r.day = 13)",
    "id IN (SELECT value FROM json_each('[3, 5, 55, 99]'))",
    "id IN (SELECT rowid FROM v WHERE vector MATCH '[10]' AND k = 4)",
    "id IN (WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 9 FROM c WHERE i < 60) SELECT i FROM c)",
  ])
  func answersWhatSQLiteDoes(_ sql: String) throws {
    let store = try open()
    let expected = try store.connection.prepare("SELECT id FROM rows WHERE (\(sql)\n)").rowIDs()
    let first = try rows(store, condition(sql))
    #expect(first.ids == expected.filter { $0 <= 50 }.sorted())
    let second = try rows(store, condition(sql))
    #expect(second.ids == first.ids && second.isCached && !first.isCached)
    let select = try rows(store, FilterText(.select, "SELECT id FROM rows WHERE (\(sql)\n)"))
    #expect(select.ids == first.ids)
    let filter = try resolve(store, condition(sql)).filter
    #expect(filter.rowsYielded == expected.count)
    #expect(filter.rowsWithoutVector == expected.filter { $0 > 50 }.count)
  }

  /// Whoever commits whatever: the next search sees it.
  @Test(arguments: ["delete", "wal"]) func seesEveryCommit(_ journal: String) throws {
    let store = try open(journal: journal)
    let other = try database.open()
    var random = SplitMix(seed: 5)
    let text = condition("label = ?1", .integer(3))
    var cached = 0
    for step in 0..<80 {
      let writer = step % 2 == 0 ? store.connection : other
      let id = Int64.random(in: 1...60, using: &random)
      switch step % 8 {
      case 0, 1: try writer.execute("UPDATE rows SET label = 3 WHERE id = \(id)")
      case 2, 3: try writer.execute("UPDATE rows SET label = 4 WHERE id = \(id)")
      case 4: try writer.execute("BEGIN; UPDATE rows SET label = 3; ROLLBACK")
      case 5: try writer.execute("BEGIN; SAVEPOINT a; UPDATE rows SET label = 3; ROLLBACK TO a; COMMIT")
      case 6: try store.transaction { try store.insert(rowID: id, vector: [Float(id)], onConflict: .replace) }
      default: break
      }
      let expected = try store.connection.prepare(
        "SELECT id FROM rows WHERE label = 3 AND id IN (SELECT rowid FROM v) ORDER BY 1"
      ).rowIDs()
      for _ in 0..<2 {
        let found = try rows(store, text)
        #expect(found.ids == expected, "step \(step)")
        cached += found.isCached ? 1 : 0
      }
    }
    // Each state's second search at least uses the rows of the first.
    #expect(cached >= 80)
  }

  @Test func isNotKeptInsideATransactionThatHasWritten() throws {
    let store = try open()
    let text = condition("label = 3")
    let before = try rows(store, text).ids
    try store.connection.execute("BEGIN IMMEDIATE; UPDATE rows SET label = 3 WHERE id < 10")
    let inside = try store.filter(text)
    #expect(!inside.isCached && !inside.isReusable && inside.filter.rowsYielded > before.count)
    try store.connection.execute("SAVEPOINT a; UPDATE rows SET label = 3")
    #expect(try store.filter(text).filter.rowsYielded == 60)
    try store.connection.execute("ROLLBACK TO a")
    #expect(try store.filter(text).filter.rowsYielded == inside.filter.rowsYielded)
    try store.connection.execute("ROLLBACK")
    #expect(try rows(store, text).ids == before)
  }

  @Test func temporaryAndAttachedTablesAreReadAnew() throws {
    let store = try open()
    let connection = store.connection
    let text = condition("label IN (SELECT x FROM wanted)")
    try connection.execute("CREATE TABLE wanted(x); INSERT INTO wanted VALUES (1)")
    let one = try rows(store, text).ids
    #expect(try rows(store, text).isCached)
    // A temporary table hides that of the same name.
    try connection.execute("CREATE TEMP TABLE wanted(x); INSERT INTO temp.wanted VALUES (2)")
    let two = try rows(store, text)
    #expect(two.ids != one && !two.isCached)
    #expect(try rows(store, text).isCached)
    try connection.execute("UPDATE temp.wanted SET x = 1")
    #expect(try rows(store, text).ids == one)
    try connection.execute("DROP TABLE temp.wanted; DROP TABLE main.wanted")
    try connection.execute("ATTACH ':memory:' AS other; CREATE TABLE other.wanted(x)")
    try connection.execute("INSERT INTO other.wanted VALUES (1)")
    for x in [1, 2, 1] {
      try connection.execute("UPDATE other.wanted SET x = \(x)")
      let found = try rows(store, text)
      #expect(found.ids == (x == 1 ? one : two.ids) && !found.isCached)
    }
  }

  /// What may answer something else each time is run each time.
  @Test(arguments: [
    ("abs(random()) % 2 = 0", false), ("day < strftime('%d', 'now')", false), ("id <= changes() + 9", false),
    ("note > current_date", false), ("id IN (SELECT rowid FROM pragma_function_list)", false), ("day < abs(-9)", true),
    ("day < (SELECT max(day) - count(*) / 9 FROM rows)", true), ("id IN (SELECT id FROM seen)", true),
  ])
  func isKeptWhenPure(_ sql: String, _ isPure: Bool) throws {
    let store = try open()
    try store.connection.execute("CREATE VIEW seen AS SELECT id FROM rows WHERE label < 4")
    #expect(try resolve(store, condition(sql)).isReusable == isPure)
    #expect(try resolve(store, condition(sql)).isCached == isPure)
  }

  @Test func aChangedSchemaIsAnalysedAnew() throws {
    let store = try open()
    let text = condition("id IN (SELECT id FROM seen)")
    try store.connection.execute("CREATE VIEW seen AS SELECT id FROM rows WHERE label = 3")
    #expect(try resolve(store, text).isReusable)
    try store.connection.execute("DROP VIEW seen; CREATE VIEW seen AS SELECT id FROM rows WHERE random() > 0")
    #expect(try !resolve(store, text).isReusable)
    #expect(try !resolve(store, text).isCached)
  }

  @Test func valuesOfOtherTypesAreOthers() throws {
    let store = try open()
    let sql = "typeof(?1) = 'integer' AND label = ?1"
    #expect(try rows(store, condition(sql, .integer(1))).ids.count == 8)
    #expect(try rows(store, condition(sql, .real(1.0))).ids.isEmpty)
    #expect(try rows(store, condition(sql, .text("1"))).ids.isEmpty)
    #expect(try rows(store, condition(sql, .null)).ids.isEmpty)
    #expect(try rows(store, condition(sql, .integer(1))).isCached)
  }

  @Test func whatIsNoFilterIsRefused() throws {
    let store = try open()
    func refusal(_ text: FilterText) throws -> String {
      let error = #expect(throws: FilterError.self) { try resolve(store, text) }
      return error?.description ?? ""
    }
    #expect(
      try refusal(condition("day > 1 AND\n  labl = 3"))
        == "no such column: labl; correct the SQL of the condition\n    labl = 3\n    ^")
    #expect(try refusal(condition("label =")).contains("syntax error"))
    #expect(try refusal(condition("1); DELETE FROM rows WHERE (1")) == FilterError.severalStatements.description)
    #expect(try refusal(FilterText(.select, "DELETE FROM rows RETURNING id")) == FilterError.notAQuery.description)
    #expect(try refusal(FilterText(.select, "SELECT note FROM rows")).contains("row id was expected"))
    #expect(try refusal(condition("label = ?")) == FilterError.valueCount(expected: 1, given: 0).description)
    let endless = condition("id IN (WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT i FROM c)")
    #expect(throws: FilterError.timeout(seconds: 0.05)) { try resolve(store, endless, timeout: 0.05) }
    // The connection works on.
    #expect(try rows(store, condition("label = 3")).ids.count == 7)
    try store.connection.execute("DELETE FROM v_config WHERE key = 'rows_table'")
    #expect(try refusal(condition("note = 3")).contains("has no table of rows"))
    #expect(try refusal(FilterText(.conditionOfRows, "1")).contains("without a table of rows"))
    #expect(try rows(store, condition("rowid < 4")).ids == [1, 2, 3])
  }

  @Test func theLeastRecentlyUsedMakeRoom() throws {
    let store = try open()
    let filter = try resolve(store, condition("1")).filter
    let stamp = RowSetCache.Stamp(main: 1, temp: nil, state: store.state)
    let texts = (0..<9).map { condition("id = \($0)") }
    let cache = RowSetCache(limit: 8 * (filter.byteCount + texts[0].byteCount))
    for text in texts.prefix(8) { cache.keep(filter, for: text, stamp) }
    #expect(cache.filter(texts[0], stamp) != nil && cache.count == 8)
    // What comes once finds no room.
    cache.keep(filter, for: texts[8], stamp)
    #expect(cache.filter(texts[8], stamp) == nil && cache.count == 8)
    // The second time a quarter of it is made at once.
    cache.keep(filter, for: texts[8], stamp)
    #expect(
      texts.map { cache.filter($0, stamp) != nil } == [true] + .init(repeating: false, count: 3)
        + .init(repeating: true, count: 5))
    var later = stamp
    later.main = 2
    #expect(cache.filter(texts[0], later) == nil && cache.filter(texts[0], stamp) == nil)
    #expect(cache.byteCount == 5 * (filter.byteCount + texts[0].byteCount))
    // What is of another state makes room at once.
    for text in texts.prefix(8) { cache.keep(filter, for: text, later) }
    #expect(cache.count == 8 && texts.prefix(8).allSatisfy { cache.filter($0, later) != nil })
    // Asked for twice, though only read the second time.
    #expect(!cache.noteUse(texts[8], later) && cache.noteUse(texts[8], later))
    cache.keep(filter, for: texts[8], later)
    #expect(cache.filter(texts[8], later) != nil)
  }

  @Test func rowIDsAscend() {
    var random = SplitMix(seed: 9)
    for range in [Int64(0)...40, -1_000_000...1_000_000, .min ... .max] {
      for count in [0, 1, 2, 30, 300] {
        let ids = (0..<count).map { _ in Int64.random(in: range, using: &random) }
        #expect(RowIDs.ascending(ids) == Set(ids).sorted())
        #expect(RowIDs.ascending(ids.sorted()) == Set(ids).sorted())
      }
    }
    #expect(RowIDs.ascending([.max, .min, .max]) == [.min, .max])
  }
}
