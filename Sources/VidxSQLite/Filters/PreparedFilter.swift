internal import VidxIndexes
internal import VidxSegments
internal import VidxVectors

/// Which rows may be neighbours, resolved for one state of an index: searches of that state use it as it is, any number
/// of them, from any thread. Immutable.
package final class PreparedFilter: Sendable {
  /// Row ids that the filter gave; an id that it gave twice counts once.
  package let rowsYielded: Int
  /// Those of them that are not in the index.
  package let rowsWithoutVector: Int
  /// What it takes in memory.
  package let byteCount: Int
  let state: IndexState
  /// The segments that have passing rows.
  private let segments: [Segment]
  /// The slots of the delta whose rows pass, in the order of their row ids; a zero vector has none.
  let deltaSlots: [UInt32]

  private struct Segment {
    let index: SegmentIndex
    let rows: EntryFilter
  }

  init(
    state: IndexState, segments: [(index: SegmentIndex, rows: EntryFilter)], deltaSlots: [UInt32], rowsYielded: Int,
    rowsWithoutVector: Int
  ) {
    self.state = state
    self.segments = segments.map { Segment(index: $0.index, rows: $0.rows) }
    self.deltaSlots = deltaSlots
    self.rowsYielded = rowsYielded
    self.rowsWithoutVector = rowsWithoutVector
    // Two sets of bits a segment.
    byteCount = segments.reduce(256 + deltaSlots.count * 4) { sum, segment in
      sum + 128 + (segment.index.entryCount + segment.index.vectorCount) / 8
    }
  }

  /// The live rows of a segment that pass; nil when there are none.
  func rows(of index: SegmentIndex) -> EntryFilter? {
    for segment in segments where segment.index === index { return segment.rows }
    return nil
  }
}

/// One state of an index in memory: what a `PreparedFilter` is made for.
struct IndexState: Equatable, Sendable {
  /// Of the revision.
  var token: UInt64
  /// Of the delta in memory: read anew, its rows lie elsewhere.
  var deltaSerial: UInt64
}

/// A filter being resolved: segments and delta are asked one by one which of the row ids they have.
///
/// A class because Swift 6.3.1 fails on a struct that is changed in functions which throw.
final class FilterPreparation {
  private let rowIDs: [Int64]
  private var segments: [(index: SegmentIndex, rows: EntryFilter)] = []
  private var deltaSlots: [UInt32] = []
  private var found = 0

  /// - Parameter rowIDs: ascending and distinct.
  init(rowIDs: [Int64]) { self.rowIDs = rowIDs }

  /// - Parameter live: the entries that live; nil for all.
  /// - Complexity: O(row ids x log gap), and O(rows / 64).
  func add(_ index: SegmentIndex, live: RowSet?) throws(SegmentError) {
    if rowIDs.isEmpty { return }
    let set = RowSet(capacity: index.entryCount)
    let count = unsafe try rowIDs.withUnsafeBufferPointer { (ids) throws(SegmentError) in
      unsafe try index.insertEntries(ofSortedRowIDs: ids, into: set)
    }
    if count == 0 { return }
    if let live { set.formIntersection(live) }
    let rows = try EntryFilter(set, in: index)
    if rows.entryCount == 0 { return }
    found += rows.entryCount
    segments.append((index, rows))
  }

  /// - Complexity: O(min(row ids, delta x log(row ids))).
  func add(_ delta: DeltaCache) {
    if rowIDs.isEmpty { return }
    let passing = delta.rows(among: rowIDs)
    found += passing.count
    deltaSlots = passing.slots
  }

  func finish(state: IndexState) -> PreparedFilter {
    PreparedFilter(
      state: state, segments: segments, deltaSlots: deltaSlots, rowsYielded: rowIDs.count,
      rowsWithoutVector: rowIDs.count - found)
  }
}

extension IndexStore {
  /// Resolves row ids for the state last refreshed to.
  /// - Parameter rowIDs: ascending and distinct; those that are not in the index are counted and ignored.
  func preparedFilter(rowIDs: [Int64]) throws -> PreparedFilter {
    try settling {
      let preparation = FilterPreparation(rowIDs: rowIDs)
      for view in views where view.liveCount > 0 { try preparation.add(view.index, live: view.liveSet) }
      if let delta { preparation.add(delta.cache) }
      return preparation.finish(state: state)
    }
  }

  /// The state last refreshed to, delta included.
  var state: IndexState { IndexState(token: delta?.token ?? 0, deltaSerial: delta?.cache.serial ?? 0) }
}
