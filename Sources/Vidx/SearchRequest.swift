/// Which rows may be neighbours.
public enum RowFilter: Sendable, Equatable {
  case all
  /// Rows of the index's table for which an SQL condition holds, for example `"section = 'graphics'"`.
  case `where`(String, parameters: [Value] = [])
  /// Rows whose id a SELECT answers in its first column.
  case idsFrom(String, parameters: [Value] = [])
  /// Rows that pass tests of the index's filter columns, all of them: no row is read for it.
  case columns([ColumnCondition])
  /// These rows; in any order, ids that are not in the index are ignored.
  case ids([Int64])
  /// Rows that pass all of these, as AND does; without any all rows. Which row ids pass is the same in whatever order
  /// and however deep they are given.
  case allOf([RowFilter])
}

/// A way to find the rows that are nearest (docs/PLANNER.md).
public enum SearchPlan: String, Sendable, CaseIterable {
  /// Score every row that passes. Every index has it.
  case exact
  /// Walk the graph: of an HNSW index.
  case graph
  /// Go through the lists: of an IVFFlat index, and of an HNSW index, which has some beside its graph.
  case lists
}

/// What a search may spend, and how far it looks. Settings of the query, never of the index.
public struct SearchSettings: Sendable, Equatable {
  /// Only rows at this distance (of the index's metric) or nearer.
  public var within: Double?
  /// HNSW: candidates kept while walking the graph; nil for 40.
  public var efSearch: Int?
  /// HNSW and IVFFlat: the share of the true neighbours to find, above 0 to 1, as measured when the index was built; 1
  /// is exact. `efSearch` and `probes` go before it, unless it is 1.
  public var targetRecall: Double?
  /// IVFFlat: lists scanned; nil for the square root of their number.
  public var probes: Int?
  /// Compare every row that passes, whatever the other settings: the same as a `targetRecall` of 1.
  public var exact: Bool
  /// The way to go, for measuring the ways and for overriding the planner where it is wrong; nil leaves the choice to
  /// it, by what each is expected to cost. A plan that the type of the index does not have is an error; a part of the
  /// index that lacks it is searched as the planner says, and `SearchResult.plan` tells what was done. `exact`, a
  /// `targetRecall` of 1 and pages go before it.
  public var plan: SearchPlan?
  /// Only rows after this one, by distance and id: the next page; `.start` is the first. Pages are exact, whatever the
  /// other settings: what an approximate one missed would be on none.
  public var after: SearchCursor?
  /// Seconds that evaluating the filter's conditions may take; nil for any time. Cancelling the task ends them, too.
  public var timeout: Double?
  /// The embedding model that the query is of: an error when the index names another, or none. nil checks nothing.
  public var model: String?

  public init(
    within: Double? = nil, efSearch: Int? = nil, targetRecall: Double? = nil, probes: Int? = nil, exact: Bool = false,
    plan: SearchPlan? = nil, after: SearchCursor? = nil, timeout: Double? = nil, model: String? = nil
  ) {
    self.model = model
    self.after = after
    self.timeout = timeout
    self.within = within
    self.efSearch = efSearch
    self.targetRecall = targetRecall
    self.probes = probes
    self.exact = exact
    self.plan = plan
  }
}

/// The last row of a page, after which the next page begins.
///
/// Pages neither repeat nor skip a row while nothing changes; a row inserted meanwhile is on the page where it belongs,
/// if that is still to come. `VectorDatabase.snapshot` reads several pages of one state.
public struct SearchCursor: Sendable, Equatable {
  /// As the hit had it.
  public var distance: Float
  public var id: Int64

  /// Before the first row.
  public static let start = SearchCursor(distance: -.infinity, id: .min)

  public init(distance: Float, id: Int64) {
    self.distance = distance
    self.id = id
  }
}

/// One neighbour.
public struct SearchHit: Sendable, Equatable {
  /// The row id: the INTEGER PRIMARY KEY of the row.
  public let id: Int64
  /// Smaller is nearer, always; the values are pgvector's.
  public let distance: Float
  /// The page after this row.
  public var cursor: SearchCursor { SearchCursor(distance: distance, id: id) }

  package init(id: Int64, distance: Float) {
    self.id = id
    self.distance = distance
  }
}

/// The nearest rows, and how they were found.
public struct SearchResult: Sendable, Equatable {
  /// What the search did.
  public struct Counters: Sendable, Equatable {
    /// Query-to-vector distances computed, those to centroids included.
    public var distanceComputations = 0
    /// Those among them that compared full vectors which codes had selected.
    public var reranked = 0
    /// Bytes of the codes, vectors, centroids and links that were looked at, each time they were.
    public var bytesRead = 0
    /// Rows that passed the filter and were scored.
    public var rowsScored = 0
    /// HNSW: nodes whose links were followed.
    public var nodesExpanded = 0
    /// IVFFlat: lists scanned.
    public var listsProbed = 0
  }

  /// What a filter came to.
  public struct Filter: Sendable, Equatable {
    /// Row ids that it gave, each counted once; of rows that were checked one by one, those that pass.
    public let rowsYielded: Int
    /// Those of them that are not in the index; nil when nobody looked: of rows that were checked one by one, and
    /// where several filters are to hold.
    public let rowsWithoutVector: Int?
    /// Rows that were found without the filter and then checked, where that was done sooner than reading all that pass;
    /// 0 where these were read.
    public let rowsChecked: Int
    /// Its rows had been read for an earlier search, and nothing has been committed since.
    public let isCached: Bool
  }

  /// Nearest first; at equal distance the smaller row id.
  public let hits: [SearchHit]
  /// What the planner chose, in its own words.
  public let plan: String
  /// The hits are the true nearest, not an approximation.
  public let isExact: Bool
  /// k rows were found, or all there are that pass. Within a distance, fewer than k rows of an approximate search prove
  /// nothing.
  public let isComplete: Bool
  /// Row ids that the filter let through, those without a vector included; nil without a filter.
  public var rowsYielded: Int? { filter?.rowsYielded }
  /// Those of them that have no vector in the index: they are ignored. Nil without a filter, and when nobody looked.
  public var rowsWithoutVector: Int? { filter?.rowsWithoutVector }
  /// nil without a filter.
  public let filter: Filter?
  public let counters: Counters
}
