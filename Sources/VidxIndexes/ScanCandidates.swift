import VidxVectors

/// Vectors that may be among the k nearest, by the bounds that their codes give.
struct ScanCandidates {
  let k: Int
  /// Lower bounds and ordinals.
  private(set) var items: [Candidate] = []
  /// The k least upper bounds.
  private var uppers: TopK
  /// What has a lower bound above it is not among the k nearest: the k-th least upper bound, infinite before there is.
  private(set) var limit = Float.infinity

  init(k: Int) {
    self.k = k
    uppers = TopK(k: k)
    items.reserveCapacity(256)
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

  /// Forgets all and returns what may be among the nearest.
  mutating func takeAll() -> [Candidate] {
    var all = items
    items = []
    let limit = limit
    all.removeAll { !($0.score <= limit) }
    uppers = TopK(k: k)
    self.limit = .infinity
    return all
  }

  /// Those with the k least lower bounds, by these. Of few candidates all are.
  /// - Complexity: O(candidates): sorting some thousands would take longer than scoring those that are needed.
  static func first(_ k: Int, of all: [Candidate]) -> [Candidate] {
    if all.count <= 2 * k + 32 { return sorted(all) }
    var least = TopK(k: k)
    for candidate in all where candidate.score <= least.threshold {
      least.offer(Hit(score: candidate.score, rowID: Int64(candidate.tag)))
    }
    return least.sorted().map { Candidate($0.score, UInt32($0.rowID)) }
  }

  /// Those after `last` whose lower bounds are at most `limit`, by these.
  static func rest(of all: [Candidate], after last: Candidate, limit: Float) -> [Candidate] {
    sorted(all.filter { $0.score <= limit && ($0.score, $0.tag) > (last.score, last.tag) })
  }

  private static func sorted(_ candidates: [Candidate]) -> [Candidate] {
    candidates.sorted { ($0.score, $0.tag) < ($1.score, $1.tag) }
  }
}
