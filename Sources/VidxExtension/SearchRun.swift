import CVidxExtension
import VidxIndexes
import VidxSQLite
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Queries and the places for their results, in the caller's memory.
@safe struct QueryBatch: @unchecked Sendable {
  // @unchecked: every query is searched by one thread, which writes to its places only.
  let queries: UnsafeBufferPointer<Float>
  let dimensions: Int
  let ids: UnsafeMutablePointer<Int64>?
  let distances: UnsafeMutablePointer<Float>?

  func query(_ i: Int) -> UnsafeBufferPointer<Float> {
    unsafe UnsafeBufferPointer(rebasing: queries[i * dimensions..<(i + 1) * dimensions])
  }
}

/// One state of an index and how to search it, checked.
struct SearchRun: Sendable {
  private let index: OpenIndex
  let snapshot: IndexSnapshot
  /// nil for all rows.
  private let filter: PreparedFilter?
  private let isFilterCached: Bool
  /// The search has been made already.
  private let answer: StoreAnswer?
  let k: Int
  let parameters: SearchParameters
  /// Only rows at this distance or nearer.
  private let within: Float?
  /// Only rows after this one: a page.
  private let after: StoreCursor?

  private static let kLimits = 1...1_000_000

  init(
    _ index: OpaquePointer?, k: Int, dimensions: Int, settings: UnsafePointer<vidx_search_settings>?,
    query: UnsafeBufferPointer<Float>? = nil
  ) throws {
    let index = try unsafe OpenIndex.of(index)
    self.index = index
    try Self.check("k", k, in: Self.kLimits)
    self.k = k
    let settings = unsafe settings?.pointee ?? vidx_search_settings()
    let (parameters, within, after) = try unsafe (
      Self.parameters(settings), Self.bound(settings), Self.cursor(settings)
    )
    (self.parameters, self.within, self.after) = (parameters, within, after)
    guard let wanted = unsafe settings.filter else {
      (snapshot, filter, isFilterCached, answer) = (try index.snapshot(), nil, false, nil)
      try unsafe Self.check(settings, dimensions, parameters, snapshot)
      return
    }
    // Of another model, a query says so before it fails for what it does not share with the index.
    if unsafe settings.model != nil { try unsafe Self.checkModel(settings, index.snapshot()) }
    // The caller's floats are read next: as many as the index has, whatever the caller says.
    if unsafe query != nil, dimensions != index.firstDimensions {
      try Self.checkDimensions(dimensions, index.snapshot())
    }
    let open = try unsafe OpenFilter.of(wanted, for: index)
    let begun =
      if let query = unsafe query {
        try open.begin(
          unsafe StoreRequest(query: Array(query), k: k, within: within, after: after, parameters: parameters),
          unsafe SearchLimits(settings))
      } else {
        IndexReader.Begun.resolved(try open.resolve(unsafe SearchLimits(settings)))
      }
    switch begun {
    case .resolved(let resolved):
      (snapshot, filter, isFilterCached, answer) = (resolved.snapshot, resolved.filter, resolved.isCached, nil)
    case .answered(let answer, let snapshot):
      (self.snapshot, filter, isFilterCached, self.answer) = (snapshot, nil, false, answer)
    }
    try unsafe Self.check(settings, dimensions, parameters, snapshot)
  }

  /// Sees that the index can be asked so, in the state to be searched: another process may have made it again as
  /// another kind, or of another model.
  private static func check(
    _ settings: vidx_search_settings, _ dimensions: Int, _ parameters: SearchParameters, _ snapshot: IndexSnapshot
  ) throws(StoreError) {
    try unsafe checkModel(settings, snapshot)
    try checkDimensions(dimensions, snapshot)
    try parameters.checkPlan(of: snapshot.configuration)
  }

  private static func checkDimensions(_ dimensions: Int, _ snapshot: IndexSnapshot) throws(StoreError) {
    let expected = snapshot.configuration.dimensions
    guard dimensions == expected else {
      throw .query(.dimensionMismatch(expected: expected, actual: dimensions))
    }
  }

  private static func checkModel(_ settings: vidx_search_settings, _ snapshot: IndexSnapshot) throws(StoreError) {
    guard let name = unsafe settings.model else { return }
    // The right name is compared as it is: a string of it would take memory.
    let bytes = unsafe UnsafeBufferPointer(start: name, count: strlen(name))
    if let model = snapshot.model, unsafe model.utf8.elementsEqual(bytes, by: { $0 == UInt8(bitPattern: $1) }) {
      return
    }
    try snapshot.check(model: unsafe String(cString: name))
  }

  private static func parameters(_ settings: vidx_search_settings) throws(Failure) -> SearchParameters {
    let (efSearch, probes) = unsafe (Int(settings.ef_search), Int(settings.probes))
    let recall = unsafe settings.target_recall
    let timeout = unsafe settings.timeout
    guard timeout >= 0 else {
      throw Failure(VIDX_BAD_ARGUMENT, "timeout is \(timeout); give seconds above 0, or 0 for any time")
    }
    var parameters = SearchParameters(exact: unsafe settings.exact != 0)
    if let cancel = unsafe settings.cancel {
      parameters.stop = unsafe SearchStop(context: settings.cancel_context, cancel)
    }
    parameters.plan = try plan(unsafe settings.plan)
    if efSearch != 0 {
      try check("ef_search", efSearch, in: IndexLimits.efSearch)
      parameters.efSearch = efSearch
    }
    if probes != 0 {
      try check("probes", probes, in: 1...IndexLimits.lists.upperBound)
      parameters.probes = probes
    }
    if recall != 0 {
      guard recall > 0, recall <= 1 else {
        throw Failure(VIDX_BAD_ARGUMENT, "target_recall is \(recall); give a number above 0, and at most 1")
      }
      parameters.targetRecall = Double(recall)
    }
    return parameters
  }

  private static func bound(_ settings: vidx_search_settings) throws(Failure) -> Float? {
    guard let within = unsafe settings.within?.pointee else { return nil }
    guard !within.isNaN else {
      throw Failure(VIDX_BAD_ARGUMENT, "within is not a number; give the distance to stay within")
    }
    return StoreRequest.bound(within)
  }

  private static func cursor(_ settings: vidx_search_settings) throws(Failure) -> StoreCursor? {
    guard let after = unsafe settings.after?.pointee else { return nil }
    guard !after.distance.isNaN else {
      throw Failure(VIDX_BAD_ARGUMENT, "after has a distance that is not a number; give that of the last row")
    }
    return StoreCursor(distance: after.distance, rowID: after.id)
  }

  private static func plan(_ number: UInt32) throws(Failure) -> SegmentPlan? {
    switch Int(number) {
    case VIDX_PLAN_CHOSEN: nil
    case VIDX_PLAN_EXACT: .exact
    case VIDX_PLAN_GRAPH: .graph
    case VIDX_PLAN_LISTS: .lists
    default: throw Failure(VIDX_BAD_ARGUMENT, "plan is \(number); give one of VIDX_PLAN_CHOSEN to VIDX_PLAN_LISTS")
    }
  }

  private static func check(_ name: String, _ value: Int, in range: ClosedRange<Int>) throws(Failure) {
    if range.contains(value) { return }
    throw Failure(
      VIDX_BAD_ARGUMENT, "\(name) is \(value); give a number from \(range.lowerBound) to \(range.upperBound)")
  }

  /// Writes the nearest rows to the caller's memory. Allocates nothing once there have been searches like it, unless
  /// the database has a write-ahead log and is asked for its state.
  /// - Returns: how many there are.
  func search(
    _ query: UnsafeBufferPointer<Float>, _ ids: UnsafeMutablePointer<Int64>?,
    _ distances: UnsafeMutablePointer<Float>?, _ told: inout vidx_search_report
  ) throws(StoreError) -> Int {
    if let answer {
      unsafe write(answer.hits, ids, distances)
      unsafe told = self.told(answer.plan, answer.complete, answer.filter, answer.counters)
      return answer.hits.count
    }
    if let after {
      var report = SearchReport()
      let hits = unsafe try snapshot.page(
        snapshot.prepare(query), k: k, after: after, within: within, filter: filter, stop: parameters.stop,
        report: &report)
      unsafe write(hits, ids, distances)
      unsafe told = self.told(report.plan, report.complete, report.filter, report.counters)
      return hits.count
    }
    let memory = index.memories.take() ?? SearchMemory()
    defer { index.memories.give(memory) }
    var report = SearchReport()
    let hits = unsafe try snapshot.search(
      query, k: k, parameters: parameters, filter: filter, within: within, in: memory, report: &report)
    unsafe write(hits, ids, distances)
    unsafe told = self.told(report.plan, report.complete, report.filter, report.counters)
    return hits.count
  }

  /// - Throws: the error of the query that comes first among those that cannot be searched for.
  func search(_ batch: QueryBatch, count: Int, threads: Int, _ told: inout vidx_search_report) throws {
    let part = 64
    let prepared = Parallel.map((count + part - 1) / part, threads: threads) { number in
      Result { () throws(Failure) in try prepare(number * part..<min((number + 1) * part, count), of: batch) }
    }
    var queries: [PreparedQuery] = []
    queries.reserveCapacity(count)
    for part in prepared { queries += try part.get() }
    var report = SearchReport()
    let found = try answers(queries, threads: threads, &report)
    unsafe told = self.told(report.plan, report.complete, report.filter, report.counters)
    for (i, hits) in found.enumerated() {
      let ids = unsafe batch.ids.map { unsafe $0 + i * k }
      let distances = unsafe batch.distances.map { unsafe $0 + i * k }
      unsafe write(hits, ids, distances)
      for j in hits.count..<k {
        unsafe ids?[j] = -1
        unsafe distances?[j] = .infinity
      }
    }
  }

  private func answers(
    _ queries: [PreparedQuery], threads: Int, _ report: inout SearchReport
  ) throws(StoreError) -> [[StoreHit]] {
    guard let after else {
      let metric = snapshot.configuration.metric
      return try snapshot.search(
        queries, k: k, parameters: parameters, filter: filter, within: within, threads: threads, report: &report
      ).map { hits in
        hits.map { StoreHit(rowID: $0.rowID, distance: metric.distance(fromScore: $0.score)) }
      }
    }
    var pages: [[StoreHit]] = []
    var counters = SearchCounters()
    for query in queries {
      pages.append(
        try snapshot.page(
          query, k: k, after: after, within: within, filter: filter, stop: parameters.stop, report: &report))
      counters += report.counters
    }
    report.counters = counters
    return pages
  }

  private func prepare(_ range: Range<Int>, of batch: QueryBatch) throws(Failure) -> [PreparedQuery] {
    var queries: [PreparedQuery] = []
    queries.reserveCapacity(range.count)
    for i in range {
      do throws(StoreError) { try unsafe queries.append(snapshot.prepare(batch.query(i))) } catch {
        let reason = Failure(error)
        throw Failure(reason.code, "query \(i) (counted from 0): \(reason.message)")
      }
    }
    return queries
  }

  private func told(
    _ plan: StorePlan, _ complete: Bool, _ filter: FilterReport?, _ counters: SearchCounters
  ) -> vidx_search_report {
    var told = unsafe vidx_search_report()
    unsafe told.plan = PlanTexts.text(of: plan)
    unsafe told.exact = plan == .exact ? 1 : 0
    unsafe told.complete = complete ? 1 : 0
    if let filter {
      unsafe told.filtered = 1
      unsafe told.filter_cached = isFilterCached ? 1 : 0
      unsafe told.rows_yielded = UInt64(filter.rowsYielded)
      unsafe told.rows_without_vector = filter.rowsWithoutVector.map { UInt64($0) } ?? .max
      unsafe told.rows_checked = UInt64(filter.rowsChecked)
    }
    unsafe told.rows_scored = UInt64(counters.rowsScored)
    unsafe told.distance_computations = UInt64(counters.distanceComputations)
    return unsafe told
  }

  private func write(
    _ hits: UnsafeBufferPointer<Hit>, _ ids: UnsafeMutablePointer<Int64>?, _ distances: UnsafeMutablePointer<Float>?
  ) {
    let metric = snapshot.configuration.metric
    if let ids = unsafe ids { for i in 0..<hits.count { unsafe ids[i] = hits[i].rowID } }
    if let distances = unsafe distances {
      for i in 0..<hits.count { unsafe distances[i] = metric.distance(fromScore: hits[i].score) }
    }
  }

  private func write(
    _ hits: [StoreHit], _ ids: UnsafeMutablePointer<Int64>?, _ distances: UnsafeMutablePointer<Float>?
  ) {
    for (i, hit) in hits.enumerated() {
      unsafe ids?[i] = hit.rowID
      unsafe distances?[i] = hit.distance
    }
  }
}

extension SearchLimits {
  /// - Parameter settings: with a timeout that has been checked.
  init(_ settings: vidx_search_settings) {
    self.init(seconds: unsafe settings.timeout == 0 ? nil : settings.timeout)
    guard let cancel = unsafe settings.cancel else { return }
    let context = unsafe settings.cancel_context
    isCancelled = { unsafe cancel(context) != 0 }
  }
}

/// The names of plans, as C strings that live as long as the library.
@safe private struct PlanTexts: @unchecked Sendable {
  // @unchecked: written once.
  private let texts: [UnsafeMutablePointer<CChar>?]
  private let plans = StorePlan.allCases
  private static let all = PlanTexts()

  private init() { unsafe texts = plans.map { unsafe vidx_copy_text($0.rawValue) } }

  static func text(of plan: StorePlan) -> UnsafePointer<CChar>? {
    for i in all.plans.indices where all.plans[i] == plan { return unsafe UnsafePointer(all.texts[i]) }
    return nil
  }
}
