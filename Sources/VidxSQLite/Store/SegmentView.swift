import VidxIndexes
import VidxSegments
import VidxVectors

/// One segment as one index sees it: the file, less the rows that tombstones kill. Not thread safe.
///
/// Filters handed out are immutable, so a search or stream that runs is not disturbed by later tombstones.
final class SegmentView {
  /// Its id in the manifest.
  let id: Int64
  let fileName: String
  let index: SegmentIndex
  /// Rows that are not dead.
  private(set) var liveCount: Int
  /// The live entries; nil when all live.
  private var live: RowSet?
  private var liveFilter: EntryFilter?

  init(id: Int64, fileName: String, index: SegmentIndex) {
    self.id = id
    self.fileName = fileName
    self.index = index
    liveCount = index.entryCount
  }

  var hasTombstones: Bool { live != nil }

  func isLive(_ entry: Int) -> Bool { live?.contains(entry) ?? true }

  /// Marks an entry as dead. Dead already is no error.
  func kill(_ entry: Int) {
    if live == nil {
      live = RowSet(capacity: index.entryCount, full: true)
    } else if liveFilter != nil {
      live = live?.copy()
    }
    liveFilter = nil
    guard let live, live.contains(entry) else { return }
    live.remove(entry)
    liveCount -= 1
  }

  /// The entry of a row id, if the row lives here.
  func liveEntry(ofRowID rowID: Int64) throws(SegmentError) -> Int? {
    guard let entry = try index.entry(ofRowID: rowID), isLive(entry) else { return nil }
    return entry
  }

  /// The filter that lets the live rows pass; nil when all live.
  func filter() throws -> EntryFilter? {
    guard let live else { return nil }
    if let liveFilter { return liveFilter }
    let filter = try EntryFilter(live, in: index, isOfLiveRows: true)
    liveFilter = filter
    return filter
  }

  /// The live entries, not to be kept: tombstones change them; nil when all live.
  var liveSet: RowSet? { live }

  /// The filter that lets the live rows of an ascending list of row ids pass; nil when there are none here.
  func filter(rowIDs: [Int64]) throws -> EntryFilter? {
    let set = RowSet(capacity: index.entryCount)
    let found = unsafe try rowIDs.withUnsafeBufferPointer { ids in
      unsafe try index.insertEntries(ofSortedRowIDs: ids, into: set)
    }
    if found == 0 { return nil }
    if let live { set.formIntersection(live) }
    let filter = try EntryFilter(set, in: index)
    return filter.entryCount == 0 ? nil : filter
  }

  /// The live entries whose values pass all conditions.
  func liveEntries(passing conditions: [FilterCondition]) throws(SegmentError) -> RowSet {
    let set = try index.entries(passing: conditions)
    if let live { set.formIntersection(live) }
    return set
  }

  /// The entries that live now, as a set that later tombstones do not change.
  func liveEntries() -> RowSet {
    live?.copy() ?? RowSet(capacity: index.entryCount, full: true)
  }
}
