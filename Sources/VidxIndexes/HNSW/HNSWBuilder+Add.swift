extension HNSWBuilder {
  /// Adds vectors `first`... to a graph of those before them.
  ///
  /// As when all are built in leaves: those of upper layers are inserted, and links are chosen among the nearest of
  /// some parts of the vectors that are compared as matrix products. Here the parts are the lists beside the graph.
  /// Where leaves would not do, or the lists are so uneven that searches cost less, all are inserted.
  /// - Throws: `BuildError.cancelled`.
  func add(from first: Int, _ lists: NearLists?, _ options: BuildOptions) throws(BuildError) {
    guard first < vectorCount else { return }
    guard let bytes, let lists, Self.overlap(configuration, vectorCount: vectorCount) != nil,
      lists.comparisons <= Self.mostComparisons * (vectorCount - first)
    else {
      return try insertAll(from: first, options: options)
    }
    let upper = upperOrdinals.filter { $0 >= first }
    let progress = ProgressCounter(total: upper.count + 2 * (vectorCount - first), options: options)
    try insertAll(upper, besideLinked: first, progress, options)
    let near = try ListNeighbours(lists, nearest: Self.nearestInLeaf(m: m), bytes, options)
    progress.add(vectorCount - first)
    try link(lists.added, to: near, progress, options)
  }

  /// Vectors that one may be compared with in lists: that takes as long as a search.
  private static let mostComparisons = 32_768
}
