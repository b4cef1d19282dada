package import VidxIndexes
import VidxSegments
import VidxVectors

extension IndexStore {
  /// The k nearest rows, or all that match when they are fewer.
  /// - Throws: `StoreError.otherModel`, `.query`, `.invalidCount`, `.segment` when a file is missing or damaged;
  ///   `SQLiteError`.
  package func search(_ request: StoreRequest) throws -> StoreAnswer {
    if let cursor = request.after { return try page(request, after: cursor) }
    var request = request
    request.parameters = stoppable(request.parameters)
    guard request.within != nil, request.k > Self.firstWithin else { return try searchAtOnce(request) }
    try refreshToSearch()
    guard scoresAll(request) else { return try searchAtOnce(request) }
    // Who wants all within a distance names a large k. Few may be there, and then few have to be sorted out.
    var part = request
    part.parameters.exact = true
    part.k = Self.firstWithin
    var counters = SearchCounters()
    while true {
      var answer = try searchAtOnce(part)
      counters += answer.counters
      if answer.hits.count < part.k || part.k == request.k {
        answer.counters = counters
        return answer
      }
      part.k = min(part.k * 16, request.k)
    }
  }

  /// Rows that are looked for first within a distance; then sixteen times as many.
  private static let firstWithin = 64

  /// So large a k that every row is scored whatever the kind, or that is asked for.
  private func scoresAll(_ request: StoreRequest) -> Bool {
    request.parameters.isExact || definition.configuration.kind == .flat
      || (request.parameters.plan == nil && request.k >= liveCount)
  }

  private func searchAtOnce(_ request: StoreRequest) throws -> StoreAnswer {
    try check(request)
    let query = try prepare(request.query)
    try refreshToSearch()
    let filter = try resolve(request)
    let search = StoreSearch(request: request, filter: filter, query: query, rowCount: liveCount)
    for view in views { try search.add(view, of: self) }
    if search.plan != .exact { delta?.code() }
    if let delta { try settling { try search.add(delta.cache) } }
    return search.answer(metric: definition.configuration.metric)
  }

  /// The nearest rows to each of many queries, on one state of the index.
  /// - Returns: one answer for each query, in their order; each is that of `search` for the query alone.
  /// - Throws: as `search`; for the first query of those that cannot be searched for.
  package func search(_ batch: StoreBatch) throws -> [StoreAnswer] {
    let shared = StoreRequest(
      query: [], k: batch.k, filter: batch.filter, within: batch.within, parameters: stoppable(batch.parameters),
      model: batch.model)
    if let cursor = batch.after {
      return try batch.queries.map { query in
        var request = shared
        request.query = query
        request.prepared = batch.prepared
        return try page(request, after: cursor)
      }
    }
    try check(shared)
    let queries = try batch.queries.map { query in try prepare(query) }
    try refreshToSearch()
    let count = liveCount
    let filter = try resolve(StoreRequest(query: [], filter: batch.filter, prepared: batch.prepared))
    let searches = queries.map { StoreSearch(request: shared, filter: filter, query: $0, rowCount: count) }
    if min(batch.k, count) > 0 {
      for view in views { try settling { try add(view, to: searches, queries, threads: batch.threads) } }
      if searches.contains(where: { $0.plan != .exact }) { delta?.code(wholly: true) }
      if let delta { try settling { try add(delta.cache, to: searches, queries, threads: batch.threads) } }
    }
    return searches.map { $0.answer(metric: definition.configuration.metric) }
  }

  private func add(
    _ view: SegmentView, to searches: [StoreSearch], _ queries: [PreparedQuery], threads: Int
  ) throws {
    guard let first = searches.first, let passing = try passing(first.filter, in: view) else { return }
    let answers = try view.index.search(
      queries, k: first.k, parameters: first.request.parameters, filter: passing.rows, threads: threads)
    for (search, answer) in zip(searches, answers) {
      search.counters += answer.counters
      try search.add(answer.answer, of: view, passing)
    }
  }

  private func add(
    _ delta: DeltaCache, to searches: [StoreSearch], _ queries: [PreparedQuery], threads: Int
  ) throws(SegmentError) {
    guard let first = searches.first, delta.slotCount > 0 else { return }
    let found = try delta.search(
      queries, k: first.k, beside: searches.map { (hits: $0.hits, isExact: $0.plan == .exact) },
      passing: first.filter?.deltaSlots, stop: first.request.parameters.stop, threads: threads)
    for (search, found) in zip(searches, found) {
      search.hits = found.hits
      search.counters += found.counters
    }
  }

  /// Rows in order of distance, as many as are asked for; `StoreStream` says how exactly they are ordered.
  /// - Throws: as `search`.
  package func stream(_ request: StoreRequest) throws -> StoreStream {
    try check(request)
    let parameters = stoppable(request.parameters)
    // A graph's stream walks the graph.
    if request.parameters.plan == .lists, !request.parameters.isExact, definition.configuration.kind == .hnsw {
      throw StoreError.planOfStream(.lists)
    }
    let query = try prepare(request.query)
    try refresh(includingDelta: true)
    let prepared = try resolve(request)
    var sources: [StoreStream.Source] = []
    var plan = StorePlan.exact
    for view in views {
      guard let filter = try settling({ try passing(prepared, in: view) }) else { continue }
      let stream = view.index.stream(query, parameters: parameters, filter: filter.rows)
      if !stream.isExact { plan = approximatePlan(isFiltered: prepared != nil) }
      sources.append(.segment(stream, isOrdered: stream.isExact))
    }
    var counters = SearchCounters()
    if let delta {
      let hits = try settling {
        try delta.cache.hits(query, passing: prepared?.deltaSlots, stop: parameters.stop, counters: &counters)
      }
      sources.append(.delta(HitHeap(hits)))
    }
    return StoreStream(
      self, metric: definition.configuration.metric, within: request.within, plan: plan,
      filter: prepared.map { FilterReport($0) },
      sources: sources, counters: counters)
  }

  var liveCount: Int { (settled?.liveCount ?? 0) + (delta?.cache.count ?? 0) }

  private func approximatePlan(isFiltered: Bool) -> StorePlan {
    switch definition.configuration.kind {
    case .flat: .exact
    case .hnsw: isFiltered ? .filteredGraph : .graph
    case .ivfflat: isFiltered ? .filteredLists : .lists
    }
  }

  /// Refuses vectors that are said to be of another model than the index's; see `IndexDefinition.check`.
  package func check(model: String?) throws(StoreError) { try definition.check(model: model, of: table) }

  func check(_ request: StoreRequest) throws(StoreError) {
    try check(model: request.model)
    guard request.k >= 0 else { throw .invalidCount(name: "k", value: request.k) }
    if let ef = request.parameters.efSearch, ef < 1 { throw .invalidCount(name: "ef_search", value: ef) }
    if let recall = request.parameters.targetRecall, !(recall > 0 && recall <= 1) {
      throw .invalidTargetRecall(recall)
    }
    if let probes = request.parameters.probes, probes < 1 { throw .invalidCount(name: "probes", value: probes) }
    try request.parameters.checkPlan(of: definition.configuration)
  }

  func prepare(_ query: [Float]) throws(StoreError) -> PreparedQuery {
    do throws(VectorError) {
      return try PreparedQuery(
        query, dimensions: definition.configuration.dimensions, metric: definition.configuration.metric)
    } catch {
      throw .query(error)
    }
  }

  /// The rows of a segment that may be returned; nil when there are none.
  func passing(
    _ filter: PreparedFilter?, in view: SegmentView
  ) throws -> (rows: EntryFilter?, count: Int)? {
    if view.liveCount == 0 { return nil }
    guard let filter else { return (try view.filter(), view.liveCount) }
    return filter.rows(of: view.index).map { ($0, $0.entryCount) }
  }

  /// What restricts the rows of a request, for the state last refreshed to.
  func resolve(_ request: StoreRequest) throws -> PreparedFilter? {
    if let prepared = request.prepared {
      precondition(prepared.state == state, "a filter that was prepared for another state of the index")
      return prepared
    }
    if request.filter == nil, request.rowRange == nil {
      if request.conditions.isEmpty { return nil }
      return try filters.conditionSets.rows(passing: request.conditions, of: state) {
        try preparedFilter(rowIDs: nil, conditions: request.conditions)
      }
    }
    return try preparedFilter(
      rowIDs: request.filter, conditions: request.conditions, rowRange: request.rowRange)
  }
}

extension SearchParameters {
  /// - Throws: `StoreError.missingPlan`.
  package func checkPlan(of configuration: IndexConfiguration) throws(StoreError) {
    if let plan, !configuration.has(plan) { throw .missingPlan(plan, configuration) }
  }
}

/// One search in progress: asks the segments and the delta one by one and merges what they find.
///
/// A class because the optimiser of Swift 6.3.1 fails its own ownership check on the struct.
private final class StoreSearch {
  let request: StoreRequest
  let filter: PreparedFilter?
  let query: PreparedQuery
  /// As asked, but no more than there are rows: what is allocated depends on it.
  let k: Int
  var hits: [Hit] = []
  var counters = SearchCounters()
  var plan = SegmentPlan.exact

  init(request: StoreRequest, filter: PreparedFilter?, query: PreparedQuery, rowCount: Int) {
    self.request = request
    self.filter = filter
    self.query = query
    k = min(request.k, rowCount)
  }

  func add(_ view: SegmentView, of store: IndexStore) throws {
    if k == 0 { return }
    try store.settling { try search(view, of: store) }
  }

  private func search(_ view: SegmentView, of store: IndexStore) throws {
    guard let passing = try store.passing(filter, in: view) else { return }
    let answer = try view.index.search(
      query, k: k, parameters: request.parameters, filter: passing.rows, counters: &counters)
    try add(answer, of: view, passing)
  }

  /// Takes over what a segment answered.
  func add(_ answer: SegmentAnswer, of view: SegmentView, _ passing: (rows: EntryFilter?, count: Int)) throws {
    if answer.exact || answer.hits.count >= min(k, passing.count) {
      if !answer.exact { plan = answer.plan }
      hits += answer.hits
      return
    }
    // A graph may be torn and lists may run out: whoever asks for k rows gets them when there are as many.
    hits += try view.index.searchExact(
      query, k: k, filter: passing.rows, stop: request.parameters.stop, counters: &counters)
  }

  func add(_ delta: DeltaCache) throws(SegmentError) {
    if k == 0 || delta.slotCount == 0 { return }
    var nearest = TopK(k: k)
    for hit in hits { nearest.offer(hit) }
    try delta.search(
      query, passing: filter?.deltaSlots, mustBeExact: plan == .exact, stop: request.parameters.stop,
      nearest: &nearest, counters: &counters)
    hits = nearest.sorted()
  }

  func answer(metric: Metric) -> StoreAnswer {
    hits.sort(by: Hit.isNearer)
    metric.orderTies(&hits)
    var found: [StoreHit] = []
    found.reserveCapacity(min(k, hits.count))
    for hit in hits.prefix(k) {
      let distance = metric.distance(fromScore: hit.score)
      if let within = request.within, distance > within { break }
      found.append(StoreHit(rowID: hit.rowID, distance: distance))
    }
    let plan = StorePlan(plan, isFiltered: filter != nil)
    // An approximate search may have missed rows within the distance.
    let isComplete = plan == .exact || request.within == nil || found.count == k
    return StoreAnswer(
      hits: found, plan: plan, complete: isComplete, counters: counters, filter: filter.map { FilterReport($0) })
  }
}
