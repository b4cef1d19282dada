import VidxSegments
import VidxVectors

/// A walk of the base layer that hands out what it passes, nearest first, and can go on to the last node.
///
/// Nodes are followed best-first. A node is handed out once `lookahead` followed nodes wait behind it, so the first
/// one costs a search with efSearch = lookahead and each further one about one step. When the walk ends, what it did
/// not reach is scored and handed out too: nothing is lost.
final class GraphStream: SegmentStream.Source {
  private let graph: HNSWGraph
  private let coded: CodedVectors
  private let query: PreparedQuery
  private let lookahead: Int
  private let pool: ScratchPool
  private let scratch: SearchScratch
  private var epoch: UInt8 = 0
  private var stage = Stage.unopened
  /// Met, not yet followed.
  private var open = CandidateHeap()
  /// Followed, not yet handed out.
  private var settled = CandidateHeap()

  private enum Stage { case unopened, walking, rest }

  init(
    _ graph: HNSWGraph, _ coded: CodedVectors, _ query: PreparedQuery, lookahead: Int, scratch pool: ScratchPool,
    _ stop: SearchStop?
  ) {
    self.graph = graph
    self.coded = coded
    self.query = query
    self.lookahead = max(lookahead, 1)
    self.pool = pool
    // Kept for the life of the stream: it remembers what was visited.
    scratch = pool.take(stop)
  }

  deinit { pool.give(scratch) }

  func nextCandidate(_ counters: inout SearchCounters) throws(SegmentError) -> Candidate? {
    if stage == .unopened { try start(&counters) }
    while stage == .walking, settled.count < lookahead {
      if let node = open.pop() { try follow(node, &counters) } else { try collectRest(&counters) }
    }
    return settled.pop()
  }

  private func start(_ counters: inout SearchCounters) throws(SegmentError) {
    let walk = unsafe GraphWalk(graph.layers, coded, scratch.prepare(query), scratch)
    let first = try walk.descend(&counters)
    // The way down is chosen by codes; what is handed out has its true score.
    unsafe scratch.ids[0] = first.tag
    unsafe try graph.score(query.floats, scratch.ids, 1, scratch.scores)
    counters.add(scores: 1, rowBytes: graph.stride * 4)
    epoch = scratch.nextEpoch()
    unsafe scratch.visited[Int(first.tag)] = epoch
    open.push(unsafe Candidate(scratch.scores[0], first.tag))
    stage = .walking
  }

  private func follow(_ node: Candidate, _ counters: inout SearchCounters) throws(SegmentError) {
    let degree = Int(graph.parameters.baseDegree)
    if !graph.baseLinks.isVerified { try graph.layers.verifyBase(Int(node.tag)) }
    let list = unsafe graph.baseLinks.words + Int(node.tag) * degree
    let fresh = unsafe gather(list, degree, scratch.visited, epoch, scratch.ids)
    try scratch.scored(fresh)
    unsafe try graph.score(query.floats, scratch.ids, fresh, scratch.scores)
    for i in 0..<fresh { unsafe open.push(Candidate(scratch.scores[i], scratch.ids[i])) }
    settled.push(node)
    counters.add(scores: fresh, rowBytes: graph.stride * 4)
    counters.nodesExpanded += 1
    counters.bytesRead += degree * 4
  }

  /// Scores what no path led to.
  private func collectRest(_ counters: inout SearchCounters) throws(SegmentError) {
    stage = .rest
    var ordinal = 0
    while ordinal < graph.vectorCount {
      var count = 0
      while ordinal < graph.vectorCount, count < SearchScratch.blockCapacity {
        if unsafe scratch.visited[ordinal] != epoch {
          unsafe scratch.ids[count] = UInt32(ordinal)
          count += 1
        }
        ordinal += 1
      }
      try scratch.scored(count)
      unsafe try graph.score(query.floats, scratch.ids, count, scratch.scores)
      for i in 0..<count { unsafe settled.push(Candidate(scratch.scores[i], scratch.ids[i])) }
      counters.add(scores: count, rowBytes: graph.stride * 4)
    }
  }
}
