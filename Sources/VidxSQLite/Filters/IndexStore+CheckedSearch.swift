import VidxIndexes
import VidxSegments

/// What a search under a filter in SQL has come to.
package enum FilteredSearch: Sendable {
  /// It is done: rows were checked one by one.
  case answer(StoreAnswer)
  /// All rows that pass are known, for this search and others.
  case filter(ResolvedFilter)
}

extension IndexStore {
  /// Answers a search under a filter in SQL, or reads the filter's rows for it, whichever is sooner done: see
  /// `CheckedSearch`. Rows are always read when the answer has to be exact, the plan is given, or the same filter was
  /// asked for before.
  ///
  /// Answered in one way, an approximate search may miss another row than in the other; how it was answered, the plan
  /// says.
  /// - Parameter request: without a filter of its own.
  /// - Throws: as `search` and `filter`.
  package func search(
    _ request: StoreRequest, under text: FilterText, timeout: Double? = nil
  ) throws -> FilteredSearch {
    let stamp = try beginFilter()
    if let kept = kept(text, stamp) { return .filter(kept) }
    try check(request)
    return try withStatement(of: text) { statement in
      let limit = StatementLimit(seconds: timeout)
      let reading = try statement.reading(text.values, limit)
      defer { reading.end() }
      // What cannot be kept is of no use the next time.
      let wasAsked = try statement.isPure() && stamp.map { filters.rowSets.noteUse(text, $0) } ?? false
      guard !wasAsked, mayCheck(request, statement), let check = try statement.rowCheck(text, of: self) else {
        return try .filter(resolved(text, RowIDs.ascending(reading.finish()), isPure: statement.isPure(), stamp))
      }
      try check.bind(text.values)
      defer { check.clear() }
      let search = CheckedSearch(k: request.k, rowCount: liveCount, statement, check, reading, limit) { count in
        try self.nearest(count, request)
      }
      switch try search.outcome() {
      case .found(let hits, let whole): return .answer(answer(hits, whole, request))
      case .rows(let ids):
        return try .filter(resolved(text, RowIDs.ascending(ids), isPure: statement.isPure(), stamp))
      }
    }
  }

  /// Candidates that a graph is walked for.
  private static let mostWalked = 4_096

  private func mayCheck(_ request: StoreRequest, _ statement: FilterStatement) -> Bool {
    let parameters = request.parameters
    if parameters.isExact || parameters.plan != nil || request.after != nil || request.k == 0 { return false }
    return statement.canCheckRows && !statement.history.isCheckDear
  }

  /// The nearest rows without the filter, `count` of them, searched as thoroughly as the k nearest under it would be.
  private func nearest(
    _ count: Int, _ request: StoreRequest
  ) throws -> (answer: StoreAnswer, nanoseconds: Double) {
    var whole = request
    whole.k = count
    whole.parameters = request.parameters.findingCandidates(
      count, k: request.k, kind: definition.configuration.kind)
    // What a walk keeps is moved at each insertion: so many are sooner found by scoring all.
    if count > Self.mostWalked, definition.configuration.kind == .hnsw { whole.parameters.exact = true }
    let answer = try search(whole)
    let nanoseconds = views.reduce(0.0) { sum, view in
      sum + (view.index.estimates(k: count, parameters: whole.parameters, filter: nil).first?.nanoseconds ?? 0)
    }
    return (answer, nanoseconds)
  }

  private func answer(
    _ hits: [StoreHit], _ whole: CheckedSearch.SearchedWhole, _ request: StoreRequest
  ) -> StoreAnswer {
    var counters = whole.counters
    counters.rowsScored = whole.rowsPassed
    let report = FilterReport(rowsPassed: whole.rowsPassed, ofChecked: whole.rowsChecked)
    let plan = whole.plan.checked
    return StoreAnswer(
      hits: hits, plan: plan, complete: plan == .exact || hits.count == request.k, counters: counters, filter: report)
  }
}
