import VidxIndexes
import VidxVectors

extension DeltaCache {
  private static let blockSize = 256

  /// Offers the rows of the delta that pass to `nearest`.
  /// - Parameter passing: the slots of the rows that pass; nil for all rows.
  /// - Complexity: O(rows that pass x dimensions).
  func search(_ query: PreparedQuery, passing: [UInt32]?, nearest: inout TopK, counters: inout SearchCounters) {
    forEachScore(query, passing: passing, counters: &counters) { score, slot in
      if score <= nearest.threshold { nearest.offer(Hit(score: score, rowID: rowIDs[slot])) }
    }
  }

  /// The scores of all rows that pass, in no order.
  func hits(_ query: PreparedQuery, passing: [UInt32]?, counters: inout SearchCounters) -> [Hit] {
    var result: [Hit] = []
    result.reserveCapacity(passing?.count ?? slotCount)
    forEachScore(query, passing: passing, counters: &counters) { score, slot in
      result.append(Hit(score: score, rowID: rowIDs[slot]))
    }
    return result
  }

  @inline(__always)
  private func forEachScore(
    _ query: PreparedQuery, passing: [UInt32]?, counters: inout SearchCounters, _ body: (Float, Int) -> Void
  ) {
    let kernels = VectorKernels(metric)
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
}
