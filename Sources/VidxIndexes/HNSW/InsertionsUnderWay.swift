import Synchronization
import VidxVectors

/// Which vectors are being inserted, by each thread.
///
/// Two near vectors that go in at the same time would not find each other, and points on a line would be left with a
/// gap between them. So whoever starts to search the base takes those under way for candidates: of two insertions that
/// overlap, at least one finds the other here or linked already.
@safe final class InsertionsUnderWay: @unchecked Sendable {
  // @unchecked: atomic words in memory that lives as long as this object.
  private let memory: AlignedBuffer
  private let threads: Int
  /// Words of a cache line: threads do not write to each other's.
  private static let stride = 16
  private static let none = UInt32.max

  init(threads: Int) {
    self.threads = threads
    memory = AlignedBuffer(byteCount: threads * Self.stride * 4)
    for thread in 0..<threads { end(thread) }
  }

  private func word(_ thread: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
    unsafe (memory.bytes + thread * Self.stride * 4).assumingMemoryBound(to: Atomic<UInt32>.self)
  }

  // Sequentially consistent: of two threads that begin and then look, one sees the other.
  func begin(_ ordinal: Int, _ thread: Int) {
    unsafe word(thread).pointee.store(UInt32(ordinal), ordering: .sequentiallyConsistent)
  }

  func end(_ thread: Int) { unsafe word(thread).pointee.store(Self.none, ordering: .sequentiallyConsistent) }

  /// Writes what other threads insert to `ordinals`.
  /// - Returns: how many there are.
  func others(than thread: Int, into ordinals: UnsafeMutablePointer<UInt32>) -> Int {
    var count = 0
    for other in 0..<threads where other != thread {
      let ordinal = unsafe word(other).pointee.load(ordering: .sequentiallyConsistent)
      if ordinal == Self.none { continue }
      unsafe ordinals[count] = ordinal
      count += 1
    }
    return count
  }
}
