import CVidxKernels
import VidxSegments
import VidxVectors

extension GraphWalk {
  /// Walks the base layer through all nodes and keeps the nearest `ef` that pass the filter, nearest first, in the
  /// scratch's pool; ends as Algorithm 2 does, when the nearest open node is farther than the farthest kept.
  ///
  /// - Parameters:
  ///   - filter: passing ordinals.
  ///   - budget: gives up after scoring this many vectors; another way would then have been cheaper.
  /// - Returns: how many candidates the pool holds, and whether it gave up. All that it has met carry its mark
  ///   (`SearchScratch.dropVisited`), and of those that pass no other is as near as the farthest in the pool.
  func searchFiltered(
    ef: Int, filter: RowSet, budget: Int, counters: inout SearchCounters
  ) throws(SegmentError) -> (count: Int, gaveUp: Bool) {
    try search(ef, filter, budget, &scratch.open, &counters)
  }

  /// - Parameter open: nodes still to follow, nearest at the root; bounded by the budget.
  @inline(never)
  private func search(
    _ ef: Int, _ filter: RowSet, _ budget: Int, _ open: inout CandidateHeap, _ counters: inout SearchCounters
  ) throws(SegmentError) -> (count: Int, gaveUp: Bool) {
    let start = try descend(&counters)
    let pool = scratch.walkedPool(capacity: ef)
    let poolScores = unsafe pool.scores
    let tags = unsafe pool.tags
    let merge = unsafe scratch.insertCandidates
    let degree = layers.baseDegree
    let links = unsafe layers.base
    let visited = unsafe scratch.visited
    let epoch = scratch.nextEpoch()
    let ids = unsafe scratch.ids
    let scores = unsafe scratch.scores
    open.removeAll()
    open.push(start)
    unsafe visited[Int(start.tag)] = epoch
    var count = 0
    if filter.contains(Int(start.tag)) {
      unsafe poolScores[0] = start.score
      unsafe tags[0] = start.tag
      count = 1
    }
    var computed = 0
    var expansions = 0
    var gaveUp = false
    while let nearest = open.pop() {
      if count == ef, unsafe nearest.score > poolScores[count &- 1] { break }
      // With as many as are kept, it is near its end.
      if computed > budget, count < ef || computed > budget &+ budget / 8 {
        gaveUp = true
        break
      }
      let node = Int(nearest.tag)
      expansions &+= 1
      if expansions & 0xFF == 0 { try scratch.scored(degree &* 0x100) }
      if !layers.isBaseVerified { try layers.verifyBase(node) }
      let fresh = unsafe gather(links + node &* degree, degree, visited, epoch, ids)
      if let upcoming = open.nearest { unsafe prefetch(links + Int(upcoming.tag) &* degree) }
      unsafe try coded.score(query, ids, fresh, scores)
      computed &+= fresh
      let passing = unsafe openAndKeep(fresh, filter, count == ef ? poolScores[ef &- 1] : .infinity, &open)
      _ = unsafe merge(poolScores, tags, &count, ef, scores, ids, passing)
    }
    counters.add(scores: computed, rowBytes: coded.rows.stride)
    counters.nodesExpanded += expansions
    counters.nodesScored += computed
    counters.bytesRead += expansions * degree * 4
    return (count, gaveUp)
  }

  /// Opens the nodes of a scored block that are near enough and moves those that pass to the block's front.
  /// - Returns: how many they are.
  @inline(__always)
  private func openAndKeep(_ count: Int, _ filter: RowSet, _ worst: Float, _ open: inout CandidateHeap) -> Int {
    let ids = unsafe scratch.ids
    let scores = unsafe scratch.scores
    let passing = unsafe filter.words
    var kept = 0
    var j = 0
    while j < count {
      let candidate = unsafe Candidate(scores[j], ids[j])
      if candidate.score < worst {
        open.push(candidate)
        unsafe ids[kept] = candidate.tag
        unsafe scores[kept] = candidate.score
        unsafe kept &+= Int(passing[Int(candidate.tag) >> 6] >> UInt64(candidate.tag & 63) & 1)
      }
      j &+= 1
    }
    return kept
  }
}
