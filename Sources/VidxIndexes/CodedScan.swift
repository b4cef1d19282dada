import CVidxKernels
import VidxSegments
import VidxVectors

/// A scan of the codes of vectors for the k nearest, which the full vectors then decide.
///
/// Every code says between which bounds its vector's score lies. What is beyond the k-th least upper bound is out; of
/// the rest the full vectors are scored, least lower bound first, until the next lower bound is beyond the k-th score.
/// With codecs whose bounds hold always the outcome is that of scoring all vectors, to the last bit; with rabitq it
/// nearly always is (docs/CODECS.md).
@safe final class CodedScan {
  private let index: SegmentIndex
  private let query: PreparedQuery
  private let filter: EntryFilter?
  private let scratch: SearchScratch
  private let coded: UnsafePointer<vidx_code_query>
  private let k: Int
  private var uppers: TopK
  /// Lower bounds and ordinals of what may be among the k nearest.
  private var candidates: [Candidate] = []
  private var scored = 0
  /// Of codec f16 under cosine: one bound for all, which spares a second pass over the halves.
  private let commonError: Float?
  /// What of the bounds on errors is used.
  private let share: Float

  /// - Parameter mustBeExact: the bounds are used as they are. Otherwise those of int4 are taken for what nearly all
  ///   errors stay below: they hold for the worst direction of an error, and its codes are of a random rotation.
  init(
    _ index: SegmentIndex, _ query: PreparedQuery, k: Int, filter: EntryFilter?, _ scratch: SearchScratch,
    mustBeExact: Bool
  ) {
    let dimensions = Float(index.configuration.dimensions)
    share = mustBeExact || index.coded.codec != .int4 ? 1 : min(1, 4 / dimensions.squareRoot())
    self.index = index
    self.query = query
    self.filter = filter
    self.scratch = scratch
    self.k = k
    uppers = TopK(k: k)
    unsafe coded = scratch.prepare(query)
    candidates.reserveCapacity(256)
    commonError =
      index.coded.codec == .f16 && query.metric == .cosine
      ? unsafe Float((coded.pointee.error_scale + coded.pointee.error_constant) * 1.0001) : nil
  }

  /// Looks at a run of vectors, those of them that pass.
  /// - Returns: how many they are.
  func scan(_ ordinals: Range<Int>) throws(SegmentError) -> Int {
    var rest = ordinals
    var count = 0
    if let filter, filter.ordinalCount < index.vectorCount {
      while true {
        let size = unsafe filter.ordinals.copyMembers(of: &rest, to: scratch.ids, limit: SearchScratch.blockCapacity)
        if size == 0 { break }
        try scanIDs(size)
        count += size
      }
    } else {
      while !rest.isEmpty {
        let size = min(SearchScratch.blockCapacity, rest.count)
        try scanRun(rest.lowerBound, size)
        rest = rest.lowerBound + size..<rest.upperBound
      }
      count = ordinals.count
    }
    scored += count
    return count
  }

  private func scanRun(_ start: Int, _ count: Int) throws(SegmentError) {
    let (rows, kernels) = (index.coded.rows, index.coded.kernels)
    let (scores, errors, ids) = unsafe (scratch.scores, scratch.errors, scratch.ids)
    if let section = rows.section, !section.isVerified {
      try section.verify(start * rows.stride..<(start + count) * rows.stride)
    }
    let base = unsafe rows.base + start * rows.stride
    if let commonError {
      unsafe kernels.rows(coded, base, rows.stride, count, scores)
      unsafe errors.update(repeating: commonError, count: count)
    } else {
      unsafe kernels.boundedRows(coded, base, rows.stride, count, scores, errors)
    }
    if share < 1 { for i in 0..<count { unsafe errors[i] *= share } }
    // Only what may come in is looked at one by one.
    let found = unsafe vidx_select_of_products(errors, scores, count, uppers.threshold, ids)
    var i = 0
    while i < found {
      let place = unsafe Int(ids[i])
      unsafe take(scores[place], errors[place], UInt32(truncatingIfNeeded: start &+ place))
      i &+= 1
    }
  }

  /// Scores the codes of the first ordinals in `scratch.ids`.
  private func scanIDs(_ count: Int) throws(SegmentError) {
    let (rows, kernels) = (index.coded.rows, index.coded.kernels)
    let (scores, errors, ids) = unsafe (scratch.scores, scratch.errors, scratch.ids)
    if !rows.isVerified { unsafe try rows.verify(ids, count) }
    unsafe kernels.boundedIDs(coded, rows.base, rows.stride, ids, count, scores, errors)
    for i in 0..<count { unsafe take(scores[i], errors[i] * share, ids[i]) }
  }

  @inline(__always)
  private func take(_ score: Float, _ error: Float, _ ordinal: UInt32) {
    let limit = uppers.threshold
    if score - error > limit { return }
    candidates.append(Candidate(score - error, ordinal))
    if score + error < limit { uppers.offer(Hit(score: score + error, rowID: Int64(ordinal))) }
  }

  /// The nearest rows among all that were looked at.
  func finish(_ counters: inout SearchCounters) throws(SegmentError) -> [Hit] {
    try refine(&counters)
    let limit = uppers.threshold
    var order = candidates.filter { $0.score <= limit }
    order.sort { ($0.score, $0.tag) < ($1.score, $1.tag) }
    var nearest = TopK(k: k)
    var done = 0
    while done < order.count, order[done].score <= nearest.threshold {
      // As many as will be needed at once, so that their cache misses overlap.
      let size = min(done == 0 ? max(k, 8) : 8, SearchScratch.blockCapacity, order.count - done)
      for i in 0..<size { unsafe scratch.ids[i] = order[done + i].tag }
      unsafe try index.scoreBlock(query, scratch.ids, size, scratch.scores)
      for i in 0..<size where unsafe scratch.scores[i] <= nearest.threshold {
        unsafe try index.offer(Int(scratch.ids[i]), scratch.scores[i], filter, &nearest)
      }
      done += size
    }
    counters.distanceComputations += scored + done
    counters.reranked += done
    return nearest.sorted()
  }

  /// Where codes have an extension: narrows the bounds of what is left by it.
  private func refine(_ counters: inout SearchCounters) throws(SegmentError) {
    guard let extensions = index.coded.extensions, let refine = unsafe index.coded.kernels.refine else { return }
    let limit = uppers.threshold
    let left = candidates.filter { $0.score <= limit }
    let rows = index.coded.rows
    candidates.removeAll(keepingCapacity: true)
    uppers = TopK(k: k)
    var start = 0
    while start < left.count {
      let size = min(SearchScratch.blockCapacity, left.count - start)
      for i in 0..<size { unsafe scratch.ids[i] = left[start + i].tag }
      unsafe try extensions.verify(scratch.ids, size)
      unsafe refine(
        coded, rows.base, rows.stride, extensions.base, extensions.stride, scratch.ids, size, scratch.scores,
        scratch.errors)
      for i in 0..<size { unsafe take(scratch.scores[i], scratch.errors[i], scratch.ids[i]) }
      start += size
    }
    counters.distanceComputations += left.count
  }
}

extension CodedVectors {
  /// Whether a scan looks at codes: with codec f32 they are the vectors.
  var areScanned: Bool { codec != .f32 }

  /// Whether the bounds hold always, so that a scan of the codes is exact.
  var areBoundsCertain: Bool { codec == .f16 || codec == .int8 || codec == .int4 }

  /// Whether scans of lists use such bounds.
  var areListsCertain: Bool { codec == .f32 || codec == .f16 || codec == .int8 }
}
