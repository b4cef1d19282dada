internal import VidxIndexes

/// The search that the terms of one query ask for.
struct TableSearch {
  private let index: String
  private let store: IndexStore
  private let terms: SearchTerms
  /// All that restricts the rows but the filter in SQL and what is checked row by row.
  private var request: StoreRequest
  private let filter: FilterText?
  /// Terms that can only be checked row by row drop any share of the rows.
  private let isChecked: Bool

  init(_ table: VirtualTable, _ terms: SearchTerms, near query: [Float]) throws {
    let store = try table.store()
    index = table.name
    self.store = store
    self.terms = terms
    request = StoreRequest(
      query: query, filter: terms.rowIDs, conditions: terms.conditions, within: terms.within,
      parameters: terms.parameters)
    if let range = terms.rowRange, try store.hasFewRows(in: range) { request.rowRange = range }
    isChecked = terms.lowerBound != nil || (terms.rowRange != nil && request.rowRange == nil)
    filter = try terms.filter.map { try FilterText(sql: $0, store.filterValues(json: terms.filterParameters)) }
  }

  /// Rows by distance, as they are asked for.
  func stream() throws -> StoreStream {
    var request = request
    let resolved = try resolvedFilter()
    request.prepared = resolved?.filter
    let stream = try store.stream(request)
    if resolved?.isCached == true { stream.noteCachedFilter() }
    return stream
  }

  /// The rows wanted, nearest first, ties by row id.
  func hits(_ wanted: Int) throws -> (ArraySlice<StoreHit>, LastSearch) {
    if terms.isPaged { return try pageHits(wanted) }
    return try isChecked ? checkedHits(wanted) : plainHits(wanted)
  }

  private func pageHits(_ wanted: Int) throws -> (ArraySlice<StoreHit>, LastSearch) {
    var request = request
    request.k = wanted
    let resolved = try resolvedFilter()
    request.prepared = resolved?.filter
    var answer = try store.page(request, after: terms.after) { rowID, distance in
      terms.allows(rowID: rowID, distance: distance)
    }
    answer.filter?.isCached = resolved?.isCached ?? false
    return (answer.hits[...], LastSearch(index: index, answer))
  }

  /// The rows that pass the filter and all else that restricts them; nil without a filter.
  private func resolvedFilter() throws -> ResolvedFilter? {
    guard let filter else { return nil }
    let stamp = try store.beginFilter()
    return try store.filter([filter], among: store.resolve(request), StatementLimit(seconds: nil), stamp)
  }

  private func plainHits(_ wanted: Int) throws -> (ArraySlice<StoreHit>, LastSearch) {
    var request = request
    // Excluded rows may be among the nearest.
    request.k = min(wanted + terms.excluded.count, SearchTerms.largestK)
    let answer = try answer(request)
    let hits = answer.hits.filter { terms.allows($0.rowID) }.prefix(wanted)
    return (hits, LastSearch(index: index, answer))
  }

  private func answer(_ request: StoreRequest) throws -> StoreAnswer {
    guard let filter else { return try store.search(request) }
    switch try store.search(request, under: filter) {
    case .answer(let answer): return answer
    case .filter(let resolved):
      var request = request
      request.prepared = resolved.filter
      var answer = try store.search(request)
      answer.filter?.isCached = resolved.isCached
      return answer
    }
  }

  /// Takes rows in order of distance until enough have passed.
  private func checkedHits(_ wanted: Int) throws -> (ArraySlice<StoreHit>, LastSearch) {
    let stream = try stream()
    var hits: [StoreHit] = []
    var farthest = -Float.infinity
    while let row = try stream.next() {
      // Rows as far as the last one wanted compete by their row ids.
      if hits.count >= wanted, row.distance > farthest { break }
      guard terms.allows(rowID: row.rowID, distance: row.distance) else { continue }
      hits.append(StoreHit(rowID: row.rowID, distance: row.distance))
      farthest = max(farthest, row.distance)
    }
    hits.sort { ($0.distance, $0.rowID) < ($1.distance, $1.rowID) }
    var report = LastSearch(index: index, stream)
    if hits.count >= wanted { report.isComplete = true }
    return (hits.prefix(wanted), report)
  }
}
