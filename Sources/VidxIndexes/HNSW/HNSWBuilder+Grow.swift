import Synchronization
import VidxSegments
import VidxVectors

extension HNSWBuilder {
  /// Builds the graph over distinct vectors: on top of the survivors' graph when there is one worth it, otherwise from
  /// nothing.
  /// - Parameter lists: of all vectors; nil for none. New vectors find their neighbours in them where that is as good.
  static func build(
    _ distinct: DistinctVectors, _ survivors: Survivors?, _ lists: NearLists?, _ options: BuildOptions
  ) throws -> HNSWBuilder {
    let configuration = distinct.configuration
    let bytes = ByteRows(distinct, threads: options.threads)
    guard let survivors, let graph = survivors.graphToGrow(configuration) else {
      let builder = HNSWBuilder(distinct, bytes, levels: levels(from: 0, distinct))
      try builder.linkAll(isScattered: survivors != nil, options)
      builder.linkUnreached()
      return builder
    }
    var kept = [UInt8](repeating: 0, count: survivors.count)
    var previous = -1
    for node in 0..<Int(graph.parameters.upperCount) {
      let ordinal = Int(try graph.upperOrdinal(node))
      // Two upper nodes of one vector, in a forged graph, would have more layers than there is room for.
      guard ordinal > previous else {
        throw SegmentError.invalidContent(section: .upperOrdinals, offset: node * 4, path: graph.baseLinks.path)
      }
      previous = ordinal
      let new = survivors.newOrdinals[ordinal]
      if new != DistinctVectors.none { kept[Int(new)] = UInt8(try graph.level(ofUpper: node)) }
    }
    let builder = HNSWBuilder(distinct, bytes, levels: kept + levels(from: survivors.count, distinct))
    try builder.adopt(graph, survivors.newOrdinals, options)
    try builder.add(from: survivors.count, lists, options)
    builder.linkUnreached()
    return builder
  }

  private static func levels(from first: Int, _ distinct: DistinctVectors) -> [UInt8] {
    let configuration = distinct.configuration
    return (first..<distinct.count).map {
      HNSWLevels.level(ordinal: $0, seed: configuration.seed, m: configuration.m)
    }
  }

  /// Takes over the links between surviving nodes; then a node that lost neighbours is linked, both ways, with what
  /// those linked to: as many as it lost, chosen by the heuristic. (FreshDiskANN, arXiv 2105.09613, Algorithm 4, also
  /// goes through the lost nodes, but chooses all links anew, which thins lists that grew by links back.)
  private func adopt(_ graph: HNSWGraph, _ newOrdinals: [UInt32], _ options: BuildOptions) throws {
    let upperCount = Int(graph.parameters.upperCount)
    var newNodes = [UInt32](repeating: DistinctVectors.none, count: upperCount)
    var levels = [Int](repeating: 0, count: upperCount)
    for old in 0..<upperCount {
      levels[old] = try graph.level(ofUpper: old)
      let ordinal = newOrdinals[Int(try graph.upperOrdinal(old))]
      if ordinal != DistinctVectors.none { newNodes[old] = upperNodes[Int(ordinal)] }
    }
    let base = OldLayer(renumbered: newOrdinals, layer: 0) { (node) throws(SegmentError) in
      try graph.baseNeighbours(Int(node))
    }
    try mend(adoptBase(graph, newOrdinals, options), base, options)
    for layer in 1..<(Int(graph.parameters.maxLevel) + 1) {
      let upper = OldLayer(renumbered: newNodes, layer: layer) { (node) throws(SegmentError) in
        try graph.upperNeighbours(Int(node), level: layer)
      }
      try mend(adoptUpper(upper, options) { levels[$0] >= layer }, upper, options)
    }
    adoptEntry(graph.parameters, newNodes, levels, newOrdinals)
  }

  /// One layer of the graph that is grown.
  private struct OldLayer: Sendable {
    /// The new number of each old node; `DistinctVectors.none` for a dead one.
    let renumbered: [UInt32]
    let layer: Int
    let neighbours: @Sendable (UInt32) throws(SegmentError) -> [UInt32]
  }

  /// Takes over the links at the base, without their scores: only lists that are shortened need them.
  /// - Returns: the old nodes that live and lost neighbours, ascending.
  /// - Complexity: O(links), shared out to the threads.
  private func adoptBase(_ graph: HNSWGraph, _ newOrdinals: [UInt32], _ options: BuildOptions) throws -> [Int] {
    try graph.baseLinks.verifyAll()
    let builder = self
    let mended = Locked<[Int]>([])
    Parallel.chunks(newOrdinals.count, chunk: 2048, threads: options.threads) { _, range in
      if options.isCancelled() { return }
      let bereft = range.filter { builder.adoptBase($0, graph, newOrdinals) }
      mended.withLock { $0 += bereft }
    }
    if options.isCancelled() { throw BuildError.cancelled }
    return mended.withLock { $0 }.sorted()
  }

  /// - Returns: whether the node lives and has lost neighbours.
  private func adoptBase(_ node: Int, _ graph: HNSWGraph, _ newOrdinals: [UInt32]) -> Bool {
    if newOrdinals[node] == DistinctVectors.none { return false }
    let list = list(Int(newOrdinals[node]), 0)
    let old = unsafe graph.baseLinks.words + node * list.degree
    var used = 0
    var hasLost = false
    for i in 0..<list.degree {
      let id = unsafe old[i]
      if id == HNSWGraph.unused { break }
      let new = newOrdinals[Int(id)]
      if new == DistinctVectors.none {
        hasLost = true
      } else {
        unsafe list.links[used].store(new, ordering: .relaxed)
        used += 1
      }
    }
    unsafe list.diverse.pointee = Self.unscored
    return hasLost
  }

  /// The same above the base, where nodes are few.
  private func adoptUpper(_ old: OldLayer, _ options: BuildOptions, contains: (Int) -> Bool) throws -> [Int] {
    var mended: [Int] = []
    for node in old.renumbered.indices where old.renumbered[node] != DistinctVectors.none && contains(node) {
      if node & 0xFFF == 0, options.isCancelled() { throw BuildError.cancelled }
      let found = try old.neighbours(UInt32(node)).map { old.renumbered[Int($0)] }
      if found.contains(DistinctVectors.none) { mended.append(node) }
      let list = list(Int(old.renumbered[node]), old.layer)
      for (i, id) in found.filter({ $0 != DistinctVectors.none }).enumerated() {
        unsafe list.links[i].store(id, ordering: .relaxed)
      }
      unsafe list.diverse.pointee = Self.unscored
    }
    return mended
  }

  /// Links nodes that lost neighbours, on all threads.
  private func mend(_ nodes: [Int], _ old: OldLayer, _ options: BuildOptions) throws {
    if nodes.isEmpty { return }
    let builder = self
    let failure = Locked<SegmentError?>(nil)
    let scratches = (0..<options.threads).map { BuildScratch(self, thread: $0) }
    Parallel.chunks(nodes.count, chunk: 64, threads: options.threads) { worker, range in
      if options.isCancelled() { return }
      do throws(SegmentError) {
        for i in range { try builder.mend(nodes[i], old, scratches[worker]) }
      } catch {
        failure.withLock { $0 = error }
      }
    }
    if options.isCancelled() { throw BuildError.cancelled }
    if let error = failure.withLock({ $0 }) { throw error }
  }

  private func mend(_ node: Int, _ old: OldLayer, _ scratch: BuildScratch) throws(SegmentError) {
    let new = old.renumbered[node]
    var present: Set<UInt32> = [new]
    var lost = 0
    var beyond: [UInt32] = []
    for id in try old.neighbours(UInt32(node)) {
      let number = old.renumbered[Int(id)]
      if number != DistinctVectors.none {
        present.insert(number)
        continue
      }
      lost += 1
      beyond += try old.neighbours(id).map { old.renumbered[Int($0)] }.filter { $0 != DistinctVectors.none }
    }
    let own = ordinal(new, old.layer)
    let nodes = beyond.filter { present.insert($0).inserted }
    var scores = [Float](repeating: 0, count: nodes.count)
    unsafe score(own, nodes.map { UInt32(ordinal($0, old.layer)) }, nodes.count, exactly: false, into: &scores)
    let sorted = nodes.indices.sorted { scores[$0] < scores[$1] }
    let candidates = CandidateList(capacity: nodes.count)
    defer { candidates.deallocate() }
    for (i, position) in sorted.enumerated() {
      unsafe candidates.scores[i] = scores[position]
      unsafe candidates.ids[i] = nodes[position]
    }
    scratch.chosenCounts[old.layer] = select(
      candidates, nodes.count, lost, old.layer, exactly: isVague(candidates, nodes.count, own),
      into: scratch.chosen(in: old.layer), scratch)
    connect(Int(new), own, old.layer, scratch)
  }

  /// The old entry point, or, when it is dead, a surviving node of the highest layer.
  private func adoptEntry(
    _ parameters: HNSWParameters, _ newNodes: [UInt32], _ levels: [Int], _ newOrdinals: [UInt32]
  ) {
    var best = (level: 0, node: newOrdinals.first { $0 != DistinctVectors.none } ?? 0)
    for (old, node) in newNodes.enumerated() where node != DistinctVectors.none {
      if levels[old] > best.level { best = (levels[old], node) }
    }
    let old = Int(parameters.entryPoint)
    if best.level > 0, newNodes[old] != DistinctVectors.none, levels[old] == best.level {
      best.node = newNodes[old]
    }
    entry.store(UInt64(best.level) << 32 | UInt64(best.node), ordering: .releasing)
  }
}

extension HNSWGraph {
  func upperOrdinal(_ node: Int) throws(SegmentError) -> UInt32 {
    guard let upper else { throw .missingSection(section: .upperOrdinals, path: baseLinks.path) }
    return try upper.ordinals.load(UInt32.self, at: node)
  }
}
