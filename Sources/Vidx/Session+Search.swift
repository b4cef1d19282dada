internal import VidxIndexes
internal import VidxSQLite
internal import VidxVectors

extension Session {
  /// The rows nearest to a query, on one snapshot of rows and vectors.
  package func search(
    _ index: String, near query: [Float], k: Int, filter: RowFilter = .all, settings: SearchSettings = SearchSettings()
  ) throws(VidxError) -> SearchResult {
    var request = try StoreRequest(query, k: k, settings)
    if filter.isInSQL { return try snapshot { try search(request, index, filter, settings.timeout, nil) } }
    // One statement of the store's own holds the snapshot.
    return try inOneTransaction { () throws(VidxError) in
      let store = try store(index)
      let terms = try terms(of: filter, for: store)
      request.filter = terms.rowIDs
      return SearchResult(
        try wrappingErrors {
          request.conditions = try store.filterConditions(terms.conditions)
          return try store.search(request)
        })
    }
  }

  /// A search under a filter that is in SQL, or partly so, inside `snapshot`.
  func search(
    _ request: StoreRequest, _ index: String, _ filter: RowFilter, _ timeout: Double?, _ trace: FilterTrace?
  ) throws -> SearchResult {
    let store = try store(index)
    switch try store.search(request, under: terms(of: filter, for: store), timeout: timeout, trace: trace) {
    case .answer(let answer): return SearchResult(answer)
    case .filter(let resolved):
      var request = request
      request.prepared = resolved.filter
      return SearchResult(try store.search(request), isFilterCached: resolved.isCached)
    }
  }

  /// The same among rows that are resolved already, in the same snapshot.
  package func search(
    _ index: String, near query: [Float], k: Int, among rows: ResolvedRows, settings: SearchSettings
  ) throws(VidxError) -> SearchResult {
    let request = try StoreRequest(query, k: k, among: rows, settings)
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
    try settings.check(k: k)
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
    let batch = try StoreBatch(queries, k: k, among: rows, settings, threads: threads)
    let store = try store(index)
    return try wrappingErrors { try store.search(batch) }.map { SearchResult($0, isFilterCached: rows.isCached) }
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
