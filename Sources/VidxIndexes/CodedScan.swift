import CVidxKernels
import VidxSegments
import VidxVectors

/// A scan of the codes of vectors for the k nearest, which the full vectors then decide.
///
/// Every code says between which bounds its vector's score lies. What is beyond the k-th least upper bound is out; of
/// the rest the full vectors are scored, least lower bound first, until the next lower bound is beyond the k-th score.
/// With codecs whose bounds hold always the outcome is that of scoring all vectors, to the last bit; with rabitq it
/// nearly always is (docs/CODECS.md). It does not depend on the order in which vectors are looked at.
@safe struct CodedScan {
  private let index: SegmentIndex
  private let query: PreparedQuery
  private let filter: EntryFilter?
  /// What `coded` is in.
  private let owner: CodedQuery
  private let coded: UnsafePointer<vidx_code_query>
  private let memory: ScanMemory
  /// Of codec f16 under cosine: one bound for all, which spares a second pass over the halves.
  private let commonError: Float?
  /// What of the bounds on errors is used.
  private let share: Float
  /// Runs are without what a walk in the same scratch memory has met.
  private let skipsVisited: Bool

  /// - Parameters:
  ///   - coded: of the codes' space; holds the query from now on, as long as the scan takes.
  ///   - memory: holds what the scan finds, as long as it takes.
  ///   - mustBeExact: the bounds are used as they are.
  ///   - skipsVisited: of runs, what the last walk in the scratch memory has met is left out; under a filter only.
  init(
    _ index: SegmentIndex, _ query: PreparedQuery, _ coded: CodedQuery, _ memory: ScanMemory, k: Int,
    filter: EntryFilter?, mustBeExact: Bool, skipsVisited: Bool = false
  ) {
    self.skipsVisited = skipsVisited
    share = mustBeExact ? 1 : index.coded.codec.listBoundShare(dimensions: index.configuration.dimensions)
    self.index = index
    self.query = query
    self.filter = filter
    owner = coded
    unsafe coded.prepare(query.floats)
    unsafe self.coded = coded.raw
    self.memory = memory
    memory.reset(k: k)
    let tightens = mustBeExact && index.coded.areBoundsCertain && 2 * k <= SearchScratch.blockCapacity
    memory.tightensAt = tightens ? Self.firstTightened : .max
    commonError =
      index.coded.codec == .f16 && query.metric == .cosine
      ? unsafe Float((coded.raw.pointee.error_scale + coded.raw.pointee.error_constant) * 1.0001) : nil
  }

  /// Looks at a run of vectors, those of them that pass.
  /// - Parameter scratch: whose blocks are overwritten, here and in `finish`.
  /// - Returns: how many they are, those included that a walk has met.
  func scan(_ ordinals: Range<Int>, _ scratch: SearchScratch) throws(SegmentError) -> Int {
    var rest = ordinals
    var count = 0
    if let filter, filter.ordinalCount < index.vectorCount {
      while true {
        let size = unsafe filter.ordinals.copyMembers(of: &rest, to: scratch.ids, limit: SearchScratch.blockCapacity)
        if size == 0 { break }
        let fresh = skipsVisited ? scratch.dropVisited(size) : size
        try scratch.scored(fresh)
        try scanIDs(fresh, scratch)
        try addScored(fresh, scratch)
        count += size
      }
    } else {
      while !rest.isEmpty {
        let size = min(SearchScratch.blockCapacity, rest.count)
        try scratch.scored(size)
        try scanRun(rest.lowerBound, size, scratch)
        try addScored(size, scratch)
        rest = rest.lowerBound + size..<rest.upperBound
      }
      count = ordinals.count
    }
    return count
  }

  /// Looks at some vectors, all of which pass.
  /// - Parameter ordinals: at most a block's.
  func scan(
    _ ordinals: UnsafePointer<UInt32>, _ count: Int, _ scratch: SearchScratch
  ) throws(SegmentError) {
    unsafe scratch.ids.update(from: ordinals, count: count)
    try scanIDs(count, scratch)
    try addScored(count, scratch)
  }

  /// Looks at consecutive vectors, all of which pass; `addScored` is to follow.
  /// - Parameter count: at most a block's.
  func scanRun(_ start: Int, _ count: Int, _ scratch: SearchScratch) throws(SegmentError) {
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
    let near = unsafe vidx_select_of_products(errors, scores, count, memory.found.limit, ids)
    if near > 0 { takePlaces(near, start, scratch) }
  }

  /// Takes the places in `scratch.ids` of a run.
  private func takePlaces(_ count: Int, _ start: Int, _ scratch: SearchScratch) {
    let (scores, errors, ids) = unsafe (scratch.scores, scratch.errors, scratch.ids)
    // Gathered in place: places ascend.
    for i in 0..<count {
      let place = unsafe Int(ids[i])
      unsafe scores[i] = scores[place]
      unsafe errors[i] = errors[place]
    }
    unsafe memory.found.take(scores, errors, ids, count, from: start)
  }

  /// What the kernel of transposed blocks wants to know; where it is to write what it finds is another's business.
  func look(_ ids: UnsafeMutablePointer<UInt32>, _ floats: UnsafeMutablePointer<Float>) -> vidx_block_scan {
    unsafe vidx_block_scan(
      query: coded, share: share, limit: memory.found.limit, ids: ids, scores: floats, bounds: floats, found: 0)
  }

  /// Takes what such a look at a run of vectors has found.
  /// - Returns: how much more room there is for candidates.
  func take(_ look: vidx_block_scan, from start: Int) -> Int {
    let before = held
    unsafe memory.found.take(look.scores, look.bounds, look.ids, look.found, from: start)
    return held - before
  }

  /// What has a lower bound above it is not among the k nearest.
  var limit: Float { memory.found.limit }

  /// Counts codes that have been looked at; from time to time scores the best candidates in full: the score of the
  /// k-th is far below the k-th upper bound, and excludes most of the candidates to come.
  func addScored(_ count: Int, _ scratch: SearchScratch) throws(SegmentError) {
    memory.scored += count
    if memory.scored < memory.tightensAt || memory.scored >= index.vectorCount { return }
    while memory.tightensAt <= memory.scored { memory.tightensAt *= 4 }
    let k = memory.found.k
    let count = unsafe scratch.order.copyLeast(2 * k, of: memory.found, to: scratch.ids)
    if count < k { return }
    unsafe try index.scoreBlock(query, scratch.ids, count, scratch.scores)
    scratch.nearest.reset(k: k)
    for i in 0..<count {
      unsafe scratch.nearest.offer(Hit(score: scratch.scores[i], rowID: Int64(scratch.ids[i])))
    }
    memory.found.tighten(to: scratch.nearest.threshold)
    memory.rescored += count
  }

  /// How many more codes to look at before scores are taken.
  var untilTightened: Int { memory.tightensAt - memory.scored }

  /// Codes looked at when scores are first taken.
  private static let firstTightened = 512

  /// Scores the codes of the first ordinals in `scratch.ids`.
  private func scanIDs(_ count: Int, _ scratch: SearchScratch) throws(SegmentError) {
    let (rows, kernels) = (index.coded.rows, index.coded.kernels)
    let (scores, errors, ids) = unsafe (scratch.scores, scratch.errors, scratch.ids)
    if !rows.isVerified { unsafe try rows.verify(ids, count) }
    unsafe kernels.boundedIDs(coded, rows.base, rows.stride, ids, count, scores, errors)
    for i in 0..<count { unsafe errors[i] *= share }
    unsafe memory.found.take(scores, errors, ids, count)
  }

  /// About the k-th least estimate; infinite until there are k.
  var kthEstimate: Float { memory.found.limit - memory.found.error }

  /// Candidates that memory is held for.
  var held: Int { memory.found.capacity }

  /// Drops candidates that later ones have excluded, and memory that is hardly used.
  func shrink() { memory.found.shrink() }

  /// Gives back all memory: the scan is over, or given up.
  func release() { memory.release() }

  /// Writes the nearest rows among all that were looked at, nearest first; the scan is over.
  /// - Parameter hits: room for k, or for all rows.
  /// - Returns: how many there are.
  func finish(
    into hits: UnsafeMutablePointer<Hit>, _ scratch: SearchScratch, _ counters: inout SearchCounters
  ) throws(SegmentError) -> Int {
    try refine(scratch, &counters)
    let (k, order) = (memory.found.k, scratch.order)
    scratch.nearest.reset(k: k)
    order.putFirst(&memory.found)
    var done = memory.rescored
    done += try score(&order.heap, k: k, scratch)
    order.putRest(of: memory.found, limit: scratch.nearest.threshold)
    done += try score(&order.heap, k: k, scratch)
    countScores(&counters)
    counters.add(scores: done, rowBytes: index.configuration.vectorBytes)
    counters.reranked += done
    return unsafe scratch.nearest.move(to: hits)
  }

  /// Scores full vectors, least lower bound first, as long as they may be among the nearest, which are in the scratch.
  /// - Returns: how many were scored.
  private func score(
    _ order: inout CandidateHeap, k: Int, _ scratch: SearchScratch
  ) throws(SegmentError) -> Int {
    let (ids, scores) = unsafe (scratch.ids, scratch.scores)
    var done = 0
    while let next = order.nearest, next.score <= scratch.nearest.threshold {
      // As many as will be needed at once, so that their cache misses overlap.
      let size = min(done == 0 ? max(k, 8) : 8, SearchScratch.blockCapacity)
      var count = 0
      while count < size, let candidate = order.pop() {
        unsafe ids[count] = candidate.tag
        count += 1
      }
      try scratch.scored(count)
      unsafe try index.scoreBlock(query, ids, count, scores)
      for i in 0..<count where unsafe scores[i] <= scratch.nearest.threshold {
        unsafe try index.offer(Int(ids[i]), scores[i], filter, &scratch.nearest)
      }
      done += count
    }
    return done
  }

  /// Counts the codes that were looked at; `finish` does, too.
  func countScores(_ counters: inout SearchCounters) {
    counters.add(scores: memory.scored, rowBytes: index.coded.rows.stride)
  }

  /// Where codes have an extension, leaves those candidates that its narrower bounds leave.
  private func refine(_ scratch: SearchScratch, _ counters: inout SearchCounters) throws(SegmentError) {
    guard let extensions = index.coded.extensions, let refine = unsafe index.coded.kernels.refine else { return }
    let rows = index.coded.rows
    let (scores, errors, ids) = unsafe (scratch.scores, scratch.errors, scratch.ids)
    scratch.order.startAgain(&memory.found)
    let left = scratch.order.left
    let count = left.count
    var start = 0
    while start < count {
      let size = min(SearchScratch.blockCapacity, count - start)
      for i in 0..<size { unsafe ids[i] = left.items[start + i].tag }
      try scratch.scored(size)
      unsafe try extensions.verify(ids, size)
      unsafe refine(
        coded, rows.base, rows.stride, extensions.base, extensions.stride, ids, size, scores, errors)
      unsafe memory.found.take(scores, errors, ids, size)
      start += size
    }
    counters.add(scores: count, rowBytes: rows.stride + extensions.stride)
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
