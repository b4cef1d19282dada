package import VidxVectors

/// What one search may spend. Settings of the query, never of the index.
package struct SearchParameters: Sendable, Equatable {
  /// HNSW: candidates kept while walking the graph; nil for 40, as in pgvector.
  package var efSearch: Int?
  /// IVFFlat: lists scanned; nil for the square root of their number.
  package var probes: Int?
  /// Score every row that passes.
  package var exact: Bool

  package static let defaultEfSearch = 40

  package init(efSearch: Int? = nil, probes: Int? = nil, exact: Bool = false) {
    self.efSearch = efSearch
    self.probes = probes
    self.exact = exact
  }
}

/// What one search did.
package struct SearchCounters: Sendable, Equatable {
  /// Query-to-vector scores computed, centroids included.
  package var distanceComputations = 0
  /// Rows whose vector was scored and that passed the filter.
  package var rowsScored = 0
  /// HNSW: nodes whose links were followed.
  package var nodesExpanded = 0
  /// IVFFlat: lists scanned.
  package var listsProbed = 0

  package init() {}

  package static func += (a: inout SearchCounters, b: SearchCounters) {
    a.distanceComputations += b.distanceComputations
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
