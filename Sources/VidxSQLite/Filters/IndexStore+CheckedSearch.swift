import VidxIndexes
import VidxSegments

/// What a search under a filter in SQL has come to.
package enum FilteredSearch: Sendable {
  /// It is done: rows were checked one by one.
  case answer(StoreAnswer)
  /// All rows that pass are known, for this search and others.
  case filter(ResolvedFilter)
}

/// How far such a search has come.
enum FilteredStep {
  case done(FilteredSearch)
  /// So many of the nearest rows of the whole index are wanted next.
  case wants(Int)
}

extension IndexStore {
  /// Answers a search under a filter in SQL, or reads the filter's rows for it, whichever is sooner done: see
  /// `CheckedSearch`. Rows are always read when the answer has to be exact, the plan is given, the same text was asked
  /// for before, or there are several texts.
  ///
  /// Answered in one way, an approximate search may miss another row than in the other; how it was answered, the plan
  /// says.
  /// - Parameters:
  ///   - request: row ids and conditions that it has are to hold as well.
  ///   - terms: a text at least.
  ///   - trace: gets what was done.
  /// - Throws: as `search` and `filter`.
  package func search(
    _ request: StoreRequest, under terms: FilterTerms, timeout: Double? = nil, trace: FilterTrace? = nil
  ) throws -> FilteredSearch {
    switch try step(request, under: terms, timeout: timeout, trace: trace) {
    case .done(let search): return search
    case .wants: preconditionFailure("candidates are found here")
    }
  }

  /// Where the first candidates come from.
  struct FirstCandidates {
    /// Those that were found for this search.
    var found: CheckedSearch.Candidates?
    /// Whoever makes the search finds them: without any, they are asked for.
    var areAsked = false
    /// An earlier step of the same search has noted that the text was asked for.
    var isNoted = false
  }

  /// The same in two steps, so that whoever looks for the first candidates need not hold the connection meanwhile.
  /// - Parameter first: none are asked for where other terms are to hold as well. Those found are of the state that the
  ///   open transaction reads.
  func step(
    _ request: StoreRequest, under terms: FilterTerms, timeout: Double? = nil, trace: FilterTrace? = nil,
    first: FirstCandidates = FirstCandidates()
  ) throws -> FilteredStep {
    let stamp = try beginFilter()
    try check(request)
    let limit = StatementLimit(seconds: timeout)
    let rows = try rowsWithoutSQL(terms, and: resolve(request))
    guard terms.texts.count == 1 else {
      let resolved = try trace.timing(
        { try filter(terms.texts, among: rows, limit, stamp) },
        noting: {
          $0.isCached ? .kept : .read(rows: $0.filter.rowsYielded, isFinished: true)
        })
      return .done(.filter(resolved))
    }
    let kept = { (resolved: ResolvedFilter) in
      trace.timing({ FilteredStep.done(.filter(resolved)) }, noting: { _ in .kept })
    }
    let found = try run(terms.texts[0], limit, stamp, kept: kept) { run in
      switch try check(request, among: rows, run, trace, first) {
      case .wants(let count): return .wants(count)
      case .found(let hits, let whole): return .done(.answer(answer(hits, whole, request)))
      case .read: break
      }
      if !run.reading.isFinished {
        _ = try trace.timing({ try run.reading.finish() }, noting: { .read(rows: $0.count, isFinished: true) })
      }
      return .done(.filter(try self.rows(of: run)))
    }
    guard case .done(.filter(var resolved)) = found, let rows else { return found }
    resolved.filter = try settling { try resolved.filter.intersection(rows) }
    return .done(.filter(resolved))
  }

  package func search(
    _ request: StoreRequest, under text: FilterText, timeout: Double? = nil
  ) throws -> FilteredSearch {
    try search(request, under: FilterTerms(text), timeout: timeout)
  }

  /// - Parameter rows: to search among; nil for all.
  private func check(
    _ request: StoreRequest, among rows: PreparedFilter?, _ run: FilterRun, _ trace: FilterTrace?,
    _ first: FirstCandidates
  ) throws -> CheckedSearch.Outcome {
    // What cannot be kept is of no use the next time.
    let wasAsked =
      try !first.isNoted && run.statement.isPure() && run.stamp.map { filters.rowSets.noteUse(run.text, $0) } ?? false
    guard !wasAsked, mayCheck(request, run.statement), let check = try run.statement.rowCheck(run.text, of: self)
    else { return .read }
    try check.bind(run.text.values)
    defer { check.clear() }
    let search = CheckedSearch(
      k: request.k, rowCount: liveCount, searchedCount: rows?.passingCount, run, check, trace
    ) { count in
      try self.nearest(count, request, among: rows)
    } expected: { count in
      try self.nanoseconds(self.finding(count, request, among: rows), among: rows)
    }
    return try search.outcome(first.found, asks: first.areAsked && rows == nil)
  }

  /// How many candidates a search under a filter in SQL will want first; nil when that has to be found out, because
  /// nothing is known of the text, or the same was asked before. Reads nothing.
  func expectedCandidates(_ request: StoreRequest, under terms: FilterTerms) throws -> Int? {
    guard terms.texts.count == 1, terms.rowIDs == nil, terms.conditions.isEmpty,
      let statement = knownStatement(of: terms.texts[0]), mayCheck(request, statement),
      !filters.rowSets.knows(terms.texts[0]), statement.history.unfinishedSteps >= CheckedSearch.firstSteps
    else { return nil }
    try check(request)
    let count = CheckedSearch.firstCount(k: request.k, statement.history)
    return count <= liveCount / 4 ? count : nil
  }

  private func mayCheck(_ request: StoreRequest, _ statement: FilterStatement) -> Bool {
    let parameters = request.parameters
    if parameters.isExact || parameters.plan != nil || request.after != nil || request.k == 0 { return false }
    return statement.canCheckRows && !statement.history.isCheckDear
  }

  /// The nearest rows without the text, `count` of them, searched as thoroughly as the k nearest under it would be.
  private func nearest(
    _ count: Int, _ request: StoreRequest, among rows: PreparedFilter?
  ) throws -> CheckedSearch.Candidates {
    let whole = finding(count, request, among: rows)
    let answer = try search(whole)
    return CheckedSearch.Candidates(
      count: count, answer: answer, nanoseconds: try nanoseconds(whole, among: rows))
  }

  private func finding(_ count: Int, _ request: StoreRequest, among rows: PreparedFilter?) -> StoreRequest {
    var whole = request
    whole.k = count
    whole.prepared = rows
    whole.parameters = request.parameters.findingCandidates(
      count, k: request.k, kind: definition.configuration.kind, of: liveCount)
    return whole
  }

  /// What a search is expected to take.
  private func nanoseconds(_ whole: StoreRequest, among rows: PreparedFilter?) throws -> Double {
    try views.reduce(0.0) { sum, view in
      guard let passing = try settling({ try passing(rows, in: view) }) else { return sum }
      let estimates = view.index.estimates(k: whole.k, parameters: whole.parameters, filter: passing.rows)
      return sum + (estimates.first?.nanoseconds ?? 0)
    }
  }

  private func answer(
    _ hits: [StoreHit], _ whole: CheckedSearch.SearchedWhole, _ request: StoreRequest
  ) -> StoreAnswer {
    var counters = whole.counters
    counters.rowsScored = whole.rowsPassed
    let report = FilterReport(rowsPassed: whole.rowsPassed, ofChecked: whole.rowsChecked)
    let plan = whole.plan.checked
    // Fewer than k: all there are were checked, or all that an approximate search has found within the distance.
    let isComplete = plan == .exact || request.within == nil || hits.count == request.k
    return StoreAnswer(hits: hits, plan: plan, complete: isComplete, counters: counters, filter: report)
  }
}
