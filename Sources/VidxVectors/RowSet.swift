import CVidxKernels

/// A set of positions 0..<capacity, one bit each. Not thread safe while it is written; share it only when filled.
@safe package final class RowSet: @unchecked Sendable {
  // @unchecked: filled by one owner, then only read.
  package let capacity: Int
  package let words: UnsafeMutablePointer<UInt64>
  package let wordCount: Int

  /// - Parameter full: every position is in the set.
  package init(capacity: Int, full: Bool = false) {
    precondition(capacity >= 0, "capacity \(capacity) is negative")
    self.capacity = capacity
    wordCount = (capacity + 63) / 64
    unsafe words = .allocate(capacity: max(wordCount, 1))
    unsafe words.initialize(repeating: full ? .max : 0, count: max(wordCount, 1))
    if full, capacity % 64 != 0 { unsafe words[wordCount - 1] = (1 << UInt64(capacity % 64)) - 1 }
  }

  deinit { unsafe words.deallocate() }

  package func contains(_ position: Int) -> Bool {
    precondition(position >= 0 && position < capacity, "position \(position) outside 0..<\(capacity)")
    return unsafe words[position >> 6] >> UInt64(position & 63) & 1 != 0
  }

  package func insert(_ position: Int) {
    precondition(position >= 0 && position < capacity, "position \(position) outside 0..<\(capacity)")
    unsafe words[position >> 6] |= 1 << UInt64(position & 63)
  }

  package func remove(_ position: Int) {
    precondition(position >= 0 && position < capacity, "position \(position) outside 0..<\(capacity)")
    unsafe words[position >> 6] &= ~(1 << UInt64(position & 63))
  }

  /// How many positions are in the set.
  /// - Complexity: O(capacity / 64).
  package var count: Int { unsafe Int(vidx_count_bits(words, wordCount)) }

  /// Keeps what is in both sets.
  package func formIntersection(_ other: RowSet) {
    precondition(other.capacity == capacity, "sets of \(capacity) and \(other.capacity) positions")
    for i in 0..<wordCount { unsafe words[i] &= other.words[i] }
  }

  package func copy() -> RowSet {
    let result = RowSet(capacity: capacity)
    unsafe result.words.update(from: words, count: wordCount)
    return result
  }

  /// Calls `body` with every position, ascending.
  package func forEach<E: Error>(_ body: (Int) throws(E) -> Void) throws(E) {
    for i in 0..<wordCount {
      var word = unsafe words[i]
      while word != 0 {
        try body(i << 6 + word.trailingZeroBitCount)
        word &= word - 1
      }
    }
  }
}
