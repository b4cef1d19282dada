import VidxIndexes

/// Which parts of an index are worth merging now: as little as keeps searches near the speed of one segment.
///
/// The delta becomes a segment when scanning it takes longer than searching one. Segments are merged as in a
/// log-structured merge tree with tiers: one goes in when what is merged without it is at least a `factor`th of it. So
/// sizes of segments differ by more than that factor, there are O(log rows) of them, and a row is written O(log rows)
/// times. A segment of which many rows are dead is written anew.
package struct MergePolicy: Sendable, Equatable {
  /// Rows of the delta from which on it is merged.
  package var deltaRows: Int
  package var factor = 4
  /// From more segments on the smallest are merged: each is searched for itself. Flat ones come to be many, since what
  /// comes in bulk needs nothing built.
  package var mostSegments = 16
  /// Of the entries of a segment, from which on it is written anew.
  package var deadShare = 0.25
  /// The largest segment there is memory to build.
  package var mostRows = Int.max

  package init(deltaRows: Int) { self.deltaRows = max(deltaRows, 1) }

  /// Whatever there is, in segments of at most so many rows.
  package init(mostRows: Int) {
    self.init(deltaRows: 1)
    self.mostRows = mostRows
  }

  /// The same, within the memory of a build.
  func within(_ options: BuildOptions, _ memory: BuildMemory) -> MergePolicy {
    var policy = self
    policy.mostRows = min(mostRows, memory.rows(within: options.memory))
    return policy
  }

  /// Scanning 4 MiB of floats takes about 0.2 ms, a search of a graph a tenth of that.
  private static let deltaBytes = 4 << 20

  /// - Returns: for vectors of so many components.
  package static func standard(dimensions: Int) -> MergePolicy {
    MergePolicy(deltaRows: max(deltaBytes / (4 * dimensions), 1_000))
  }

  /// Rows of a segment.
  package struct Segment: Sendable, Equatable {
    package var live: Int
    package var dead: Int
    /// Rows that came in bulk, over which nothing is built: searched as slowly as the delta, and merged as it is.
    package var isUnbuilt: Bool

    package init(live: Int, dead: Int, isUnbuilt: Bool = false) {
      self.live = live
      self.dead = dead
      self.isUnbuilt = isUnbuilt
    }
  }

  /// - Parameter delta: rows of the delta.
  /// - Returns: positions of the segments that are merged with the delta, maybe none; nil when nothing is.
  package func choose(delta: Int, segments: [Segment]) -> Set<Int>? {
    let order = segments.indices.sorted { segments[$0].live < segments[$1].live }
    var (chosen, rows) = withUnbuilt(delta, segments)
    let isMuch = rows >= deltaRows
    if !isMuch { (chosen, rows) = ([], delta) }
    for i in order where !chosen.contains(i) && Double(segments[i].dead) > deadShare * Double(segments[i].count) {
      if rows + segments[i].live > mostRows { break }
      rows += segments[i].live
      chosen.insert(i)
    }
    // Only the number of segments asks for it: then two at least are to go together.
    let areMany = !isMuch && chosen.isEmpty && segments.count > mostSegments
    if areMany {
      rows = max(delta, segments[order[0]].live)
      chosen = [order[0]]
    }
    guard isMuch || !chosen.isEmpty else { return nil }
    for i in order where !chosen.contains(i) {
      if segments[i].live > factor * rows || rows + segments[i].live > mostRows { break }
      rows += segments[i].live
      chosen.insert(i)
    }
    return areMany && chosen.count < 2 ? nil : chosen
  }

  /// The segments that go wherever the delta goes, and the rows of both: of them nothing is grown, so they are shared
  /// out to several segments where they are too many for one.
  private func withUnbuilt(_ delta: Int, _ segments: [Segment]) -> (chosen: Set<Int>, rows: Int) {
    let unbuilt = segments.indices.filter { segments[$0].isUnbuilt }
    return (Set(unbuilt), unbuilt.reduce(delta) { $0 + segments[$1].live })
  }
}

extension MergePolicy {
  /// As few segments as can be: the delta goes with the smallest, as many as make no more than `mostRows`. Where none
  /// goes with another, one of which rows are dead is written anew.
  /// - Returns: as `choose`.
  package func chooseAll(delta: Int, segments: [Segment]) -> Set<Int>? {
    var (chosen, rows) = withUnbuilt(delta, segments)
    for i in segments.indices.sorted(by: { segments[$0].live < segments[$1].live }) where !chosen.contains(i) {
      if rows + segments[i].live > mostRows { break }
      rows += segments[i].live
      chosen.insert(i)
    }
    if delta > 0 || chosen.count > 1 || chosen.contains(where: { segments[$0].isUnbuilt }) { return chosen }
    return segments.indices.first { segments[$0].dead > 0 && segments[$0].live <= mostRows }.map { [$0] }
  }
}

extension MergePolicy.Segment {
  var count: Int { live + dead }
}
