import CVidxKernels
import VidxSegments
import VidxVectors

/// One search of a graph: its links, the codes it scores, the query made ready for them, and memory to work in.
///
/// Scores are those of the codes: estimates, unless the codec is f32.
@safe struct GraphWalk {
  let layers: GraphLayers
  let coded: CodedVectors
  let query: UnsafePointer<vidx_code_query>
  let scratch: SearchScratch

  init(
    _ layers: GraphLayers, _ coded: CodedVectors, _ query: UnsafePointer<vidx_code_query>, _ scratch: SearchScratch
  ) {
    self.layers = layers
    self.coded = coded
    unsafe self.query = query
    self.scratch = scratch
  }

  /// Walks from the top layer to the base, greedily (Malkov & Yashunin, Algorithm 5 with ef = 1).
  /// - Returns: the nearest ordinal found and its score.
  @inline(never)
  func descend(_ counters: inout SearchCounters) throws(SegmentError) -> Candidate {
    let ids = unsafe scratch.ids
    let scores = unsafe scratch.scores
    guard let upper = unsafe layers.upper, layers.maxLevel > 0 else {
      unsafe ids[0] = UInt32(layers.entryPoint)
      unsafe try coded.score(query, ids, 1, scores)
      counters.add(scores: 1, rowBytes: coded.rows.stride)
      counters.nodesScored += 1
      return unsafe Candidate(scores[0], ids[0])
    }
    try layers.verifyUpper()
    let starts = unsafe upper.starts
    let links = unsafe upper.links
    let ordinals = unsafe upper.ordinals
    let degree = layers.m
    let listCount = layers.upperListCount
    var node = layers.entryPoint
    unsafe ids[0] = ordinals[node]
    unsafe try coded.score(query, ids, 1, scores)
    var best = unsafe scores[0]
    var computed = 1
    var lists = 0
    var level = layers.maxLevel
    while level > 0 {
      let index = unsafe Int(starts[node]) &+ level &- 1
      // A forged graph may link to a node that is not in this layer.
      guard index < listCount else {
        throw .invalidContent(section: .upperStarts, offset: 0, path: layers.upperPath)
      }
      let list = unsafe links + index &* degree
      var count = 0
      while count < degree, unsafe list[count] != HNSWGraph.unused {
        unsafe ids[count] = ordinals[Int(list[count])]
        count &+= 1
      }
      unsafe try coded.score(query, ids, count, scores)
      computed &+= count
      lists &+= 1
      var nearest = node
      var i = 0
      while i < count {
        if unsafe scores[i] < best {
          unsafe best = scores[i]
          unsafe nearest = Int(list[i])
        }
        i &+= 1
      }
      if nearest == node { level &-= 1 } else { node = nearest }
    }
    counters.add(scores: computed, rowBytes: coded.rows.stride)
    counters.nodesScored += computed
    counters.bytesRead += lists * degree * 4
    return unsafe Candidate(best, ordinals[node])
  }
}

/// When a walk of the base layer ends.
struct WalkLimits: Sendable, Equatable {
  /// Candidates kept (efSearch); at least 1.
  var ef: Int
  /// The walk ends too when the nearest open candidate is farther than the k-th nearest found, by `slack` times that
  /// one's distance (distance-adaptive beam search, arXiv 2505.15636); infinite: only when the pool is used up.
  var slack: Float = .infinity
  /// The k of that rule.
  var k = 1
  /// What makes a distance of a score, for that rule: cosine 1, l2 0, inner products the product of lengths.
  var zero: Float = 0
}

extension GraphWalk {
  /// Searches the base layer (Malkov & Yashunin, Algorithm 2) and leaves the nearest in the scratch's pool, nearest
  /// first.
  ///
  /// The pool is one sorted array of candidates; those whose links were followed carry a mark. Each step follows the
  /// nearest unmarked one: gathers its unvisited neighbours, scores them as one block, merges the near ones in.
  /// - Parameter excluded: ordinals that are taken for no nodes of the graph.
  /// - Returns: how many candidates the pool holds.
  @inline(never)
  func searchBase(
    _ limits: WalkLimits, excluding excluded: [Int] = [], counters: inout SearchCounters
  ) throws(SegmentError) -> Int {
    let start = try descend(&counters)
    let ef = limits.ef
    let pool = scratch.walkedPool(capacity: ef)
    let degree = layers.baseDegree
    let links = unsafe layers.base
    let rows = coded.rows
    let base = unsafe rows.base
    let stride = rows.stride
    let linksVerified = layers.isBaseVerified
    let rowsVerified = rows.isVerified
    let scoreIDs = unsafe coded.kernels.ids
    let query = unsafe self.query
    let merge = unsafe scratch.insertCandidates
    let visited = unsafe scratch.visited
    let epoch = scratch.nextEpoch()
    let ids = unsafe scratch.ids
    let scores = unsafe scratch.scores
    let poolScores = unsafe pool.scores
    let tags = unsafe pool.tags
    // The place in the pool of the candidate the slack is counted from; none when there is no slack.
    let last = limits.slack < .infinity ? limits.k &- 1 : Int.max
    let factor = 1 + limits.slack
    let shift = limits.slack * limits.zero
    for ordinal in excluded { unsafe visited[ordinal] = epoch }
    unsafe poolScores[0] = start.score
    unsafe tags[0] = start.tag
    unsafe visited[Int(start.tag)] = epoch
    var count = 1
    var next = 0
    var computed = 0
    var expansions = 0
    while next < count {
      if last < count, unsafe poolScores[next] > poolScores[last] * factor + shift { break }
      let node = unsafe Int(tags[next])
      unsafe tags[next] |= Candidate.expanded
      expansions &+= 1
      if expansions & 0xFF == 0 { try scratch.scored(degree &* 0x100) }
      if !linksVerified { try layers.verifyBase(node) }
      let fresh = unsafe gather(links + node &* degree, degree, visited, epoch, ids)
      // The likely next node: its links arrive while this block is scored.
      let ahead = unsafe nextOpen(tags, next &+ 1, count)
      if ahead < count { unsafe prefetch(links + Int(tags[ahead]) &* degree) }
      if !rowsVerified { unsafe try rows.verify(ids, fresh) }
      unsafe scoreIDs(query, base, stride, ids, fresh, scores)
      computed &+= fresh
      let lowest = unsafe merge(poolScores, tags, &count, ef, scores, ids, fresh)
      next = min(ahead, lowest)
    }
    counters.add(scores: computed, rowBytes: stride)
    counters.nodesExpanded += expansions
    counters.nodesScored += computed
    counters.bytesRead += expansions * degree * 4
    // The node a walk starts from is in the pool even when it is excluded.
    if excluded.contains(Int(start.tag)) { return pool.remove(start.tag, count: count) }
    return count
  }
}

/// The first candidate from `place` on whose links have not been followed; `count` when there is none.
@inline(__always)
private func nextOpen(_ tags: UnsafePointer<UInt32>, _ place: Int, _ count: Int) -> Int {
  var place = place
  while place < count, unsafe tags[place] & Candidate.expanded != 0 { place &+= 1 }
  return place
}

/// Asks for the first 32 links of a list.
@inline(__always)
func prefetch(_ list: UnsafePointer<UInt32>) {
  unsafe vidx_prefetch(list)
  unsafe vidx_prefetch(list + 16)
}

/// Copies the unvisited ones of a node's links to `ids` and marks them visited.
/// - Returns: how many they are.
@inline(__always)
func gather(
  _ list: UnsafePointer<UInt32>, _ degree: Int, _ visited: UnsafeMutablePointer<UInt8>, _ epoch: UInt8,
  _ ids: UnsafeMutablePointer<UInt32>
) -> Int {
  var fresh = 0
  var j = 0
  while j < degree {
    let id = unsafe list[j]
    if id == HNSWGraph.unused { break }
    let mark = unsafe visited + Int(id)
    unsafe ids[fresh] = id
    unsafe fresh &+= mark.pointee == epoch ? 0 : 1
    unsafe mark.pointee = epoch
    j &+= 1
  }
  return fresh
}

extension Section {
  /// The section seen as 32-bit words. Verify what you read.
  var words: UnsafePointer<UInt32> {
    unsafe bytes.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: UInt32.self)
  }

  /// The section seen as floats. Verify what you read.
  var floats: UnsafePointer<Float> {
    unsafe bytes.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: Float.self)
  }
}
