internal import VidxIndexes
internal import VidxSQLite
internal import VidxVectors

extension Session {
  /// The rows nearest to a query, on one snapshot of rows and vectors.
  package func search(
    _ index: String, near query: [Float], k: Int, filter: RowFilter = .all, settings: SearchSettings = SearchSettings()
  ) throws(VidxError) -> SearchResult {
    try Self.validate(k: k, settings)
    var request = StoreRequest(
      query: query, k: k, within: settings.bound, after: settings.cursor,
      parameters: settings.parameters)
    if let text = filter.text {
      return try snapshot {
        let store = try store(index)
        switch try store.search(request, under: text, timeout: settings.timeout) {
        case .answer(let answer): return SearchResult(answer)
        case .filter(let resolved):
          request.prepared = resolved.filter
          return SearchResult(try store.search(request), isFilterCached: resolved.isCached)
        }
      }
    }
    // One statement of the store's own holds the snapshot.
    return try inOneTransaction { () throws(VidxError) in
      let store = try store(index)
      if case .ids(let ids) = filter { request.filter = Self.ascending(ids) }
      if case .columns(let conditions) = filter { request.conditions = try filterConditions(conditions, of: store) }
      return SearchResult(try wrappingErrors { try store.search(request) })
    }
  }

  /// The same among rows that are resolved already, in the same snapshot.
  package func search(
    _ index: String, near query: [Float], k: Int, among rows: ResolvedRows, settings: SearchSettings
  ) throws(VidxError) -> SearchResult {
    try Self.validate(k: k, settings)
    let request = StoreRequest(
      query: query, k: k, prepared: rows.filter, within: settings.bound, after: settings.cursor,
      parameters: settings.parameters)
    let store = try store(index)
    return SearchResult(try wrappingErrors { try store.search(request) }, isFilterCached: rows.isCached)
  }

  /// Many searches on one snapshot; the filter is resolved once.
  ///
  /// - Parameter threads: to search on; the session itself is used by the calling thread alone.
  /// - Returns: one result for each query, in their order, the same as its own search gives.
  /// - Throws: the error of the query that comes first among those that cannot be searched for.
  package func search(
    _ index: String, nearEach queries: [[Float]], k: Int, filter: RowFilter = .all,
    settings: SearchSettings = SearchSettings(), threads: Int = 1
  ) throws(VidxError) -> [SearchResult] {
    try Self.validate(k: k, settings)
    return try snapshot {
      let rows = try resolve(filter, index: index, timeout: settings.timeout)
      return try search(index, nearEach: queries, k: k, among: rows, settings: settings, threads: threads)
    }
  }

  /// The same among rows that are resolved already, in the same snapshot.
  package func search(
    _ index: String, nearEach queries: [[Float]], k: Int, among rows: ResolvedRows, settings: SearchSettings,
    threads: Int
  ) throws(VidxError) -> [SearchResult] {
    try Self.validate(k: k, settings)
    let batch = StoreBatch(
      queries: queries, k: k, prepared: rows.filter, within: settings.bound, after: settings.cursor,
      parameters: settings.parameters, threads: threads)
    let store = try store(index)
    return try wrappingErrors { try store.search(batch) }.map { SearchResult($0, isFilterCached: rows.isCached) }
  }

  /// The most neighbours one search returns.
  package static let maximumK = 1_000_000

  static func validate(k: Int, _ settings: SearchSettings) throws(VidxError) {
    guard (1...maximumK).contains(k) else {
      throw VidxError(.badOption, "k is \(k); give a number from 1 to \(maximumK)")
    }
    if let efSearch = settings.efSearch, !IndexLimits.efSearch.contains(efSearch) {
      throw VidxError(
        .badOption,
        "ef_search is \(efSearch); give a number from \(IndexLimits.efSearch.lowerBound) to "
          + "\(IndexLimits.efSearch.upperBound)")
    }
    if let recall = settings.targetRecall, !(recall > 0 && recall <= 1) {
      throw VidxError(.badOption, "target_recall is \(recall); give a number above 0, and at most 1")
    }
    if let probes = settings.probes, !(1...IndexLimits.lists.upperBound).contains(probes) {
      throw VidxError(
        .badOption, "probes is \(probes); give a number from 1 to \(IndexLimits.lists.upperBound)")
    }
    if let timeout = settings.timeout, !(timeout > 0) {
      throw VidxError(.badOption, "timeout is \(timeout); give seconds above 0, or none for any time")
    }
    if let within = settings.within, within.isNaN {
      throw VidxError(.badOption, "the distance to stay within is not a number; give one")
    }
    if let after = settings.after, after.distance.isNaN {
      throw VidxError(.badOption, "the distance to go on after is not a number; give that of the last hit")
    }
  }

  /// The vector of a row, at its original length.
  package func vector(of rowID: Int64, in index: String) throws(VidxError) -> [Float] {
    let store = try store(index)
    guard let vector = try wrappingErrors({ try store.vector(rowID: rowID) }) else {
      throw VidxError(.noSuchRow, "index \"\(index)\" has no row \(rowID); give the id of a row that has a vector")
    }
    return vector
  }
}

extension SearchPlan {
  fileprivate var segmentPlan: SegmentPlan {
    switch self {
    case .exact: .exact
    case .graph: .graph
    case .lists: .lists
    }
  }
}

extension SearchSettings {
  /// What they say to the layers below, but for `within`.
  var parameters: SearchParameters {
    SearchParameters(
      efSearch: efSearch, targetRecall: targetRecall, probes: probes, exact: exact,
      plan: plan.map { $0.segmentPlan })
  }

  /// The farthest distance that is wanted, as distances are compared: no float above what was given.
  var bound: Float? {
    guard let within else { return nil }
    let rounded = Float(within)
    return Double(rounded) > within ? rounded.nextDown : rounded
  }

  var cursor: StoreCursor? { after.map { StoreCursor(distance: $0.distance, rowID: $0.id) } }
}

extension SearchResult {
  init(_ answer: StoreAnswer, isFilterCached: Bool = false) {
    hits = answer.hits.map { SearchHit(id: $0.rowID, distance: $0.distance) }
    plan = answer.plan.rawValue
    isExact = answer.exact
    isComplete = answer.complete
    filter = answer.filter.map {
      Filter(
        rowsYielded: $0.rowsYielded, rowsWithoutVector: $0.rowsWithoutVector, rowsChecked: $0.rowsChecked,
        isCached: isFilterCached)
    }
    counters = Counters(
      distanceComputations: answer.counters.distanceComputations, reranked: answer.counters.reranked,
      bytesRead: answer.counters.bytesRead, rowsScored: answer.counters.rowsScored,
      nodesExpanded: answer.counters.nodesExpanded, listsProbed: answer.counters.listsProbed)
  }
}
