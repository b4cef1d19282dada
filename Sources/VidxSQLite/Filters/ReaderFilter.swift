internal import VidxSegments

/// A filter for the searches of one `IndexReader`, to be used again by any of them, on any thread. What it lets pass is
/// resolved when a search needs it, and again when that is no longer right.
package final class ReaderFilter: Sendable {
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

  package let terms: FilterTerms
  private let last = Locked<(version: UInt64, filter: PreparedFilter)?>(nil)

  package init(_ terms: FilterTerms) { self.terms = terms }
  package convenience init(_ text: FilterText) { self.init(FilterTerms(text)) }
  package convenience init(rowIDs: [Int64]) { self.init(FilterTerms(rowIDs: rowIDs)) }
  package convenience init(_ conditions: [NamedCondition]) { self.init(FilterTerms(conditions)) }

  /// What was resolved for this version of the index.
  func kept(_ version: UInt64) -> PreparedFilter? {
    last.withLock { last in
      guard let last, last.version == version else { return nil }
      return last.filter
    }
  }

  func keep(_ filter: PreparedFilter, _ version: UInt64) { last.withLock { $0 = (version, filter) } }
}
