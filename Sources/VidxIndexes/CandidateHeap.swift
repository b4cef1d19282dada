/// Candidates by score, those at equal scores by tag; the nearest at the root. Grows as needed.
struct CandidateHeap {
  private var items: [Candidate] = []

  var count: Int { items.count }
  var nearest: Candidate? { items.first }

  /// Forgets all; the memory is kept.
  mutating func removeAll() { items.removeAll(keepingCapacity: true) }

  mutating func push(_ candidate: Candidate) {
    items.append(candidate)
    var i = items.count - 1
    while i > 0 {
      let parent = (i - 1) / 2
      if !Self.isNearer(candidate, items[parent]) { break }
      items[i] = items[parent]
      i = parent
    }
    items[i] = candidate
  }

  mutating func pop() -> Candidate? {
    guard let root = items.first, let last = items.popLast() else { return nil }
    if items.isEmpty { return root }
    items[0] = last
    siftDown(0)
    return root
  }

  private mutating func siftDown(_ start: Int) {
    let moved = items[start]
    var i = start
    while true {
      var child = 2 * i + 1
      if child >= items.count { break }
      if child + 1 < items.count, Self.isNearer(items[child + 1], items[child]) { child += 1 }
      if !Self.isNearer(items[child], moved) { break }
      items[i] = items[child]
      i = child
    }
    items[i] = moved
  }

  @inline(__always)
  private static func isNearer(_ a: Candidate, _ b: Candidate) -> Bool {
    a.score < b.score || (a.score == b.score && a.tag < b.tag)
  }
}
