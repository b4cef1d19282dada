internal import VidxIndexes
internal import VidxSQLite

extension Session {
  /// The most neighbours one search returns.
  package static let maximumK = 1_000_000
}

extension StoreRequest {
  /// What a search asks of an index.
  /// - Parameter rows: those of its filter, when that is resolved already.
  init(_ query: [Float], k: Int, among rows: ResolvedRows? = nil, _ settings: SearchSettings) throws(VidxError) {
    try settings.check(k: k)
    self.init(
      query: query, k: k, prepared: rows?.filter, within: settings.within.map(StoreRequest.bound),
      after: settings.cursor, parameters: settings.parameters, model: settings.model)
  }
}

extension StoreBatch {
  /// What searches that share everything but the query ask of an index.
  init(
    _ queries: [[Float]], k: Int, among rows: ResolvedRows, _ settings: SearchSettings, threads: Int
  ) throws(VidxError) {
    try settings.check(k: k)
    self.init(
      queries: queries, k: k, prepared: rows.filter, within: settings.within.map(StoreRequest.bound),
      after: settings.cursor, parameters: settings.parameters, model: settings.model, threads: threads)
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
  /// Sees that they, and k, are in their ranges.
  func check(k: Int) throws(VidxError) {
    guard (1...Session.maximumK).contains(k) else {
      throw VidxError(.badOption, "k is \(k); give a number from 1 to \(Session.maximumK)")
    }
    if let efSearch, !IndexLimits.efSearch.contains(efSearch) {
      throw VidxError(
        .badOption,
        "ef_search is \(efSearch); give a number from \(IndexLimits.efSearch.lowerBound) to "
          + "\(IndexLimits.efSearch.upperBound)")
    }
    if let recall = targetRecall, !(recall > 0 && recall <= 1) {
      throw VidxError(.badOption, "target_recall is \(recall); give a number above 0, and at most 1")
    }
    if let probes, !(1...IndexLimits.lists.upperBound).contains(probes) {
      throw VidxError(
        .badOption, "probes is \(probes); give a number from 1 to \(IndexLimits.lists.upperBound)")
    }
    if let timeout, !(timeout > 0) {
      throw VidxError(.badOption, "timeout is \(timeout); give seconds above 0, or none for any time")
    }
    if let within, within.isNaN {
      throw VidxError(.badOption, "the distance to stay within is not a number; give one")
    }
    if let after, after.distance.isNaN {
      throw VidxError(.badOption, "the distance to go on after is not a number; give that of the last hit")
    }
  }

  /// What they say to the layers below, but for `within` and `after`.
  fileprivate var parameters: SearchParameters {
    SearchParameters(
      efSearch: efSearch, targetRecall: targetRecall, probes: probes, exact: exact,
      plan: plan.map { $0.segmentPlan })
  }

  fileprivate var cursor: StoreCursor? { after.map { StoreCursor(distance: $0.distance, rowID: $0.id) } }
}
