public import Synchronization

/// Which blocks of a section have been verified: one bit a block, set once, never cleared.
///
/// Trivial, for a hot loop to copy into a local: one test is a shift, a load and a bit test. Valid as long as the
/// `Section` it came from.
///
/// Public for one reason: a release build inlines `@inlinable public` across targets, but calls `@inlinable package`
/// (seen in the machine code of Swift 6.3.1). Not part of the library's interface.
// @unchecked: the words are atomics. Relaxed order is enough, as a bit stands for bytes that never change.
@safe
public struct VerifiedBits: @unchecked Sendable {
  @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>

  /// Bytes to a block, as a power of two.
  @inlinable public static var blockShift: Int { 16 }

  init(allocating blockCount: Int) {
    let wordCount = Self.wordCount(blockCount)
    unsafe words = .allocate(capacity: wordCount)
    for index in 0..<wordCount { unsafe (words + index).initialize(to: Atomic(0)) }
  }

  func deallocate(_ blockCount: Int) {
    unsafe words.deinitialize(count: Self.wordCount(blockCount))
    unsafe words.deallocate()
  }

  private static func wordCount(_ blockCount: Int) -> Int { (blockCount + 63) / 64 }

  /// Whether the block with this byte of the section has been verified. The offset is not checked.
  @inlinable @inline(__always)
  public func contains(offset: Int) -> Bool {
    contains(block: offset &>> Self.blockShift)
  }

  /// Whether this block of the section has been verified. The number is not checked.
  @inlinable @inline(__always)
  public func contains(block: Int) -> Bool {
    let word = unsafe words[block &>> 6].load(ordering: .relaxed)
    return word &>> UInt64(truncatingIfNeeded: block & 63) & 1 != 0
  }

  /// Sets the bit of a block; returns whether it was clear.
  func insert(block: Int) -> Bool {
    let bit = 1 as UInt64 &<< UInt64(truncatingIfNeeded: block & 63)
    return unsafe words[block &>> 6].bitwiseOr(bit, ordering: .relaxed).oldValue & bit == 0
  }
}
