import CVidxKernels
import Synchronization

extension HNSWBuilder {
  /// Chooses neighbours by the heuristic of the paper (Algorithm 4): nearest first, each only when it is nearer to the
  /// new node than to any neighbour chosen before it. Links so chosen lead in different directions.
  /// - Parameters:
  ///   - candidates: sorted by score. Those marked are known to be diverse among themselves: they are compared with
  ///     the others only.
  ///   - limit: most to choose.
  /// - Returns: how many were written to `chosen`, without marks.
  @inline(never)
  func select(
    _ candidates: CandidateList, _ count: Int, _ limit: Int, _ layer: Int, exactly: Bool,
    into chosen: CandidateList, _ scratch: BuildScratch
  ) -> Int {
    let all = unsafe scratch.chosenOrdinals
    let new = unsafe scratch.newOrdinals
    var taken = 0
    var takenNew = 0
    var i = 0
    while i < count, taken < limit {
      let isKnown = unsafe candidates.ids[i] & CandidateList.marked != 0
      let node = unsafe candidates.ids[i] & ~CandidateList.marked
      let score = unsafe candidates.scores[i]
      let own = ordinal(node, layer)
      let isDiverse = unsafe isNearerThan(
        score, own, isKnown ? new : all, isKnown ? takenNew : taken, exactly: exactly, scratch.block)
      if isDiverse {
        unsafe chosen.scores[taken] = score
        unsafe chosen.ids[taken] = node
        unsafe all[taken] = UInt32(truncatingIfNeeded: own)
        taken &+= 1
        if !isKnown {
          unsafe new[takenNew] = UInt32(truncatingIfNeeded: own)
          takenNew &+= 1
        }
      }
      i &+= 1
    }
    return taken
  }

  /// Whether none of the others is nearer to a vector than `bound`.
  @inline(__always)
  private func isNearerThan(
    _ bound: Float, _ own: Int, _ others: UnsafePointer<UInt32>, _ count: Int, exactly: Bool,
    _ block: UnsafeMutablePointer<Float>
  ) -> Bool {
    var j = 0
    // Four at a time: most candidates fail against one of the first.
    while j < count {
      let width = min(4, count &- j)
      unsafe score(own, others + j, width, exactly: exactly, into: block)
      var b = 0
      while b < width {
        if unsafe block[b] < bound { return false }
        b &+= 1
      }
      j &+= width
    }
    return true
  }

  /// Links a node, which may have links, with the neighbours that the scratch holds for the layer, both ways.
  func connect(_ node: Int, _ ordinal: Int, _ layer: Int, _ scratch: BuildScratch) {
    let chosen = scratch.chosen(in: layer)
    let count = scratch.chosenCounts[layer]
    let list = list(node, layer)
    lock(ordinal)
    var used = 0
    while used < list.degree, unsafe list.links[used].load(ordering: .relaxed) != HNSWGraph.unused { used += 1 }
    if used == 0 { unsafe list.diverse.pointee = UInt16(count) }
    for i in 0..<count where used < list.degree {
      let id = unsafe chosen.ids[i]
      if (0..<used).contains(where: { unsafe list.links[$0].load(ordering: .relaxed) == id }) { continue }
      unsafe list.scores[used] = chosen.scores[i]
      unsafe list.links[used].store(id, ordering: .relaxed)
      used += 1
    }
    unlock(ordinal)
    linkBack(node, layer, scratch)
  }

  /// Links the neighbours of a node that the scratch holds for the layer with the node.
  func linkBack(_ node: Int, _ layer: Int, _ scratch: BuildScratch) {
    let chosen = scratch.chosen(in: layer)
    for i in 0..<scratch.chosenCounts[layer] {
      unsafe addLink(from: chosen.ids[i], to: UInt32(node), chosen.scores[i], layer, scratch)
    }
  }

  /// Links a neighbour back; a full list is chosen anew from its links and the new one.
  private func addLink(
    from neighbour: UInt32, to node: UInt32, _ score: Float, _ layer: Int, _ scratch: BuildScratch
  ) {
    let own = ordinal(neighbour, layer)
    let list = list(Int(neighbour), layer)
    lock(own)
    defer { unlock(own) }
    let candidates = scratch.candidates
    var count = 0
    while count < list.degree {
      let id = unsafe list.links[count].load(ordering: .relaxed)
      if id == HNSWGraph.unused {
        unsafe list.scores[count] = score
        unsafe list.links[count].store(node, ordering: .relaxed)
        return
      }
      if id == node { return }
      unsafe candidates.ids[count] = id
      count += 1
    }
    if unsafe list.diverse.pointee == Self.unscored {
      let others = unsafe rows(candidates.ids, count, layer, scratch)
      unsafe self.score(own, others, count, exactly: false, into: list.scores)
      unsafe list.diverse.pointee = 0
    }
    let known = unsafe Int(list.diverse.pointee)
    unsafe candidates.scores.update(from: list.scores, count: count)
    for i in 0..<known { unsafe candidates.ids[i] |= CandidateList.marked }
    unsafe candidates.scores[count] = score
    unsafe candidates.ids[count] = node
    Self.sort(candidates, count + 1, sorted: known)
    let exactly = isVague(candidates, count + 1, own)
    let kept = select(
      candidates, count + 1, list.degree, layer, exactly: exactly, into: scratch.shortened, scratch)
    unsafe list.scores.update(from: scratch.shortened.scores, count: kept)
    beginRewriting(own)
    for i in 0..<list.degree {
      unsafe list.links[i].store(i < kept ? scratch.shortened.ids[i] : HNSWGraph.unused, ordering: .relaxed)
    }
    endRewriting(own)
    unsafe list.diverse.pointee = UInt16(kept)
  }
}
