import VidxIndexes
import VidxVectors

extension DeltaCache {
  private static let blockSize = 256

  /// Offers the rows of the delta that pass to `nearest`.
  /// - Parameter filter: ascending row ids; nil for all rows.
  /// - Complexity: O(rows that pass x dimensions); with a filter also O(min(filter log delta, delta log filter)).
  func search(_ query: PreparedQuery, filter: [Int64]?, nearest: inout TopK, counters: inout SearchCounters) {
    forEachScore(query, filter: filter, counters: &counters) { score, slot in
      if score <= nearest.threshold { nearest.offer(Hit(score: score, rowID: rowIDs[slot])) }
    }
  }

  /// The scores of all rows that pass, in no order.
  func hits(_ query: PreparedQuery, filter: [Int64]?, counters: inout SearchCounters) -> [Hit] {
    var result: [Hit] = []
    result.reserveCapacity(filter.map { min($0.count, slotCount) } ?? slotCount)
    forEachScore(query, filter: filter, counters: &counters) { score, slot in
      result.append(Hit(score: score, rowID: rowIDs[slot]))
    }
    return result
  }

  @inline(__always)
  private func forEachScore(
    _ query: PreparedQuery, filter: [Int64]?, counters: inout SearchCounters, _ body: (Float, Int) -> Void
  ) {
    let kernels = VectorKernels(metric)
    let passing = filter.map(passingSlots)
    let total = passing?.count ?? slotCount
    counters.add(scores: total, rowBytes: stride * MemoryLayout<Float>.stride)
    counters.rowsScored += total
    unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.blockSize) { scores in
      guard let out = scores.baseAddress else { return }
      let base = unsafe floats
      var start = 0
      while start < total {
        let count = min(Self.blockSize, total - start)
        if let passing {
          unsafe passing.withUnsafeBufferPointer { ids in
            guard let ids = ids.baseAddress else { return }
            unsafe kernels.ids(query.floats, base, stride, ids + start, count, stride, out)
          }
          for i in 0..<count { unsafe body(out[i], Int(passing[start + i])) }
        } else {
          unsafe kernels.rows(query.floats, base + start * stride, stride, count, stride, out)
          for i in 0..<count { unsafe body(out[i], start + i) }
        }
        start += count
      }
    }
  }

  /// The slots of the rows that are in an ascending list of row ids.
  private func passingSlots(_ filter: [Int64]) -> [UInt32] {
    if filter.count <= slotCount { return filter.compactMap(slot(of:)) }
    return rowIDs.indices.filter { Self.contains(rowIDs[$0], in: filter) }.map(UInt32.init)
  }

  private static func contains(_ rowID: Int64, in sorted: [Int64]) -> Bool {
    var low = 0
    var high = sorted.count
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle] < rowID { low = middle + 1 } else { high = middle }
    }
    return low < sorted.count && sorted[low] == rowID
  }
}
