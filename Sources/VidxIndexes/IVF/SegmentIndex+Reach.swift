import VidxSegments
import VidxVectors

/// What came of going through lists.
enum ReachOutcome {
  case found(SegmentOutcome)
  /// A walk is the shorter way: the lists left are taken to hold so many vectors.
  case walk(left: Double)
}

extension SegmentIndex {
  /// The k nearest rows of lists, as many of these as may hold a passing vector nearer than the k-th found
  /// (`ListReach`).
  ///
  /// Lists without a passing vector cost nothing, those with few are left sooner, and there are k rows whenever k pass:
  /// before k are found no list is too far. Exact, and says so, when all that pass were scored.
  ///
  /// After a walk of the graph that gave up, its candidates are the first to be looked at, and nothing that it has met
  /// is looked at again: what passes and is no candidate was farther than all of these.
  /// - Parameters:
  ///   - walked: candidates of the walk, at least k if so many of what it has met pass, in the scratch memory; nil
  ///     without a walk. It was under this filter, which not all pass.
  ///   - look: gives up when a walk is the shorter way on; nil: never.
  ///   - hits: room for k, or for all rows.
  /// - Complexity: O((lists + scored vectors) x dimensions).
  func searchReach(
    _ lists: IVFLists, _ query: PreparedQuery, k: Int, base: Float, filter: EntryFilter?, _ scratch: SearchScratch,
    walked: Int? = nil, look: FirstLook? = nil, into hits: UnsafeMutablePointer<Hit>, counters: inout SearchCounters
  ) throws(SegmentError) -> ReachOutcome {
    let passing = filter?.ordinalCount ?? vectorCount
    guard let counts = try passingLists(lists, filter) else { preconditionFailure("lists without a reach") }
    var (queue, nearest) = try rank(lists, query, base, counts.logCounts, scratch, &counters)
    var progress = try progress(look, lists, nearest, k: k, filter)
    let codes =
      coded.areScanned
      ? CodedScan(
        self, query, scratch.queryOfCodes, scratch.scan, k: k, filter: filter, mustBeExact: false,
        skipsVisited: walked != nil) : nil
    scratch.nearest.reset(k: k)
    if let walked { try takeWalked(walked, codes, query, filter, scratch, &counters) }
    var probed = 0
    var seen = 0
    while seen < passing, let next = queue.popScored() {
      let limit = codes?.kthEstimate ?? scratch.nearest.threshold
      if next.score > limit { break }
      if let left = progress?.wayLeft(seen: seen, of: passing, lists: probed, left: { queue.count(upTo: limit) }) {
        counters.listsProbed += probed
        codes?.countScores(&counters)
        return .walk(left: left)
      }
      let ordinals = try lists.ordinals(of: next.list)
      if ordinals.isEmpty { continue }
      if let codes {
        seen += try codes.scan(ordinals, scratch)
        counters.rowsScored += try passingRows(ordinals, filter)
      } else if walked != nil, let filter {
        seen += try scanUnvisited(ordinals, query, filter, scratch, &counters)
      } else {
        let count = try scan(ordinals, query, filter, scratch, &counters)
        counters.add(scores: count, rowBytes: configuration.vectorBytes)
        seen += count
      }
      probed += 1
    }
    counters.listsProbed += probed
    let isCertain = walked == nil && (codes == nil || coded.areListsCertain)
    let plan = seen >= passing && isCertain ? SegmentPlan.exact : .lists
    let count = unsafe try codes?.finish(into: hits, scratch, &counters) ?? scratch.nearest.move(to: hits)
    return .found(SegmentOutcome(count: count, plan: plan))
  }

  /// Looks at the candidates of a walk anew: lists want bounds, or scores of full vectors, for its estimates.
  private func takeWalked(
    _ count: Int, _ codes: CodedScan?, _ query: PreparedQuery, _ filter: EntryFilter?, _ scratch: SearchScratch,
    _ counters: inout SearchCounters
  ) throws(SegmentError) {
    let pool = scratch.walkedPool(capacity: count)
    var start = 0
    while start < count {
      let size = min(SearchScratch.blockCapacity, count - start)
      let ids = unsafe pool.tags + start
      if let codes {
        unsafe try codes.scan(ids, size, scratch)
      } else {
        unsafe try scoreBlock(query, ids, size, scratch.scores)
        for i in 0..<size where unsafe scratch.scores[i] <= scratch.nearest.threshold {
          try unsafe offer(Int(ids[i]), scratch.scores[i], filter, &scratch.nearest)
        }
        counters.add(scores: size, rowBytes: configuration.vectorBytes)
      }
      start += size
    }
  }

  /// Scores the vectors of a run that pass and that the walk has not met.
  /// - Returns: how many pass.
  private func scanUnvisited(
    _ ordinals: Range<Int>, _ query: PreparedQuery, _ filter: EntryFilter, _ scratch: SearchScratch,
    _ counters: inout SearchCounters
  ) throws(SegmentError) -> Int {
    let (ids, scores) = unsafe (scratch.ids, scratch.scores)
    var rest = ordinals
    var seen = 0
    while true {
      let size = unsafe filter.ordinals.copyMembers(of: &rest, to: ids, limit: SearchScratch.blockCapacity)
      if size == 0 { break }
      let fresh = scratch.dropVisited(size)
      try scratch.scored(fresh)
      unsafe try scoreBlock(query, ids, fresh, scores)
      for i in 0..<fresh where unsafe scores[i] <= scratch.nearest.threshold {
        try unsafe offer(Int(ids[i]), scores[i], filter, &scratch.nearest)
      }
      counters.add(scores: fresh, rowBytes: configuration.vectorBytes)
      seen += size
    }
    counters.rowsScored += try passingRows(ordinals, filter)
    return seen
  }

  private func passingLists(_ lists: IVFLists, _ filter: EntryFilter?) throws(SegmentError) -> PassingLists? {
    if let filter { return try filter.passingLists() }
    return try lists.wholePassing()
  }

  /// - Parameter nearest: the lists whose centroids are nearest to the query: one alone may be of another topic.
  private func progress(
    _ look: FirstLook?, _ lists: IVFLists, _ nearest: (Int, Int), k: Int, _ filter: EntryFilter?
  ) throws(SegmentError) -> FirstLook.Progress? {
    guard let look, let filter else { return nil }
    let near = (try lists.ordinals(of: nearest.0), nearest.1 == nearest.0 ? 0..<0 : try lists.ordinals(of: nearest.1))
    return FirstLook.Progress(
      look, passing: filter.ordinals.count(in: near.0) + filter.ordinals.count(in: near.1),
      of: near.0.count + near.1.count, k: k)
  }

  private func rank(
    _ lists: IVFLists, _ query: PreparedQuery, _ base: Float, _ logCounts: [Float], _ scratch: SearchScratch,
    _ counters: inout SearchCounters
  ) throws(SegmentError) -> (queue: ListQueue, nearest: (Int, Int)) {
    precondition(logCounts.count == lists.listCount, "a filter that was made for another segment")
    let ranked = unsafe logCounts.withUnsafeBufferPointer { counts in
      Result { () throws(SegmentError) in
        unsafe try lists.rank(query, reach: base, counts.baseAddress.unsafelyUnwrapped, scratch, &counters)
      }
    }
    return try ranked.get()
  }

  private func scan(
    _ ordinals: Range<Int>, _ query: PreparedQuery, _ filter: EntryFilter?, _ scratch: SearchScratch,
    _ counters: inout SearchCounters
  ) throws(SegmentError) -> Int {
    if let filter, filter.ordinalCount < vectorCount {
      return try scanPassing(ordinals, query, filter, scratch, &scratch.nearest, &counters)
    }
    return try scan(ordinals, query, filter, scratch, &scratch.nearest, &counters)
  }
}
