package import VidxIndexes
internal import VidxSegments

/// A filter for the searches of one `IndexReader`, to be used again by any of them, on any thread. What it lets pass is
/// resolved when a search needs it, and again when that is no longer right.
package final class ReaderFilter: Sendable {
  package enum Source: Sendable {
    case text(FilterText)
    /// Ascending, each once.
    case rowIDs([Int64])
    /// Tests of filter columns, all of which a row must pass.
    case conditions([NamedCondition])
  }

  /// What a search is made with.
  package struct Resolved: Sendable {
    package let snapshot: IndexSnapshot
    package let filter: PreparedFilter
    /// Resolved for an earlier search.
    package let isCached: Bool

    init(snapshot: IndexSnapshot, filter: PreparedFilter, isCached: Bool) {
      self.snapshot = snapshot
      self.filter = filter
      self.isCached = isCached
    }

    init(_ resolved: ResolvedFilter, _ snapshot: IndexSnapshot) {
      self.init(snapshot: snapshot, filter: resolved.filter, isCached: resolved.isCached)
    }
  }

  package let source: Source
  private let last: Locked<(version: UInt64, filter: PreparedFilter)?>

  package init(_ text: FilterText) {
    source = .text(text)
    last = Locked(nil)
  }

  /// - Parameter rowIDs: in any order.
  package init(rowIDs: [Int64]) {
    source = .rowIDs(RowIDs.ascending(rowIDs))
    last = Locked(nil)
  }

  package init(_ conditions: [NamedCondition]) {
    source = .conditions(conditions)
    last = Locked(nil)
  }

  /// What was resolved for this version of the index.
  func kept(_ version: UInt64) -> PreparedFilter? {
    last.withLock { last in
      guard let last, last.version == version else { return nil }
      return last.filter
    }
  }

  func keep(_ filter: PreparedFilter, _ version: UInt64) { last.withLock { $0 = (version, filter) } }

  /// - Parameter run: answers the row ids of a text, and whether they can be kept.
  func rowIDs(_ run: (FilterText) throws -> (ids: [Int64], isPure: Bool)) throws -> (ids: [Int64], isPure: Bool) {
    switch source {
    case .rowIDs(let ids): (ids, true)
    case .conditions: preconditionFailure("conditions are tested in segments and delta, and give no row ids")
    case .text(let text): try run(text)
    }
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
