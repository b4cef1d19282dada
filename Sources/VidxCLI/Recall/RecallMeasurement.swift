import Vidx

/// What one setting finds of the true neighbours, under one filter.
struct RecallOutcome {
  /// The mean share of true neighbours found, and the standard error of that mean over the queries.
  var recall = 0.0
  var recallError = 0.0
  /// Per query.
  var distanceComputations = 0.0
  var rowsScored = 0.0
  var rowsChecked = 0.0
  /// How many queries were answered by each plan.
  var plans: [String: Int] = [:]
  /// Every query was.
  var isExact = true
}

/// What was found out about one filter.
struct RecallMeasurement {
  /// How a filter in SQL was asked.
  enum Asked: String {
    /// For the first time: some queries were answered by checking the rows that were found.
    case first
    /// Its rows had been read, as they have been the second time.
    case again
  }

  let filter: RecallFilter
  /// nil where it makes no difference.
  let asked: Asked?
  /// The share of the true neighbours without the filter that pass it, on average; nil without a filter.
  let nearShare: Double?
  let atDefault: RecallOutcome
  /// For each recall wanted, the smallest setting that reaches it; nil when none does.
  let reaching: [(recall: Double, setting: BenchSetting?)]
}

/// Compares searches with exact ones, on the snapshot that the session is in.
struct RecallMeter {
  let session: Session
  let index: String
  let queries: RecallQueries
  let k: Int
  let threads: Int
  /// Ascending, for each thing that can be set.
  let sweeps: [[BenchSetting]]
  let recalls: [Double]

  /// - Returns: one measurement; two of a filter of which some queries are answered by checking rows the first time.
  func measure(_ filter: RecallFilter, unfiltered: [[SearchHit]]) throws -> [RecallMeasurement] {
    let truth = try neighbours(filter)
    let share = nearShare(filter, unfiltered)
    guard let condition = filter.condition, try isChecked(condition) else {
      return [try measure(filter, nil, truth, share) { try search(filter, $0) }]
    }
    let again = try measure(filter, .again, truth, share) { try search(filter, $0) }
    let first = try measure(filter, .first, truth, share) { try searchFirst(condition, $0) }
    return [first, again]
  }

  private func measure(
    _ filter: RecallFilter, _ asked: RecallMeasurement.Asked?, _ truth: [[SearchHit]], _ nearShare: Double?,
    _ search: (SearchSettings) throws -> [SearchResult]
  ) throws -> RecallMeasurement {
    let atDefault = outcome(try search(SearchSettings()), truth)
    var found: [BenchSetting?] = recalls.map { _ in nil }
    for sweep in sweeps {
      for setting in sweep where found.contains(where: { $0 == nil }) {
        // What is exact at the default needs no setting.
        if atDefault.isExact { break }
        let recall = outcome(try search(setting.settings), truth).recall
        for (i, wanted) in recalls.enumerated() where found[i] == nil && recall >= wanted { found[i] = setting }
      }
    }
    return RecallMeasurement(
      filter: filter, asked: asked, nearShare: nearShare, atDefault: atDefault,
      reaching: Array(zip(recalls, found)).map { (recall: $0.0, setting: $0.1) })
  }

  /// Whether some of the first queries are answered by checking rows; where none is, reading the rows for each query
  /// anew would show nothing else.
  private func isChecked(_ condition: RowFilter) throws -> Bool {
    for query in queries.vectors.prefix(16) {
      if try searchFirst(condition, near: query, SearchSettings()).filter?.rowsChecked ?? 0 > 0 { return true }
    }
    return false
  }

  private func searchFirst(_ condition: RowFilter, _ settings: SearchSettings) throws -> [SearchResult] {
    try queries.vectors.map { try searchFirst(condition, near: $0, settings) }
  }

  /// As a user is answered whose filter has not been asked before.
  private func searchFirst(
    _ condition: RowFilter, near query: [Float], _ settings: SearchSettings
  ) throws -> SearchResult {
    if Interruption.isRequested { throw CancellationError() }
    try session.forgetFilterRows(of: index)
    return try session.search(index, near: query, k: k + 1, filter: condition, settings: settings)
  }

  /// The true neighbours of each query.
  func neighbours(_ filter: RecallFilter) throws -> [[SearchHit]] {
    let results = try search(filter, SearchSettings(exact: true))
    return results.enumerated().map { queries.neighbours($1.hits, of: $0, k: k) }
  }

  private func search(_ filter: RecallFilter, _ settings: SearchSettings) throws -> [SearchResult] {
    var results = [SearchResult?](repeating: nil, count: queries.vectors.count)
    for group in filter.groups {
      if Interruption.isRequested { throw CancellationError() }
      let found = try session.search(
        index, nearEach: group.queries.map { queries.vectors[$0] }, k: k + 1,
        filter: group.ids.map { .ids($0) } ?? .all, settings: settings, threads: threads)
      for (query, result) in zip(group.queries, found) { results[query] = result }
    }
    return results.compactMap { $0 }
  }

  private func outcome(_ results: [SearchResult], _ truth: [[SearchHit]]) -> RecallOutcome {
    var outcome = RecallOutcome()
    var recalls: [Double] = []
    for (query, result) in results.enumerated() {
      let hits = queries.neighbours(result.hits, of: query, k: k)
      recalls.append(Self.recall(hits, truth[query]))
      outcome.distanceComputations += Double(result.counters.distanceComputations)
      outcome.rowsScored += Double(result.counters.rowsScored)
      outcome.rowsChecked += Double(result.filter?.rowsChecked ?? 0)
      outcome.plans[result.plan, default: 0] += 1
      outcome.isExact = outcome.isExact && result.isExact
    }
    let count = Double(max(recalls.count, 1))
    outcome.recall = recalls.reduce(0, +) / count
    let variance = recalls.reduce(0) { $0 + ($1 - outcome.recall) * ($1 - outcome.recall) } / max(count - 1, 1)
    outcome.recallError = (variance / count).squareRoot()
    outcome.distanceComputations /= count
    outcome.rowsScored /= count
    outcome.rowsChecked /= count
    return outcome
  }

  /// The share of true neighbours among those found; a row as near as the last of them is one, too.
  private static func recall(_ hits: [SearchHit], _ truth: [SearchHit]) -> Double {
    guard let limit = truth.last?.distance else { return 1 }
    return Double(min(truth.count, hits.count { $0.distance <= limit })) / Double(truth.count)
  }

  private func nearShare(_ filter: RecallFilter, _ unfiltered: [[SearchHit]]) -> Double? {
    var (passing, all) = (0, 0)
    for group in filter.groups {
      guard let ids = group.ids.map(Set.init) else { return nil }
      for query in group.queries {
        passing += unfiltered[query].count { ids.contains($0.id) }
        all += unfiltered[query].count
      }
    }
    return all == 0 ? nil : Double(passing) / Double(all)
  }
}
