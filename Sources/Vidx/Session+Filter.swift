internal import VidxSQLite

/// The rows that a filter lets pass, resolved for the state of the snapshot that is open: for any number of searches
/// within it.
package struct ResolvedRows {
  /// nil for all rows.
  let filter: PreparedFilter?
  /// An earlier search's rows were still right.
  let isCached: Bool
  /// What resolving took.
  package let duration: Duration
}

extension Session {
  /// Resolves a filter, inside `snapshot`.
  /// - Parameter timeout: seconds that a condition may take; nil for any time.
  package func resolve(
    _ filter: RowFilter, index: String, timeout: Double? = nil
  ) throws(VidxError) -> ResolvedRows {
    let store = try store(index)
    let clock = ContinuousClock()
    let start = clock.now
    let terms = try terms(of: filter, for: store)
    if terms.isEmpty { return ResolvedRows(filter: nil, isCached: false, duration: clock.now - start) }
    let resolved = try wrappingErrors { try store.filter(terms, timeout: timeout) }
    return ResolvedRows(filter: resolved.filter, isCached: resolved.isCached, duration: clock.now - start)
  }

  /// What a filter asks of the rows of an index.
  /// - Throws: `.badOption` for a filter column that the index does not have.
  func terms(of filter: RowFilter, for store: IndexStore) throws(VidxError) -> FilterTerms {
    var terms = FilterTerms()
    for part in filter.parts {
      switch part {
      case .all, .allOf: break
      case .ids(let ids): terms.add(FilterTerms(rowIDs: ids))
      case .columns(let conditions):
        for condition in conditions { _ = try filterColumn(condition.column, of: store) }
        terms.add(FilterTerms(conditions.map { NamedCondition($0.column, $0.test.filterTest) }))
      case .where(let condition, let parameters):
        terms.add(FilterTerms(FilterText(.conditionOfRows, condition, parameters.map { FilterValue($0) })))
      case .idsFrom(let sql, let parameters):
        terms.add(FilterTerms(FilterText(.select, sql, parameters.map { FilterValue($0) })))
      }
    }
    return terms
  }

  /// The row ids of the index that pass a filter, ascending, and those without a vector that SQL gives.
  package func rowIDs(_ filter: RowFilter, index: String, timeout: Double? = nil) throws(VidxError) -> [Int64] {
    let store = try store(index)
    let terms = try terms(of: filter, for: store)
    return try wrappingErrors { try store.rowIDs(terms, timeout: timeout) }
  }
}

extension RowFilter {
  /// The filters that all are to hold, none of them an `allOf`.
  var parts: [RowFilter] {
    guard case .allOf(let filters) = self else { return [self] }
    return filters.flatMap(\.parts)
  }

  /// SQLite has to be asked which rows pass.
  var isInSQL: Bool {
    parts.contains { part in
      switch part {
      case .where, .idsFrom: true
      case .all, .allOf, .ids, .columns: false
      }
    }
  }
}

extension FilterValue {
  fileprivate init(_ value: Value) {
    self =
      switch value {
      case .null: .null
      case .integer(let integer): .integer(integer)
      case .real(let real): .real(real)
      case .text(let text): .text(text)
      case .blob(let bytes): .blob(bytes)
      }
  }
}
