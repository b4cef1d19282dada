import CVidxKernels

/// Nodes with their scores, in two arrays; who holds it says how many.
@safe struct CandidateList {
  let scores: UnsafeMutablePointer<Float>
  let ids: UnsafeMutablePointer<UInt32>

  /// Marks, in the pool, a node whose links were followed; in a list to be shortened, one that is known to be diverse.
  static let marked: UInt32 = 1 << 31

  init(capacity: Int) {
    unsafe scores = .allocate(capacity: capacity)
    unsafe ids = .allocate(capacity: capacity)
  }

  private init(_ scores: UnsafeMutablePointer<Float>, _ ids: UnsafeMutablePointer<UInt32>) {
    unsafe self.scores = scores
    unsafe self.ids = ids
  }

  /// For the kernels.
  var raw: vidx_pool { unsafe vidx_pool(scores: scores, ids: ids) }

  func from(_ offset: Int) -> CandidateList { unsafe CandidateList(scores + offset, ids + offset) }

  func deallocate() {
    unsafe scores.deallocate()
    unsafe ids.deallocate()
  }
}

/// Memory one inserting thread works in.
@safe final class BuildScratch: @unchecked Sendable {
  // @unchecked: one thread at a time.
  /// Which of the threads this is, and what all of them insert; nil: nobody else does.
  let thread: Int
  let log: InsertionLog?
  /// How many entries of the log were linked when this insertion began.
  var known = 0
  /// Scores of candidates so far.
  var scored = 0
  /// One bit a node: met in this search.
  let visited: UnsafeMutablePointer<UInt64>
  /// The nodes met, in order; their bits are cleared after the search.
  let met: UnsafeMutablePointer<UInt32>
  /// The candidates kept, nearest first, and as much room, into which others are merged.
  private(set) var pool: CandidateList
  private(set) var spare: CandidateList
  let merge: vidx_pool_merge
  /// The neighbours chosen in each layer, and how many they are.
  private let chosenMemory: CandidateList
  var chosenCounts: [Int]
  /// While they are being chosen: the ordinals of all, and of those that were not known to be diverse.
  let chosenOrdinals: UnsafeMutablePointer<UInt32>
  let newOrdinals: UnsafeMutablePointer<UInt32>
  /// The list of a neighbour: to be shortened, and shortened.
  let candidates: CandidateList
  let shortened: CandidateList
  /// Scores and ordinals of one block.
  let block: UnsafeMutablePointer<Float>
  let ordinals: UnsafeMutablePointer<UInt32>

  /// The most links a node can have (at the base, twice `m`), and the blocks of several nodes that are scored at once.
  private static let capacity = 2 * IndexLimits.m.upperBound + 8
  private static let blockCapacity = HNSWBuilder.nodesAtOnce * gathered
  /// Most that is taken from one list: room to read one that is being rewritten twice.
  static let gathered = 2 * capacity

  init(_ builder: HNSWBuilder, thread: Int = 0, log: InsertionLog? = nil) {
    self.thread = thread
    self.log = log
    let words = builder.vectorCount / 64 + 1
    unsafe visited = .allocate(capacity: words)
    unsafe visited.initialize(repeating: 0, count: words)
    unsafe met = .allocate(capacity: builder.vectorCount + Self.blockCapacity)
    let ef = max(builder.configuration.efConstruction, Self.blockCapacity) + Int(VIDX_POOL_SLACK)
    pool = CandidateList(capacity: ef)
    spare = CandidateList(capacity: ef)
    unsafe merge = vidx_bytes_active().pointee.merge
    chosenMemory = CandidateList(capacity: Self.capacity * (HNSWLevels.maximum + 1))
    chosenCounts = Array(repeating: 0, count: HNSWLevels.maximum + 1)
    unsafe chosenOrdinals = .allocate(capacity: Self.capacity)
    unsafe newOrdinals = .allocate(capacity: Self.capacity)
    candidates = CandidateList(capacity: Self.capacity)
    shortened = CandidateList(capacity: Self.capacity)
    unsafe block = .allocate(capacity: ef)
    unsafe ordinals = .allocate(capacity: ef)
  }

  deinit {
    unsafe visited.deallocate()
    unsafe met.deallocate()
    unsafe chosenOrdinals.deallocate()
    unsafe newOrdinals.deallocate()
    unsafe block.deallocate()
    unsafe ordinals.deallocate()
    for list in [pool, spare, chosenMemory, candidates, shortened] { list.deallocate() }
  }

  /// What was merged last becomes the pool.
  func swapPools() { swap(&pool, &spare) }

  /// Where the neighbours chosen in a layer are kept.
  func chosen(in layer: Int) -> CandidateList { chosenMemory.from(layer * Self.capacity) }
}
