/// Vectors in the order of their lists: a counting sort, stable, so that within a list ordinals ascend.
struct ListOrder: Sendable {
  /// List i has order[starts[i]..<starts[i + 1]]; `listCount + 1` numbers.
  let starts: [UInt32]
  /// Ordinals by list.
  let order: [UInt32]

  /// - Parameter lists: of each ordinal, its list, below `listCount`.
  /// - Complexity: O(vectors + lists).
  init(_ lists: [UInt32], listCount: Int) {
    var starts = [UInt32](repeating: 0, count: listCount + 1)
    for list in lists { starts[Int(list) + 1] += 1 }
    for i in 0..<listCount { starts[i + 1] += starts[i] }
    var next = starts
    var order = [UInt32](repeating: 0, count: lists.count)
    for (ordinal, list) in lists.enumerated() {
      order[Int(next[Int(list)])] = UInt32(truncatingIfNeeded: ordinal)
      next[Int(list)] += 1
    }
    self.starts = starts
    self.order = order
  }

  func ordinals(of list: Int) -> ArraySlice<UInt32> { order[Int(starts[list])..<Int(starts[list + 1])] }

  func isEmpty(_ list: Int) -> Bool { starts[list] == starts[list + 1] }
}
