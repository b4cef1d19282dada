import CVidxKernels
import VidxSegments
import VidxVectors

extension SegmentIndex {
  /// The k nearest rows of the nearest lists.
  ///
  /// Scans at least `probes` lists that have a passing row, and goes on, nearest list first, until it has found k rows:
  /// there are k whenever k pass. Under a filter it also goes on until it has scored half as many vectors as the
  /// probed lists hold on average (or all that pass). The nearest of few passing rows lie in farther lists than the
  /// nearest of all rows do, and skipping failing rows has saved the work to look there: recall rises with the
  /// filter's selectivity instead of collapsing (docs/decisions/0003-ivf.md). The answer is exact, and says so, when
  /// all that pass were scored.
  /// - Parameters:
  ///   - probes: nil for the square root of the number of lists; clamped to 1...lists.
  ///   - hits: room for k, or for all rows.
  /// - Complexity: O((lists + scored vectors) x dimensions).
  func searchLists(
    _ lists: IVFLists, _ query: PreparedQuery, k: Int, probes: Int?, filter: EntryFilter?, stop: SearchStop? = nil,
    into hits: UnsafeMutablePointer<Hit>, counters: inout SearchCounters
  ) throws(SegmentError) -> SegmentOutcome {
    let scratch = self.scratch.take(stop)
    defer { self.scratch.give(scratch) }
    let probes = lists.clampedProbes(probes)
    let passing = filter?.ordinalCount ?? vectorCount
    let wanted = filter == nil ? 0 : vectorCount * probes / lists.listCount / 2
    var queue = try lists.rank(query, scratch, &counters)
    let codes =
      coded.areScanned
      ? CodedScan(self, query, scratch.queryOfCodes, scratch.scan, k: k, filter: filter, mustBeExact: false) : nil
    let before = counters.rowsScored
    scratch.nearest.reset(k: k)
    var probed = 0
    var scored = 0
    // It holds as many hits as it has met rows, k at most.
    while scored < passing, probed < probes || counters.rowsScored - before < k || scored < wanted,
      let list = queue.pop(&counters)
    {
      let ordinals = try lists.ordinals(of: list)
      let count: Int
      if let codes {
        count = try codes.scan(ordinals, scratch)
        if count > 0 { counters.rowsScored += try passingRows(ordinals, filter) }
      } else if let filter, passing < vectorCount {
        count = try scanPassing(ordinals, query, filter, scratch, &scratch.nearest, &counters)
      } else {
        count = try scan(ordinals, query, filter, scratch, &scratch.nearest, &counters)
      }
      if count > 0 { probed += 1 }
      scored += count
    }
    counters.listsProbed += probed
    let isExact = scored >= passing && (codes == nil || coded.areListsCertain)
    let plan = isExact ? SegmentPlan.exact : .lists
    if let codes { return SegmentOutcome(count: unsafe try codes.finish(into: hits, scratch, &counters), plan: plan) }
    counters.add(scores: scored, rowBytes: configuration.vectorBytes)
    return SegmentOutcome(count: unsafe scratch.nearest.move(to: hits), plan: plan)
  }

  /// Scores a run of vectors, all of which have a passing row.
  /// - Returns: how many they are.
  @inline(never)
  func scan(
    _ ordinals: Range<Int>, _ query: PreparedQuery, _ filter: EntryFilter?, _ scratch: SearchScratch,
    _ nearest: inout TopK, _ counters: inout SearchCounters
  ) throws(SegmentError) -> Int {
    if ordinals.isEmpty { return 0 }
    let scores = unsafe scratch.scores
    var threshold = nearest.threshold
    var start = ordinals.lowerBound
    while start < ordinals.upperBound {
      let count = min(Self.scanBlock, ordinals.upperBound - start)
      try scratch.scored(count)
      unsafe try scoreRun(query, start, count, scores)
      var i = 0
      while i < count {
        if unsafe scores[i] <= threshold {
          unsafe try offer(start &+ i, scores[i], filter, &nearest)
          threshold = nearest.threshold
        }
        i &+= 1
      }
      start &+= count
    }
    counters.rowsScored += try passingRows(ordinals, filter)
    return ordinals.count
  }

  /// The rows of a run of vectors that pass; the run is not empty.
  func passingRows(_ ordinals: Range<Int>, _ filter: EntryFilter?) throws(SegmentError) -> Int {
    let first = try rows.entries(ordinal: ordinals.lowerBound).lowerBound
    let end = try rows.entries(ordinal: ordinals.upperBound - 1).upperBound
    return filter?.entries.count(in: first..<end) ?? end - first
  }

  /// Scores the vectors of a run that have a passing row.
  /// - Returns: how many they are.
  @inline(never)
  func scanPassing(
    _ ordinals: Range<Int>, _ query: PreparedQuery, _ filter: EntryFilter, _ scratch: SearchScratch,
    _ nearest: inout TopK, _ counters: inout SearchCounters
  ) throws(SegmentError) -> Int {
    let ids = unsafe scratch.ids
    let scores = unsafe scratch.scores
    var rest = ordinals
    var scored = 0
    while true {
      let count = unsafe filter.ordinals.copyMembers(of: &rest, to: ids, limit: SearchScratch.blockCapacity)
      if count == 0 { return scored }
      try scratch.scored(count)
      unsafe try scoreBlock(query, ids, count, scores)
      for i in 0..<count {
        counters.rowsScored += unsafe try passingRows(Int(ids[i]), filter)
        if unsafe scores[i] <= nearest.threshold {
          unsafe try offer(Int(ids[i]), scores[i], filter, &nearest)
        }
      }
      scored += count
    }
  }

  private func passingRows(_ ordinal: Int, _ filter: EntryFilter) throws(SegmentError) -> Int {
    if !rows.hasSharedVectors { return 1 }
    return filter.entries.count(in: try rows.entries(ordinal: ordinal))
  }

  /// Scores consecutive vectors; their blocks are verified when they are first touched.
  func scoreRun(
    _ query: PreparedQuery, _ start: Int, _ count: Int, _ out: UnsafeMutablePointer<Float>
  ) throws(SegmentError) {
    let stride = configuration.stride
    if !vectors.isVerified { try vectors.verify(start * stride * 4..<(start + count) * stride * 4) }
    unsafe kernels.rows(query.floats, vectors.floats + start * stride, stride, count, stride, out)
  }

  /// Vectors scored at a time: enough for the kernel to get going, few enough for the threshold to follow.
  private static let scanBlock = 256
}

extension RowSet {
  /// How many positions of a range are in the set.
  /// - Complexity: O(range / 64).
  func count(in range: Range<Int>) -> Int {
    precondition(range.lowerBound >= 0 && range.upperBound <= capacity, "\(range) outside 0..<\(capacity)")
    if range.isEmpty { return 0 }
    let (first, last) = (range.lowerBound >> 6, (range.upperBound - 1) >> 6)
    let start = word(first, in: range).nonzeroBitCount
    if first == last { return start }
    let whole = last - first > 1 ? unsafe Int(vidx_count_bits(words + first + 1, last - first - 1)) : 0
    return start + whole + word(last, in: range).nonzeroBitCount
  }

  /// Copies the members of a range, ascending, at most `limit`, and moves the start of the range behind them.
  /// - Returns: how many; 0 when the range has none left.
  /// - Complexity: O(range / 64 + members).
  func copyMembers(of range: inout Range<Int>, to ids: UnsafeMutablePointer<UInt32>, limit: Int) -> Int {
    precondition(range.lowerBound >= 0 && range.upperBound <= capacity, "\(range) outside 0..<\(capacity)")
    var count = 0
    while !range.isEmpty {
      var index = range.lowerBound >> 6
      let last = (range.upperBound - 1) >> 6
      // Of a filter that passes little, most words are empty.
      while index < last, unsafe words[index] == 0 { index &+= 1 }
      if index << 6 > range.lowerBound { range = index << 6..<range.upperBound }
      var bits = word(index, in: range)
      while bits != 0 {
        let position = index << 6 + bits.trailingZeroBitCount
        if count == limit {
          range = position..<range.upperBound
          return count
        }
        unsafe ids[count] = UInt32(truncatingIfNeeded: position)
        count &+= 1
        bits &= bits &- 1
      }
      range = min((index + 1) << 6, range.upperBound)..<range.upperBound
    }
    return count
  }

  /// The bits of one word that belong to a range.
  @inline(__always)
  private func word(_ index: Int, in range: Range<Int>) -> UInt64 {
    var bits = unsafe words[index]
    let start = range.lowerBound - index << 6
    let end = range.upperBound - index << 6
    if start > 0 { bits &= UInt64.max << UInt64(start) }
    if end < 64 { bits &= (1 << UInt64(end)) - 1 }
    return bits
  }
}
