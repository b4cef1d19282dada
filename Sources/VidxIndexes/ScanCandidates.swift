import VidxVectors

/// Vectors that may be among the k nearest, by the bounds that their codes give.
struct ScanCandidates {
  private(set) var k = 0
  /// Lower bounds and ordinals.
  fileprivate(set) var items: [Candidate] = []
  /// The k least upper bounds.
  private var uppers = TopK(k: 0)
  /// What has a lower bound above it is not among the k nearest: the k-th least upper bound, infinite before there is.
  private(set) var limit = Float.infinity
  /// So many candidates are looked through for what the limit has come to exclude.
  private var settlesAt = ScanCandidates.leastSettled

  private static let leastSettled = 1_024

  /// Room there is for candidates.
  var capacity: Int { items.capacity }

  /// Forgets all; the memory is kept.
  mutating func reset(k: Int) {
    self.k = k
    items.removeAll(keepingCapacity: true)
    uppers.reset(k: k)
    limit = .infinity
    settlesAt = Self.leastSettled
  }

  /// Keeps a vector whose score is within `error` of `score`, if it may be among the nearest.
  @inline(__always)
  mutating func take(_ score: Float, _ error: Float, _ ordinal: UInt32) {
    if score - error > limit { return }
    items.append(Candidate(score - error, ordinal))
    if score + error < limit {
      uppers.offer(Hit(score: score + error, rowID: Int64(ordinal)))
      limit = uppers.threshold
    }
  }

  /// Drops what the limit has come to exclude, if there are twice as many candidates as it last left.
  @inline(__always)
  mutating func settleIfDoubled() {
    if items.count >= settlesAt { settle() }
  }

  /// Drops what the limit has come to exclude.
  fileprivate mutating func settle() {
    let limit = limit
    items.removeAll { !($0.score <= limit) }
    settlesAt = max(Self.leastSettled, 2 * items.count)
  }

  /// Drops what the limit has come to exclude, and room that is hardly used.
  mutating func shrink() {
    settle()
    if items.count >= items.capacity / 4 { return }
    var kept: [Candidate] = []
    kept.reserveCapacity(items.count)
    kept.append(contentsOf: items)
    items = kept
  }
}

/// What a scan of codes works in: kept from scan to scan, so that none allocates. Belongs to one scan at a time.
final class ScanMemory {
  var found = ScanCandidates()
  /// Codes looked at.
  var scored = 0
  /// Candidates of a first look, while a second one collects them anew.
  private(set) var left: [Candidate] = []
  /// Candidates to be scored, those with the least lower bounds first.
  var order = CandidateHeap()
  /// The k least lower bounds.
  private var least = TopK(k: 0)
  /// The last that `orderFirst` has put in order; nil when all are.
  private var last: Candidate?

  func reset(k: Int) {
    found.reset(k: k)
    scored = 0
  }

  /// Gives its memory back.
  func release() {
    found = ScanCandidates()
    left = []
    order = CandidateHeap()
    least = TopK(k: 0)
  }

  /// Puts what may be among the nearest aside.
  /// - Returns: how many they are.
  func startAgain() -> Int {
    found.settle()
    swap(&found.items, &left)
    found.reset(k: found.k)
    return left.count
  }

  /// Puts those with the k least lower bounds in order; of few candidates all.
  /// - Complexity: O(candidates): ordering some thousands would take longer than scoring those that are needed.
  func orderFirst() {
    found.settle()
    order.removeAll()
    last = nil
    let (k, items) = (found.k, found.items)
    if items.count <= 2 * k + 32 {
      for candidate in items { order.push(candidate) }
      return
    }
    least.reset(k: k)
    for candidate in items where candidate.score <= least.threshold {
      least.offer(Hit(score: candidate.score, rowID: Int64(candidate.tag)))
    }
    while let farthest = least.popFarthest() {
      let candidate = Candidate(farthest.score, UInt32(farthest.rowID))
      if last == nil { last = candidate }
      order.push(candidate)
    }
  }

  /// Puts those after the last of `orderFirst` in order whose lower bounds are at most `limit`.
  func orderRest(limit: Float) {
    order.removeAll()
    guard let last else { return }
    for candidate in found.items where candidate.score <= limit {
      if (candidate.score, candidate.tag) > (last.score, last.tag) { order.push(candidate) }
    }
  }
}
