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

    package init(live: Int, dead: Int) {
      self.live = live
      self.dead = dead
    }
  }

  /// - Parameter delta: rows of the delta.
  /// - Returns: positions of the segments that are merged with the delta, maybe none; nil when nothing is.
  package func choose(delta: Int, segments: [Segment]) -> Set<Int>? {
    let order = segments.indices.sorted { segments[$0].live < segments[$1].live }
    var (chosen, rows) = (Set<Int>(), delta)
    for i in order where Double(segments[i].dead) > deadShare * Double(segments[i].count) {
      if rows + segments[i].live > mostRows { break }
      rows += segments[i].live
      chosen.insert(i)
    }
    guard delta >= deltaRows || !chosen.isEmpty else { return nil }
    for i in order where !chosen.contains(i) {
      if segments[i].live > factor * rows || rows + segments[i].live > mostRows { break }
      rows += segments[i].live
      chosen.insert(i)
    }
    return chosen
  }
}

extension MergePolicy {
  /// As few segments as can be: the delta goes with the smallest, as many as make no more than `mostRows`. Where none
  /// goes with another, one of which rows are dead is written anew.
  /// - Returns: as `choose`.
  package func chooseAll(delta: Int, segments: [Segment]) -> Set<Int>? {
    var (chosen, rows) = (Set<Int>(), delta)
    for i in segments.indices.sorted(by: { segments[$0].live < segments[$1].live }) {
      if rows + segments[i].live > mostRows { break }
      rows += segments[i].live
      chosen.insert(i)
    }
    if delta > 0 || chosen.count > 1 { return chosen }
    return segments.indices.first { segments[$0].dead > 0 && segments[$0].live <= mostRows }.map { [$0] }
  }
}

extension MergePolicy.Segment {
  var count: Int { live + dead }
}
