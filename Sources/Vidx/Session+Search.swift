internal import VidxIndexes
internal import VidxSQLite
internal import VidxVectors

extension Session {
  /// The rows nearest to a query, on one snapshot of rows and vectors.
  package func search(
    _ index: String, near query: [Float], k: Int, filter: RowFilter = .all, settings: SearchSettings = SearchSettings()
  ) throws(VidxError) -> SearchResult {
    switch filter {
    // One statement of the store's own holds the snapshot.
    case .all, .ids: return try search(index, near: query, k: k, ids: resolve(filter, index: index), settings: settings)
    case .columns(let conditions):
      return try inOneTransaction { () throws(VidxError) in
        let store = try store(index)
        let conditions = try filterConditions(conditions, of: store)
        return try search(store, near: query, k: k, ids: nil, conditions: conditions, settings: settings)
      }
    case .where, .idsFrom:
      return try snapshot {
        let ids = try resolve(filter, index: index)
        return try search(index, near: query, k: k, ids: ids, settings: settings)
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
    try snapshot {
      try search(
        index, nearEach: queries, k: k, ids: resolve(filter, index: index), settings: settings, threads: threads)
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
    return try wrappingErrors { try store.search(batch) }.map(SearchResult.init)
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
  package func resolve(_ filter: RowFilter, index: String) throws(VidxError) -> [Int64]? {
    switch filter {
    case .all: return nil
    case .ids(let ids): return Self.ascending(ids)
    case .columns(let conditions): return try rowIDs(passing: conditions, index: index)
    case .idsFrom(let sql, let parameters): return try rowIDs(sql, parameters, shown: sql, startingAt: 0)
    case .where(let condition, let parameters):
      guard let table = try rowTable(of: index) else {
        throw VidxError(
          .badCondition,
          "index \"\(index)\" was built without a table of rows, so a condition has nothing to speak of; "
            + "filter by a SELECT of row ids instead (vidx search: --ids-from)")
      }
      let key = quoted(identifier: try primaryKey(of: table))
      let head = "SELECT \(key) FROM \(quoted(identifier: table)) WHERE ("
      // The newline ends a comment at the end of the condition.
      return try rowIDs(head + condition + "\n)", parameters, shown: condition, startingAt: head.utf8.count)
    }
  }

  /// - Parameters:
  ///   - text: what the user wrote of the SQL.
  ///   - start: where in the SQL it begins, in bytes.
  private func rowIDs(
    _ sql: String, _ parameters: [Value], shown text: String, startingAt start: Int
  ) throws(VidxError) -> [Int64] {
    do {
      let statement = try connection.prepare(sql)
      guard statement.tail.isEmpty else {
        throw VidxError(.badCondition, "the condition is more than one statement; give a single one")
      }
      guard statement.isReadOnly, statement.columnCount > 0 else {
        throw VidxError(.badCondition, "the statement does not read rows; give a SELECT of row ids")
      }
      try bind(parameters, to: statement)
      var ids: [Int64] = []
      var isAscending = true
      while try statement.step() {
        switch statement.type(0) {
        case .integer: break
        case .null: continue
        default:
          throw VidxError(
            .badCondition,
            "the SELECT answers \"\(statement.text(0) ?? "")\" where a row id was expected; "
              + "put the INTEGER PRIMARY KEY first")
        }
        let id = statement.int64(0)
        if let last = ids.last, last >= id { isAscending = false }
        ids.append(id)
      }
      return isAscending ? ids : Self.ascending(ids)
    } catch let error as SQLiteError where error.code == 1 {
      let place = error.place(in: text, startingAt: start).map { "\n" + $0 } ?? ""
      throw VidxError(.badCondition, "\(error.message); correct the SQL of the condition\(place)", cause: error)
    } catch { throw VidxError(wrapping: error) }
  }

  private static func ascending(_ ids: [Int64]) -> [Int64] {
    var result: [Int64] = []
    result.reserveCapacity(ids.count)
    for id in ids.sorted() where result.last != id { result.append(id) }
    return result
  }
}

extension SearchSettings {
  /// What they say to the layers below, but for `within`.
  var parameters: SearchParameters {
    SearchParameters(efSearch: efSearch, targetRecall: targetRecall, probes: probes, exact: exact)
  }

  var cursor: StoreCursor? { after.map { StoreCursor(distance: $0.distance, rowID: $0.id) } }
}

extension SearchResult {
  init(_ answer: StoreAnswer) {
    hits = answer.hits.map { SearchHit(id: $0.rowID, distance: $0.distance) }
    plan = answer.plan.rawValue
    isExact = answer.exact
    isComplete = answer.complete
    rowsYielded = answer.filter?.rowsYielded
    counters = Counters(
      distanceComputations: answer.counters.distanceComputations, reranked: answer.counters.reranked,
      bytesRead: answer.counters.bytesRead, rowsScored: answer.counters.rowsScored,
      nodesExpanded: answer.counters.nodesExpanded, listsProbed: answer.counters.listsProbed)
  }
}
