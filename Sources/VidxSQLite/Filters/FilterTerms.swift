package import VidxIndexes

/// What a filter asks of a row: all of its terms hold. Without terms every row passes.
package struct FilterTerms: Sendable {
  /// In SQL.
  package private(set) var texts: [FilterText] = []
  /// Ascending, each once; nil for all rows.
  package private(set) var rowIDs: [Int64]?
  /// Tests of filter columns.
  package private(set) var conditions: [NamedCondition] = []

  package init() {}
  package init(_ text: FilterText) { texts = [text] }
  /// - Parameter rowIDs: in any order.
  package init(rowIDs: [Int64]) { self.rowIDs = RowIDs.ascending(rowIDs) }
  package init(_ conditions: [NamedCondition]) { self.conditions = conditions }

  package var isEmpty: Bool { texts.isEmpty && rowIDs == nil && conditions.isEmpty }

  /// Takes over the terms of another filter, which are to hold as well.
  package mutating func add(_ other: FilterTerms) {
    // What is asked twice is asked once.
    texts += other.texts.filter { !texts.contains($0) }
    if let ids = other.rowIDs { rowIDs = rowIDs.map { RowIDs.common($0, ids) } ?? ids }
    conditions += other.conditions
  }
}

/// A test of a filter column that is found by its name, in each state of the index anew: an index of the same name may
/// be another one by then.
package struct NamedCondition: Sendable {
  /// In any case.
  package var column: String
  package var test: FilterCondition.Test

  package init(_ column: String, _ test: FilterCondition.Test) {
    self.column = column
    self.test = test
  }
}

extension IndexStore {
  /// Conditions with their columns found.
  /// - Throws: `StoreError.noFilterColumn`; `SQLiteError`.
  package func filterConditions(_ conditions: [NamedCondition]) throws -> [FilterCondition] {
    if conditions.isEmpty { return [] }
    let textOrder = try textOrder()
    return try conditions.map { condition in
      guard let column = definition.filterColumns.position(of: condition.column) else {
        throw StoreError.noFilterColumn(
          index: table, column: condition.column, known: definition.filterColumns.map(\.name))
      }
      return FilterCondition(column, condition.test, textOrder: textOrder)
    }
  }
}
