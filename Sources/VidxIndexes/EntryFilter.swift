package import VidxSegments
package import VidxVectors

/// The rows of one segment that a search may return, and their vectors. Immutable once made, but for what is counted
/// when the first search by lists needs it; any thread may read.
@safe package final class EntryFilter: @unchecked Sendable {
  // @unchecked: made by one owner, then only read; the counts have a lock.

  /// The passing entries.
  package let entries: RowSet
  package let entryCount: Int
  /// The vectors that have a passing entry.
  let ordinals: RowSet
  let ordinalCount: Int
  /// Nobody asked for a filter: all rows pass but the dead.
  let isOfLiveRows: Bool
  private let lists: IVFLists?
  private let knownLists = Locked<PassingLists?>(nil)

  /// - Parameter entries: a set over the segment's entries; the filter keeps it, so do not change it afterwards.
  /// - Complexity: O(entryCount / 64), plus O(passing rows) where rows share vectors.
  package init(_ entries: RowSet, in index: SegmentIndex, isOfLiveRows: Bool = false) throws(SegmentError) {
    self.isOfLiveRows = isOfLiveRows
    lists = index.lists
    precondition(entries.capacity == index.entryCount, "\(entries.capacity) bits for \(index.entryCount) entries")
    self.entries = entries
    entryCount = entries.count
    guard index.rows.hasSharedVectors else {
      ordinals = entries
      ordinalCount = entryCount
      return
    }
    let set = RowSet(capacity: index.vectorCount)
    try index.rows.insertOrdinals(of: entries, count: entryCount, into: set)
    ordinals = set
    ordinalCount = set.count
  }

  /// As `entries.contains`, for loops: what another module has is not inlined.
  @inline(__always)
  func passes(_ entry: Int) -> Bool {
    precondition(entry >= 0 && entry < entries.capacity, "entry \(entry) outside 0..<\(entries.capacity)")
    return unsafe entries.words[entry >> 6] >> UInt64(entry & 63) & 1 != 0
  }

  /// What of each list passes; nil without lists.
  /// - Throws: when the starts of the lists are damaged, which only searches by lists read.
  /// - Complexity: O(vectors / 64 + lists) the first time.
  func passingLists() throws(SegmentError) -> PassingLists? {
    if let known = knownLists.withLock({ $0 }) { return known }
    let passing = try lists?.passing(ordinals)
    knownLists.withLock { $0 = passing }
    return passing
  }
}
