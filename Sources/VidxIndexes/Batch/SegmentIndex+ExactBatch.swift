import VidxSegments
import VidxVectors

extension SegmentIndex {
  /// `searchExact` for many queries: each block of vectors is read once for all of them.
  func searchExact(
    _ queries: [PreparedQuery], k: Int, filter: EntryFilter?
  ) throws(SegmentError) -> [BatchAnswer] {
    // In blocks, codes are scored faster than products of vectors are made; in rows they are not.
    if coded.areBoundsCertain, unsafe coded.kernels.blocks != nil {
      let scratch = self.scratch.take()
      defer { self.scratch.give(scratch) }
      let batch = scans(of: queries, k: k, filter: filter, mustBeExact: true)
      try batch.scan(0..<vectorCount, nil, scratch)
      var answers: [BatchAnswer] = []
      for scan in batch.scans {
        var counters = SearchCounters()
        counters.rowsScored = filter?.entryCount ?? entryCount
        let hits = try collect(scan, k: k, scratch, &counters)
        answers.append(BatchAnswer(answer: SegmentAnswer(hits: hits, plan: .exact), counters: counters))
      }
      return answers
    }
    let tile = QueryTile(self, queries, k: k, filter: filter)
    try tile.score(0..<vectorCount, nil)
    var counters = SearchCounters()
    counters.add(scores: filter?.ordinalCount ?? vectorCount, rowBytes: configuration.vectorBytes)
    counters.rowsScored = filter?.entryCount ?? entryCount
    return tile.nearest.map { nearest in
      BatchAnswer(answer: SegmentAnswer(hits: nearest.sorted(), plan: .exact), counters: counters)
    }
  }
}
