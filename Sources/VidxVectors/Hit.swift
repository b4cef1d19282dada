/// One row found: its score (smaller is nearer) and its row id.
package struct Hit: Sendable, Equatable {
  package var score: Float
  package var rowID: Int64

  @inlinable
  package init(score: Float, rowID: Int64) {
    self.score = score
    self.rowID = rowID
  }

  /// Nearer first; at equal scores the smaller row id.
  @inlinable
  package static func isNearer(_ a: Hit, _ b: Hit) -> Bool {
    a.score < b.score || (a.score == b.score && a.rowID < b.rowID)
  }
}

extension Metric {
  /// Brings hits sorted by score into the order of distance and row id: rounding makes one distance of scores that
  /// differ, and who goes on from the last row of a page compares distances.
  /// - Complexity: O(n), and the square of how many share a distance where their row ids are out of order.
  package func orderTies(_ hits: UnsafeMutableBufferPointer<Hit>) {
    if self == .innerProduct || self == .l1 { return }
    for i in hits.indices.dropFirst() {
      let (hit, distance) = unsafe (hits[i], distance(fromScore: hits[i].score))
      var place = i
      while place > 0, unsafe hits[place - 1].rowID > hit.rowID,
        unsafe self.distance(fromScore: hits[place - 1].score) == distance
      {
        unsafe hits[place] = hits[place - 1]
        place -= 1
      }
      if place != i { unsafe hits[place] = hit }
    }
  }

  /// As above.
  package func orderTies(_ hits: inout [Hit]) {
    unsafe hits.withUnsafeMutableBufferPointer { unsafe orderTies($0) }
  }
}

/// The k nearest hits seen so far: a bounded max-heap in one array, farthest at the root.
///
/// Not thread safe. Ties at the boundary go to the smaller row id, so the outcome does not depend on the order of
/// offers.
package struct TopK {
  package private(set) var k: Int
  private var heap: [Hit] = []

  package init(k: Int) {
    self.k = max(k, 0)
    heap.reserveCapacity(min(self.k, 1024))
  }

  /// Forgets all hits, for another k; the memory is kept.
  package mutating func reset(k: Int) {
    self.k = max(k, 0)
    heap.removeAll(keepingCapacity: true)
    heap.reserveCapacity(min(self.k, 1024))
  }

  package var count: Int { heap.count }

  /// A score above this cannot enter: infinity until k hits are held.
  package var threshold: Float {
    if k == 0 { return -.infinity }
    return heap.count < k ? .infinity : heap[0].score
  }

  /// - Complexity: O(log k), O(1) when the hit is too far.
  package mutating func offer(_ hit: Hit) {
    if heap.count < k {
      heap.append(hit)
      siftUp(heap.count - 1)
    } else if k > 0, Hit.isNearer(hit, heap[0]) {
      heap[0] = hit
      siftDown(0)
    }
  }

  /// The hits held, nearest first.
  package consuming func sorted() -> [Hit] {
    heap.sorted(by: Hit.isNearer)
  }

  /// Takes out the farthest hit held; nil when there is none.
  /// - Complexity: O(log k).
  package mutating func popFarthest() -> Hit? {
    guard let farthest = heap.first else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      siftDown(0)
    }
    return farthest
  }

  /// Moves the hits held to `destination`, nearest first.
  /// - Returns: how many they were: at most k.
  package mutating func move(to destination: UnsafeMutablePointer<Hit>) -> Int {
    let total = heap.count
    var place = total
    while let farthest = popFarthest() {
      place -= 1
      unsafe (destination + place).initialize(to: farthest)
    }
    return total
  }

  private mutating func siftUp(_ start: Int) {
    var i = start
    while i > 0 {
      let parent = (i - 1) / 2
      guard Hit.isNearer(heap[parent], heap[i]) else { return }
      heap.swapAt(i, parent)
      i = parent
    }
  }

  private mutating func siftDown(_ start: Int) {
    var i = start
    while true {
      var child = 2 * i + 1
      guard child < heap.count else { return }
      if child + 1 < heap.count, Hit.isNearer(heap[child], heap[child + 1]) { child += 1 }
      guard Hit.isNearer(heap[i], heap[child]) else { return }
      heap.swapAt(i, child)
      i = child
    }
  }
}
