import VidxIndexes
import VidxSegments
import VidxVectors

extension DeltaCache {
  private static let blockSize = 256

  /// Offers the rows of the delta that pass to `nearest`.
  /// - Parameter passing: the slots of the rows that pass; nil for all rows.
  /// - Throws: `SegmentError.stopped` only.
  /// - Complexity: O(rows that pass x dimensions).
  func search(
    _ query: PreparedQuery, passing: [UInt32]?, stop: SearchStop? = nil, nearest: inout TopK,
    counters: inout SearchCounters
  ) throws(SegmentError) {
    let total = passing?.count ?? slotCount
    if let codes = codes(scanning: total, k: nearest.k) {
      counters.rowsScored += total
      let rows = unsafe SlotRows(floats, stride: stride, rowIDs: rowIDs)
      return try codes.search(query, of: rows, passing: passing, stop: stop, nearest: &nearest, counters: &counters)
    }
    try forEachScore(query, passing: passing, stop, counters: &counters) { score, slot in
      if score <= nearest.threshold { nearest.offer(Hit(score: score, rowID: rowIDs[slot])) }
    }
  }

  /// The k nearest to each of many queries, in their order.
  func search(
    _ queries: [PreparedQuery], k: Int, passing: [UInt32]?, stop: SearchStop?, threads: Int
  ) throws(SegmentError) -> [(hits: [Hit], counters: SearchCounters)] {
    try stop?.check()
    let found = SharedStop.sharing(stop) { stop in
      Parallel.map(queries.count, threads: threads) { i in
        Result { () throws(SegmentError) in
          var nearest = TopK(k: k)
          var counters = SearchCounters()
          try self.search(queries[i], passing: passing, stop: stop, nearest: &nearest, counters: &counters)
          return (hits: nearest.sorted(), counters: counters)
        }
      }
    }
    var answers: [(hits: [Hit], counters: SearchCounters)] = []
    answers.reserveCapacity(found.count)
    for found in found { answers.append(try found.get()) }
    return answers
  }

  /// The scores of all rows that pass, in no order.
  /// - Throws: as `search`.
  func hits(
    _ query: PreparedQuery, passing: [UInt32]?, stop: SearchStop? = nil, counters: inout SearchCounters
  ) throws(SegmentError) -> [Hit] {
    var result: [Hit] = []
    result.reserveCapacity(passing?.count ?? slotCount)
    try forEachScore(query, passing: passing, stop, counters: &counters) { score, slot in
      result.append(Hit(score: score, rowID: rowIDs[slot]))
    }
    return result
  }

  /// Rows scored between two looks whether to go on.
  private static let rowsBetweenLooks = 8_192

  @inline(__always)
  private func forEachScore(
    _ query: PreparedQuery, passing: [UInt32]?, _ stop: SearchStop?, counters: inout SearchCounters,
    _ body: (Float, Int) -> Void
  ) throws(SegmentError) {
    let kernels = VectorKernels(metric)
    let total = passing?.count ?? slotCount
    counters.add(scores: total, rowBytes: stride * MemoryLayout<Float>.stride)
    counters.rowsScored += total
    let isStopped = unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.blockSize) { scores -> Bool in
      guard let out = scores.baseAddress else { return false }
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
        if start % Self.rowsBetweenLooks == 0, stop?.isRequested == true { return true }
      }
      return false
    }
    if isStopped { throw .stopped }
  }
}
