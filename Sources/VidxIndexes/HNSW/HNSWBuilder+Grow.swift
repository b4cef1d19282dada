import Synchronization
import VidxSegments
import VidxVectors

extension HNSWBuilder {
  /// Builds the graph over distinct vectors: on top of the survivors' graph when there is one, otherwise from nothing.
  static func build(
    _ distinct: DistinctVectors, _ survivors: Survivors?, _ options: BuildOptions
  ) throws -> HNSWBuilder {
    let configuration = distinct.configuration
    guard let survivors, let graph = survivors.graph, isWorthGrowing(survivors, graph, configuration) else {
      let builder = unsafe HNSWBuilder(
        configuration: configuration, vectors: distinct.vectors, levels: levels(from: 0, distinct))
      try builder.insertAll(from: 0, options: options)
      return builder
    }
    var kept = [UInt8](repeating: 0, count: survivors.count)
    for node in 0..<Int(graph.parameters.upperCount) {
      let ordinal = Int(try graph.upperOrdinal(node))
      let new = survivors.newOrdinals[ordinal]
      if new != DistinctVectors.none { kept[Int(new)] = UInt8(try graph.level(ofUpper: node)) }
    }
    let builder = unsafe HNSWBuilder(
      configuration: configuration, vectors: distinct.vectors,
      levels: kept + levels(from: survivors.count, distinct))
    try builder.adopt(graph, survivors.newOrdinals, options)
    try builder.insertAll(from: survivors.count, options: options)
    return builder
  }

  private static func levels(from first: Int, _ distinct: DistinctVectors) -> [UInt8] {
    let configuration = distinct.configuration
    return (first..<distinct.count).map {
      HNSWLevels.level(ordinal: $0, seed: configuration.seed, m: configuration.m)
    }
  }

  /// A graph of another degree, or one that lost a third of its nodes, is built anew: mending would cost as much and
  /// leave a worse graph.
  private static func isWorthGrowing(
    _ survivors: Survivors, _ graph: HNSWGraph, _ configuration: IndexConfiguration
  ) -> Bool {
    graph.parameters.m == UInt32(configuration.m) && survivors.count > 0
      && survivors.count * 3 >= graph.vectorCount * 2
  }

  /// Takes over the links between surviving nodes; a node that lost links is linked with what its lost neighbours
  /// linked to, chosen by the heuristic (as in FreshDiskANN's consolidation, arXiv 2105.09613, Algorithm 4).
  private func adopt(_ graph: HNSWGraph, _ newOrdinals: [UInt32], _ options: BuildOptions) throws {
    let scratch = BuildScratch(self)
    for old in 0..<graph.vectorCount where newOrdinals[old] != DistinctVectors.none {
      if old & 0xFFF == 0, options.isCancelled() { throw BuildError.cancelled }
      try adoptList(
        node: newOrdinals[old], layer: 0, old: UInt32(old), scratch,
        neighbours: { try graph.baseNeighbours(Int($0)) }, renumber: { newOrdinals[Int($0)] })
    }
    let upperCount = Int(graph.parameters.upperCount)
    var newNodes = [UInt32](repeating: DistinctVectors.none, count: upperCount)
    for old in 0..<upperCount {
      let ordinal = newOrdinals[Int(try graph.upperOrdinal(old))]
      if ordinal != DistinctVectors.none { newNodes[old] = upperNodes[Int(ordinal)] }
    }
    for old in 0..<upperCount where newNodes[old] != DistinctVectors.none {
      for layer in 1...(try graph.level(ofUpper: old)) {
        try adoptList(
          node: newNodes[old], layer: layer, old: UInt32(old), scratch,
          neighbours: { try graph.upperNeighbours(Int($0), level: layer) }, renumber: { newNodes[Int($0)] })
      }
    }
    try adoptEntry(graph, newNodes, newOrdinals)
  }

  private func adoptList(
    node: UInt32, layer: Int, old: UInt32, _ scratch: BuildScratch,
    neighbours: (UInt32) throws -> [UInt32], renumber: (UInt32) -> UInt32
  ) throws {
    let (links, scores, degree) = unsafe list(Int(node), layer)
    var found: [UInt32] = []
    var lost: [UInt32] = []
    for id in try neighbours(old) {
      let new = renumber(id)
      if new == DistinctVectors.none { lost.append(id) } else { found.append(new) }
    }
    for id in lost {
      for next in try neighbours(id) {
        let new = renumber(next)
        if new != DistinctVectors.none, new != node, !found.contains(new) { found.append(new) }
      }
    }
    let query = unsafe vector(ordinal(node, layer))
    var candidates = found.map { id in
      unsafe Candidate(kernels.one(query, vector(ordinal(id, layer)), stride), id)
    }
    candidates.sort { $0.score < $1.score }
    var kept = candidates.count
    if !lost.isEmpty {
      kept = unsafe candidates.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return 0 }
        return unsafe select(base, buffer.count, degree, layer, into: scratch.shortened, scratch)
      }
      candidates = (0..<kept).map { unsafe scratch.shortened[$0] }
    }
    for i in 0..<min(kept, degree) {
      unsafe scores[i] = candidates[i].score
      unsafe links[i].store(candidates[i].tag, ordering: .relaxed)
    }
  }

  /// The old entry point, or, when it is dead, a surviving node of the highest layer.
  private func adoptEntry(_ graph: HNSWGraph, _ newNodes: [UInt32], _ newOrdinals: [UInt32]) throws {
    let parameters = graph.parameters
    if parameters.maxLevel > 0, newNodes[Int(parameters.entryPoint)] != DistinctVectors.none {
      entry.store(
        UInt64(parameters.maxLevel) << 32 | UInt64(newNodes[Int(parameters.entryPoint)]), ordering: .releasing)
      return
    }
    var best: (level: Int, node: UInt32) = (0, newOrdinals.first { $0 != DistinctVectors.none } ?? 0)
    for (old, node) in newNodes.enumerated() where node != DistinctVectors.none {
      let level = try graph.level(ofUpper: old)
      if level > best.level { best = (level, node) }
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
