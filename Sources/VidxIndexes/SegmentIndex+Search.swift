package import VidxSegments
package import VidxVectors

extension SegmentIndex {
  /// The k nearest rows, or all that pass when they are fewer.
  ///
  /// In the way that is expected to cost least (`SearchPlanner`); exact, and says so, when all that pass were scored.
  /// - Parameters:
  ///   - k: at least 0.
  ///   - filter: the rows that may be returned; nil for all.
  /// - Throws: `SegmentError` when the segment is damaged.
  package func search(
    _ query: PreparedQuery, k: Int, parameters: SearchParameters = SearchParameters(), filter: EntryFilter? = nil,
    counters: inout SearchCounters
  ) throws(SegmentError) -> SegmentAnswer {
    var plan = SegmentPlan.exact
    let hits = unsafe try collect(k: k) { (hits) throws(SegmentError) in
      let outcome = unsafe try search(
        query, k: k, parameters: parameters, filter: filter, into: hits, counters: &counters)
      plan = outcome.plan
      return outcome.count
    }
    return SegmentAnswer(hits: hits, plan: plan)
  }

  /// The same into the caller's memory. Allocates nothing, once searches with the same settings have been made: what
  /// they work in is kept. (Up to four threads at a time; under a filter as well.)
  /// - Parameter hits: room for k, or for all rows.
  package func search(
    _ query: PreparedQuery, k: Int, parameters: SearchParameters, filter: EntryFilter? = nil,
    into hits: UnsafeMutablePointer<Hit>, counters: inout SearchCounters
  ) throws(SegmentError) -> SegmentOutcome {
    precondition(query.dimensions == configuration.dimensions, "a query of \(query.dimensions) dimensions")
    if k <= 0 || vectorCount == 0 || filter?.ordinalCount == 0 { return SegmentOutcome(count: 0, plan: .exact) }
    var way = way(k: k, parameters, filter)
    if way.plan == .lists {
      switch unsafe try searchLists(
        query, k: k, parameters, filter: filter, way.look, into: hits, counters: &counters)
      {
      case .found(let outcome): return outcome
      case .walk(let left): way.walk(insteadOf: left, ScoreCosts(self))
      case nil: break
      }
    }
    if way.plan == .graph || way.look != nil, case .hnsw(let graph) = structure,
      let outcome = unsafe try searchGraph(
        graph, query, k: k, parameters, filter: filter, way, into: hits, counters: &counters)
    {
      return outcome
    }
    let count = unsafe try searchExact(
      query, k: k, filter: filter, stop: parameters.stop, into: hits, counters: &counters)
    return SegmentOutcome(count: count, plan: .exact)
  }

  private func way(
    k: Int, _ parameters: SearchParameters, _ filter: EntryFilter?
  ) -> SearchPlanner.Way {
    // What most searches are needs no estimates.
    if filter == nil, case .hnsw(let graph) = structure, parameters.plan == nil, !parameters.isExact,
      vectorCount > 64 * graph.limits(parameters, k: k, isFiltered: false).ef
    {
      return SearchPlanner.Way(plan: .graph, walkBudget: vectorCount, next: .exact)
    }
    let planner = SearchPlanner(self, k: k, parameters: parameters, filter: filter)
    guard planner.mayLook, let filter else { return planner.way }
    // Damage in what only searches by lists read is for these to find.
    guard case .success(let passing?) = Result(catching: { () throws(SegmentError) in try filter.passingLists() })
    else { return planner.way }
    return planner.lookingWay(isUneven: passing.areUneven)
  }

  /// By lists; nil where there are none.
  private func searchLists(
    _ query: PreparedQuery, k: Int, _ parameters: SearchParameters, filter: EntryFilter?, _ look: FirstLook? = nil,
    into hits: UnsafeMutablePointer<Hit>, counters: inout SearchCounters
  ) throws(SegmentError) -> ReachOutcome? {
    guard let lists else { return nil }
    if let reach = lists.reach, usesReach(parameters, filter) {
      let scratch = self.scratch.take(parameters.stop)
      defer { self.scratch.give(scratch) }
      return unsafe try searchReach(
        lists, query, k: k, base: reachBase(reach, parameters), filter: filter, scratch, look: look, into: hits,
        counters: &counters)
    }
    guard case .ivfflat = structure else { return nil }
    return .found(
      unsafe try searchLists(
        lists, query, k: k, probes: parameters.probes, filter: filter, stop: parameters.stop, into: hits,
        counters: &counters))
  }

  /// An array of what a search writes.
  func collect(
    k: Int, _ search: (UnsafeMutablePointer<Hit>) throws(SegmentError) -> Int
  ) throws(SegmentError) -> [Hit] {
    let room = min(max(k, 0), entryCount)
    let memory = UnsafeMutablePointer<Hit>.allocate(capacity: max(room, 1))
    defer { unsafe memory.deallocate() }
    let count = unsafe try search(memory)
    return unsafe Array(UnsafeBufferPointer(start: memory, count: count))
  }

  /// By the graph; where a walk meets too few that pass, by lists, which begin with what it has found. Nil where all
  /// that pass are to be scored instead: an estimate is no proof that a vector is none of the nearest.
  private func searchGraph(
    _ graph: HNSWGraph, _ query: PreparedQuery, k: Int, _ parameters: SearchParameters, filter: EntryFilter?,
    _ way: SearchPlanner.Way, into hits: UnsafeMutablePointer<Hit>, counters: inout SearchCounters
  ) throws(SegmentError) -> SegmentOutcome? {
    let limits = graph.limits(parameters, k: k, isFiltered: isSelective(filter))
    let scratch = self.scratch.take(parameters.stop)
    defer { self.scratch.give(scratch) }
    let walk = unsafe GraphWalk(graph.layers, coded, scratch.prepare(query), scratch)
    var count: Int
    if let filter {
      let found = try walk.searchFiltered(
        ef: limits.ef, filter: filter.ordinals, budget: way.walkBudget, counters: &counters)
      count = found.count
      // Dearer than another way, or not as many as pass.
      if found.gaveUp || count < min(limits.ef, filter.ordinalCount) {
        guard way.next == .lists, let lists, let reach = lists.reach,
          case .found(let outcome) = unsafe try searchReach(
            lists, query, k: k, base: reachBase(reach, parameters), filter: filter, scratch, walked: count,
            into: hits, counters: &counters)
        else { return nil }
        return outcome
      }
    } else {
      count = try walk.searchBase(graph.limits(limits, query), counters: &counters)
      if count < min(k, vectorCount) { return nil }
    }
    let margin = graph.calibration.margin(of: query)
    count = unsafe try reranker.rank(
      query.floats, k: k, of: count, margin: margin, walk.query, scratch, &counters)
    let pool = unsafe UnsafeBufferPointer(start: scratch.pool, count: count)
    count = unsafe try write(pool, k: k, filter: filter, into: hits, counters: &counters)
    return SegmentOutcome(count: count, plan: .graph)
  }

  /// Writes the rows of candidates that are sorted by score: the first k by (score, row id).
  /// - Returns: how many there are.
  private func write(
    _ candidates: UnsafeBufferPointer<Candidate>, k: Int, filter: EntryFilter?,
    into hits: UnsafeMutablePointer<Hit>, counters: inout SearchCounters
  ) throws(SegmentError) -> Int {
    var count = 0
    var i = 0
    while i < candidates.count {
      let candidate = unsafe candidates[i]
      if count == k, unsafe candidate.score > hits[k - 1].score { break }
      var taken = 0
      for entry in try rows.entries(ordinal: Int(candidate.tag & ~Candidate.expanded)) {
        if let filter, !filter.passes(entry) { continue }
        unsafe insert(Hit(score: candidate.score, rowID: try rows.rowID(entry: entry)), hits, &count, k: k)
        taken += 1
        // Entries of one vector ascend by row id: more than k of them cannot matter.
        if taken == k { break }
      }
      counters.rowsScored += taken
      i += 1
    }
    return count
  }

  /// Puts a hit, no nearer than any of the `count` but for its row id, into its place among them; k are kept.
  @inline(__always)
  private func insert(_ hit: Hit, _ hits: UnsafeMutablePointer<Hit>, _ count: inout Int, k: Int) {
    var place = count
    while place > 0, unsafe Hit.isNearer(hit, hits[place - 1]) { place -= 1 }
    if place == k { return }
    let kept = min(count, k - 1)
    unsafe (hits + place + 1).update(from: hits + place, count: kept - place)
    unsafe (hits + place).initialize(to: hit)
    count = kept + 1
  }
}
