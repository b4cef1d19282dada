import CVidxKernels
import Synchronization
import VidxSegments
import VidxVectors

/// A graph under construction (Malkov & Yashunin, Algorithm 1). Several threads may insert at once.
///
/// Links are words that are read and written atomically, relaxed. Writers of one list exclude each other by a spin
/// lock; a search takes none, and reads a list that was rewritten meanwhile again: a mix of old and new links can lack
/// the only one that leads on.
/// Numbering is that of `HNSWGraph`: ordinals at the base, upper nodes above.
///
/// Memory, beyond the distinct vectors: `ByteRows`, 8 bytes a link, 8 for each vector and 4 for each vector and thread;
/// and what `LeafNeighbours` says where leaves are built.
@safe final class HNSWBuilder: @unchecked Sendable {
  // @unchecked: see above; everything else is fixed before the threads start.
  typealias Links = UnsafeMutablePointer<Atomic<UInt32>>

  let configuration: IndexConfiguration
  let vectorCount: Int
  let stride: Int
  let vectors: UnsafePointer<Float>
  let kernels: VectorKernels
  /// The vectors as bytes, on which the graph is built; nil: on the floats.
  let bytes: ByteRows?
  let m: Int
  let baseDegree: Int

  /// Layers each node is in above the base; the upper node of each ordinal that has one.
  let levels: [UInt8]
  let upperNodes: [UInt32]
  let upperOrdinals: [UInt32]
  let upperStarts: [UInt32]

  private let baseMemory: AlignedBuffer
  private let upperMemory: AlignedBuffer
  private let baseScoreMemory: AlignedBuffer
  private let upperScoreMemory: AlignedBuffer
  private let diverseMemory: AlignedBuffer
  private let lockMemory: AlignedBuffer
  let baseLinks: Links
  let upperLinks: Links
  /// The score of each link, so that shortening a list does not compute them again.
  let baseScores: UnsafeMutablePointer<Float>
  let upperScores: UnsafeMutablePointer<Float>
  /// Of each list, base first: how many of its first links are sorted and were chosen together, none nearer to another
  /// than to the node. Shortening the list again does not compare them again. `unscored`: none is known to be, and the
  /// scores are not there yet.
  private let diverse: UnsafeMutablePointer<UInt16>
  static let unscored = UInt16.max
  /// Of each vector, for its lists in all layers: bit 0 is the lock, the others count beginnings and ends of rewriting,
  /// so that bit 1 is set meanwhile.
  private let locks: Links

  /// Layer and node where insertions start, as one word: layer << 32 | node. `noEntry` while the graph is empty.
  let entry = Atomic<UInt64>(HNSWBuilder.noEntry)
  static let noEntry = UInt64.max
  /// Held while a node is inserted that raises the top layer.
  private let raising = Atomic<UInt32>(0)

  /// - Parameters:
  ///   - bytes: of the same vectors.
  ///   - levels: of each vector, from `HNSWLevels`.
  init(_ distinct: DistinctVectors, _ bytes: ByteRows?, levels: [UInt8]) {
    let configuration = distinct.configuration
    self.configuration = configuration
    unsafe vectors = UnsafePointer(distinct.vectors)
    self.bytes = bytes
    self.levels = levels
    vectorCount = levels.count
    stride = configuration.stride
    kernels = VectorKernels(configuration.metric)
    m = configuration.m
    baseDegree = 2 * configuration.m
    var nodes = [UInt32](repeating: HNSWGraph.unused, count: levels.count)
    var ordinals: [UInt32] = []
    var starts: [UInt32] = [0]
    for (ordinal, level) in levels.enumerated() where level > 0 {
      nodes[ordinal] = UInt32(ordinals.count)
      ordinals.append(UInt32(ordinal))
      starts.append(starts[starts.count - 1] + UInt32(level))
    }
    upperNodes = nodes
    upperOrdinals = ordinals
    upperStarts = starts
    let lists = Int(starts[starts.count - 1])
    baseMemory = AlignedBuffer(byteCount: vectorCount * baseDegree * 4)
    upperMemory = AlignedBuffer(byteCount: lists * m * 4)
    baseScoreMemory = AlignedBuffer(byteCount: vectorCount * baseDegree * 4)
    upperScoreMemory = AlignedBuffer(byteCount: lists * m * 4)
    diverseMemory = AlignedBuffer(byteCount: (vectorCount + lists) * 2, zeroed: true)
    lockMemory = AlignedBuffer(byteCount: vectorCount * 4, zeroed: true)
    unsafe baseLinks = Self.links(baseMemory, count: vectorCount * baseDegree)
    unsafe upperLinks = Self.links(upperMemory, count: lists * m)
    unsafe baseScores = baseScoreMemory.floats
    unsafe upperScores = upperScoreMemory.floats
    unsafe diverse = diverseMemory.bytes.assumingMemoryBound(to: UInt16.self)
    unsafe locks = lockMemory.bytes.bindMemory(to: Atomic<UInt32>.self, capacity: max(vectorCount, 1))
  }

  private static func links(_ memory: AlignedBuffer, count: Int) -> Links {
    unsafe memory.words.initialize(repeating: HNSWGraph.unused, count: count)
    return unsafe memory.bytes.bindMemory(to: Atomic<UInt32>.self, capacity: max(count, 1))
  }

  /// The links of a node in a layer, their scores, and how many there is room for.
  @inline(__always)
  func list(_ node: Int, _ layer: Int) -> LinkList {
    if layer == 0 {
      let start = node &* baseDegree
      return unsafe LinkList(
        links: baseLinks + start, scores: baseScores + start, diverse: diverse + node, degree: baseDegree)
    }
    let number = Int(upperStarts[node]) &+ layer &- 1
    return unsafe LinkList(
      links: upperLinks + number &* m, scores: upperScores + number &* m, diverse: diverse + vectorCount + number,
      degree: m)
  }

  /// The vector number of a node in a layer.
  @inline(__always)
  func ordinal(_ node: UInt32, _ layer: Int) -> Int {
    layer == 0 ? Int(node) : Int(upperOrdinals[Int(node)])
  }

  @inline(__always)
  func vector(_ ordinal: Int) -> UnsafePointer<Float> { unsafe vectors + ordinal &* stride }

  func lock(_ ordinal: Int) { unsafe Self.acquire(locks[ordinal]) }
  func unlock(_ ordinal: Int) { unsafe locks[ordinal].bitwiseAnd(~1, ordering: .releasing) }

  /// Who holds the lock says before and after that links are moved or dropped.
  func beginRewriting(_ ordinal: Int) {
    unsafe locks[ordinal].wrappingAdd(2, ordering: .relaxed)
    // Who sees one of the links that are stored after this sees the count too.
    atomicMemoryFence(ordering: .releasing)
  }
  func endRewriting(_ ordinal: Int) { unsafe locks[ordinal].wrappingAdd(2, ordering: .releasing) }

  /// What `isUnchanged` compares; waits for the end of a rewriting that has begun.
  @inline(__always)
  func version(_ ordinal: Int) -> UInt32 {
    var turns = 0
    while true {
      let word = unsafe locks[ordinal].load(ordering: .acquiring)
      if word & 2 == 0 { return word &>> 1 }
      Parallel.pause(&turns)
    }
  }

  @inline(__always)
  func fetchVersion(_ ordinal: Int) { unsafe vidx_prefetch(locks + ordinal) }

  /// Whether none of the vector's lists has been rewritten since.
  @inline(__always)
  func isUnchanged(_ ordinal: Int, since version: UInt32) -> Bool {
    atomicMemoryFence(ordering: .acquiring)
    return unsafe locks[ordinal].load(ordering: .relaxed) &>> 1 == version
  }

  func lockEntry() { Self.acquire(raising) }
  func unlockEntry() { raising.store(0, ordering: .releasing) }

  private static func acquire(_ word: borrowing Atomic<UInt32>) {
    while word.bitwiseOr(1, ordering: .acquiring).oldValue & 1 != 0 {
      var turns = 0
      while word.load(ordering: .relaxed) & 1 != 0 { Parallel.pause(&turns) }
    }
  }

  /// Inserts vectors `first`..., in one order with one thread, in chunks handed out to the threads with more.
  /// - Throws: `BuildError.cancelled`.
  func insertAll(from first: Int, isScattered: Bool = false, options: BuildOptions) throws(BuildError) {
    let order = insertionOrder(from: first, isScattered: isScattered, threads: options.threads)
    try insertAll(order, besideLinked: first, ProgressCounter(total: order.count, options: options), options)
  }

  /// - Parameter linkedCount: vectors that are in the graph.
  func insertAll(
    _ order: [UInt32], besideLinked linkedCount: Int, _ progress: ProgressCounter, _ options: BuildOptions
  ) throws(BuildError) {
    let total = order.count
    if total <= 0 { return }
    let builder = self
    let threads = max(options.threads, 1)
    let log = threads > 1 ? InsertionLog(capacity: total, threads: threads) : nil
    let scratches = (0..<threads).map { BuildScratch(self, thread: $0, log: log) }
    // The first nodes go in alone, so that the threads find a graph to work on.
    let hasGraph = entry.load(ordering: .acquiring) != Self.noEntry && linkedCount >= 64
    let alone = hasGraph ? 0 : min(total, 64)
    for i in 0..<alone { insert(Int(order[i]), scratches[0]) }
    progress.add(alone)
    Parallel.chunks(total - alone, chunk: 64, threads: threads) { worker, range in
      if options.isCancelled() { return }
      for i in range { builder.insert(Int(order[alone + i]), scratches[worker]) }
      progress.add(range.count)
    }
    options.work.addScores(scratches.reduce(0) { $0 + $1.scored })
    if options.isCancelled() { throw .cancelled }
  }
}

/// Where the links of one node in one layer are. All but reading links is for who holds the node's lock.
@safe struct LinkList {
  let links: HNSWBuilder.Links
  let scores: UnsafeMutablePointer<Float>
  let diverse: UnsafeMutablePointer<UInt16>
  let degree: Int
}

/// Counts what several threads have done and reports it.
final class ProgressCounter: Sendable {
  private let total: Int
  private let done = Atomic<Int>(0)
  private let options: BuildOptions

  init(total: Int, options: BuildOptions) {
    self.total = total
    self.options = options
  }

  func add(_ count: Int) {
    let now = done.wrappingAdd(count, ordering: .relaxed).newValue
    options.progress(BuildProgress(stage: .linking, done: now, total: total))
  }
}

/// The layers of each node: geometric, as in the paper (mL = 1/ln M), from a hash of seed and position, so that they do
/// not depend on the order in which threads insert.
enum HNSWLevels {
  static let maximum = 15

  static func level(ordinal: Int, seed: UInt64, m: Int) -> UInt8 {
    // SplitMix64 finaliser.
    var x = seed &+ UInt64(ordinal + 1) &* 0x9E37_79B9_7F4A_7C15
    x = (x ^ (x >> 30)) &* 0xBF58_476D_1CE4_E5B9
    x = (x ^ (x >> 27)) &* 0x94D0_49BB_1331_11EB
    x ^= x >> 31
    // One in M nodes of a layer is in the next: compare with powers of 1/M instead of taking a logarithm.
    let u = Double(x >> 11) * 0x1p-53
    var level = 0
    var bound = 1 / Double(m)
    while u < bound, level < maximum {
      level += 1
      bound /= Double(m)
    }
    return UInt8(level)
  }
}
