import CVidxKernels
import Synchronization

extension HNSWBuilder {
  /// How many nodes a search follows at once: their neighbours make one block, whose cache misses overlap.
  static let nodesAtOnce = 4

  /// Inserts one vector (Algorithm 1 of the paper).
  func insert(_ ordinal: Int, _ scratch: BuildScratch) {
    let level = Int(levels[ordinal])
    var current = entry.load(ordering: .acquiring)
    // A node that raises the top layer goes in alone among such nodes, and becomes the entry point at the end.
    let raises = current == Self.noEntry || level > Int(current >> 32)
    if raises {
      lockEntry()
      current = entry.load(ordering: .acquiring)
    }
    defer {
      if raises {
        let now = entry.load(ordering: .acquiring)
        if now == Self.noEntry || level > Int(now >> 32) {
          let node = level > 0 ? Int(upperNodes[ordinal]) : ordinal
          entry.store(UInt64(level) << 32 | UInt64(node), ordering: .releasing)
        }
        unlockEntry()
      }
    }
    if current == Self.noEntry { return }
    scratch.known = scratch.log?.begin() ?? 0
    let top = Int(current >> 32)
    var layer = top
    var node = Int(current & 0xFFFF_FFFF)
    while layer > level {
      node = nearest(to: ordinal, from: node, layer, scratch)
      layer -= 1
      if layer == 0 { node = Int(upperOrdinals[node]) }
    }
    let highest = layer
    while layer >= 0 {
      let count = searchLayer(ordinal, from: node, layer, scratch)
      let exactly = isVague(scratch.pool, min(count, m), ordinal)
      if exactly { scoreExactly(ordinal, count, layer, scratch) }
      node = unsafe Int(scratch.pool.ids[0])
      scratch.chosenCounts[layer] = select(
        scratch.pool, count, m, layer, exactly: exactly, into: scratch.chosen(in: layer), scratch)
      if layer == 1 { node = Int(upperOrdinals[node]) }
      layer -= 1
    }
    enter(ordinal, highest: highest, scratch)
    // From the base up: who finds the node in a layer finds its links in all layers below.
    for layer in 0..<(highest + 1) {
      linkBack(layer == 0 ? ordinal : Int(upperNodes[ordinal]), layer, scratch)
    }
    scratch.log?.end(scratch.thread)
  }

  /// Greedy walk in one layer above the base.
  private func nearest(to ordinal: Int, from start: Int, _ layer: Int, _ scratch: BuildScratch) -> Int {
    let ids = unsafe scratch.ordinals
    let block = unsafe scratch.block
    unsafe ids[0] = upperOrdinals[start]
    unsafe score(ordinal, ids, 1, exactly: false, into: block)
    var node = start
    var best = unsafe block[0]
    while true {
      let count = unsafe upperLinks(of: node, layer, scratch.met, ids)
      unsafe score(ordinal, ids, count, exactly: false, into: block)
      var next = node
      for i in 0..<count where unsafe block[i] < best {
        unsafe best = block[i]
        next = unsafe Int(scratch.met[i])
      }
      if next == node { return node }
      node = next
    }
  }

  /// Copies the links of a node above the base, and their ordinals; again when they were rewritten meanwhile.
  @inline(__always)
  private func upperLinks(
    of node: Int, _ layer: Int, _ nodes: UnsafeMutablePointer<UInt32>, _ ordinals: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let list = list(node, layer)
    let owner = ordinal(UInt32(truncatingIfNeeded: node), layer)
    while true {
      let version = version(owner)
      var count = 0
      while count < list.degree {
        let id = unsafe list.links[count].load(ordering: .relaxed)
        if id == HNSWGraph.unused { break }
        unsafe nodes[count] = id
        unsafe ordinals[count] = upperOrdinals[Int(id)]
        count &+= 1
      }
      if isUnchanged(owner, since: version) { return count }
    }
  }

  /// Algorithm 2 with ef = efConstruction; leaves the nearest nodes of the layer in the scratch's pool, sorted.
  @inline(never)
  private func searchLayer(_ ordinal: Int, from start: Int, _ layer: Int, _ scratch: BuildScratch) -> Int {
    let ef = configuration.efConstruction
    let visited = unsafe scratch.visited
    let met = unsafe scratch.met
    let scores = unsafe scratch.block
    var pool = unsafe scratch.pool.raw
    var spare = unsafe scratch.spare.raw
    var isSwapped = false
    let merge = unsafe scratch.merge
    let marked = CandidateList.marked
    let mostMerged = Int(VIDX_POOL_BLOCK)
    unsafe met[0] = UInt32(truncatingIfNeeded: start)
    unsafe visited[start &>> 6] |= 1 &<< UInt64(start & 63)
    var metCount = 1
    let first = unsafe rows(met, 1, layer, scratch)
    unsafe score(ordinal, first, 1, exactly: false, into: pool.scores)
    unsafe pool.ids[0] = met[0]
    var count = 1
    var next = 0
    while next < count {
      let fresh = unsafe met + metCount
      var freshCount = 0
      var followed = 0
      while next < count, followed < Self.nodesAtOnce {
        let node = unsafe Int(pool.ids[next])
        unsafe pool.ids[next] |= marked
        unsafe freshCount &+= gather(node, layer, visited, fresh + freshCount)
        followed &+= 1
        next &+= 1
        while next < count, unsafe pool.ids[next] & marked != 0 { next &+= 1 }
      }
      unsafe fetchLists(pool.ids, from: next, count, layer)
      metCount &+= freshCount
      let block = unsafe rows(fresh, freshCount, layer, scratch)
      unsafe score(ordinal, block, freshCount, exactly: false, into: scores)
      scratch.scored &+= freshCount
      var merged = 0
      while merged < freshCount {
        let width = min(freshCount &- merged, mostMerged)
        let place = unsafe merge(&pool, &count, ef, scores + merged, fresh + merged, width, &spare)
        if place < ef {
          unsafe swap(&pool, &spare)
          isSwapped.toggle()
        }
        if place < next { next = place }
        merged &+= width
      }
    }
    for i in 0..<metCount { unsafe visited[Int(met[i] &>> 6)] = 0 }
    for i in 0..<count { unsafe pool.ids[i] &= ~marked }
    if isSwapped { scratch.swapPools() }
    return count
  }

  /// Fetches the lists of the nodes that are likely to be followed next, while a block is scored.
  @inline(__always)
  private func fetchLists(_ ids: UnsafePointer<UInt32>, from next: Int, _ count: Int, _ layer: Int) {
    var ahead = next
    var fetched = 0
    while ahead < count, fetched < Self.nodesAtOnce {
      let id = unsafe ids[ahead]
      ahead &+= 1
      if id & CandidateList.marked != 0 { continue }
      let links = unsafe UnsafeRawPointer(list(Int(id), layer).links)
      unsafe vidx_prefetch(links)
      unsafe vidx_prefetch(links + 64)
      fetchVersion(ordinal(id, layer))
      fetched &+= 1
    }
  }

  /// Copies the links of a node that were not met to `ids`, and marks them met. Other threads may be writing the list:
  /// when it was rewritten meanwhile, it is read again, and what was read before stays too.
  /// - Returns: how many they are, at most `BuildScratch.gathered`.
  @inline(__always)
  private func gather(
    _ node: Int, _ layer: Int, _ visited: UnsafeMutablePointer<UInt64>, _ ids: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let list = list(node, layer)
    let owner = ordinal(UInt32(truncatingIfNeeded: node), layer)
    var fresh = 0
    while true {
      let version = version(owner)
      unsafe fresh &+= gather(list, visited, ids + fresh)
      if isUnchanged(owner, since: version) || fresh > BuildScratch.gathered &- list.degree { return fresh }
    }
  }

  @inline(__always)
  private func gather(
    _ list: LinkList, _ visited: UnsafeMutablePointer<UInt64>, _ ids: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let links = unsafe list.links
    let degree = list.degree
    var fresh = 0
    var j = 0
    while j < degree {
      let id = unsafe links[j].load(ordering: .relaxed)
      if id == HNSWGraph.unused { break }
      let word = unsafe visited[Int(id &>> 6)]
      let bit: UInt64 = 1 &<< UInt64(id & 63)
      unsafe ids[fresh] = id
      fresh &+= word & bit == 0 ? 1 : 0
      unsafe visited[Int(id &>> 6)] = word | bit
      j &+= 1
    }
    return fresh
  }
}
