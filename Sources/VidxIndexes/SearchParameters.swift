package import VidxVectors

/// What one search may spend. Settings of the query, never of the index.
package struct SearchParameters: Sendable, Equatable {
  /// HNSW: candidates kept while walking the graph; nil for 40, as in pgvector.
  package var efSearch: Int?
  /// HNSW: the share of the true neighbours to find, above 0 to 1; what that takes was measured when the segment was
  /// built. `efSearch` goes before it; 1 asks for an exact answer.
  package var targetRecall: Double?
  /// IVFFlat: lists scanned; nil for the square root of their number.
  package var probes: Int?
  /// Score every row that passes.
  package var exact: Bool

  package static let defaultEfSearch = 40

  package init(efSearch: Int? = nil, targetRecall: Double? = nil, probes: Int? = nil, exact: Bool = false) {
    self.efSearch = efSearch
    self.targetRecall = targetRecall
    self.probes = probes
    self.exact = exact
  }
}

/// What one search did.
package struct SearchCounters: Sendable, Equatable {
  /// Query-to-vector scores computed, of codes, vectors and centroids.
  package var distanceComputations = 0
  /// Those among them of full vectors that codes had selected.
  package var reranked = 0
  /// Rows whose vector was scored and that passed the filter.
  package var rowsScored = 0
  /// HNSW: nodes whose links were followed.
  package var nodesExpanded = 0
  /// IVFFlat: lists scanned.
  package var listsProbed = 0

  package init() {}

  package static func += (a: inout SearchCounters, b: SearchCounters) {
    a.distanceComputations += b.distanceComputations
    a.reranked += b.reranked
    a.rowsScored += b.rowsScored
    a.nodesExpanded += b.nodesExpanded
    a.listsProbed += b.listsProbed
  }
}

/// How a segment answered.
package enum SegmentPlan: String, Sendable {
  /// Every passing row was scored.
  case exact
  /// The graph was walked.
  case graph
  /// The nearest lists were scanned.
  case lists
}

/// The nearest rows of one segment.
package struct SegmentAnswer: Sendable {
  /// At most k, nearest first, ties by row id.
  package var hits: [Hit]
  package var plan: SegmentPlan
  package var exact: Bool { plan == .exact }
}
