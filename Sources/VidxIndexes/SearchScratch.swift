import Synchronization
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
  let visited: UnsafeMutablePointer<UInt16>
  private var epoch: UInt16 = 0
  /// Identifiers and scores of one block.
  let ids: UnsafeMutablePointer<UInt32>
  let scores: UnsafeMutablePointer<Float>
  /// The candidates kept, nearest first.
  private(set) var pool: UnsafeMutablePointer<Candidate>
  private var poolCapacity: Int

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

  init(vectorCount: Int) {
    self.vectorCount = vectorCount
    unsafe visited = .allocate(capacity: max(vectorCount, 1))
    unsafe visited.initialize(repeating: 0, count: max(vectorCount, 1))
    unsafe ids = .allocate(capacity: Self.blockCapacity)
    unsafe ids.initialize(repeating: 0, count: Self.blockCapacity)
    unsafe scores = .allocate(capacity: Self.blockCapacity)
    unsafe scores.initialize(repeating: 0, count: Self.blockCapacity)
    poolCapacity = 512
    unsafe pool = .allocate(capacity: poolCapacity)
  }

  deinit {
    unsafe visited.deallocate()
    unsafe ids.deallocate()
    unsafe scores.deallocate()
    unsafe pool.deallocate()
  }

  /// Forgets what was visited and returns the mark of the new search.
  func nextEpoch() -> UInt16 {
    epoch &+= 1
    if epoch == 0 {
      unsafe visited.update(repeating: 0, count: max(vectorCount, 1))
      epoch = 1
    }
    return epoch
  }

  /// Makes room for `count` candidates; what the pool held is lost when it has to grow.
  func reservePool(_ count: Int) {
    if count <= poolCapacity { return }
    unsafe pool.deallocate()
    poolCapacity = count
    unsafe pool = .allocate(capacity: count)
  }
}

/// Scratch memory to reuse, so that a search allocates nothing: a few slots swapped atomically, no lock.
final class ScratchPool: Sendable {
  private let vectorCount: Int
  private let slot0 = Atomic<UInt>(0)
  private let slot1 = Atomic<UInt>(0)
  private let slot2 = Atomic<UInt>(0)
  private let slot3 = Atomic<UInt>(0)

  init(vectorCount: Int) { self.vectorCount = vectorCount }

  deinit {
    for slot in [
      slot0.load(ordering: .acquiring), slot1.load(ordering: .acquiring), slot2.load(ordering: .acquiring),
      slot3.load(ordering: .acquiring),
    ] {
      _ = Self.object(slot)
    }
  }

  func take() -> SearchScratch {
    Self.object(slot0.exchange(0, ordering: .acquiringAndReleasing))
      ?? Self.object(slot1.exchange(0, ordering: .acquiringAndReleasing))
      ?? Self.object(slot2.exchange(0, ordering: .acquiringAndReleasing))
      ?? Self.object(slot3.exchange(0, ordering: .acquiringAndReleasing))
      ?? SearchScratch(vectorCount: vectorCount)
  }

  func give(_ scratch: SearchScratch) {
    let bits = UInt(bitPattern: unsafe Unmanaged.passRetained(scratch).toOpaque())
    if slot0.compareExchange(expected: 0, desired: bits, ordering: .acquiringAndReleasing).exchanged { return }
    if slot1.compareExchange(expected: 0, desired: bits, ordering: .acquiringAndReleasing).exchanged { return }
    if slot2.compareExchange(expected: 0, desired: bits, ordering: .acquiringAndReleasing).exchanged { return }
    if slot3.compareExchange(expected: 0, desired: bits, ordering: .acquiringAndReleasing).exchanged { return }
    _ = Self.object(bits)
  }

  /// Takes over the reference a slot held.
  private static func object(_ bits: UInt) -> SearchScratch? {
    guard let pointer = unsafe UnsafeMutableRawPointer(bitPattern: bits) else { return nil }
    return unsafe Unmanaged<SearchScratch>.fromOpaque(pointer).takeRetainedValue()
  }
}
