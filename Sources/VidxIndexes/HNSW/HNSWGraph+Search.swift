import CVidxKernels
import VidxSegments
import VidxVectors

extension HNSWGraph {
  /// Walks from the top layer to the base, greedily (Algorithm 5 of the paper with ef = 1).
  /// - Returns: the nearest ordinal found and its score.
  @inline(never)
  func descend(
    _ query: UnsafePointer<Float>, _ scratch: SearchScratch, _ counters: inout SearchCounters
  ) throws(SegmentError) -> Candidate {
    let ids = unsafe scratch.ids
    let scores = unsafe scratch.scores
    guard let upper, parameters.maxLevel > 0 else {
      unsafe ids[0] = parameters.entryPoint
      unsafe try score(query, ids, 1, scores)
      counters.distanceComputations += 1
      return unsafe Candidate(scores[0], ids[0])
    }
    // The upper layers are small (a 16th of the nodes): verified whole, once.
    if !upper.links.isVerified {
      try upper.starts.verifyAll()
      try upper.ordinals.verifyAll()
      try upper.links.verifyAll()
    }
    let starts = unsafe upper.starts.words
    let links = unsafe upper.links.words
    let ordinals = unsafe upper.ordinals.words
    let degree = Int(parameters.m)
    let listCount = Int(parameters.upperListCount)
    var node = Int(parameters.entryPoint)
    unsafe ids[0] = ordinals[node]
    unsafe try score(query, ids, 1, scores)
    var best = unsafe scores[0]
    var computed = 1
    var level = Int(parameters.maxLevel)
    while level > 0 {
      let index = unsafe Int(starts[node]) &+ level &- 1
      // A forged graph may link to a node that is not in this layer.
      guard index < listCount else { throw .invalidContent(section: .upperStarts, offset: 0, path: upper.starts.path) }
      let list = unsafe links + index &* degree
      var count = 0
      while count < degree, unsafe list[count] != Self.unused {
        unsafe ids[count] = ordinals[Int(list[count])]
        count &+= 1
      }
      unsafe try score(query, ids, count, scores)
      computed &+= count
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
    counters.distanceComputations += computed
    return unsafe Candidate(best, ordinals[node])
  }

  /// Searches the base layer (Algorithm 2 of the paper) and leaves the nearest in `scratch.pool`, nearest first.
  ///
  /// The pool is one sorted array of candidates; those whose links were followed carry a mark. Each step follows the
  /// nearest unmarked one: gathers its unvisited neighbours, scores them as one block, inserts the near ones.
  /// - Parameters:
  ///   - query: `stride` floats, prepared.
  ///   - ef: candidates kept; at least 1.
  /// - Returns: how many candidates the pool holds.
  @inline(never)
  func searchBase(
    _ query: UnsafePointer<Float>, ef: Int, scratch: SearchScratch, counters: inout SearchCounters
  ) throws(SegmentError) -> Int {
    let start = unsafe try descend(query, scratch, &counters)
    scratch.reservePool(ef)
    let degree = Int(parameters.baseDegree)
    let links = unsafe baseLinks.words
    let rows = unsafe vectors.floats
    let linksVerified = baseLinks.isVerified
    let vectorsVerified = vectors.isVerified
    let scoreIDs = unsafe kernels.ids
    let stride = self.stride
    let visited = unsafe scratch.visited
    let epoch = scratch.nextEpoch()
    let ids = unsafe scratch.ids
    let scores = unsafe scratch.scores
    let pool = unsafe scratch.pool
    unsafe pool[0] = start
    unsafe visited[Int(start.tag)] = epoch
    var count = 1
    var next = 0
    var computed = 0
    var expansions = 0
    while next < count {
      let node = unsafe Int(pool[next].tag)
      unsafe pool[next].tag |= Candidate.expanded
      expansions &+= 1
      if !linksVerified { try verifyLinks(node) }
      let fresh = unsafe gather(links + node &* degree, degree, visited, epoch, ids)
      // The likely next node: its links arrive while this block is scored.
      var ahead = next &+ 1
      while ahead < count, unsafe pool[ahead].tag & Candidate.expanded != 0 { ahead &+= 1 }
      if ahead < count {
        let upcoming = unsafe links + Int(pool[ahead].tag) &* degree
        unsafe vidx_prefetch(upcoming)
        unsafe vidx_prefetch(upcoming + 16)
      }
      if !vectorsVerified { unsafe try vectors.verify(rows: ids, count: fresh, rowByteCount: stride &* 4) }
      unsafe scoreIDs(query, rows, stride, ids, fresh, stride, scores)
      computed &+= fresh
      next = ahead
      var j = 0
      while j < fresh {
        let score = unsafe scores[j]
        if unsafe count < ef || score < pool[count &- 1].score {
          let place = unsafe insert(Candidate(score, ids[j]), pool, &count, ef)
          if place < next { next = place }
        }
        j &+= 1
      }
    }
    counters.distanceComputations += computed
    counters.nodesExpanded += expansions
    return count
  }

  @inline(never)
  func verifyLinks(_ node: Int) throws(SegmentError) {
    let size = Int(parameters.baseDegree) * 4
    try baseLinks.verify(node * size..<(node + 1) * size)
  }
}

/// Copies the unvisited ones of a node's links to `ids` and marks them visited.
/// - Returns: how many they are.
@inline(__always)
func gather(
  _ list: UnsafePointer<UInt32>, _ degree: Int, _ visited: UnsafeMutablePointer<UInt16>, _ epoch: UInt16,
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

/// Inserts into a sorted pool of at most `limit` candidates, dropping the farthest when it is full.
/// - Returns: where it went; equal scores keep their order of arrival.
@inline(__always)
func insert(
  _ candidate: Candidate, _ pool: UnsafeMutablePointer<Candidate>, _ count: inout Int, _ limit: Int
) -> Int {
  var low = 0
  var high = count
  while low < high {
    let middle = (low &+ high) &>> 1
    if unsafe pool[middle].score <= candidate.score { low = middle &+ 1 } else { high = middle }
  }
  if count < limit { count &+= 1 }
  let moved = count &- 1 &- low
  if moved > 0 { unsafe (pool + (low &+ 1)).update(from: pool + low, count: moved) }
  if low < count { unsafe pool[low] = candidate }
  return low
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
