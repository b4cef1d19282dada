import VidxSegments
import VidxVectors

/// The vectors and rows of an older segment that go on living in the next.
struct Survivors {
  let index: SegmentIndex
  /// The new ordinal of each old one; `DistinctVectors.none` for a vector whose rows are all dead.
  let newOrdinals: [UInt32]
  let count: Int
  let graph: HNSWGraph?
  /// The entries that live on, in the order of their rows.
  private let entries: [UInt32]

  init(_ base: GrowthBase, into distinct: DistinctVectors, options: BuildOptions) throws {
    let index = base.index
    let expected = distinct.configuration
    precondition(
      index.configuration.dimensions == expected.dimensions && index.configuration.metric == expected.metric,
      "a base of other dimensions or another metric")
    var map = [UInt32](repeating: DistinctVectors.none, count: index.vectorCount)
    var living: [UInt32] = []
    living.reserveCapacity(index.vectorCount)
    for ordinal in 0..<index.vectorCount where base.live?.ordinals.contains(ordinal) ?? true {
      map[ordinal] = UInt32(distinct.count + living.count)
      living.append(UInt32(ordinal))
    }
    try distinct.addVectors(living, of: index, options: options)
    var owner = 0
    var entries: [UInt32] = []
    let searchable = try index.rows.searchableCount()
    for entry in 0..<index.entryCount {
      while owner < index.vectorCount, try entry >= index.rows.entries(ordinal: owner).upperBound { owner += 1 }
      if let live = base.live, !live.entries.contains(entry) { continue }
      guard entry >= searchable || owner < index.vectorCount else {
        throw SegmentError.invalidContent(section: .entryStarts, offset: owner * 4, path: index.file.path)
      }
      entries.append(UInt32(entry))
      distinct.addRow(
        try index.rows.rowID(entry: entry), ordinal: entry < searchable ? map[owner] : DistinctVectors.none,
        norm: try index.rows.norm(entry: entry))
    }
    self.index = index
    self.entries = entries
    newOrdinals = map
    count = distinct.count
    if case .hnsw(let graph) = index.structure { self.graph = graph } else { graph = nil }
  }

  /// The graph, if it is worth growing: one of another degree, or that lost a third of its nodes, is built anew.
  /// Mending would cost as much and leave a worse graph.
  func graphToGrow(_ configuration: IndexConfiguration) -> HNSWGraph? {
    guard let graph, graph.parameters.m == UInt32(configuration.m), count > 0, count * 3 >= graph.vectorCount * 2
    else { return nil }
    return graph
  }

  /// The list of each, in the older segment.
  func lists(in base: IVFLists) throws(SegmentError) -> [UInt32] {
    var lists = [UInt32](repeating: DistinctVectors.none, count: count)
    var assigned = 0
    for list in 0..<base.listCount {
      for ordinal in try base.ordinals(of: list) where newOrdinals[ordinal] != DistinctVectors.none {
        lists[Int(newOrdinals[ordinal])] = UInt32(list)
        assigned += 1
      }
    }
    // No checksum says that the lists share out all vectors.
    guard assigned == count else {
      throw .invalidContent(section: .listStarts, offset: 0, path: base.starts.path)
    }
    return lists
  }

  /// The filter columns of the rows that live on.
  func filterColumns() throws(SegmentError) -> [ValueColumn] {
    guard let columns = index.columns else { return [] }
    return try (0..<columns.count).map { (i) throws(SegmentError) in try columns.column(i, entries: entries) }
  }
}
