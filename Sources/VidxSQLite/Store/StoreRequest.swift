package import VidxIndexes

/// One question to an index.
package struct StoreRequest: Sendable {
  /// As many floats as the index has dimensions, as the user gave them.
  package var query: [Float]
  /// How many rows are wanted, at least 0; a stream ignores it.
  package var k: Int
  /// Row ids that may be returned, ascending and distinct; nil for all.
  package var filter: [Int64]?
  /// Rows that may be returned, in place of all else: of the state that is searched, so from the same transaction.
  package var prepared: PreparedFilter?
  /// Tests of filter columns, all of which a row must pass, beside `filter`.
  package var conditions: [FilterCondition]
  /// Row ids that may be returned, beside `filter`; nil for all.
  package var rowRange: ClosedRange<Int64>?
  /// Only rows at this distance or nearer.
  package var within: Float?
  /// Only rows after this one; the answer is exact then.
  package var after: StoreCursor?
  package var parameters: SearchParameters
  /// The model that the query is of, where the caller names it.
  package var model: String?

  package init(
    query: [Float], k: Int = 0, filter: [Int64]? = nil, prepared: PreparedFilter? = nil,
    conditions: [FilterCondition] = [], rowRange: ClosedRange<Int64>? = nil, within: Float? = nil,
    after: StoreCursor? = nil, parameters: SearchParameters = SearchParameters(), model: String? = nil
  ) {
    self.model = model
    self.after = after
    self.query = query
    self.k = k
    self.filter = filter
    self.prepared = prepared
    self.conditions = conditions
    self.rowRange = rowRange
    self.within = within
    self.parameters = parameters
  }

  /// A distance to stay within as distances are compared: no float above what was given.
  package static func bound(_ within: Double) -> Float {
    let rounded = Float(within)
    return Double(rounded) > within ? rounded.nextDown : rounded
  }
}

/// The same question for many queries.
package struct StoreBatch: Sendable {
  /// As many floats each as the index has dimensions, as the user gave them.
  package var queries: [[Float]]
  package var k: Int
  /// Row ids that may be returned, ascending and distinct; nil for all.
  package var filter: [Int64]?
  /// Rows that may be returned, in place of `filter`: of the state that is searched, so from the same transaction.
  package var prepared: PreparedFilter?
  package var within: Float?
  /// Only rows after this one, for each query; the answers are exact then.
  package var after: StoreCursor?
  package var parameters: SearchParameters
  /// The model that the queries are of, where the caller names it.
  package var model: String?
  /// Threads to search on, at least 1.
  package var threads: Int

  package init(
    queries: [[Float]], k: Int, filter: [Int64]? = nil, prepared: PreparedFilter? = nil, within: Float? = nil,
    after: StoreCursor? = nil, parameters: SearchParameters = SearchParameters(), model: String? = nil,
    threads: Int = 1
  ) {
    self.model = model
    self.after = after
    self.queries = queries
    self.k = k
    self.filter = filter
    self.prepared = prepared
    self.within = within
    self.parameters = parameters
    self.threads = threads
  }
}

/// A row found and how far it is, as the metric defines it.
package struct StoreHit: Sendable, Equatable {
  package var rowID: Int64
  package var distance: Float

  package init(rowID: Int64, distance: Float) {
    self.rowID = rowID
    self.distance = distance
  }
}

/// The last row of a page: the next page begins after it.
package struct StoreCursor: Sendable, Equatable {
  package var distance: Float
  package var rowID: Int64

  package init(distance: Float, rowID: Int64) {
    self.distance = distance
    self.rowID = rowID
  }
}

/// How an index was searched; the raw value is what results and JSON show.
package enum StorePlan: String, Sendable, CaseIterable {
  /// Every matching row was scored.
  case exact
  /// Graphs were walked.
  case graph
  /// The nearest lists were scanned.
  case lists
  /// Graphs were walked for the rows that pass a filter.
  case filteredGraph = "filtered graph"
  /// The nearest lists were scanned for the rows that pass a filter.
  case filteredLists = "filtered lists"
  /// Graphs were walked without the filter, and what was found was checked row by row.
  case checkedGraph = "checked graph"
  /// The nearest lists were scanned without the filter, and what was found was checked row by row.
  case checkedLists = "checked lists"

  init(_ plan: SegmentPlan, isFiltered: Bool) {
    self =
      switch plan {
      case .exact: .exact
      case .graph: isFiltered ? .filteredGraph : .graph
      case .lists: isFiltered ? .filteredLists : .lists
      }
  }
}

extension StorePlan {
  /// The plan of a search whose rows were checked afterwards.
  var checked: StorePlan {
    switch self {
    case .graph, .filteredGraph: .checkedGraph
    case .lists, .filteredLists: .checkedLists
    case .exact, .checkedGraph, .checkedLists: self
    }
  }
}

/// What a filter came to.
package struct FilterReport: Sendable, Equatable {
  /// Row ids that it gave, each counted once; of rows that were checked one by one, those that pass.
  package var rowsYielded: Int
  /// Those of them that are not in the index; nil when nobody looked: of rows that were checked, and where several
  /// filters are to hold.
  package var rowsWithoutVector: Int?
  /// It was not resolved for this search: an earlier one's was still right.
  package var isCached: Bool
  /// Rows that were found without the filter and then checked; 0 when its rows were read beforehand.
  package var rowsChecked: Int

  package init(_ filter: PreparedFilter, isCached: Bool = false) {
    rowsYielded = filter.rowsYielded
    rowsWithoutVector = filter.rowsWithoutVector
    self.isCached = isCached
    rowsChecked = 0
  }

  init(rowsPassed: Int, ofChecked rowsChecked: Int) {
    rowsYielded = rowsPassed
    rowsWithoutVector = nil
    isCached = false
    self.rowsChecked = rowsChecked
  }
}

/// The nearest rows.
package struct StoreAnswer: Sendable {
  /// At most k, nearest first; at equal distances the smaller row id first.
  package var hits: [StoreHit]
  package var plan: StorePlan
  /// k rows are here, or all that match when they are fewer.
  package var complete: Bool
  package var counters: SearchCounters
  /// nil for a search without a filter.
  package var filter: FilterReport?
  /// No row that matches is nearer than those returned.
  package var exact: Bool { plan == .exact }
}
