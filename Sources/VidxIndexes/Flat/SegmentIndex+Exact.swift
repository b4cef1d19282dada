package import VidxSegments
package import VidxVectors

extension SegmentIndex {
  /// Scores every passing row and returns the k nearest. Exact.
  ///
  /// Bound by memory: each distinct vector that passes is read once, in order; where there are codes with bounds that
  /// hold always, its code is, and few vectors.
  /// - Complexity: O(passing vectors x dimensions).
  package func searchExact(
    _ query: PreparedQuery, k: Int, filter: EntryFilter? = nil, stop: SearchStop? = nil,
    counters: inout SearchCounters
  ) throws(SegmentError) -> [Hit] {
    unsafe try collect(k: k) { (hits) throws(SegmentError) in
      unsafe try searchExact(query, k: k, filter: filter, stop: stop, into: hits, counters: &counters)
    }
  }

  /// The same into the caller's memory.
  /// - Parameter hits: room for k, or for all rows.
  /// - Returns: how many there are.
  package func searchExact(
    _ query: PreparedQuery, k: Int, filter: EntryFilter? = nil, stop: SearchStop? = nil,
    into hits: UnsafeMutablePointer<Hit>, counters: inout SearchCounters
  ) throws(SegmentError) -> Int {
    if k <= 0 || vectorCount == 0 { return 0 }
    let scratch = self.scratch.take(stop)
    defer { self.scratch.give(scratch) }
    let passing = filter?.ordinalCount ?? vectorCount
    if coded.areBoundsCertain, !ScoreCosts.areVectorsCheaper(self, passing: passing, k: k) {
      let scan = CodedScan(self, query, scratch.queryOfCodes, scratch.scan, k: k, filter: filter, mustBeExact: true)
      _ = try scan.scan(0..<vectorCount, scratch)
      counters.rowsScored += filter?.entryCount ?? entryCount
      return unsafe try scan.finish(into: hits, scratch, &counters)
    }
    scratch.nearest.reset(k: k)
    if let filter, filter.ordinalCount < vectorCount {
      try scanPassing(query, filter, scratch, &scratch.nearest, &counters)
    } else {
      try scanAll(query, filter, scratch, &scratch.nearest, &counters)
    }
    return unsafe scratch.nearest.move(to: hits)
  }

  private func scanAll(
    _ query: PreparedQuery, _ filter: EntryFilter?, _ scratch: SearchScratch, _ nearest: inout TopK,
    _ counters: inout SearchCounters
  ) throws(SegmentError) {
    let stride = configuration.stride
    let block = SearchScratch.blockCapacity
    let floats = unsafe query.floats
    let base = unsafe vectors.floats
    let scores = unsafe scratch.scores
    var start = 0
    while start < vectorCount {
      let count = min(block, vectorCount - start)
      try scratch.scored(count)
      if !vectors.isVerified { try vectors.verify(start * stride * 4..<(start + count) * stride * 4) }
      unsafe kernels.rows(floats, base + start * stride, stride, count, stride, scores)
      var threshold = nearest.threshold
      var i = 0
      while i < count {
        if unsafe scores[i] <= threshold {
          unsafe try offer(start &+ i, scores[i], filter, &nearest)
          threshold = nearest.threshold
        }
        i &+= 1
      }
      start += count
    }
    counters.add(scores: vectorCount, rowBytes: configuration.vectorBytes)
    counters.rowsScored += filter?.entryCount ?? entryCount
  }

  private func scanPassing(
    _ query: PreparedQuery, _ filter: EntryFilter, _ scratch: SearchScratch, _ nearest: inout TopK,
    _ counters: inout SearchCounters
  ) throws(SegmentError) {
    var rest = 0..<vectorCount
    while true {
      let count = unsafe filter.ordinals.copyMembers(of: &rest, to: scratch.ids, limit: SearchScratch.blockCapacity)
      if count == 0 { break }
      try scoreBlock(query, count, filter, scratch, &nearest)
    }
    counters.add(scores: filter.ordinalCount, rowBytes: configuration.vectorBytes)
    counters.rowsScored += filter.entryCount
  }

  private func scoreBlock(
    _ query: PreparedQuery, _ count: Int, _ filter: EntryFilter, _ scratch: SearchScratch, _ nearest: inout TopK
  ) throws(SegmentError) {
    try scratch.scored(count)
    unsafe try scoreBlock(query, scratch.ids, count, scratch.scores)
    let (ids, scores) = unsafe (scratch.ids, scratch.scores)
    var threshold = nearest.threshold
    for i in 0..<count where unsafe scores[i] <= threshold {
      try unsafe offer(Int(ids[i]), scores[i], filter, &nearest)
      threshold = nearest.threshold
    }
  }

  /// Offers the passing rows of one vector.
  func offer(
    _ ordinal: Int, _ score: Float, _ filter: EntryFilter?, _ nearest: inout TopK
  ) throws(SegmentError) {
    var taken = 0
    for entry in try rows.entries(ordinal: ordinal) {
      if let filter, !filter.passes(entry) { continue }
      nearest.offer(Hit(score: score, rowID: try rows.rowID(entry: entry)))
      taken += 1
      // Entries of one vector ascend by row id: more than k of them cannot matter.
      if taken == nearest.k { return }
    }
  }
}
