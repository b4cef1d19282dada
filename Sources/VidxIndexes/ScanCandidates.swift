import VidxVectors

/// Vectors that may be among the k nearest, by the bounds that their codes give. The owner releases it.
struct ScanCandidates {
  private(set) var k = 0
  /// Lower bounds and ordinals.
  fileprivate(set) var items = CandidateArray()
  /// The k least upper bounds.
  private var uppers = TopK(k: 0)
  /// What has a lower bound above it is not among the k nearest: the k-th least upper bound, infinite before there is,
  /// or what k scores have shown.
  private(set) var limit = Float.infinity
  /// How far the upper bound that is the limit is from its estimate, about: errors differ little.
  private(set) var error: Float = 0
  /// So many candidates are looked through for what the limit has come to exclude.
  private var settlesAt = ScanCandidates.leastSettled

  private static let leastSettled = 1_024

  /// Room there is for candidates.
  var capacity: Int { items.capacity }

  /// Forgets all; the memory is kept.
  mutating func reset(k: Int) {
    self.k = k
    items.removeAll()
    uppers.reset(k: k)
    limit = .infinity
    error = 0
    settlesAt = Self.leastSettled
  }

  /// Gives its memory back.
  mutating func release() {
    deallocate()
    self = ScanCandidates()
  }

  func deallocate() { items.deallocate() }

  /// Of vectors whose scores are within `errors` of `scores`, keeps those that may be among the nearest.
  /// - Parameters:
  ///   - ids: their ordinals, less `start`.
  @inline(never)
  mutating func take(
    _ scores: UnsafePointer<Float>, _ errors: UnsafePointer<Float>, _ ids: UnsafePointer<UInt32>, _ count: Int,
    from start: Int = 0
  ) {
    items.reserve(count)
    let end = unsafe items.items + items.count
    let first = UInt32(truncatingIfNeeded: start)
    var limit = limit
    var kept = 0
    var i = 0
    while i < count {
      let (score, error) = unsafe (scores[i], errors[i])
      if score - error <= limit {
        unsafe end[kept] = Candidate(score - error, ids[i] &+ first)
        kept &+= 1
        if score + error < limit {
          unsafe uppers.offer(Hit(score: score + error, rowID: Int64(ids[i] &+ first)))
          limit = min(limit, uppers.threshold)
          self.error = error
        }
      }
      i &+= 1
    }
    items.appended(kept)
    self.limit = limit
    if items.count >= settlesAt { settle() }
  }

  /// Lowers the limit to what k scores are at most.
  mutating func tighten(to limit: Float) {
    if limit >= self.limit { return }
    self.limit = limit
    error = 0
  }

  /// Drops what the limit has come to exclude.
  fileprivate mutating func settle() {
    items.keep(upTo: limit)
    settlesAt = max(Self.leastSettled, 2 * items.count)
  }

  /// Drops what the limit has come to exclude, and room that is hardly used.
  mutating func shrink() {
    settle()
    if items.count < items.capacity / 4 { items.shrink() }
  }
}

/// What a scan of codes has found: kept from scan to scan, so that none allocates. Belongs to one scan at a time.
final class ScanMemory {
  var found = ScanCandidates()
  /// Codes looked at.
  var scored = 0
  /// Codes to be looked at before full vectors are scored on the way.
  var tightensAt = Int.max
  /// Full vectors scored on the way.
  var rescored = 0

  deinit { found.deallocate() }

  func reset(k: Int) {
    found.reset(k: k)
    scored = 0
    rescored = 0
  }

  /// Gives its memory back.
  func release() { found.release() }

  /// Gives back what a scan rarely needs.
  func trim() {
    if found.capacity > CandidateArray.least || found.k > CandidateArray.least { release() }
  }
}

/// What a scan that is over puts its candidates in order with: kept from scan to scan.
final class ScanOrder {
  /// Candidates of a first look, while a second one collects them anew.
  private(set) var left = CandidateArray()
  /// Candidates to be scored, those with the least lower bounds first.
  var heap = CandidateHeap()
  /// The least lower bounds.
  private var least = TopK(k: 0)
  /// The last that `putFirst` has put in order; nil when all are.
  private var last: Candidate?

  deinit { left.deallocate() }

  /// Puts what may be among the nearest aside.
  func startAgain(_ found: inout ScanCandidates) {
    found.settle()
    swap(&found.items, &left)
    found.reset(k: found.k)
  }

  /// Puts those with the k least lower bounds in order; of few candidates all.
  /// - Complexity: O(candidates): ordering some thousands would take longer than scoring those that are needed.
  func putFirst(_ found: inout ScanCandidates) {
    found.settle()
    heap.removeAll()
    last = nil
    let items = found.items
    if items.count <= 2 * found.k + 32 {
      for i in 0..<items.count { unsafe heap.push(items.items[i]) }
      return
    }
    select(found.k, of: items)
    while let farthest = least.popFarthest() {
      let candidate = Candidate(farthest.score, UInt32(farthest.rowID))
      if last == nil { last = candidate }
      heap.push(candidate)
    }
  }

  /// Puts those after the last of `putFirst` in order whose lower bounds are at most `limit`.
  func putRest(of found: ScanCandidates, limit: Float) {
    heap.removeAll()
    guard let last else { return }
    let items = found.items
    for i in 0..<items.count {
      let candidate = unsafe items.items[i]
      if candidate.score > limit { continue }
      if (candidate.score, candidate.tag) > (last.score, last.tag) { heap.push(candidate) }
    }
  }

  /// Writes the ordinals of those with the least lower bounds, in no order.
  /// - Returns: how many there are, at most `count`.
  func copyLeast(_ count: Int, of found: ScanCandidates, to ids: UnsafeMutablePointer<UInt32>) -> Int {
    select(count, of: found.items)
    var copied = 0
    while let next = least.popFarthest() {
      unsafe ids[copied] = UInt32(next.rowID)
      copied += 1
    }
    return copied
  }

  private func select(_ count: Int, of items: CandidateArray) {
    least.reset(k: count)
    var threshold = least.threshold
    for i in 0..<items.count {
      let candidate = unsafe items.items[i]
      if candidate.score > threshold { continue }
      least.offer(Hit(score: candidate.score, rowID: Int64(candidate.tag)))
      threshold = least.threshold
    }
  }
}
