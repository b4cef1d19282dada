import CVidxKernels
import Synchronization
import VidxVectors

extension HNSWBuilder {
  /// Chooses neighbours by the heuristic of the paper (Algorithm 4): nearest first, each only when it is nearer to the
  /// new node than to any neighbour chosen before it. Links so chosen lead in different directions.
  /// - Parameters:
  ///   - candidates: sorted by score; tags may carry the expanded mark.
  ///   - limit: most to choose.
  /// - Returns: how many were written to `chosen`.
  @inline(never)
  func select(
    _ candidates: UnsafePointer<Candidate>, _ count: Int, _ limit: Int, _ layer: Int,
    into chosen: UnsafeMutablePointer<Candidate>, _ scratch: BuildScratch
  ) -> Int {
    let ordinals = unsafe scratch.chosenOrdinals
    let block = unsafe scratch.block
    let scoreIDs = unsafe kernels.ids
    let vectors = unsafe self.vectors
    let stride = self.stride
    var taken = 0
    var i = 0
    while i < count, taken < limit {
      let node = unsafe candidates[i].tag & ~Candidate.expanded
      let score = unsafe candidates[i].score
      let own = ordinal(node, layer)
      let query = unsafe vectors + own &* stride
      var isDiverse = true
      var j = 0
      // Four at a time: most candidates fail against one of the first.
      while j < taken, isDiverse {
        let width = min(4, taken &- j)
        unsafe scoreIDs(query, vectors, stride, ordinals + j, width, stride, block)
        var b = 0
        while b < width {
          if unsafe block[b] < score { isDiverse = false }
          b &+= 1
        }
        j &+= width
      }
      if isDiverse {
        unsafe chosen[taken] = Candidate(score, node)
        unsafe ordinals[taken] = UInt32(truncatingIfNeeded: own)
        taken &+= 1
      }
      i &+= 1
    }
    return taken
  }

  /// Links a node with the neighbours that the scratch holds for the layer, both ways.
  func connect(_ node: Int, _ ordinal: Int, _ layer: Int, _ scratch: BuildScratch) {
    let chosen = unsafe scratch.chosen(in: layer)
    let count = scratch.chosenCounts[layer]
    let (links, scores, degree) = unsafe list(node, layer)
    lock(ordinal)
    // Another thread may have linked to this node already; its links stay.
    var used = 0
    while used < degree, unsafe links[used].load(ordering: .relaxed) != HNSWGraph.unused { used += 1 }
    for i in 0..<count where used < degree {
      let tag = unsafe chosen[i].tag
      if (0..<used).contains(where: { unsafe links[$0].load(ordering: .relaxed) == tag }) { continue }
      unsafe scores[used] = chosen[i].score
      unsafe links[used].store(tag, ordering: .relaxed)
      used += 1
    }
    unlock(ordinal)
    for i in 0..<count { unsafe addLink(from: chosen[i], to: UInt32(node), layer, scratch) }
  }

  /// Links a neighbour back; a full list is chosen anew from its links and the new one.
  private func addLink(from neighbour: Candidate, to node: UInt32, _ layer: Int, _ scratch: BuildScratch) {
    let own = ordinal(neighbour.tag, layer)
    let (links, scores, degree) = unsafe list(Int(neighbour.tag), layer)
    lock(own)
    defer { unlock(own) }
    let candidates = unsafe scratch.candidates
    var count = 0
    while count < degree {
      let id = unsafe links[count].load(ordering: .relaxed)
      if id == HNSWGraph.unused {
        unsafe scores[count] = neighbour.score
        unsafe links[count].store(node, ordering: .relaxed)
        return
      }
      if id == node { return }
      unsafe candidates[count] = Candidate(scores[count], id)
      count += 1
    }
    var sorted = unsafe UnsafeMutableBufferPointer(start: candidates, count: count + 1)
    unsafe candidates[count] = Candidate(neighbour.score, node)
    unsafe sorted.sort { $0.score < $1.score }
    let kept = unsafe select(candidates, count + 1, degree, layer, into: scratch.shortened, scratch)
    for i in 0..<degree {
      let isKept = i < kept
      unsafe scores[i] = isKept ? scratch.shortened[i].score : 0
      unsafe links[i].store(isKept ? scratch.shortened[i].tag : HNSWGraph.unused, ordering: .relaxed)
    }
  }
}
