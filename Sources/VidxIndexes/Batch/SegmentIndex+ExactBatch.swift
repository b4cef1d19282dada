import VidxSegments
import VidxVectors

extension SegmentIndex {
  /// `searchExact` for many queries: each block of vectors is read once for all of them.
  func searchExact(
    _ queries: [PreparedQuery], k: Int, filter: EntryFilter?
  ) throws(SegmentError) -> [BatchAnswer] {
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
