import Vidx

/// What one setting finds of the true neighbours, under one filter.
struct RecallOutcome {
  /// The mean share of true neighbours found, and the standard error of that mean over the queries.
  var recall = 0.0
  var recallError = 0.0
  /// Per query.
  var distanceComputations = 0.0
  var rowsScored = 0.0
  /// How many queries were answered by each plan.
  var plans: [String: Int] = [:]
  /// Every query was.
  var isExact = true
}

/// What was found out about one filter.
struct RecallMeasurement {
  let filter: RecallFilter
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

  func measure(_ filter: RecallFilter, unfiltered: [[SearchHit]]) throws -> RecallMeasurement {
    let truth = try neighbours(filter)
    let atDefault = try outcome(filter, SearchSettings(), truth)
    var found: [BenchSetting?] = recalls.map { _ in nil }
    for sweep in sweeps {
      for setting in sweep where found.contains(where: { $0 == nil }) {
        // What is exact at the default needs no setting.
        if atDefault.isExact { break }
        let recall = try outcome(filter, setting.settings, truth).recall
        for (i, wanted) in recalls.enumerated() where found[i] == nil && recall >= wanted { found[i] = setting }
      }
    }
    return RecallMeasurement(
      filter: filter, nearShare: nearShare(filter, unfiltered), atDefault: atDefault,
      reaching: Array(zip(recalls, found)).map { (recall: $0.0, setting: $0.1) })
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

  private func outcome(
    _ filter: RecallFilter, _ settings: SearchSettings, _ truth: [[SearchHit]]
  ) throws -> RecallOutcome {
    let results = try search(filter, settings)
    var outcome = RecallOutcome()
    var recalls: [Double] = []
    for (query, result) in results.enumerated() {
      let hits = queries.neighbours(result.hits, of: query, k: k)
      recalls.append(Self.recall(hits, truth[query]))
      outcome.distanceComputations += Double(result.counters.distanceComputations)
      outcome.rowsScored += Double(result.counters.rowsScored)
      outcome.plans[result.plan, default: 0] += 1
      outcome.isExact = outcome.isExact && result.isExact
    }
    let count = Double(max(recalls.count, 1))
    outcome.recall = recalls.reduce(0, +) / count
    let variance = recalls.reduce(0) { $0 + ($1 - outcome.recall) * ($1 - outcome.recall) } / max(count - 1, 1)
    outcome.recallError = (variance / count).squareRoot()
    outcome.distanceComputations /= count
    outcome.rowsScored /= count
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
