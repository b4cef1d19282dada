/// Row ids in order.
enum RowIDs {
  /// The ids ascending, each once.
  /// - Complexity: O(n) when they ascend, or lie close to each other; O(n log n) otherwise.
  static func ascending(_ ids: [Int64]) -> [Int64] {
    guard let first = ids.first else { return [] }
    var (smallest, largest, last) = (first, first, first)
    var isAscending = true
    for id in ids.dropFirst() {
      if id <= last { isAscending = false }
      last = id
      smallest = min(smallest, id)
      largest = max(largest, id)
    }
    if isAscending { return ids }
    let (span, overflow) = largest.subtractingReportingOverflow(smallest)
    if !overflow, span / 1_024 < Int64(ids.count), span < 1 << 28 {
      return marked(ids, from: smallest, span: Int(span))
    }
    return sorted(ids)
  }

  /// Those that are in both, each ascending and distinct.
  /// - Complexity: O(a + b).
  static func common(_ a: [Int64], _ b: [Int64]) -> [Int64] {
    var result: [Int64] = []
    var (i, j) = (0, 0)
    while i < a.count, j < b.count {
      if a[i] == b[j] { result.append(a[i]) }
      let (x, y) = (a[i], b[j])
      if x <= y { i += 1 }
      if y <= x { j += 1 }
    }
    return result
  }

  /// By a set of bits from the smallest to the largest.
  private static func marked(_ ids: [Int64], from smallest: Int64, span: Int) -> [Int64] {
    var words = [UInt64](repeating: 0, count: span / 64 + 1)
    for id in ids {
      let place = Int(id &- smallest)
      words[place >> 6] |= 1 << UInt64(place & 63)
    }
    var result: [Int64] = []
    result.reserveCapacity(ids.count)
    for (i, word) in words.enumerated() {
      var rest = word
      while rest != 0 {
        result.append(smallest &+ Int64(i << 6 + rest.trailingZeroBitCount))
        rest &= rest &- 1
      }
    }
    return result
  }

  private static func sorted(_ ids: [Int64]) -> [Int64] {
    var sorted = ids
    sorted.sort()
    var count = 0
    for id in sorted where count == 0 || sorted[count - 1] != id {
      sorted[count] = id
      count += 1
    }
    sorted.removeLast(sorted.count - count)
    return sorted
  }
}
