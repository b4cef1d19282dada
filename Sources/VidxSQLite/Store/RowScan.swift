package import VidxIndexes
import VidxSegments
import VidxVectors

/// The live rows of an index, ascending by row id. Belongs to one reader; sees the state in which it was made.
package final class RowScan {
  private struct Lane {
    let view: SegmentView
    let live: RowSet?
    /// The rows to come, by row id, where they are few; nil when all are walked through.
    let chosen: [(rowID: Int64, entry: Int)]?
    var position = 0
    var head: (rowID: Int64, entry: Int)?
  }

  private let store: IndexStore
  private var lanes: [Lane]
  private let deltaIDs: [Int64]
  private var deltaPosition = 0

  /// - Parameters:
  ///   - deltaIDs: ascending.
  ///   - first: the scan starts at this row id.
  ///   - conditions: which rows of segments come.
  init(_ store: IndexStore, deltaIDs: [Int64], from first: Int64, conditions: [FilterCondition]) throws {
    self.store = store
    self.deltaIDs = deltaIDs
    lanes = []
    for view in store.views {
      if !conditions.isEmpty {
        try add(view, from: first, conditions)
        continue
      }
      let live = try store.settling { try view.filter()?.entries }
      let position = try store.settling { try view.index.sortedPosition(ofFirstFrom: first) }
      lanes.append(Lane(view: view, live: live, chosen: nil, position: position))
      try advance(lanes.count - 1)
    }
  }

  /// From so many rows of a segment on it is quicker to walk through all than to sort those that pass.
  private static let walkedShare = 8

  private func add(_ view: SegmentView, from first: Int64, _ conditions: [FilterCondition]) throws {
    let live = try store.settling { try view.liveEntries(passing: conditions) }
    if live.count > view.index.entryCount / Self.walkedShare {
      let position = try store.settling { try view.index.sortedPosition(ofFirstFrom: first) }
      lanes.append(Lane(view: view, live: live, chosen: nil, position: position))
    } else {
      var chosen: [(rowID: Int64, entry: Int)] = []
      try store.settling {
        try live.forEach { entry in
          let rowID = try view.index.rowID(ofEntry: entry)
          if rowID >= first { chosen.append((rowID, entry)) }
        }
      }
      chosen.sort { $0.rowID < $1.rowID }
      lanes.append(Lane(view: view, live: nil, chosen: chosen))
    }
    try advance(lanes.count - 1)
  }

  /// The next row id, and where its vector is.
  func nextPlace() throws -> (rowID: Int64, place: Place)? {
    var best: (lane: Int, rowID: Int64)?
    for (i, lane) in lanes.enumerated() {
      guard let head = lane.head else { continue }
      if head.rowID < best?.rowID ?? .max || best == nil { best = (i, head.rowID) }
    }
    if deltaPosition < deltaIDs.count, best.map({ deltaIDs[deltaPosition] < $0.rowID }) ?? true {
      deltaPosition += 1
      return (deltaIDs[deltaPosition - 1], .delta)
    }
    guard let best, let head = lanes[best.lane].head else { return nil }
    let view = lanes[best.lane].view
    try advance(best.lane)
    return (head.rowID, .segment(view, entry: head.entry))
  }

  /// The next row id; nil at the end.
  package func next() throws -> Int64? { try nextPlace()?.rowID }

  /// The next row with its vector; nil at the end.
  package func nextRow() throws -> (rowID: Int64, vector: [Float])? {
    guard let (rowID, place) = try nextPlace() else { return nil }
    return (rowID, try store.vector(rowID, at: place))
  }

  private func advance(_ i: Int) throws {
    if let chosen = lanes[i].chosen {
      let position = lanes[i].position
      lanes[i].head = position < chosen.count ? chosen[position] : nil
      lanes[i].position = position + 1
      return
    }
    lanes[i].head = try store.settling {
      let index = lanes[i].view.index
      while lanes[i].position < index.entryCount {
        let row = try index.sortedRow(lanes[i].position)
        lanes[i].position += 1
        if lanes[i].live?.contains(row.entry) ?? true { return row }
      }
      return nil
    }
  }
}

extension IndexStore {
  /// The live rows from a row id on that pass all conditions, ascending. Vectors are read as they are asked for, in the
  /// caller's read transaction.
  package func scan(from first: Int64 = .min, conditions: [FilterCondition] = []) throws -> RowScan {
    try refresh(includingDelta: false) { _ in
      let ids = try deltaIDs(passing: conditions)
      return try RowScan(self, deltaIDs: Array(ids.drop { $0 < first }), from: first, conditions: conditions)
    }
  }

  /// The row ids of the delta that pass, ascending.
  private func deltaIDs(passing conditions: [FilterCondition]) throws -> [Int64] {
    let statement = try tables.statement(conditions.isEmpty ? .deltaIDs : .deltaIDsAndValues)
    defer { statement.reset() }
    var ids: [Int64] = []
    while try statement.step() {
      guard conditions.allSatisfy({ $0.passes(statement.columnValue(Int32(1 + $0.column))) }) else { continue }
      ids.append(statement.int64(0))
    }
    return RowIDs.ascending(ids)
  }
}

extension SegmentIndex {
  /// The position of the smallest row id that is not below `first`, in the order of `sortedRow`.
  /// - Complexity: O(log rows).
  fileprivate func sortedPosition(ofFirstFrom first: Int64) throws(SegmentError) -> Int {
    var (low, high) = (0, entryCount)
    while low < high {
      let middle = (low + high) / 2
      if try sortedRow(middle).rowID < first { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
