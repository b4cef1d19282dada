package import VidxSegments
import VidxVectors

extension SegmentIndex {
  /// The k nearest rows, or all that pass when they are fewer.
  ///
  /// Exact when few rows pass: a graph walk scores about 16 vectors for each candidate it keeps, and more the fewer
  /// of them pass, so below `16 ef / share` passing rows scoring them all is both cheaper and right.
  /// - Parameters:
  ///   - k: at least 0.
  ///   - filter: the rows that may be returned; nil for all.
  /// - Throws: `SegmentError` when the segment is damaged.
  package func search(
    _ query: PreparedQuery, k: Int, parameters: SearchParameters = SearchParameters(), filter: EntryFilter? = nil,
    counters: inout SearchCounters
  ) throws(SegmentError) -> SegmentAnswer {
    precondition(query.dimensions == configuration.dimensions, "a query of \(query.dimensions) dimensions")
    if k <= 0 || vectorCount == 0 || filter?.ordinalCount == 0 { return SegmentAnswer(hits: [], plan: .exact) }
    let isExact = parameters.exact || (parameters.targetRecall ?? 0) >= 1
    switch structure {
    case .hnsw(let graph):
      let limits = graph.limits(parameters, k: k)
      if isExact || isCheaperExact(ef: limits.ef, filter: filter) { break }
      if let answer = try searchGraph(graph, query, k: k, limits, filter: filter, counters: &counters) { return answer }
    case .ivfflat(let lists):
      if isExact { break }
      return try searchLists(lists, query, k: k, probes: parameters.probes, filter: filter, counters: &counters)
    case .flat:
      break
    }
    return SegmentAnswer(hits: try searchExact(query, k: k, filter: filter, counters: &counters), plan: .exact)
  }

  private func isCheaperExact(ef: Int, filter: EntryFilter?) -> Bool {
    let passing = filter?.ordinalCount ?? vectorCount
    let share = Double(passing) / Double(vectorCount)
    return Double(passing) * share <= 16 * Double(ef)
  }

  private func searchGraph(
    _ graph: HNSWGraph, _ query: PreparedQuery, k: Int, _ limits: WalkLimits, filter: EntryFilter?,
    counters: inout SearchCounters
  ) throws(SegmentError) -> SegmentAnswer? {
    let scratch = self.scratch.take()
    defer { self.scratch.give(scratch) }
    let walk = unsafe GraphWalk(graph.layers, coded, scratch.prepare(query), scratch)
    var count: Int
    if let filter {
      count = try walk.searchFiltered(
        ef: limits.ef, filter: filter.ordinals, budget: filter.ordinalCount, counters: &counters)
      // Not k although k pass, or dearer than scoring all that pass: the caller scores them all.
      if count < min(limits.ef, filter.ordinalCount) { return nil }
    } else {
      count = try walk.searchBase(graph.limits(limits, query), counters: &counters)
      if count < min(k, vectorCount) { return nil }
    }
    let margin = graph.calibration.margin(of: query)
    count = unsafe try reranker.rank(
      query.floats, k: k, of: count, margin: margin, walk.query, scratch, &counters)
    let pool = unsafe UnsafeBufferPointer(start: scratch.pool, count: count)
    return SegmentAnswer(hits: unsafe try hits(of: pool, k: k, filter: filter, counters: &counters), plan: .graph)
  }

  /// The rows of candidates that are sorted by score: the first k by (score, row id).
  func hits(
    of candidates: UnsafeBufferPointer<Candidate>, k: Int, filter: EntryFilter?, counters: inout SearchCounters
  ) throws(SegmentError) -> [Hit] {
    var result: [Hit] = []
    result.reserveCapacity(min(k, candidates.count) + 8)
    var i = 0
    while i < candidates.count {
      let candidate = unsafe candidates[i]
      if result.count >= k, candidate.score > result[result.count - 1].score { break }
      var taken = 0
      for entry in try rows.entries(ordinal: Int(candidate.tag & ~Candidate.expanded)) {
        if let filter, !filter.entries.contains(entry) { continue }
        result.append(Hit(score: candidate.score, rowID: try rows.rowID(entry: entry)))
        taken += 1
        // Entries of one vector ascend by row id: more than k of them cannot matter.
        if taken == k { break }
      }
      i += 1
    }
    counters.rowsScored += result.count
    sortTies(&result)
    if result.count > k { result.removeLast(result.count - k) }
    return result
  }

  /// Candidates come sorted by score; only runs of equal scores need their row ids put in order.
  private func sortTies(_ hits: inout [Hit]) {
    for i in hits.indices.dropFirst() where Hit.isNearer(hits[i], hits[i - 1]) {
      hits.sort(by: Hit.isNearer)
      return
    }
  }
}
