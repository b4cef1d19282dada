package import VidxSegments
package import VidxVectors

/// What one search may spend. Settings of the query, never of the index.
package struct SearchParameters: Sendable, Equatable {
  /// HNSW: candidates kept while walking the graph; nil for 40, as in pgvector.
  package var efSearch: Int?
  /// HNSW and IVFFlat: the share of the true neighbours to find, above 0 to 1; what it takes was measured when the
  /// segment was built. `efSearch` and `probes` go before it, but 1 asks for an exact answer of any kind of index.
  package var targetRecall: Double?
  /// IVFFlat: lists scanned; nil for the square root of their number.
  package var probes: Int?
  /// Score every row that passes.
  package var exact: Bool
  /// Answers by this plan where the segment has it (`IndexConfiguration.plans`); nil for the one that is expected to
  /// cost least.
  /// For measurements, and for who knows better. A walk that meets too few rows that pass gives up all the same.
  package var plan: SegmentPlan?
  /// Ends the search with `SegmentError.stopped`; nil for none.
  package var stop: SearchStop?

  package static let defaultEfSearch = 40
  /// The recall that searches under a filter aim at when they are not told.
  static let leastFilteredRecall = 0.95
  /// Of the misses that they are allowed, searches under a filter aim at this share: of questions unlike the indexed
  /// vectors (a user's words against descriptions) two to three times as many were missed as of those measured with.
  static let shareOfMisses = 0.15

  /// Every row that passes is scored: `exact` says so, or a target of 1, or the plan.
  package var isExact: Bool { exact || (targetRecall ?? 0) >= 1 || plan == .exact }

  package init(
    efSearch: Int? = nil, targetRecall: Double? = nil, probes: Int? = nil, exact: Bool = false,
    plan: SegmentPlan? = nil
  ) {
    self.efSearch = efSearch
    self.targetRecall = targetRecall
    self.probes = probes
    self.exact = exact
    self.plan = plan
  }

  /// These settings for a search without a filter that finds the candidates of one for k rows.
  /// - Parameter rowCount: of the index.
  package func findingCandidates(_ count: Int, k: Int, kind: IndexKind, of rowCount: Int) -> SearchParameters {
    var parameters = self
    if let efSearch { parameters.efSearch = efSearch + max(count - k, 0) }
    let recall = targetRecall ?? Self.leastFilteredRecall
    // Lists leave the margin for questions unlike the indexed vectors themselves (`SegmentIndex.reachBase`).
    parameters.targetRecall = kind == .hnsw ? 1 - Self.shareOfMisses * (1 - recall) : recall
    // What a walk keeps is moved at each insertion: so many are sooner found by scoring all.
    let mostWalked = min(max(Self.mostWalked.lowerBound, rowCount / Self.walkedShare), Self.mostWalked.upperBound)
    if count > mostWalked, kind == .hnsw { parameters.exact = true }
    return parameters
  }

  /// Candidates that a graph is walked for: of 84,594 rows 5,000 took as long as scoring all of them, of a million
  /// 25,000. No more of more rows: what a walk takes grows with their square.
  private static let mostWalked = 4_096...25_000
  private static let walkedShare = 40
}

/// What one search did.
package struct SearchCounters: Sendable, Equatable {
  /// Query-to-vector scores computed, of codes, vectors and centroids.
  package var distanceComputations = 0
  /// Those among them of full vectors that codes had selected.
  package var reranked = 0
  /// Bytes of the codes, vectors, centroids and links that were looked at, each time they were.
  package var bytesRead = 0
  /// Rows whose vector was scored and that passed the filter.
  package var rowsScored = 0
  /// HNSW: nodes whose links were followed, and vectors that were scored on the way.
  package var nodesExpanded = 0
  package var nodesScored = 0
  /// IVFFlat: lists scanned.
  package var listsProbed = 0

  package init() {}

  package static func += (a: inout SearchCounters, b: SearchCounters) {
    a.distanceComputations += b.distanceComputations
    a.reranked += b.reranked
    a.bytesRead += b.bytesRead
    a.rowsScored += b.rowsScored
    a.nodesExpanded += b.nodesExpanded
    a.nodesScored += b.nodesScored
    a.listsProbed += b.listsProbed
  }

  /// Adds scores of rows, each of which was read in full.
  package mutating func add(scores: Int, rowBytes: Int) {
    distanceComputations += scores
    bytesRead += scores * rowBytes
  }
}

/// How a segment answered.
package enum SegmentPlan: String, Sendable, CaseIterable {
  /// Every passing row was scored.
  case exact
  /// The graph was walked.
  case graph
  /// The nearest lists were scanned.
  case lists
}

extension IndexConfiguration {
  /// The ways that segments of this kind can be searched. Those of few rows, and those of a graph written before it had
  /// lists beside it, may lack one: then the planner chooses among the others.
  package var plans: [SegmentPlan] { SegmentPlan.allCases.filter(has) }

  package func has(_ plan: SegmentPlan) -> Bool {
    switch plan {
    case .exact: true
    case .graph: kind == .hnsw
    // The bound that says how far lists have to be gone through is Euclidean.
    case .lists: kind == .ivfflat || (kind == .hnsw && metric != .l1)
    }
  }
}

/// How a segment answered into memory of the caller.
package struct SegmentOutcome: Sendable {
  /// Hits written, nearest first, ties by row id.
  package var count: Int
  package var plan: SegmentPlan
  package var exact: Bool { plan == .exact }
}

/// The nearest rows of one segment.
package struct SegmentAnswer: Sendable {
  /// At most k, nearest first, ties by row id.
  package var hits: [Hit]
  package var plan: SegmentPlan
  package var exact: Bool { plan == .exact }
}
