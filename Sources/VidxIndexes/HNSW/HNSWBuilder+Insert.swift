import CVidxKernels
import Synchronization
import VidxVectors

extension HNSWBuilder {
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
    let query = unsafe vector(ordinal)
    let top = Int(current >> 32)
    var layer = top
    var node = Int(current & 0xFFFF_FFFF)
    while layer > level {
      node = unsafe nearest(query, from: node, layer)
      layer -= 1
      if layer == 0 { node = Int(upperOrdinals[node]) }
    }
    let highest = layer
    while layer >= 0 {
      let count = unsafe searchLayer(query, from: node, layer, scratch)
      let pool = unsafe scratch.search.pool
      node = unsafe Int(pool[0].tag & ~Candidate.expanded)
      scratch.chosenCounts[layer] = unsafe select(pool, count, m, layer, into: scratch.chosen(in: layer), scratch)
      if layer == 1 { node = Int(upperOrdinals[node]) }
      layer -= 1
    }
    // From the base up: who finds the node in a layer finds its links in all layers below.
    for layer in 0...max(highest, 0) where highest >= 0 {
      connect(layer == 0 ? ordinal : Int(upperNodes[ordinal]), ordinal, layer, scratch)
    }
  }

  /// Greedy walk in one layer above the base.
  private func nearest(_ query: UnsafePointer<Float>, from start: Int, _ layer: Int) -> Int {
    let one = unsafe kernels.one
    var node = start
    var best = unsafe one(query, vector(Int(upperOrdinals[node])), stride)
    while true {
      let (links, _, degree) = unsafe list(node, layer)
      var next = node
      for i in 0..<degree {
        let id = unsafe links[i].load(ordering: .relaxed)
        if id == HNSWGraph.unused { break }
        let score = unsafe one(query, vector(Int(upperOrdinals[Int(id)])), stride)
        if score < best {
          best = score
          next = Int(id)
        }
      }
      if next == node { return node }
      node = next
    }
  }

  /// Algorithm 2 with ef = efConstruction; leaves the nearest nodes of the layer in the scratch's pool, sorted.
  @inline(never)
  private func searchLayer(
    _ query: UnsafePointer<Float>, from start: Int, _ layer: Int, _ scratch: BuildScratch
  ) -> Int {
    let ef = configuration.efConstruction
    let search = scratch.search
    let visited = unsafe search.visited
    let epoch = search.nextEpoch()
    let ids = unsafe search.ids
    let scores = unsafe search.scores
    let pool = unsafe search.pool
    let scoreIDs = unsafe kernels.ids
    let vectors = unsafe self.vectors
    let stride = self.stride
    let score = unsafe kernels.one(query, vector(ordinal(UInt32(start), layer)), stride)
    unsafe pool[0] = Candidate(score, UInt32(start))
    unsafe visited[start] = epoch
    var count = 1
    var next = 0
    while next < count {
      let node = unsafe Int(pool[next].tag)
      unsafe pool[next].tag |= Candidate.expanded
      let (links, _, degree) = unsafe list(node, layer)
      let fresh = unsafe gatherAtomically(links, degree, visited, epoch, ids)
      var ahead = next &+ 1
      while ahead < count, unsafe pool[ahead].tag & Candidate.expanded != 0 { ahead &+= 1 }
      if ahead < count {
        let upcoming = unsafe UnsafeRawPointer(list(Int(pool[ahead].tag), layer).links)
        unsafe vidx_prefetch(upcoming)
        unsafe vidx_prefetch(upcoming + 64)
      }
      let rows = unsafe layer == 0 ? ids : translated(ids, fresh, scratch)
      unsafe scoreIDs(query, vectors, stride, rows, fresh, stride, scores)
      next = ahead
      var j = 0
      while j < fresh {
        let score = unsafe scores[j]
        if unsafe count < ef || score < pool[count &- 1].score {
          // The insert of the search, not that of the graph.
          let place = unsafe VidxIndexes.insert(Candidate(score, ids[j]), pool, &count, ef)
          if place < next { next = place }
        }
        j &+= 1
      }
    }
    return count
  }

  /// `gather` over links that other threads may be writing.
  @inline(__always)
  private func gatherAtomically(
    _ links: Links, _ degree: Int, _ visited: UnsafeMutablePointer<UInt16>, _ epoch: UInt16,
    _ ids: UnsafeMutablePointer<UInt32>
  ) -> Int {
    var fresh = 0
    var j = 0
    while j < degree {
      let id = unsafe links[j].load(ordering: .relaxed)
      if id == HNSWGraph.unused { break }
      let mark = unsafe visited + Int(id)
      unsafe ids[fresh] = id
      unsafe fresh &+= mark.pointee == epoch ? 0 : 1
      unsafe mark.pointee = epoch
      j &+= 1
    }
    return fresh
  }

  /// The ordinals of upper nodes.
  private func translated(
    _ nodes: UnsafePointer<UInt32>, _ count: Int, _ scratch: BuildScratch
  ) -> UnsafeMutablePointer<UInt32> {
    for i in 0..<count { unsafe scratch.ordinals[i] = upperOrdinals[Int(nodes[i])] }
    return unsafe scratch.ordinals
  }
}
