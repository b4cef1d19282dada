internal import CSQLite
import VidxIndexes

/// A filter in SQL that has become rows.
package struct ResolvedFilter: Sendable {
  package internal(set) var filter: PreparedFilter
  /// An earlier search's rows were still right.
  package let isCached: Bool
  /// The rows stay right until something is committed.
  package let isReusable: Bool
}

/// A filter's text about to be run, since nobody has kept its rows.
struct FilterRun {
  let text: FilterText
  let statement: FilterStatement
  /// At its beginning.
  let reading: FilterReading
  let limit: StatementLimit
  /// What its rows may be kept by; nil when they may not.
  let stamp: RowSetCache.Stamp?
}

/// What an index remembers of filters in SQL.
final class FilterMemory {
  fileprivate var statements: [FilterText: FilterStatement] = [:]
  fileprivate(set) var rowSets = RowSetCache()
  fileprivate(set) var uses: UInt64 = 0
  fileprivate(set) var hits = 0
  fileprivate(set) var misses = 0
  fileprivate static let statementLimit = 32
  /// Filters that may run inside each other.
  fileprivate static let mostNested = 6
  /// Reads `filter_parameters`.
  var valueReader: Statement?
  /// Asks whether `PRAGMA case_sensitive_like` is on.
  var likeProbe: Statement?
  let conditionSets = ConditionSets()
}

extension IndexStore {
  /// The rows that a filter lets pass, in the state that the open transaction reads.
  ///
  /// Those of the same text and values are used again until something is committed to the database; not inside a
  /// transaction that has written, and not when the text may answer something else at any time: when it calls random()
  /// or the clock, or reads an attached database or a virtual table that others change.
  /// - Parameter timeout: seconds that its texts may take; nil for any time.
  /// - Throws: `FilterError`; `StoreError.noFilterColumn`; `SQLiteError`.
  package func filter(_ terms: FilterTerms, timeout: Double? = nil) throws -> ResolvedFilter {
    let stamp = try beginFilter()
    return try filter(terms.texts, among: rowsWithoutSQL(terms), StatementLimit(seconds: timeout), stamp)
  }

  package func filter(_ text: FilterText, timeout: Double? = nil) throws -> ResolvedFilter {
    try filter(FilterTerms(text), timeout: timeout)
  }

  /// - Parameter rows: those that pass the other terms; nil for all.
  func filter(
    _ texts: [FilterText], among rows: PreparedFilter?, _ limit: StatementLimit, _ stamp: RowSetCache.Stamp?
  ) throws -> ResolvedFilter {
    var resolved = rows.map { ResolvedFilter(filter: $0, isCached: false, isReusable: true) }
    for (i, text) in texts.enumerated() {
      let read = try run(text, limit, stamp, kept: { $0 }) { try self.rows(of: $0) }
      guard let others = resolved else {
        resolved = read
        continue
      }
      resolved = ResolvedFilter(
        filter: try settling { try read.filter.intersection(others.filter) },
        isCached: read.isCached && (i == 0 || others.isCached), isReusable: read.isReusable && others.isReusable)
    }
    if let resolved { return resolved }
    return ResolvedFilter(filter: try preparedFilter(rowIDs: nil), isCached: false, isReusable: true)
  }

  /// The rows that pass the terms which need no SQLite, and what else is given; nil when that is nothing.
  func rowsWithoutSQL(_ terms: FilterTerms, and other: PreparedFilter? = nil) throws -> PreparedFilter? {
    if terms.rowIDs == nil, terms.conditions.isEmpty { return other }
    let rows = try preparedFilter(rowIDs: terms.rowIDs, conditions: filterConditions(terms.conditions))
    return try other.map { other in try settling { try other.intersection(rows) } } ?? rows
  }

  /// Inside the transaction of a search.
  /// - Returns: what row sets of this moment are to be compared by; nil when none may be kept.
  func beginFilter() throws -> RowSetCache.Stamp? {
    precondition(isReading, "filters are resolved inside the transaction of the search")
    try refreshToSearch()
    return try filterStamp()
  }

  /// A transaction is open, or a statement runs that has read the schema: a search in SQL is part of one.
  private var isReading: Bool {
    !connection.isAutocommit || connection.isReading(schema: schema) || connection.isWriting(schema: schema)
  }

  /// What an earlier search has read, if it is right.
  func kept(_ text: FilterText, _ stamp: RowSetCache.Stamp?) -> ResolvedFilter? {
    guard let stamp, let filter = filters.rowSets.filter(text, stamp) else {
      filters.misses += 1
      return nil
    }
    filters.hits += 1
    return ResolvedFilter(filter: filter, isCached: true, isReusable: true)
  }

  /// What an earlier search has read of a text, if that is right, or else what the body makes of running it.
  func run<Outcome>(
    _ text: FilterText, _ limit: StatementLimit, _ stamp: RowSetCache.Stamp?,
    kept use: (ResolvedFilter) throws -> Outcome, _ body: (FilterRun) throws -> Outcome
  ) throws -> Outcome {
    if let kept = kept(text, stamp) { return try use(kept) }
    return try withStatement(of: text) { statement in
      let reading = try statement.reading(text.values, limit)
      defer { reading.end() }
      return try body(FilterRun(text: text, statement: statement, reading: reading, limit: limit, stamp: stamp))
    }
  }

  /// All rows that pass, read to the end.
  func rows(of run: FilterRun) throws -> ResolvedFilter {
    let filter = try preparedFilter(rowIDs: RowIDs.ascending(run.reading.finish()))
    let isPure = try run.statement.isPure()
    if let stamp = run.stamp, isPure { filters.rowSets.keep(filter, for: run.text, stamp) }
    return ResolvedFilter(filter: filter, isCached: false, isReusable: isPure && run.stamp != nil)
  }

  /// The row ids that a filter answers, ascending, each once.
  /// - Throws: `FilterError`; `SQLiteError`.
  package func rowIDs(_ text: FilterText, timeout: Double? = nil) throws -> (ids: [Int64], isPure: Bool) {
    try withStatement(of: text) { try $0.rowIDs(text.values, timeout: timeout) }
  }

  /// The row ids that pass a filter, ascending, each once. Those that are not in the index are among them, unless there
  /// are conditions on filter columns.
  /// - Throws: as `filter`.
  package func rowIDs(_ terms: FilterTerms, timeout: Double? = nil) throws -> [Int64] {
    var ids = terms.rowIDs
    for text in terms.texts {
      let read = try rowIDs(text, timeout: timeout).ids
      ids = ids.map { RowIDs.common($0, read) } ?? read
    }
    if terms.conditions.isEmpty, let ids { return ids }
    let scan = try scan(conditions: filterConditions(terms.conditions))
    var passing: [Int64] = []
    while let id = try scan.next() { passing.append(id) }
    return ids.map { RowIDs.common($0, passing) } ?? passing
  }

  /// Makes texts be asked as if for the first time; what was found out about them stays known.
  package func forgetFilterRows() { filters.rowSets = RowSetCache() }

  /// Runs the body with the compiled text, and again when that is out of date.
  func withStatement<Result>(of text: FilterText, _ body: (FilterStatement) throws -> Result) throws -> Result {
    do { return try runOnce(text, body) } catch let error as SQLiteError {
      // The table of rows may have another name by now; what is compiled anew finds it. Nothing else would help, and
      // filters inside each other would run twice as often at each level.
      let key = FilterText(text.form, text.sql)
      guard error.code == SQLITE_ERROR, try filters.statements[key]?.isOutOfDate(text, of: self) == true else {
        throw error
      }
      filters.statements[key] = nil
      return try runOnce(text, body)
    }
  }

  /// A filter may ask a vidx table, which has a filter, too, and so on; a view may close the circle.
  private func runOnce<Result>(_ text: FilterText, _ body: (FilterStatement) throws -> Result) throws -> Result {
    guard connection.runningFilters < FilterMemory.mostNested else { throw FilterError.nestedTooDeep }
    connection.runningFilters += 1
    defer { connection.runningFilters -= 1 }
    let statement = try filterStatement(text)
    statement.isRunning = true
    defer { statement.isRunning = false }
    return try body(statement)
  }

  /// Sees that a filter can be compiled.
  /// - Throws: `FilterError`; `SQLiteError`.
  package func check(_ text: FilterText) throws { try filterStatement(text).check(text.values) }

  /// How often rows of an earlier filter were used, and how often a text was run.
  package var filterCounts: (hits: Int, misses: Int) { (filters.hits, filters.misses) }

  /// The compiled text, if it has been compiled.
  func knownStatement(of text: FilterText) -> FilterStatement? {
    filters.statements[FilterText(text.form, text.sql)]
  }

  private func filterStatement(_ text: FilterText) throws -> FilterStatement {
    let key = FilterText(text.form, text.sql)
    filters.uses += 1
    let known = filters.statements[key]
    if let known, !known.isRunning {
      known.lastUse = filters.uses
      return known
    }
    let made = try FilterStatement(text, of: self)
    guard known == nil, made.canBeKept else { return made }
    if filters.statements.count >= FilterMemory.statementLimit,
      let oldest = filters.statements.min(by: { $0.value.lastUse < $1.value.lastUse })
    {
      filters.statements[oldest.key] = nil
    }
    made.lastUse = filters.uses
    filters.statements[key] = made
    return made
  }

  /// What row sets of this moment are to be compared by; nil when none may be kept: a transaction has written.
  private func filterStamp() throws -> RowSetCache.Stamp? {
    if schema != "main" || connection.isWriting(schema: "main") || connection.isWriting(schema: "temp") { return nil }
    guard let version = connection.dataVersion(schema: "main") else { return nil }
    return RowSetCache.Stamp(
      main: version, temp: connection.dataVersion(schema: "temp"), state: state,
      isLikeCaseSensitive: try connection.isBorrowed && isLikeCaseSensitive())
  }
}
