internal import VidxIndexes
internal import VidxSegments
internal import VidxVectors

/// Which rows may be neighbours, resolved for one state of an index: searches of that state use it as it is, any number
/// of them, from any thread. Immutable.
package final class PreparedFilter: Sendable {
  /// Row ids that the filter gave; an id that it gave twice counts once.
  package let rowsYielded: Int
  /// Those of them that are not in the index; nil when nobody looked.
  package let rowsWithoutVector: Int?
  /// It named row ids, of which some may have no vector.
  private let givesRowIDs: Bool
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
    rowsWithoutVector: Int?, givesRowIDs: Bool
  ) {
    self.state = state
    self.givesRowIDs = givesRowIDs
    self.segments = segments.map { Segment(index: $0.index, rows: $0.rows) }
    self.deltaSlots = deltaSlots
    self.rowsYielded = rowsYielded
    self.rowsWithoutVector = rowsWithoutVector
    // Two sets of bits a segment.
    byteCount = segments.reduce(256 + deltaSlots.count * 4) { sum, segment in
      sum + 128 + (segment.index.entryCount + segment.index.vectorCount) / 8
    }
  }

  /// The rows that pass both this and another filter of the same state. Row ids are counted as they were given when
  /// only one of the two gave some; those that both gave are counted where they are in the index.
  /// - Complexity: O(rows / 64), and what `EntryFilter` takes.
  func intersection(_ other: PreparedFilter) throws(SegmentError) -> PreparedFilter {
    precondition(other.state == state, "filters that were prepared for different states of the index")
    var common: [(index: SegmentIndex, rows: EntryFilter)] = []
    for segment in segments {
      guard let others = other.rows(of: segment.index) else { continue }
      let entries = segment.rows.entries.copy()
      entries.formIntersection(others.entries)
      let rows = try EntryFilter(entries, in: segment.index)
      if rows.entryCount > 0 { common.append((segment.index, rows)) }
    }
    let others = Set(other.deltaSlots)
    let slots = deltaSlots.filter(others.contains)
    let passed = common.reduce(slots.count) { $0 + $1.rows.entryCount }
    if givesRowIDs != other.givesRowIDs {
      let given = givesRowIDs ? self : other
      return PreparedFilter(
        state: state, segments: common, deltaSlots: slots, rowsYielded: given.rowsYielded,
        rowsWithoutVector: given.rowsWithoutVector, givesRowIDs: true)
    }
    return PreparedFilter(
      state: state, segments: common, deltaSlots: slots, rowsYielded: passed, rowsWithoutVector: givesRowIDs ? nil : 0,
      givesRowIDs: givesRowIDs)
  }

  /// How many rows of the index pass.
  var passingCount: Int { segments.reduce(deltaSlots.count) { $0 + $1.rows.entryCount } }

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

/// A filter being resolved: segments and delta are asked one by one which of the row ids they have, and which of their
/// rows pass the conditions.
///
/// A class because Swift 6.3.1 fails on a struct that is changed in functions which throw.
final class FilterPreparation {
  private let rowIDs: [Int64]?
  private let conditions: [FilterCondition]
  private let rowRange: ClosedRange<Int64>?
  private var segments: [(index: SegmentIndex, rows: EntryFilter)] = []
  private var deltaSlots: [UInt32] = []
  /// Of the row ids.
  private var found = 0
  /// Of all rows.
  private var passed = 0

  /// - Parameters:
  ///   - rowIDs: ascending and distinct; nil for all rows.
  ///   - conditions: all of which a row must pass.
  ///   - rowRange: of the row ids; nil for all rows.
  init(rowIDs: [Int64]?, conditions: [FilterCondition] = [], rowRange: ClosedRange<Int64>? = nil) {
    self.rowIDs = rowIDs
    self.conditions = conditions
    self.rowRange = rowRange
  }

  /// - Parameter live: the entries that live; nil for all.
  /// - Complexity: O(row ids x log gap), and O(rows / 64); of conditions as `FilterColumns.entries` says;
  ///   O(rows in the range).
  func add(_ index: SegmentIndex, live: RowSet?) throws(SegmentError) {
    guard let set = try entries(of: index, live: live) else { return }
    if rowIDs != nil, !conditions.isEmpty { set.formIntersection(try index.entries(passing: conditions)) }
    if let rowRange, rowIDs != nil || !conditions.isEmpty { set.formIntersection(try index.entries(in: rowRange)) }
    let rows = try EntryFilter(set, in: index)
    if rows.entryCount == 0 { return }
    passed += rows.entryCount
    segments.append((index, rows))
  }

  /// The live entries that the row ids name, or else those that pass the conditions; nil when there are none.
  private func entries(of index: SegmentIndex, live: RowSet?) throws(SegmentError) -> RowSet? {
    guard let rowIDs else {
      // A range alone needs no other set.
      let set =
        if let rowRange, conditions.isEmpty { try index.entries(in: rowRange) } else {
          try index.entries(passing: conditions)
        }
      if let live { set.formIntersection(live) }
      return set
    }
    if rowIDs.isEmpty { return nil }
    let set = RowSet(capacity: index.entryCount)
    let count = unsafe try rowIDs.withUnsafeBufferPointer { (ids) throws(SegmentError) in
      unsafe try index.insertEntries(ofSortedRowIDs: ids, into: set)
    }
    if count == 0 { return nil }
    if let live { set.formIntersection(live) }
    found += live == nil ? count : set.count
    return set
  }

  /// - Complexity: O(min(row ids, delta x log(row ids))).
  func add(_ delta: DeltaCache) {
    guard let rowIDs else {
      deltaSlots = (0..<UInt32(delta.slotCount)).filter { passes($0, of: delta) }
      passed += deltaSlots.count
      return
    }
    if rowIDs.isEmpty { return }
    let passing = delta.rows(among: rowIDs)
    found += passing.count
    let isTested = !conditions.isEmpty || rowRange != nil
    deltaSlots = isTested ? passing.slots.filter { self.passes($0, of: delta) } : passing.slots
  }

  private func passes(_ slot: UInt32, of delta: DeltaCache) -> Bool {
    if let rowRange, !rowRange.contains(delta.rowIDs[Int(slot)]) { return false }
    let values = delta.values[Int(slot)]
    return conditions.allSatisfy { $0.passes(values[$0.column]) }
  }

  func finish(state: IndexState) -> PreparedFilter {
    PreparedFilter(
      state: state, segments: segments, deltaSlots: deltaSlots, rowsYielded: rowIDs?.count ?? passed,
      rowsWithoutVector: rowIDs.map { $0.count - found } ?? 0, givesRowIDs: rowIDs != nil)
  }
}

extension IndexStore {
  /// Resolves row ids and conditions for the state last refreshed to.
  /// - Parameter rowIDs: ascending and distinct; those that are not in the index are counted and ignored. nil for all.
  func preparedFilter(
    rowIDs: [Int64]?, conditions: [FilterCondition] = [], rowRange: ClosedRange<Int64>? = nil
  ) throws -> PreparedFilter {
    try settling {
      let preparation = FilterPreparation(rowIDs: rowIDs, conditions: conditions, rowRange: rowRange)
      for view in views where view.liveCount > 0 { try preparation.add(view.index, live: view.liveSet) }
      if let delta { preparation.add(delta.cache) }
      return preparation.finish(state: state)
    }
  }

  /// So few rows of the segments have row ids in the range that putting them into a set takes less than finding some of
  /// them on the way through all rows.
  func hasFewRows(in range: ClosedRange<Int64>) throws -> Bool {
    try refreshToSearch()
    return try settling {
      let count = try views.reduce(0) { $0 + (try $1.index.entryCount(in: range)) }
      return count <= max(Self.fewRows, views.reduce(0) { $0 + $1.index.entryCount } / Self.fewShare)
    }
  }

  /// An entry takes 1 to 2 ns.
  private static let fewRows = 10_000
  private static let fewShare = 20

  /// The state last refreshed to, delta included.
  var state: IndexState { IndexState(token: delta?.token ?? 0, deltaSerial: delta?.cache.serial ?? 0) }
}
