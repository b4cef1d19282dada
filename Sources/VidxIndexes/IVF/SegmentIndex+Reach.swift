import VidxSegments
import VidxVectors

extension SegmentIndex {
  /// The k nearest rows of lists, as many of these as may hold a passing vector nearer than the k-th found
  /// (`ListReach`).
  ///
  /// Lists without a passing vector cost nothing, those with few are left sooner, and there are k rows whenever k pass:
  /// before k are found no list is too far. Exact, and says so, when all that pass were scored.
  /// - Parameter hits: room for k, or for all rows.
  /// - Complexity: O((lists + scored vectors) x dimensions).
  func searchReach(
    _ lists: IVFLists, _ query: PreparedQuery, k: Int, base: Float, filter: EntryFilter?,
    into hits: UnsafeMutablePointer<Hit>, counters: inout SearchCounters
  ) throws(SegmentError) -> SegmentOutcome {
    let scratch = self.scratch.take()
    defer { self.scratch.give(scratch) }
    let passing = filter?.ordinalCount ?? vectorCount
    guard let logCounts = try logCounts(lists, filter) else { preconditionFailure("lists without a reach") }
    var queue = try rank(lists, query, base, logCounts, scratch, &counters)
    let codes =
      coded.areScanned
      ? CodedScan(self, query, scratch.queryOfCodes, scratch.scan, k: k, filter: filter, mustBeExact: false) : nil
    scratch.nearest.reset(k: k)
    var probed = 0
    var scored = 0
    while scored < passing, let next = queue.popScored() {
      let limit = codes?.kthEstimate ?? scratch.nearest.threshold
      if next.score > limit { break }
      let ordinals = try lists.ordinals(of: next.list)
      if ordinals.isEmpty { continue }
      if let codes {
        scored += try codes.scan(ordinals, scratch)
        counters.rowsScored += try passingRows(ordinals, filter)
      } else {
        scored += try scan(ordinals, query, filter, scratch, &counters)
      }
      probed += 1
    }
    counters.listsProbed += probed
    let plan = scored >= passing && (codes == nil || coded.areListsCertain) ? SegmentPlan.exact : .lists
    if let codes { return SegmentOutcome(count: unsafe try codes.finish(into: hits, scratch, &counters), plan: plan) }
    counters.add(scores: scored, rowBytes: configuration.vectorBytes)
    return SegmentOutcome(count: unsafe scratch.nearest.move(to: hits), plan: plan)
  }

  private func logCounts(_ lists: IVFLists, _ filter: EntryFilter?) throws(SegmentError) -> [Float]? {
    if let filter { return try filter.logCounts() }
    return try lists.wholeLogCounts()
  }

  private func rank(
    _ lists: IVFLists, _ query: PreparedQuery, _ base: Float, _ logCounts: [Float], _ scratch: SearchScratch,
    _ counters: inout SearchCounters
  ) throws(SegmentError) -> ListQueue {
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
