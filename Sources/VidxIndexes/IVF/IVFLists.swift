import CVidxKernels
import VidxSegments
import VidxVectors

/// The lists of an inverted file (IVFFlat), mapped from a segment. Immutable: any thread may search.
///
/// Ordinals are in the order of their lists: list i owns ordinals starts[i]..<starts[i + 1], so a list is one stretch
/// of the vectors. Within a list they are in the order in which rows were added: a filter on time or on row ids then
/// passes runs, and runs of failing rows are skipped 64 at a time.
@safe final class IVFLists: Sendable {
  let parameters: IVFParameters
  let vectorCount: Int
  let metric: Metric
  let dimensions: Int
  let centroids: Section
  private let codes: CentroidCodes?
  private let starts: Section
  private let kernels: VectorKernels

  var listCount: Int { Int(parameters.listCount) }
  var seed: UInt64 { parameters.seed }

  /// - Throws: `SegmentError` when a section is missing or has another length than the parameters say.
  init(_ file: SegmentFile, metric: Metric) throws(SegmentError) {
    let description = file.description
    let vectors = description.vectorCount
    vectorCount = vectors
    self.metric = metric
    dimensions = description.dimensions
    kernels = VectorKernels(metric)
    parameters = try IVFParameters(file.section(.parameters, expecting: IVFParameters.byteCount))
    let lists = Int(parameters.listCount)
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

  /// Scores every centroid, by its code where there are codes, and returns the lists as a queue, nearest first, in the
  /// memory of `scratch.pool`.
  /// - Complexity: O(lists x dimensions); each list taken from the queue costs O(square root of lists).
  func rank(
    _ query: PreparedQuery, _ scratch: SearchScratch, _ counters: inout SearchCounters
  ) throws(SegmentError) -> RankedLists {
    let lists = listCount
    if !centroids.isVerified { try centroids.verifyAll() }
    scratch.reservePool(ListQueue.byteCount(lists: lists) / MemoryLayout<Candidate>.stride + 1)
    let stride = VectorLayout.stride(dimensions: dimensions)
    let memory = unsafe UnsafeMutableRawPointer(scratch.pool).assumingMemoryBound(to: Float.self)
    counters.add(scores: lists, rowBytes: codes?.stride ?? stride * 4)
    if let codes {
      unsafe try codes.bounds(scratch.centroidQuery(codes.space), query.floats, scratch, memory)
    } else {
      unsafe kernels.rows(query.floats, centroids.floats, stride, lists, stride, memory)
    }
    return unsafe RankedLists(self, query, ListQueue(memory, count: lists, areBounds: codes != nil))
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
