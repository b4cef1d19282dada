import VidxIndexes
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
    let metric = definition.configuration.metric
    let k = min(request.k, liveCount)
    let filter = try resolve(request.filter, request.prepared, request.conditions)
    func hitOnPage(_ hit: Hit) -> StoreHit? {
      let found = StoreHit(rowID: hit.rowID, distance: metric.distance(fromScore: hit.score))
      if let within = request.within, found.distance > within { return nil }
      if let cursor, (found.distance, found.rowID) <= (cursor.distance, cursor.rowID) { return nil }
      return passes(found.rowID, found.distance) ? found : nil
    }
    var counters = SearchCounters()
    var hits: [StoreHit] = []
    for view in views where k > 0 {
      guard let passing = try settling({ try passing(filter, in: view) }) else { continue }
      let stream = view.index.stream(query, parameters: SearchParameters(exact: true), filter: passing.rows)
      hits += try settling { try Self.first(k, of: stream, hitOnPage) }
      counters += stream.counters
    }
    if let delta, k > 0 {
      hits += delta.cache.hits(query, passing: filter?.deltaSlots, counters: &counters).compactMap(hitOnPage)
    }
    hits.sort { ($0.distance, $0.rowID) < ($1.distance, $1.rowID) }
    return StoreAnswer(
      hits: Array(hits.prefix(k)), plan: .exact, complete: true, counters: counters,
      filter: filter.map { FilterReport($0) })
  }

  /// The first k hits that count, and those at the distance of the last of them.
  private static func first(
    _ k: Int, of stream: SegmentStream, _ counted: (Hit) -> StoreHit?
  ) throws -> [StoreHit] {
    var hits: [StoreHit] = []
    while let hit = try stream.next() {
      guard let found = counted(hit) else { continue }
      if hits.count >= k, let last = hits.last, found.distance > last.distance { break }
      hits.append(found)
    }
    return hits
  }
}
