internal import VidxIndexes
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
    let (prepared, isCached) = try prepared(filter, of: store, timeout: timeout)
    return ResolvedRows(filter: prepared, isCached: isCached, duration: clock.now - start)
  }

  private func prepared(
    _ filter: RowFilter, of store: IndexStore, timeout: Double?
  ) throws(VidxError) -> (filter: PreparedFilter?, isCached: Bool) {
    switch filter {
    case .all: return (nil, false)
    case .ids(let ids):
      return (try wrappingErrors { try store.filter(rowIDs: Self.ascending(ids)) }, false)
    case .columns(let conditions) where conditions.isEmpty: return (nil, false)
    case .columns(let conditions):
      let conditions = try filterConditions(conditions, of: store)
      return (try wrappingErrors { try store.filter(rowIDs: nil, conditions: conditions) }, false)
    case .where, .idsFrom:
      guard let text = filter.text else { preconditionFailure("a filter in SQL without its text") }
      let resolved = try wrappingErrors { try store.filter(text, timeout: timeout) }
      return (resolved.filter, resolved.isCached)
    }
  }

  /// The row ids that a filter in SQL answers, ascending and distinct; nil for other filters.
  package func rowIDs(_ filter: RowFilter, index: String) throws(VidxError) -> [Int64]? {
    guard let text = filter.text else { return nil }
    let store = try store(index)
    return try wrappingErrors { try store.rowIDs(text).ids }
  }

  static func ascending(_ ids: [Int64]) -> [Int64] {
    var result: [Int64] = []
    result.reserveCapacity(ids.count)
    for id in ids.sorted() where result.last != id { result.append(id) }
    return result
  }
}

extension RowFilter {
  /// The filter as SQL; nil when it is none.
  var text: FilterText? {
    switch self {
    case .all, .ids, .columns: nil
    case .where(let condition, let parameters):
      FilterText(.conditionOfRows, condition, parameters.map { FilterValue($0) })
    case .idsFrom(let sql, let parameters): FilterText(.select, sql, parameters.map { FilterValue($0) })
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
