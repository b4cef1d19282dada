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

  /// Scores every centroid and returns the lists as a queue, nearest first, in `scratch.pool`.
  /// - Complexity: O(lists x dimensions); each list taken from the queue costs O(log lists).
  func rank(
    _ query: PreparedQuery, _ scratch: SearchScratch, _ counters: inout SearchCounters
  ) throws(SegmentError) -> ListQueue {
    let lists = listCount
    if !centroids.isVerified { try centroids.verifyAll() }
    scratch.reservePool(lists)
    let stride = VectorLayout.stride(dimensions: dimensions)
    let pool = unsafe scratch.pool
    let scores = unsafe scratch.scores
    let floats = unsafe query.floats
    var start = 0
    while start < lists {
      let count = min(SearchScratch.blockCapacity, lists - start)
      unsafe kernels.rows(floats, centroids.floats + start * stride, stride, count, stride, scores)
      var i = 0
      while i < count {
        unsafe pool[start &+ i] = Candidate(scores[i], UInt32(truncatingIfNeeded: start &+ i))
        i &+= 1
      }
      start += count
    }
    counters.distanceComputations += lists
    return unsafe ListQueue(pool, count: lists)
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
    return problems
  }
}

/// Lists still to be scanned, nearest first: a binary heap in memory of the search's scratch.
@safe struct ListQueue {
  private let items: UnsafeMutablePointer<Candidate>
  private(set) var count: Int

  /// Puts `count` candidates in heap order, in place. The memory must stay the queue's own.
  init(_ items: UnsafeMutablePointer<Candidate>, count: Int) {
    unsafe self.items = items
    self.count = count
    var i = count / 2
    while i > 0 {
      i -= 1
      siftDown(i)
    }
  }

  /// Takes the nearest list; nil when none is left. Lists at equal scores come in the order of their numbers.
  mutating func pop() -> Int? {
    if count == 0 { return nil }
    let nearest = unsafe items[0].tag
    count &-= 1
    unsafe items[0] = items[count]
    if count > 1 { siftDown(0) }
    return Int(nearest)
  }

  @inline(__always)
  private func isNearer(_ a: Int, _ b: Int) -> Bool {
    let x = unsafe items[a]
    let y = unsafe items[b]
    return x.score < y.score || (x.score == y.score && x.tag < y.tag)
  }

  private func siftDown(_ start: Int) {
    var i = start
    while true {
      var child = 2 &* i &+ 1
      if child >= count { return }
      if child &+ 1 < count, isNearer(child &+ 1, child) { child &+= 1 }
      if !isNearer(child, i) { return }
      let moved = unsafe items[i]
      unsafe items[i] = items[child]
      unsafe items[child] = moved
      i = child
    }
  }
}
