import VidxIndexes
import VidxSegments
import VidxVectors

extension DeltaCache {
  private static let blockSize = 256

  /// Offers the rows of the delta that pass to `nearest`, which may hold others.
  /// - Parameters:
  ///   - passing: the slots of the rows that pass; nil for all rows.
  ///   - mustBeExact: all of them are scored; otherwise those that their codes select, where there are many.
  /// - Throws: `SegmentError.stopped` only.
  /// - Complexity: O(rows that pass x dimensions).
  func search(
    _ query: PreparedQuery, passing: [UInt32]?, mustBeExact: Bool = true, stop: SearchStop? = nil,
    nearest: inout TopK, counters: inout SearchCounters
  ) throws(SegmentError) {
    let total = passing?.count ?? slotCount
    counters.rowsScored += total
    guard !mustBeExact, let codes = codes(scanning: total, k: nearest.k) else {
      return try score(query, passing.map { .some($0) } ?? .run(0..<slotCount), stop, &nearest, &counters)
    }
    // Those without codes first: they are few, and what they are leaves the less of the others to be scored.
    let (coded, others) = split(passing, at: codes.count)
    try score(query, others, stop, &nearest, &counters)
    let rows = unsafe SlotRows(floats, stride: stride, rowIDs: rowIDs)
    try codes.search(query, of: rows, passing: coded, stop: stop, nearest: &nearest, counters: &counters)
  }

  /// Slots whose vectors are scored.
  private enum Slots {
    case run(Range<Int>)
    case some([UInt32])
  }

  /// The slots before a place that pass, nil for all, and the others.
  private func split(_ passing: [UInt32]?, at place: Int) -> (before: [UInt32]?, others: Slots) {
    guard let passing else { return (nil, .run(place..<slotCount)) }
    if place == slotCount { return (passing, .some([])) }
    return (passing.filter { $0 < place }, .some(passing.filter { $0 >= place }))
  }

  private func score(
    _ query: PreparedQuery, _ slots: Slots, _ stop: SearchStop?, _ nearest: inout TopK,
    _ counters: inout SearchCounters
  ) throws(SegmentError) {
    try forEachScore(query, slots, stop, counters: &counters) { score, slot in
      if score <= nearest.threshold { nearest.offer(Hit(score: score, rowID: rowIDs[slot])) }
    }
  }

  /// Of each of many queries, in their order, the k nearest of the delta and of what was found elsewhere.
  /// - Parameter found: for each query, with whether it is exact.
  func search(
    _ queries: [PreparedQuery], k: Int, beside found: [(hits: [Hit], isExact: Bool)], passing: [UInt32]?,
    stop: SearchStop?, threads: Int
  ) throws(SegmentError) -> [(hits: [Hit], counters: SearchCounters)] {
    try stop?.check()
    let nearest = SharedStop.sharing(stop) { stop in
      Parallel.map(queries.count, threads: threads) { i in
        Result { () throws(SegmentError) in
          var nearest = TopK(k: k)
          for hit in found[i].hits { nearest.offer(hit) }
          var counters = SearchCounters()
          try self.search(
            queries[i], passing: passing, mustBeExact: found[i].isExact, stop: stop, nearest: &nearest,
            counters: &counters)
          return (hits: nearest.sorted(), counters: counters)
        }
      }
    }
    var answers: [(hits: [Hit], counters: SearchCounters)] = []
    answers.reserveCapacity(nearest.count)
    for nearest in nearest { answers.append(try nearest.get()) }
    return answers
  }

  /// The scores of all rows that pass, in no order.
  /// - Throws: as `search`.
  func hits(
    _ query: PreparedQuery, passing: [UInt32]?, stop: SearchStop? = nil, counters: inout SearchCounters
  ) throws(SegmentError) -> [Hit] {
    var result: [Hit] = []
    let total = passing?.count ?? slotCount
    result.reserveCapacity(total)
    counters.rowsScored += total
    try forEachScore(query, passing.map { .some($0) } ?? .run(0..<slotCount), stop, counters: &counters) {
      score, slot in result.append(Hit(score: score, rowID: rowIDs[slot]))
    }
    return result
  }

  /// Rows scored between two looks whether to go on.
  private static let rowsBetweenLooks = 8_192

  @inline(__always)
  private func forEachScore(
    _ query: PreparedQuery, _ slots: Slots, _ stop: SearchStop?, counters: inout SearchCounters,
    _ body: (Float, Int) -> Void
  ) throws(SegmentError) {
    let kernels = VectorKernels(metric)
    let total =
      switch slots {
      case .run(let run): run.count
      case .some(let slots): slots.count
      }
    counters.add(scores: total, rowBytes: stride * MemoryLayout<Float>.stride)
    let isStopped = unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.blockSize) { scores -> Bool in
      guard let out = scores.baseAddress else { return false }
      let base = unsafe floats
      var start = 0
      while start < total {
        let count = min(Self.blockSize, total - start)
        switch slots {
        case .some(let slots):
          unsafe slots.withUnsafeBufferPointer { ids in
            guard let ids = ids.baseAddress else { return }
            unsafe kernels.ids(query.floats, base, stride, ids + start, count, stride, out)
          }
          for i in 0..<count { unsafe body(out[i], Int(slots[start + i])) }
        case .run(let run):
          let first = run.lowerBound + start
          unsafe kernels.rows(query.floats, base + first * stride, stride, count, stride, out)
          for i in 0..<count { unsafe body(out[i], first + i) }
        }
        start += count
        if start % Self.rowsBetweenLooks == 0, stop?.isRequested == true { return true }
      }
      return false
    }
    if isStopped { throw .stopped }
  }
}
