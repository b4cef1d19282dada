import VidxSegments
import VidxVectors

extension SegmentIndex {
  /// `searchExact` for many queries: each block of vectors is read once for all of them.
  func searchExact(
    _ queries: [PreparedQuery], k: Int, filter: EntryFilter?
  ) throws(SegmentError) -> [BatchAnswer] {
    // From the cache, bytes are scored faster than products are made; other codes are not.
    if coded.codec == .int8 {
      let scratch = self.scratch.take()
      defer { self.scratch.give(scratch) }
      let scans = scans(of: queries, k: k, filter: filter, mustBeExact: true)
      try scan(0..<vectorCount, scans, queries.indices.map { UInt32($0) }, scratch)
      var answers: [BatchAnswer] = []
      for scan in scans {
        var counters = SearchCounters()
        counters.rowsScored = filter?.entryCount ?? entryCount
        let hits = try scan.finish(scratch, &counters)
        answers.append(BatchAnswer(answer: SegmentAnswer(hits: hits, plan: .exact), counters: counters))
      }
      return answers
    }
    let tile = QueryTile(self, queries, k: k, filter: filter)
    try tile.score(0..<vectorCount, nil)
    var counters = SearchCounters()
    counters.distanceComputations = filter?.ordinalCount ?? vectorCount
    counters.rowsScored = filter?.entryCount ?? entryCount
    return tile.nearest.map { nearest in
      BatchAnswer(answer: SegmentAnswer(hits: nearest.sorted(), plan: .exact), counters: counters)
    }
  }
}
