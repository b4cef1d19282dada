import CVidxKernels
import VidxSegments
import VidxVectors

/// The lists of an inverted file, mapped from a segment. Immutable: any thread may search. An IVFFlat index consists of
/// them; a graph has them beside it, for searches under filters.
///
/// Ordinals are in the order of their lists: list i owns ordinals starts[i]..<starts[i + 1], so a list is one stretch
/// of the vectors. Within a list they are in the order in which rows were added: a filter on time or on row ids then
/// passes runs, and runs of failing rows are skipped 64 at a time.
@safe final class IVFLists: Sendable {
  let parameters: IVFParameters
  /// How far searches have to go for a recall; nil where nobody measured.
  let reach: ListReach?
  /// See `SectionKind.listSpreads`; there where `reach` is.
  let spreads: Section?
  let vectorCount: Int
  let metric: Metric
  let dimensions: Int
  let centroids: Section
  private let codes: CentroidCodes?
  let starts: Section
  let whole = Locked<PassingLists?>(nil)
  private let kernels: VectorKernels

  var listCount: Int { Int(parameters.listCount) }
  var seed: UInt64 { parameters.seed }

  /// The lists of an IVFFlat segment.
  /// - Throws: `SegmentError` when a section is missing or has another length than the parameters say.
  convenience init(_ file: SegmentFile, metric: Metric) throws(SegmentError) {
    let parameters = try IVFParameters(file.section(.parameters, expecting: IVFParameters.byteCount))
    try self.init(file, metric: metric, parameters, reach: try ListReach(file))
  }

  /// The lists beside a graph.
  /// - Returns: nil where there are none.
  static func beside(_ graph: HNSWParameters, _ file: SegmentFile, metric: Metric) throws(SegmentError) -> IVFLists? {
    guard let byteCount = file.byteCount(of: .listStarts), let reach = try ListReach(file) else { return nil }
    let lists = byteCount / 4 - 1
    guard lists >= 1, IndexLimits.lists.contains(lists) else {
      throw .invalidContent(section: .listStarts, offset: 0, path: file.path)
    }
    let parameters = IVFParameters(
      listCount: UInt32(lists), requestedLists: 0, trainedVectors: reach.trainedVectors, seed: graph.seed)
    return try IVFLists(file, metric: metric, parameters, reach: reach)
  }

  private init(
    _ file: SegmentFile, metric: Metric, _ parameters: IVFParameters, reach: ListReach?
  ) throws(SegmentError) {
    let description = file.description
    let vectors = description.vectorCount
    vectorCount = vectors
    self.metric = metric
    dimensions = description.dimensions
    kernels = VectorKernels(metric)
    self.parameters = parameters
    self.reach = reach
    let lists = Int(parameters.listCount)
    spreads = try reach.map { (_) throws(SegmentError) in
      unsafe try file.section(.listSpreads, expecting: lists * 4) { block, _ in unsafe Validation.areLengths(block) }
    }
    let stride = VectorLayout.stride(dimensions: dimensions)
    centroids = try file.section(.centroids, expecting: lists * stride * 4)
    codes = try CentroidCodes(file, metric: metric, lists: lists)
    starts = unsafe try file.section(.listStarts, expecting: (lists + 1) * 4) { block, offset in
      unsafe Validation.isAscending(block, at: offset, upTo: UInt32(vectors))
    }
  }

  /// The ordinals of a list.
  func ordinals(of list: Int) throws(SegmentError) -> Range<Int> {
    let start = Int(try starts.load(UInt32.self, at: list))
    let end = Int(try starts.load(UInt32.self, at: list + 1))
    guard start <= end else { throw .invalidContent(section: .listStarts, offset: list * 4, path: starts.path) }
    return start..<end
  }

  /// The lists to scan for what a query asked: within 1...lists, by default the square root of their number.
  func clampedProbes(_ probes: Int?) -> Int {
    min(max(probes ?? IVFParameters.defaultProbes(lists: listCount), 1), listCount)
  }

  /// The lists in the order of what the nearest of their passing vectors may score, in the memory of `scratch.pool`.
  ///
  /// By the centroids' codes where there are codes: these bounds are no more certain than estimates are.
  /// - Parameter logCounts: of each list, the logarithm of the number of vectors that pass; minus infinity for none.
  /// - Returns: them, and the two lists whose centroids are nearest (of one list, twice that).
  /// - Complexity: O(lists x dimensions); each list taken from the queue costs O(square root of lists).
  func rank(
    _ query: PreparedQuery, reach base: Float, _ logCounts: UnsafePointer<Float>, _ scratch: SearchScratch,
    _ counters: inout SearchCounters
  ) throws(SegmentError) -> (queue: ListQueue, nearest: (Int, Int)) {
    let memory = unsafe try score(query, scratch, &counters, asBounds: false)
    guard let reach, let spreads else { preconditionFailure("lists without a reach") }
    if !spreads.isVerified { try spreads.verifyAll() }
    let bound = ListBound(metric, queryLength: query.length, base: base, slope: reach.slope)
    let radii = unsafe spreads.floats
    var nearest = (0, 0)
    var least = (Float.infinity, Float.infinity)
    for i in 0..<listCount {
      let score = unsafe memory[i]
      if score < least.0 {
        (nearest, least) = ((i, nearest.0), (score, least.0))
      } else if score < least.1 {
        (nearest.1, least.1) = (i, score)
      }
      unsafe memory[i] = bound(score, radii[i], logCounts[i])
    }
    return unsafe (ListQueue(memory, count: listCount, areBounds: false), nearest)
  }

  /// Scores every centroid, by its code where there are codes, and returns the lists as a queue, nearest first, in the
  /// memory of `scratch.pool`.
  /// - Complexity: O(lists x dimensions); each list taken from the queue costs O(square root of lists).
  func rank(
    _ query: PreparedQuery, _ scratch: SearchScratch, _ counters: inout SearchCounters
  ) throws(SegmentError) -> RankedLists {
    let memory = unsafe try score(query, scratch, &counters, asBounds: true)
    return unsafe RankedLists(self, query, ListQueue(memory, count: listCount, areBounds: codes != nil))
  }

  /// Scores every centroid into the memory of `scratch.pool`, which has room for a queue.
  /// - Parameter asBounds: scores from codes are lessened by what they may be too high.
  private func score(
    _ query: PreparedQuery, _ scratch: SearchScratch, _ counters: inout SearchCounters, asBounds: Bool
  ) throws(SegmentError) -> UnsafeMutablePointer<Float> {
    let lists = listCount
    if !centroids.isVerified { try centroids.verifyAll() }
    scratch.reservePool(ListQueue.byteCount(lists: lists) / MemoryLayout<Candidate>.stride + 1)
    let stride = VectorLayout.stride(dimensions: dimensions)
    let memory = unsafe UnsafeMutableRawPointer(scratch.pool).assumingMemoryBound(to: Float.self)
    counters.add(scores: lists, rowBytes: codes?.stride ?? stride * 4)
    if let codes {
      unsafe try codes.score(scratch.centroidQuery(codes.space), query.floats, scratch, memory, asBounds: asBounds)
    } else {
      unsafe kernels.rows(query.floats, centroids.floats, stride, lists, stride, memory)
    }
    return unsafe memory
  }

  /// The score of one centroid; the centroids are verified.
  @inline(__always)
  fileprivate func score(_ query: PreparedQuery, _ list: Int) -> Float {
    let stride = VectorLayout.stride(dimensions: dimensions)
    return unsafe kernels.one(query.floats, centroids.floats + list &* stride, stride)
  }

  /// What no checksum can say: the lists share out all vectors, the centroids are finite numbers.
  func problems() throws(SegmentError) -> [String] {
    var problems: [String] = []
    let first = try ordinals(of: 0).lowerBound
    let last = try ordinals(of: listCount - 1).upperBound
    if first != 0 || last != vectorCount {
      problems.append("the lists hold vectors \(first)..<\(last) of \(vectorCount)")
    }
    for list in 0..<listCount { _ = try ordinals(of: list) }
    try spreads?.verifyAll()
    try centroids.verifyAll()
    let stride = VectorLayout.stride(dimensions: dimensions)
    for list in 0..<listCount {
      if unsafe firstNonFinite(centroids.floats + list * stride, count: stride) != nil {
        problems.append("the centroid of list \(list) is not finite")
      }
    }
    if problems.isEmpty, let codes, try !codes.are(of: centroids) {
      problems.append("the codes of the centroids are those of other centroids")
    }
    return problems
  }
}

extension IVFLists {
  /// Sees that centroids can be taken over: no checksum says that they are finite numbers.
  func verifyCentroids() throws(SegmentError) {
    try centroids.verifyAll()
    let stride = VectorLayout.stride(dimensions: dimensions)
    for list in 0..<listCount {
      guard unsafe firstNonFinite(centroids.floats + list * stride, count: stride) == nil else {
        throw .invalidContent(section: .centroids, offset: list * stride * 4, path: starts.path)
      }
    }
  }
}

/// The lists of an index, nearest to a query first.
@safe struct RankedLists {
  private let lists: IVFLists
  private let query: PreparedQuery
  private var queue: ListQueue

  fileprivate init(_ lists: IVFLists, _ query: PreparedQuery, _ queue: ListQueue) {
    self.lists = lists
    self.query = query
    self.queue = queue
  }

  /// Lists not taken.
  var count: Int { queue.count }

  /// Takes the nearest list; nil when none is left. Lists at equal scores come in the order of their numbers.
  mutating func pop(_ counters: inout SearchCounters) -> Int? {
    var scored = 0
    let list = queue.pop { list in
      scored &+= 1
      return lists.score(query, list)
    }
    counters.add(scores: scored, rowBytes: VectorLayout.stride(dimensions: lists.dimensions) * 4)
    return list
  }
}
