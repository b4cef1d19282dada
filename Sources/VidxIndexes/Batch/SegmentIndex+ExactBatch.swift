import VidxSegments
import VidxVectors

extension SegmentIndex {
  /// `searchExact` for many queries: each block of vectors is read once for all of them.
  /// - Parameter room: candidates that scans of codes may hold memory for together.
  func searchExact(
    _ queries: [PreparedQuery], k: Int, filter: EntryFilter?, stop: SearchStop? = nil,
    room: Int = CodedBatch.mostRoom
  ) throws(SegmentError) -> [BatchAnswer] {
    // In blocks, codes are scored faster than products of vectors are made; in rows they are not.
    if coded.areBoundsCertain, unsafe coded.kernels.blocks != nil {
      let batch = scans(of: queries, k: k, filter: filter, mustBeExact: true, room: room)
      return try searchCodes(batch, queries, k: k, filter: filter, stop)
    }
    return try searchVectors(queries, k: k, filter: filter, stop)
  }

  /// By codes; queries for which these exclude too little by full vectors, which has the same outcome.
  private func searchCodes(
    _ batch: CodedBatch, _ queries: [PreparedQuery], k: Int, filter: EntryFilter?, _ stop: SearchStop?
  ) throws(SegmentError) -> [BatchAnswer] {
    let scratch = self.scratch.take(stop)
    defer { self.scratch.give(scratch) }
    try batch.scan(0..<vectorCount, nil, scratch)
    var answers = [BatchAnswer?](repeating: nil, count: queries.count)
    var aside: [Int] = []
    for number in queries.indices {
      if batch.isAside[number] {
        aside.append(number)
        continue
      }
      var counters = SearchCounters()
      counters.rowsScored = filter?.entryCount ?? entryCount
      let hits = try batch.hits(number, k: k, scratch, &counters)
      answers[number] = BatchAnswer(answer: SegmentAnswer(hits: hits, plan: .exact), counters: counters)
    }
    if !aside.isEmpty {
      let others = try searchVectors(aside.map { queries[$0] }, k: k, filter: filter, stop)
      for (number, answer) in zip(aside, others) { answers[number] = answer }
    }
    return answers.compactMap { $0 }
  }

  private func searchVectors(
    _ queries: [PreparedQuery], k: Int, filter: EntryFilter?, _ stop: SearchStop?
  ) throws(SegmentError) -> [BatchAnswer] {
    let tile = QueryTile(self, queries, k: k, filter: filter, stop)
    try tile.score(0..<vectorCount, nil)
    var counters = SearchCounters()
    counters.add(scores: filter?.ordinalCount ?? vectorCount, rowBytes: configuration.vectorBytes)
    counters.rowsScored = filter?.entryCount ?? entryCount
    return tile.nearest.map { nearest in
      BatchAnswer(answer: SegmentAnswer(hits: nearest.sorted(), plan: .exact), counters: counters)
    }
  }
}
