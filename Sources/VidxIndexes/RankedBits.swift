/// A set of positions that knows how many lie before each: 12 bytes for 64 positions, where a table that says the same
/// takes hundreds. (Rank over a bit vector; G. Jacobson, "Space-efficient static trees and graphs", 1989.) Immutable.
@safe final class RankedBits: @unchecked Sendable {
  // @unchecked: filled while it is made, then only read.

  /// Positions are below.
  let capacity: Int
  private let words: UnsafeMutablePointer<UInt64>
  /// How many members lie before each word.
  private let ranks: UnsafeMutablePointer<UInt32>

  /// - Parameters:
  ///   - capacity: at most 2^32 members fit.
  ///   - fill: inserts the members, each once, through what it is given: false where a position is not below the
  ///     capacity, or was inserted before.
  /// - Complexity: O(capacity / 64 + members).
  init<E: Error>(capacity: Int, _ fill: ((Int) -> Bool) throws(E) -> Void) throws(E) {
    let count = (capacity + 63) / 64
    let words = UnsafeMutablePointer<UInt64>.allocate(capacity: max(count, 1))
    unsafe words.initialize(repeating: 0, count: max(count, 1))
    let ranks = UnsafeMutablePointer<UInt32>.allocate(capacity: max(count, 1))
    unsafe ranks.initialize(repeating: 0, count: max(count, 1))
    self.capacity = capacity
    unsafe self.words = words
    unsafe self.ranks = ranks
    try fill { position in
      guard position >= 0, position < capacity else { return false }
      let bit: UInt64 = 1 << UInt64(position & 63)
      guard unsafe words[position >> 6] & bit == 0 else { return false }
      unsafe words[position >> 6] |= bit
      return true
    }
    var rank: UInt32 = 0
    for i in 0..<count {
      unsafe ranks[i] = rank
      unsafe rank += UInt32(truncatingIfNeeded: words[i].nonzeroBitCount)
    }
  }

  deinit {
    unsafe words.deallocate()
    unsafe ranks.deallocate()
  }

  /// How many members lie before a member; nil for what is none.
  @inline(__always)
  func rank(ofMember position: Int) -> Int? {
    guard position >= 0, position < capacity else { return nil }
    let word = unsafe words[position >> 6]
    let bit: UInt64 = 1 << UInt64(position & 63)
    guard word & bit != 0 else { return nil }
    return unsafe Int(ranks[position >> 6]) + (word & (bit - 1)).nonzeroBitCount
  }

  /// How many members lie at a position or before it.
  @inline(__always)
  func count(through position: Int) -> Int {
    precondition(position >= 0 && position < capacity, "position \(position) outside 0..<\(capacity)")
    let through = UInt64.max >> UInt64(63 - position & 63)
    return unsafe Int(ranks[position >> 6]) + (words[position >> 6] & through).nonzeroBitCount
  }
}
