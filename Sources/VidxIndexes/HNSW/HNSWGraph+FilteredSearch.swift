import CVidxKernels
import VidxSegments
import VidxVectors

extension HNSWGraph {
  /// Walks the base layer through all nodes and keeps the nearest `ef` that pass the filter, nearest first, in
  /// `scratch.pool`; ends as Algorithm 2 does, when the nearest open node is farther than the farthest kept.
  ///
  /// - Parameters:
  ///   - filter: passing ordinals.
  ///   - budget: gives up after scoring this many vectors; scoring all that pass would then have been cheaper.
  /// - Returns: how many candidates the pool holds; 0 when the budget ran out.
  @inline(never)
  func searchFiltered(
    _ query: UnsafePointer<Float>, ef: Int, filter: RowSet, budget: Int, scratch: SearchScratch,
    counters: inout SearchCounters
  ) throws(SegmentError) -> Int {
    let start = unsafe try descend(query, scratch, &counters)
    scratch.reservePool(ef)
    let degree = Int(parameters.baseDegree)
    let links = unsafe baseLinks.words
    let passing = unsafe filter.words
    let visited = unsafe scratch.visited
    let epoch = scratch.nextEpoch()
    let ids = unsafe scratch.ids
    let scores = unsafe scratch.scores
    let pool = unsafe scratch.pool
    // Nodes still to follow, nearest at the root; bounded by the budget.
    var open = CandidateHeap()
    open.push(start)
    unsafe visited[Int(start.tag)] = epoch
    var count = 0
    if unsafe passing[Int(start.tag) >> 6] >> UInt64(start.tag & 63) & 1 != 0 {
      _ = unsafe insert(start, pool, &count, ef)
    }
    var computed = 0
    var expansions = 0
    while let nearest = open.pop() {
      if count == ef, unsafe nearest.score > pool[count &- 1].score { break }
      if computed > budget {
        count = 0
        break
      }
      let node = Int(nearest.tag)
      expansions &+= 1
      if !baseLinks.isVerified { try verifyLinks(node) }
      let fresh = unsafe gather(links + node &* degree, degree, visited, epoch, ids)
      if let upcoming = open.nearest {
        unsafe vidx_prefetch(links + Int(upcoming.tag) &* degree)
        unsafe vidx_prefetch(links + Int(upcoming.tag) &* degree + 16)
      }
      unsafe try score(query, ids, fresh, scores)
      computed &+= fresh
      var j = 0
      while j < fresh {
        let candidate = unsafe Candidate(scores[j], ids[j])
        if unsafe count < ef || candidate.score < pool[count &- 1].score {
          open.push(candidate)
          if unsafe passing[Int(candidate.tag) >> 6] >> UInt64(candidate.tag & 63) & 1 != 0 {
            _ = unsafe insert(candidate, pool, &count, ef)
          }
        }
        j &+= 1
      }
    }
    counters.distanceComputations += computed
    counters.nodesExpanded += expansions
    return count
  }
}

/// Candidates by score, nearest at the root. Grows as needed.
struct CandidateHeap {
  private var items: [Candidate] = []

  var count: Int { items.count }
  var nearest: Candidate? { items.first }

  mutating func push(_ candidate: Candidate) {
    items.append(candidate)
    var i = items.count - 1
    while i > 0 {
      let parent = (i - 1) / 2
      if items[parent].score <= candidate.score { break }
      items[i] = items[parent]
      i = parent
    }
    items[i] = candidate
  }

  mutating func pop() -> Candidate? {
    guard let root = items.first, let last = items.popLast() else { return nil }
    if items.isEmpty { return root }
    var i = 0
    while true {
      var child = 2 * i + 1
      if child >= items.count { break }
      if child + 1 < items.count, items[child + 1].score < items[child].score { child += 1 }
      if items[child].score >= last.score { break }
      items[i] = items[child]
      i = child
    }
    items[i] = last
    return root
  }
}
