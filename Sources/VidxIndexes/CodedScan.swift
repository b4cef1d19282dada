import CVidxKernels
import VidxSegments
import VidxVectors

/// A scan of the codes of vectors for the k nearest, which the full vectors then decide.
///
/// Every code says between which bounds its vector's score lies. What is beyond the k-th least upper bound is out; of
/// the rest the full vectors are scored, least lower bound first, until the next lower bound is beyond the k-th score.
/// With codecs whose bounds hold always the outcome is that of scoring all vectors, to the last bit; with rabitq it
/// nearly always is (docs/CODECS.md). It does not depend on the order in which vectors are looked at.
@safe final class CodedScan {
  private let index: SegmentIndex
  private let query: PreparedQuery
  private let filter: EntryFilter?
  /// What `coded` is in.
  private let owner: CodedQuery
  private let coded: UnsafePointer<vidx_code_query>
  private var found: ScanCandidates
  private var scored = 0
  /// Of codec f16 under cosine: one bound for all, which spares a second pass over the halves.
  private let commonError: Float?
  /// What of the bounds on errors is used.
  private let share: Float

  /// - Parameters:
  ///   - coded: of the codes' space; holds the query from now on, as long as the scan takes.
  ///   - mustBeExact: the bounds are used as they are.
  init(
    _ index: SegmentIndex, _ query: PreparedQuery, _ coded: CodedQuery, k: Int, filter: EntryFilter?, mustBeExact: Bool
  ) {
    share = mustBeExact ? 1 : index.coded.codec.listBoundShare(dimensions: index.configuration.dimensions)
    self.index = index
    self.query = query
    self.filter = filter
    owner = coded
    unsafe coded.prepare(query.floats)
    unsafe self.coded = coded.raw
    found = ScanCandidates(k: k)
    commonError =
      index.coded.codec == .f16 && query.metric == .cosine
      ? unsafe Float((coded.raw.pointee.error_scale + coded.raw.pointee.error_constant) * 1.0001) : nil
  }

  /// Looks at a run of vectors, those of them that pass.
  /// - Parameter scratch: whose blocks are overwritten, here and in `finish`.
  /// - Returns: how many they are.
  func scan(_ ordinals: Range<Int>, _ scratch: SearchScratch) throws(SegmentError) -> Int {
    var rest = ordinals
    var count = 0
    if let filter, filter.ordinalCount < index.vectorCount {
      while true {
        let size = unsafe filter.ordinals.copyMembers(of: &rest, to: scratch.ids, limit: SearchScratch.blockCapacity)
        if size == 0 { break }
        try scanIDs(size, scratch)
        count += size
      }
    } else {
      while !rest.isEmpty {
        let size = min(SearchScratch.blockCapacity, rest.count)
        try scanRun(rest.lowerBound, size, scratch)
        rest = rest.lowerBound + size..<rest.upperBound
      }
      count = ordinals.count
    }
    scored += count
    return count
  }

  private func scanRun(_ start: Int, _ count: Int, _ scratch: SearchScratch) throws(SegmentError) {
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
    let near = unsafe vidx_select_of_products(errors, scores, count, found.limit, ids)
    if near > 0 { Self.take(near, of: scratch, from: start, into: &found) }
  }

  /// Takes the places in `scratch.ids` of a run. One access to the candidates, not one for each.
  private static func take(
    _ count: Int, of scratch: SearchScratch, from start: Int, into found: inout ScanCandidates
  ) {
    let (scores, errors, ids) = unsafe (scratch.scores, scratch.errors, scratch.ids)
    var i = 0
    while i < count {
      let place = unsafe Int(ids[i])
      unsafe found.take(scores[place], errors[place], UInt32(truncatingIfNeeded: start &+ place))
      i &+= 1
    }
  }

  /// Looks at the vectors from ordinal `start` on, whose codes are in transposed blocks; there is no filter.
  func scan(
    blocks: UnsafeRawPointer, _ kernel: vidx_code_blocks, _ start: Int, _ count: Int, _ scratch: SearchScratch
  ) {
    let (scores, errors, ids) = unsafe (scratch.scores, scratch.errors, scratch.ids)
    let near = unsafe kernel(coded, blocks, count, share, found.limit, ids, scores, errors)
    for i in 0..<near { unsafe ids[i] &+= UInt32(truncatingIfNeeded: start) }
    if near > 0 { Self.take(near, of: scratch, into: &found) }
    scored += count
  }

  /// Takes the first ordinals in `scratch.ids`.
  private static func take(_ count: Int, of scratch: SearchScratch, into found: inout ScanCandidates) {
    let (scores, errors, ids) = unsafe (scratch.scores, scratch.errors, scratch.ids)
    var i = 0
    while i < count {
      unsafe found.take(scores[i], errors[i], ids[i])
      i &+= 1
    }
  }

  /// Scores the codes of the first ordinals in `scratch.ids`.
  private func scanIDs(_ count: Int, _ scratch: SearchScratch) throws(SegmentError) {
    let (rows, kernels) = (index.coded.rows, index.coded.kernels)
    let (scores, errors, ids) = unsafe (scratch.scores, scratch.errors, scratch.ids)
    if !rows.isVerified { unsafe try rows.verify(ids, count) }
    unsafe kernels.boundedIDs(coded, rows.base, rows.stride, ids, count, scores, errors)
    for i in 0..<count { unsafe errors[i] *= share }
    Self.take(count, of: scratch, into: &found)
  }

  /// The nearest rows among all that were looked at; the scan is over.
  func finish(_ scratch: SearchScratch, _ counters: inout SearchCounters) throws(SegmentError) -> [Hit] {
    let k = found.k
    let all = try refined(scratch, &counters)
    var nearest = TopK(k: k)
    var done = 0
    let first = ScanCandidates.first(k, of: all)
    try score(first, scratch, &nearest, &done)
    if let last = first.last, first.count < all.count {
      try score(
        ScanCandidates.rest(of: all, after: last, limit: nearest.threshold), scratch, &nearest, &done)
    }
    counters.distanceComputations += scored + done
    counters.reranked += done
    return nearest.sorted()
  }

  /// Scores full vectors, least lower bound first, as long as they may be among the nearest.
  private func score(
    _ order: [Candidate], _ scratch: SearchScratch, _ nearest: inout TopK, _ scored: inout Int
  ) throws(SegmentError) {
    var done = 0
    while done < order.count, order[done].score <= nearest.threshold {
      // As many as will be needed at once, so that their cache misses overlap.
      let size = min(done == 0 ? max(nearest.k, 8) : 8, SearchScratch.blockCapacity, order.count - done)
      for i in 0..<size { unsafe scratch.ids[i] = order[done + i].tag }
      unsafe try index.scoreBlock(query, scratch.ids, size, scratch.scores)
      for i in 0..<size where unsafe scratch.scores[i] <= nearest.threshold {
        unsafe try index.offer(Int(scratch.ids[i]), scratch.scores[i], filter, &nearest)
      }
      done += size
    }
    scored += done
  }

  /// The candidates; where codes have an extension, those that its narrower bounds leave.
  private func refined(
    _ scratch: SearchScratch, _ counters: inout SearchCounters
  ) throws(SegmentError) -> [Candidate] {
    let left = found.takeAll()
    guard let extensions = index.coded.extensions, let refine = unsafe index.coded.kernels.refine else { return left }
    let rows = index.coded.rows
    var start = 0
    while start < left.count {
      let size = min(SearchScratch.blockCapacity, left.count - start)
      for i in 0..<size { unsafe scratch.ids[i] = left[start + i].tag }
      unsafe try extensions.verify(scratch.ids, size)
      unsafe refine(
        coded, rows.base, rows.stride, extensions.base, extensions.stride, scratch.ids, size, scratch.scores,
        scratch.errors)
      Self.take(size, of: scratch, into: &found)
      start += size
    }
    counters.distanceComputations += left.count
    return found.takeAll()
  }
}

extension CodedVectors {
  /// Whether a scan looks at codes: with codec f32 they are the vectors.
  var areScanned: Bool { codec != .f32 }

  /// Whether the bounds hold always, so that a scan of the codes is exact.
  var areBoundsCertain: Bool { codec.isCertain }

  /// Whether scans of lists use such bounds.
  var areListsCertain: Bool { codec == .f32 || codec == .f16 || codec == .int8 }
}

extension Codec {
  /// Whether a scan by these codes is exact: their bounds hold always.
  var isCertain: Bool { self == .f16 || self == .int8 || self == .int4 }

  /// What of the bounds scans of lists use, which are not exact anyway. Those of int4 hold for the worst direction of
  /// an error, and its codes are of a random rotation: nearly all errors stay below this share of them.
  func listBoundShare(dimensions: Int) -> Float { self == .int4 ? min(1, 4 / Float(dimensions).squareRoot()) : 1 }
}
