internal import CSQLite
package import VidxIndexes

/// A filter in SQL that has become rows.
package struct ResolvedFilter: Sendable {
  package let filter: PreparedFilter
  /// An earlier search's rows were still right.
  package let isCached: Bool
  /// The rows stay right until something is committed.
  package let isReusable: Bool
}

/// What an index remembers of filters in SQL.
final class FilterMemory {
  fileprivate var statements: [FilterText: FilterStatement] = [:]
  let rowSets = RowSetCache()
  fileprivate(set) var uses: UInt64 = 0
  fileprivate(set) var hits = 0
  fileprivate(set) var misses = 0
  fileprivate static let statementLimit = 32
}

extension IndexStore {
  /// The rows that a filter lets pass, in the state that the open transaction reads.
  ///
  /// Those of the same text and values are used again until something is committed to the database; not inside a
  /// transaction that has written, and not when the text may answer something else at any time: when it calls random()
  /// or the clock, or reads an attached database or a virtual table that others change.
  /// - Parameter timeout: seconds the text may take; nil for any time.
  /// - Throws: `FilterError`; `SQLiteError`.
  package func filter(_ text: FilterText, timeout: Double? = nil) throws -> ResolvedFilter {
    let stamp = try beginFilter()
    if let kept = kept(text, stamp) { return kept }
    let (ids, isPure) = try rowIDs(text, timeout: timeout)
    return try resolved(text, ids, isPure: isPure, stamp)
  }

  /// Inside the transaction of a search.
  /// - Returns: what row sets of this moment are to be compared by; nil when none may be kept.
  func beginFilter() throws -> RowSetCache.Stamp? {
    precondition(!connection.isAutocommit, "filters are resolved inside the transaction of the search")
    try refreshToSearch()
    return try filterStamp()
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

  /// - Parameter ids: ascending, each once.
  func resolved(
    _ text: FilterText, _ ids: [Int64], isPure: Bool, _ stamp: RowSetCache.Stamp?
  ) throws -> ResolvedFilter {
    let filter = try preparedFilter(rowIDs: ids)
    if let stamp, isPure { filters.rowSets.keep(filter, for: text, stamp) }
    return ResolvedFilter(filter: filter, isCached: false, isReusable: isPure && stamp != nil)
  }

  /// The rows that are among these and pass the conditions, in the state that the open transaction reads.
  /// - Parameter rowIDs: ascending and distinct; nil for all.
  package func filter(rowIDs: [Int64]?, conditions: [FilterCondition] = []) throws -> PreparedFilter {
    precondition(!connection.isAutocommit, "filters are resolved inside the transaction of the search")
    try refreshToSearch()
    return try preparedFilter(rowIDs: rowIDs, conditions: conditions)
  }

  /// The row ids that a filter answers, ascending, each once.
  /// - Throws: `FilterError`; `SQLiteError`.
  package func rowIDs(_ text: FilterText, timeout: Double? = nil) throws -> (ids: [Int64], isPure: Bool) {
    try withStatement(of: text) { try $0.rowIDs(text.values, timeout: timeout) }
  }

  /// Runs the body with the compiled text, and again when that is out of date.
  func withStatement<Result>(of text: FilterText, _ body: (FilterStatement) throws -> Result) throws -> Result {
    do { return try body(filterStatement(text)) } catch let error as SQLiteError {
      // The table of rows may have another name by now; what is compiled anew finds it.
      guard error.code == SQLITE_ERROR else { throw error }
      filters.statements[FilterText(text.form, text.sql)] = nil
      return try body(filterStatement(text))
    }
  }

  /// Sees that a filter can be compiled.
  /// - Throws: `FilterError`; `SQLiteError`.
  package func check(_ text: FilterText) throws { try filterStatement(text).check(text.values) }

  /// How often rows of an earlier filter were used, and how often a text was run.
  package var filterCounts: (hits: Int, misses: Int) { (filters.hits, filters.misses) }

  private func filterStatement(_ text: FilterText) throws -> FilterStatement {
    let key = FilterText(text.form, text.sql)
    filters.uses += 1
    if let known = filters.statements[key] {
      known.lastUse = filters.uses
      return known
    }
    if filters.statements.count >= FilterMemory.statementLimit,
      let oldest = filters.statements.min(by: { $0.value.lastUse < $1.value.lastUse })
    {
      filters.statements[oldest.key] = nil
    }
    let made = try FilterStatement(text, of: self)
    made.lastUse = filters.uses
    filters.statements[key] = made
    return made
  }

  /// What row sets of this moment are to be compared by; nil when none may be kept: a transaction has written.
  private func filterStamp() throws -> RowSetCache.Stamp? {
    if schema != "main" || connection.isWriting(schema: "main") || connection.isWriting(schema: "temp") { return nil }
    guard let version = connection.dataVersion(schema: "main") else { return nil }
    return RowSetCache.Stamp(main: version, temp: connection.dataVersion(schema: "temp"), state: state)
  }
}
