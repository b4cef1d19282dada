internal import VidxIndexes
internal import VidxSQLite
internal import VidxVectors

extension Session {
  /// The rows nearest to a query, on one snapshot of rows and vectors.
  package func search(
    _ index: String, near query: [Float], k: Int, filter: RowFilter = .all, settings: SearchSettings = SearchSettings()
  ) throws(VidxError) -> SearchResult {
    if case .columns(let conditions) = filter {
      return try inOneTransaction { () throws(VidxError) in
        let store = try store(index)
        let conditions = try filterConditions(conditions, of: store)
        return try search(store, near: query, k: k, ids: nil, conditions: conditions, settings: settings)
      }
    }
    guard let text = filter.text else {
      // One statement of the store's own holds the snapshot.
      return try search(index, near: query, k: k, ids: resolve(filter, index: index), settings: settings)
    }
    try Self.validate(k: k, settings)
    return try snapshot {
      let store = try store(index)
      var request = StoreRequest(
        query: query, k: k, within: settings.within.map(Float.init), after: settings.cursor,
        parameters: settings.parameters)
      switch try store.search(request, under: text, timeout: settings.timeout) {
      case .answer(let answer): return SearchResult(answer)
      case .filter(let resolved):
        request.prepared = resolved.filter
        return SearchResult(try store.search(request), isFilterCached: resolved.isCached)
      }
    }
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
    guard let text = filter.text else {
      return try snapshot {
        try search(
          index, nearEach: queries, k: k, ids: resolve(filter, index: index), settings: settings, threads: threads)
      }
    }
    try Self.validate(k: k, settings)
    return try snapshot {
      let store = try store(index)
      let resolved = try store.filter(text, timeout: settings.timeout)
      let batch = StoreBatch(
        queries: queries, k: k, prepared: resolved.filter, within: settings.within.map(Float.init),
        after: settings.cursor, parameters: settings.parameters, threads: threads)
      return try store.search(batch).map { SearchResult($0, isFilterCached: resolved.isCached) }
    }
  }

  /// Many searches among row ids that are resolved already, on one state of the index.
  ///
  /// - Parameter ids: ascending and distinct; nil for all rows.
  package func search(
    _ index: String, nearEach queries: [[Float]], k: Int, ids: [Int64]?, settings: SearchSettings, threads: Int
  ) throws(VidxError) -> [SearchResult] {
    try Self.validate(k: k, settings)
    let batch = StoreBatch(
      queries: queries, k: k, filter: ids, within: settings.within.map(Float.init),
      after: settings.cursor, parameters: settings.parameters, threads: threads)
    let store = try store(index)
    return try wrappingErrors { try store.search(batch) }.map { SearchResult($0) }
  }

  /// One search among row ids that are resolved already.
  ///
  /// - Parameter ids: ascending and distinct; nil for all rows.
  package func search(
    _ index: String, near query: [Float], k: Int, ids: [Int64]?, settings: SearchSettings
  ) throws(VidxError) -> SearchResult {
    try inOneTransaction { () throws(VidxError) in
      try search(store(index), near: query, k: k, ids: ids, settings: settings)
    }
  }

  private func search(
    _ store: IndexStore, near query: [Float], k: Int, ids: [Int64]?, conditions: [FilterCondition] = [],
    settings: SearchSettings
  ) throws(VidxError) -> SearchResult {
    try Self.validate(k: k, settings)
    let request = StoreRequest(
      query: query, k: k, filter: ids, conditions: conditions, within: settings.within.map(Float.init),
      after: settings.cursor, parameters: settings.parameters)
    let answer = try wrappingErrors { try store.search(request) }
    return SearchResult(answer)
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

  /// The row ids that pass, ascending and distinct; nil when all do.
  /// - Parameter timeout: seconds that a condition may take; nil for any time.
  package func resolve(_ filter: RowFilter, index: String, timeout: Double? = nil) throws(VidxError) -> [Int64]? {
    if case .ids(let ids) = filter { return Self.ascending(ids) }
    if case .columns(let conditions) = filter { return try rowIDs(passing: conditions, index: index) }
    guard let text = filter.text else { return nil }
    let store = try store(index)
    return try wrappingErrors { try store.rowIDs(text, timeout: timeout).ids }
  }

  private static func ascending(_ ids: [Int64]) -> [Int64] {
    var result: [Int64] = []
    result.reserveCapacity(ids.count)
    for id in ids.sorted() where result.last != id { result.append(id) }
    return result
  }
}

extension RowFilter {
  /// The filter as SQL; nil when it is none.
  var text: FilterText? {
    switch self {
    case .all, .ids, .columns: nil
    case .where(let condition, let parameters):
      FilterText(.conditionOfRows, condition, parameters.map { FilterValue($0) })
    case .idsFrom(let sql, let parameters): FilterText(.select, sql, parameters.map { FilterValue($0) })
    }
  }
}

extension FilterValue {
  fileprivate init(_ value: Value) {
    self =
      switch value {
      case .null: .null
      case .integer(let integer): .integer(integer)
      case .real(let real): .real(real)
      case .text(let text): .text(text)
      case .blob(let bytes): .blob(bytes)
      }
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
