import CVidxKernels
import Synchronization
import VidxVectors

/// What several threads insert, in one order that all of them agree on.
///
/// Two near vectors that go in at the same time would not find each other. So a thread enters its vector here when it
/// has chosen neighbours and written the vector's own links, and before others link to it; and whoever enters after it
/// without having seen it linked takes it for a candidate. Of any two, the later one in the log then knows the earlier
/// one, as if one thread had inserted them in this order. What is not entered yet is known to nobody: a link may only
/// replace others as the way to some place once it leads there.
@safe final class InsertionLog: @unchecked Sendable {
  // @unchecked: what is not atomic is written under the lock, and read up to the count that was published after it.
  private let entries: AlignedBuffer
  private let linking: AlignedBuffer
  let threads: Int
  private let count = Atomic<Int>(0)
  private let entering = Atomic<UInt32>(0)
  /// Bytes of a cache line: threads do not write to each other's.
  private static let stride = 64

  init(capacity: Int, threads: Int) {
    self.threads = threads
    entries = AlignedBuffer(byteCount: max(capacity, 1) * 4)
    linking = AlignedBuffer(byteCount: threads * Self.stride)
    for thread in 0..<threads { end(thread) }
  }

  /// The position of what the thread has entered and not linked yet.
  private func position(_ thread: Int) -> UnsafeMutablePointer<Atomic<Int>> {
    unsafe (linking.bytes + thread * Self.stride).assumingMemoryBound(to: Atomic<Int>.self)
  }

  /// From where on an insertion that begins now has to look at the entries: the first that is not linked. Those after
  /// it may be linked by nothing but it.
  func begin() -> Int {
    // The size first: what is entered after it is looked at anyway, and what was before it is seen below, or linked.
    var first = count.load(ordering: .sequentiallyConsistent)
    for thread in 0..<threads {
      first = min(first, unsafe position(thread).pointee.load(ordering: .sequentiallyConsistent))
    }
    return first
  }

  /// How many are entered.
  var size: Int { count.load(ordering: .acquiring) }

  /// The entries, of which those below `size` may be read.
  var ordinals: UnsafePointer<UInt32> { unsafe UnsafePointer(entries.words) }

  /// Enters a vector whose inserter has looked at the first `known` entries.
  /// - Returns: false when there are more by now; look at them and try again.
  func enter(_ ordinal: Int, _ thread: Int, known: Int) -> Bool {
    var turns = 0
    while entering.exchange(1, ordering: .acquiring) != 0 { Parallel.pause(&turns) }
    defer { entering.store(0, ordering: .releasing) }
    if count.load(ordering: .relaxed) != known { return false }
    unsafe position(thread).pointee.store(known, ordering: .sequentiallyConsistent)
    unsafe entries.words[known] = UInt32(ordinal)
    count.store(known + 1, ordering: .sequentiallyConsistent)
    return true
  }

  /// The vector is linked.
  func end(_ thread: Int) { unsafe position(thread).pointee.store(Int.max, ordering: .sequentiallyConsistent) }
}
