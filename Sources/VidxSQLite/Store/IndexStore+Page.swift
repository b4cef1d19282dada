package import VidxIndexes
import VidxSegments
import VidxVectors

extension IndexStore {
  /// The k nearest rows after a cursor, of all that pass: one page of the exact order, by distance and row id.
  ///
  /// Searches select by score, and rounding makes one distance of scores that differ; where k cuts, a page by scores
  /// would leave out rows that come first by row id. So rows are taken to the end of the last distance.
  /// - Parameters:
  ///   - cursor: nil for the first page.
  ///   - passes: a further condition on row ids and distances.
  /// - Complexity: every row that passes is scored, and those before the cursor are put in order.
  package func page(
    _ request: StoreRequest, after cursor: StoreCursor?, where passes: (Int64, Float) -> Bool = { _, _ in true }
  ) throws -> StoreAnswer {
    try check(request)
    let query = try prepare(request.query)
    try refreshToSearch()
    let filter = try resolve(request)
    let page = ExactPage(
      k: min(request.k, liveCount), definition.configuration.metric, after: cursor, within: request.within,
      stoppable(request.parameters).stop)
    for view in views where page.k > 0 {
      guard let passing = try settling({ try passing(filter, in: view) }) else { continue }
      try settling { try page.add(view.index, query, passing.rows, where: passes) }
    }
    if let delta, page.k > 0 {
      try settling { try page.add(delta.cache, query, filter?.deltaSlots, where: passes) }
    }
    return StoreAnswer(
      hits: page.hits(), plan: .exact, complete: true, counters: page.counters, filter: filter.map { FilterReport($0) })
  }
}

extension IndexSnapshot {
  /// The k nearest rows after a cursor, as `IndexStore.page`.
  /// - Parameter report: becomes that of this search.
  package func page(
    _ query: PreparedQuery, k: Int, after cursor: StoreCursor?, within: Float?, filter: PreparedFilter?,
    stop: SearchStop? = nil, report: inout SearchReport
  ) throws(StoreError) -> [StoreHit] {
    report = SearchReport(filter)
    let page = ExactPage(k: min(k, rowCount), configuration.metric, after: cursor, within: within, stop)
    if page.k > 0 { try add(to: page, query, filter) }
    report.counters = page.counters
    return page.hits()
  }
}

/// One page of the exact order, gathered from the parts of an index.
///
/// A class because Swift 6.3.1 fails on a struct that is changed in functions which throw.
final class ExactPage {
  let k: Int
  private(set) var counters = SearchCounters()
  private let metric: Metric
  private let cursor: StoreCursor?
  private let within: Float?
  private let stop: SearchStop?
  private var found: [StoreHit] = []

  /// - Parameter k: no more than the index has rows.
  init(k: Int, _ metric: Metric, after cursor: StoreCursor?, within: Float?, _ stop: SearchStop?) {
    self.stop = stop
    self.k = k
    self.metric = metric
    self.cursor = cursor
    self.within = within
  }

  /// Takes the first k rows of a segment that are on the page, and those at the distance of the last of them.
  /// - Parameters:
  ///   - rows: that pass; nil for all.
  ///   - passes: a further condition.
  func add(
    _ index: SegmentIndex, _ query: PreparedQuery, _ rows: EntryFilter?,
    where passes: (Int64, Float) -> Bool = { _, _ in true }
  ) throws(SegmentError) {
    var parameters = SearchParameters(exact: true)
    parameters.stop = stop
    let stream = index.stream(query, parameters: parameters, filter: rows)
    var count = 0
    while let next = try stream.next() {
      guard let hit = hitOnPage(next, passes) else { continue }
      if count >= k, let last = found.last, hit.distance > last.distance { break }
      found.append(hit)
      count += 1
    }
    counters += stream.counters
  }

  /// - Parameter slots: of the rows that pass; nil for all.
  func add(
    _ delta: DeltaCache, _ query: PreparedQuery, _ slots: [UInt32]?,
    where passes: (Int64, Float) -> Bool = { _, _ in true }
  ) throws(SegmentError) {
    let hits = try delta.hits(query, passing: slots, stop: stop, counters: &counters)
    found += hits.compactMap { hitOnPage($0, passes) }
  }

  /// The page, when all parts have been added.
  func hits() -> [StoreHit] {
    found.sort { ($0.distance, $0.rowID) < ($1.distance, $1.rowID) }
    return Array(found.prefix(k))
  }

  private func hitOnPage(_ hit: Hit, _ passes: (Int64, Float) -> Bool) -> StoreHit? {
    let found = StoreHit(rowID: hit.rowID, distance: metric.distance(fromScore: hit.score))
    if let within, found.distance > within { return nil }
    if let cursor, (found.distance, found.rowID) <= (cursor.distance, cursor.rowID) { return nil }
    return passes(found.rowID, found.distance) ? found : nil
  }
}
