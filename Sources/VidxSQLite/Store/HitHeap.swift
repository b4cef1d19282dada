import VidxVectors

/// Hits to be handed out nearest first, of which mostly only the first few are wanted: a binary min-heap.
struct HitHeap {
  private var hits: [Hit]

  /// - Complexity: O(hits).
  init(_ hits: [Hit]) {
    self.hits = hits
    for i in stride(from: hits.count / 2 - 1, through: 0, by: -1) { siftDown(i) }
  }

  /// - Complexity: O(log hits).
  mutating func pop() -> Hit? {
    guard let last = hits.popLast() else { return nil }
    guard let first = hits.first else { return last }
    hits[0] = last
    siftDown(0)
    return first
  }

  private mutating func siftDown(_ start: Int) {
    var i = start
    while true {
      var child = 2 * i + 1
      guard child < hits.count else { return }
      if child + 1 < hits.count, Hit.isNearer(hits[child + 1], hits[child]) { child += 1 }
      guard Hit.isNearer(hits[child], hits[i]) else { return }
      hits.swapAt(i, child)
      i = child
    }
  }
}
