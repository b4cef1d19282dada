package import VidxIndexes

/// What a search of a snapshot did, or those of a batch together.
package struct SearchReport: Sendable, Equatable {
  package private(set) var plan = StorePlan.exact
  package var counters = SearchCounters()
  /// nil without a filter.
  package var filter: FilterReport?
  /// k rows were found, or all that pass when they are fewer.
  package private(set) var complete = true
  /// No row that passes is nearer than those found.
  package var exact: Bool { plan == .exact }

  package init() {}

  init(_ filter: PreparedFilter?) {
    if let filter { self.filter = FilterReport(filter) }
  }

  /// Only so many of k rows were within the distance asked for: an approximate search may have missed others.
  mutating func cut(to count: Int, k: Int) { complete = complete && (exact || count == k) }

  /// Takes over how a segment was searched: one that is not exact makes the whole so.
  mutating func add(_ plan: SegmentPlan) {
    if plan != .exact { self.plan = StorePlan(plan, isFiltered: filter != nil) }
  }
}
