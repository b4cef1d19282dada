import CVidxKernels
import VidxSegments
import VidxVectors

/// A vector met during a search. `tag` is its ordinal; the top bit marks one whose links were followed.
struct Candidate {
  var score: Float
  var tag: UInt32

  static let expanded: UInt32 = 1 << 31

  @inline(__always)
  init(_ score: Float, _ tag: UInt32) {
    self.score = score
    self.tag = tag
  }
}

/// Memory one search works in; belongs to one search at a time.
@safe final class SearchScratch: @unchecked Sendable {
  // @unchecked: handed from search to search by the pool, never shared.
  let vectorCount: Int
  /// visited[o] == epoch when ordinal o was met in this search.
  let visited: UnsafeMutablePointer<UInt8>
  private var epoch: UInt8 = 0
  /// Ends the search that it is handed to.
  fileprivate var stop: SearchStop?
  /// Scores since it was last asked, by whatever search: short ones are not asked at all, most of the time.
  private var unasked = 0
  /// Identifiers and scores of one block.
  let ids: UnsafeMutablePointer<UInt32>
  let scores: UnsafeMutablePointer<Float>
  /// Bounds on the errors of a block's scores.
  let errors: UnsafeMutablePointer<Float>
  /// Candidates, in the order and to the number that their user gives them.
  private(set) var pool: UnsafeMutablePointer<Candidate>
  private var poolCapacity: Int
  /// The pool of a graph walk, and what comes of its candidates when they are scored anew.
  fileprivate var walked = SortedPool(capacity: 512)
  fileprivate var refined = SortedPool(capacity: 512)
  fileprivate var exact = SortedPool(capacity: 512)
  let insertCandidates = unsafe vidx_kernels_active().pointee.insert_candidates
  /// The nearest rows so far, of a search that meets them in no order.
  var nearest = TopK(k: 0)
  /// What a scan of codes has found, and what puts it in order.
  let scan = ScanMemory()
  let order = ScanOrder()
  /// Nodes that a filtered walk has still to follow.
  var open = CandidateHeap()
  /// The query as the segment's codes want it; nil where there are none.
  let codedQuery: CodedQuery?

  /// The query as the codes of the centroids want it, made at the first search of an index that has them.
  private var coded: CodedQuery?

  func centroidQuery(_ space: CodecSpace) -> CodedQuery {
    if let coded { return coded }
    let made = CodedQuery(space)
    coded = made
    return made
  }

  /// The most identifiers scored at once: the largest number of links a node can have.
  static let blockCapacity = 512

  init(vectorCount: Int, space: CodecSpace? = nil) {
    self.vectorCount = vectorCount
    codedQuery = space.map { CodedQuery($0) }
    unsafe visited = .allocate(capacity: max(vectorCount, 1))
    unsafe visited.initialize(repeating: 0, count: max(vectorCount, 1))
    unsafe ids = .allocate(capacity: Self.blockCapacity)
    unsafe ids.initialize(repeating: 0, count: Self.blockCapacity)
    unsafe scores = .allocate(capacity: Self.blockCapacity)
    unsafe scores.initialize(repeating: 0, count: Self.blockCapacity)
    unsafe errors = .allocate(capacity: Self.blockCapacity)
    unsafe errors.initialize(repeating: 0, count: Self.blockCapacity)
    poolCapacity = 512
    unsafe pool = .allocate(capacity: poolCapacity)
  }

  deinit {
    unsafe visited.deallocate()
    unsafe ids.deallocate()
    unsafe scores.deallocate()
    unsafe errors.deallocate()
    unsafe pool.deallocate()
    walked.deallocate()
    refined.deallocate()
    exact.deallocate()
  }

  /// Scores computed between two looks whether the search is to go on: a tenth of a millisecond to two.
  static let scoresBetweenLooks = 8_192

  /// Counts scores, from block to block; from time to time looks whether the search is to go on.
  @inline(__always)
  func scored(_ count: Int) throws(SegmentError) {
    unasked &+= count
    if unasked >= Self.scoresBetweenLooks { try look() }
  }

  @inline(never)
  private func look() throws(SegmentError) {
    unasked = 0
    try stop?.check()
  }

  /// Forgets what was visited and returns the mark of the new search.
  func nextEpoch() -> UInt8 {
    epoch &+= 1
    if epoch == 0 {
      unsafe visited.update(repeating: 0, count: max(vectorCount, 1))
      epoch = 1
    }
    return epoch
  }

  /// Of the first ordinals in `ids`, leaves those that the last walk has not met, in their order.
  /// - Returns: how many they are.
  func dropVisited(_ count: Int) -> Int {
    let (ids, visited, epoch) = unsafe (self.ids, self.visited, self.epoch)
    var kept = 0
    var i = 0
    while i < count {
      let id = unsafe ids[i]
      unsafe ids[kept] = id
      unsafe kept &+= visited[Int(id)] == epoch ? 0 : 1
      i &+= 1
    }
    return kept
  }

  /// Makes room for `count` candidates; what the pool held is lost when it has to grow.
  func reservePool(_ count: Int) {
    if count <= poolCapacity { return }
    unsafe pool.deallocate()
    poolCapacity = count
    unsafe pool = .allocate(capacity: count)
  }
}

/// Candidates by score, ascending, tags beside them: what `vidx_insert_candidates` keeps.
@safe struct SortedPool {
  let scores: UnsafeMutablePointer<Float>
  let tags: UnsafeMutablePointer<UInt32>
  let capacity: Int

  /// What merging may read and write behind the last candidate.
  private static let padding = 16

  init(capacity: Int) {
    self.capacity = capacity
    unsafe scores = .allocate(capacity: capacity + Self.padding)
    unsafe scores.initialize(repeating: 0, count: capacity + Self.padding)
    unsafe tags = .allocate(capacity: capacity + Self.padding)
    unsafe tags.initialize(repeating: 0, count: capacity + Self.padding)
  }

  func deallocate() {
    unsafe scores.deallocate()
    unsafe tags.deallocate()
  }

  /// Takes a candidate out of the first `count`.
  /// - Returns: how many are left.
  func remove(_ ordinal: UInt32, count: Int) -> Int {
    var kept = 0
    for i in 0..<count where unsafe tags[i] & ~Candidate.expanded != ordinal {
      unsafe tags[kept] = tags[i]
      unsafe scores[kept] = scores[i]
      kept += 1
    }
    return kept
  }
}

extension SearchScratch {
  /// For the query, to be made ready for the segment's codes.
  var queryOfCodes: CodedQuery {
    guard let codedQuery else { preconditionFailure("scratch memory of a segment without codes") }
    return codedQuery
  }

  /// Makes the query ready for the segment's codes.
  func prepare(_ query: PreparedQuery) -> UnsafePointer<vidx_code_query> {
    unsafe queryOfCodes.prepare(query.floats)
    return unsafe queryOfCodes.raw
  }

  /// The pool of a graph walk with room for `capacity` candidates; what it held is lost when it has to grow.
  func walkedPool(capacity: Int) -> SortedPool { Self.grow(&walked, capacity) }

  /// The same for candidates by a finer estimate, and by their true scores.
  func refinedPool(capacity: Int) -> SortedPool { Self.grow(&refined, capacity) }
  func exactPool(capacity: Int) -> SortedPool { Self.grow(&exact, capacity) }

  private static func grow(_ pool: inout SortedPool, _ capacity: Int) -> SortedPool {
    if capacity > pool.capacity {
      pool.deallocate()
      pool = SortedPool(capacity: capacity)
    }
    return pool
  }
}

/// Scratch memory to reuse, so that a search allocates nothing.
final class ScratchPool: Sendable {
  private let vectorCount: Int
  private let space: CodecSpace?
  private let pool = ObjectPool<SearchScratch>()

  /// - Parameter space: of the codes that searches score.
  init(vectorCount: Int, space: CodecSpace?) {
    self.vectorCount = vectorCount
    self.space = space
  }

  /// - Parameter stop: ends the search that it is for.
  func take(_ stop: SearchStop? = nil) -> SearchScratch {
    let scratch = pool.take() ?? SearchScratch(vectorCount: vectorCount, space: space)
    scratch.stop = stop
    return scratch
  }

  func give(_ scratch: SearchScratch) { pool.give(scratch) }
}
