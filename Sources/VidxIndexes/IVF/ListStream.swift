import VidxSegments
import VidxVectors

extension SegmentIndex {
  /// Vectors in order of distance from more and more lists.
  func listsStream(
    _ lists: IVFLists, _ query: PreparedQuery, probes: Int?, filter: EntryFilter?, stop: SearchStop?
  ) -> any SegmentStream.Source {
    ListStream(self, lists, query, probes: lists.clampedProbes(probes), filter, stop)
  }
}

/// Scans lists, nearest first, and hands out the best of what it has scored; to the last vector.
///
/// The first stage scans `probes` lists, each further one as many as all before. A stage hands out a 64th of the
/// vectors that have been scored by then, so the farther down the order, the more lists have been looked at: the
/// share of the true nearest in what is handed out does not fall. Measured on real turns with 85 and 290 lists it is
/// 0.97 in the first stage, 0.99 in the second for a 64th; 0.92 and 0.95 for an eighth (docs/decisions/0003-ivf.md).
/// When no list is left, the rest comes in exact order.
final class ListStream: SegmentStream.Source {
  private let index: SegmentIndex
  private let lists: IVFLists
  private let query: PreparedQuery
  private let filter: EntryFilter?
  private let probes: Int
  /// Kept for the life of the stream: the queue of lists lives in it.
  private let scratch: SearchScratch
  private var queue: RankedLists?
  /// Scored, not yet handed out.
  private var pool = CandidateHeap()
  private var listsScanned = 0
  private var vectorsScored = 0
  /// Vectors this stage may still hand out.
  private var allowance = 0

  static let handedOutShare = 64

  init(
    _ index: SegmentIndex, _ lists: IVFLists, _ query: PreparedQuery, probes: Int, _ filter: EntryFilter?,
    _ stop: SearchStop?
  ) {
    self.index = index
    self.lists = lists
    self.query = query
    self.probes = probes
    self.filter = filter
    scratch = index.scratch.take(stop)
  }

  deinit { index.scratch.give(scratch) }

  func nextCandidate(_ counters: inout SearchCounters) throws(SegmentError) -> Candidate? {
    if queue == nil { queue = try lists.rank(query, scratch, &counters) }
    while allowance == 0, let remaining = queue?.count, remaining > 0 { try scanStage(&counters) }
    if allowance > 0 { allowance -= 1 }
    return pool.pop()
  }

  /// Scans as many lists as all stages before together, the first time `probes`; lists without a passing row do not
  /// count.
  private func scanStage(_ counters: inout SearchCounters) throws(SegmentError) {
    var wanted = max(listsScanned, probes)
    while wanted > 0, let list = queue?.pop(&counters) {
      let count = try scan(try lists.ordinals(of: list), &counters)
      if count == 0 { continue }
      wanted -= 1
      listsScanned += 1
      counters.listsProbed += 1
    }
    allowance = max(1, vectorsScored / Self.handedOutShare)
  }

  private func scan(_ ordinals: Range<Int>, _ counters: inout SearchCounters) throws(SegmentError) -> Int {
    let ids = unsafe scratch.ids
    let scores = unsafe scratch.scores
    let block = SearchScratch.blockCapacity
    var rest = ordinals
    var scored = 0
    while !rest.isEmpty {
      let count: Int
      if let filter {
        count = unsafe filter.ordinals.copyMembers(of: &rest, to: ids, limit: block)
        unsafe try index.scoreBlock(query, ids, count, scores)
        for i in 0..<count { unsafe pool.push(Candidate(scores[i], ids[i])) }
      } else {
        let start = rest.lowerBound
        count = min(block, rest.count)
        unsafe try index.scoreRun(query, start, count, scores)
        for i in 0..<count { unsafe pool.push(Candidate(scores[i], UInt32(truncatingIfNeeded: start + i))) }
        rest = start + count..<rest.upperBound
      }
      scored += count
      try scratch.scored(count)
    }
    counters.add(scores: scored, rowBytes: index.configuration.vectorBytes)
    vectorsScored += scored
    return scored
  }
}
