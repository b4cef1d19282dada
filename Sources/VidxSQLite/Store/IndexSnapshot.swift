package import VidxIndexes
internal import VidxSegments
package import VidxVectors

/// One state of an index, for any number of searches from any number of threads. Immutable: what is committed later is
/// in a later snapshot. Files it needs stay readable while it lives.
package final class IndexSnapshot: @unchecked Sendable {
  // @unchecked: the delta is a class that can change, and does not while this object has it (IndexReader).

  package let configuration: IndexConfiguration
  /// Rows, those with a zero vector included.
  package let rowCount: Int
  package let filterColumns: [FilterColumn]
  /// The model that all vectors are of; nil when none was named.
  package var model: String? { definition.model }
  private let definition: IndexDefinition
  private let textOrder: TextOrder
  private let table: String
  private let state: IndexState
  private let segments: [LiveSegment]
  private let delta: DeltaCache?
  /// Of the delta.
  private let slotCount: Int

  fileprivate struct LiveSegment {
    let index: SegmentIndex
    /// nil when all rows live.
    let filter: EntryFilter?
    let liveCount: Int
  }

  fileprivate init(
    table: String, definition: IndexDefinition, textOrder: TextOrder, state: IndexState, segments: [LiveSegment],
    delta: DeltaCache?, rowCount: Int
  ) {
    self.table = table
    self.textOrder = textOrder
    self.state = state
    configuration = definition.configuration
    filterColumns = definition.filterColumns
    self.definition = definition
    self.segments = segments
    self.delta = delta
    slotCount = delta?.slotCount ?? 0
    self.rowCount = rowCount
  }

  /// IVFFlat: the lists of the segment that has most; 0 for other kinds.
  package var listCount: Int {
    configuration.kind == .ivfflat ? segments.map { $0.index.configuration.lists }.max() ?? 0 : 0
  }

  /// Refuses a query that is said to be of another model than the index's.
  /// - Parameter named: nil for none, and nothing is checked.
  /// - Throws: `StoreError.otherModel`.
  package func check(model named: String?) throws(StoreError) { try definition.check(model: named, of: table) }

  /// Makes a query of `configuration.dimensions` floats ready.
  package func prepare(_ query: UnsafeBufferPointer<Float>) throws(StoreError) -> PreparedQuery {
    do throws(VectorError) {
      return unsafe try PreparedQuery(query, dimensions: configuration.dimensions, metric: configuration.metric)
    } catch { throw .query(error) }
  }

  /// Resolves row ids for searches of this snapshot.
  /// - Parameter rowIDs: ascending and distinct; those that are not in the index are counted and ignored.
  /// - Complexity: O(row ids x log gap), and O(rows / 64).
  package func prepare(rowIDs: [Int64]) throws(StoreError) -> PreparedFilter {
    try prepare(FilterPreparation(rowIDs: rowIDs))
  }

  /// Resolves a filter for searches of this snapshot.
  /// - Parameter textRows: of each of its texts the row ids, ascending and distinct.
  /// - Throws: `StoreError.noFilterColumn`; `.segment` when a file is damaged.
  /// - Complexity: as `prepare(rowIDs:)` for each; of conditions as `FilterColumns.entries` says; O(delta).
  package func prepare(_ terms: FilterTerms, textRows: [[Int64]] = []) throws(StoreError) -> PreparedFilter {
    var conditions: [FilterCondition] = []
    for condition in terms.conditions {
      conditions.append(
        FilterCondition(try filterColumn(condition.column), condition.test, textOrder: textOrder))
    }
    var found: PreparedFilter?
    if terms.rowIDs != nil || !conditions.isEmpty || textRows.isEmpty {
      found = try prepare(FilterPreparation(rowIDs: terms.rowIDs, conditions: conditions))
    }
    for ids in textRows {
      let rows = try prepare(rowIDs: ids)
      guard let other = found else {
        found = rows
        continue
      }
      do throws(SegmentError) { found = try rows.intersection(other) } catch { throw .segment(index: table, error) }
    }
    guard let found else { preconditionFailure("a filter of nothing") }
    return found
  }

  /// The position of a filter column; its name in any case.
  /// - Throws: `StoreError.noFilterColumn`.
  package func filterColumn(_ name: String) throws(StoreError) -> Int {
    if let position = filterColumns.position(of: name) { return position }
    throw .noFilterColumn(index: table, column: name, known: filterColumns.map(\.name))
  }

  private func prepare(_ preparation: FilterPreparation) throws(StoreError) -> PreparedFilter {
    do throws(SegmentError) {
      for segment in segments { try preparation.add(segment.index, live: segment.filter?.entries) }
      if let delta { delta.reading { preparation.add(delta) } }
      return preparation.finish(state: state)
    } catch { throw .segment(index: table, error) }
  }

  func isOf(_ state: IndexState) -> Bool { self.state == state }

  /// The filter was prepared for the state that this snapshot shows.
  package func isState(of filter: PreparedFilter) -> Bool { filter.state == state }

  /// The k nearest rows, or all when they are fewer: nearest first, at equal distances the smaller row id first.
  /// - Throws: `StoreError.segment` when a file is damaged.
  package func search(
    _ query: PreparedQuery, k: Int, parameters: SearchParameters, filter: PreparedFilter? = nil,
    counters: inout SearchCounters
  ) throws(StoreError) -> [Hit] {
    let memory = SearchMemory()
    var report = SearchReport()
    let count = try search(query, k: k, parameters: parameters, filter: filter, in: memory, report: &report)
    counters += report.counters
    let hits = unsafe UnsafeMutableBufferPointer(start: memory.hits, count: count)
    unsafe configuration.metric.orderTies(hits)
    return unsafe Array(hits)
  }

  /// The same for a vector, in memory of the caller, who uses it again: allocates nothing then.
  /// - Parameters:
  ///   - filter: prepared for the state of this snapshot.
  ///   - within: only rows at this distance or nearer.
  ///   - report: becomes that of this search.
  /// - Returns: the hits, until the memory is used again.
  package func search(
    _ vector: UnsafeBufferPointer<Float>, k: Int, parameters: SearchParameters, filter: PreparedFilter? = nil,
    within: Float? = nil, in memory: SearchMemory, report: inout SearchReport
  ) throws(StoreError) -> UnsafeBufferPointer<Hit> {
    do throws(VectorError) { unsafe try memory.prepare(vector, configuration) } catch { throw .query(error) }
    let count = try search(memory.query, k: k, parameters: parameters, filter: filter, in: memory, report: &report)
    let hits = unsafe UnsafeMutableBufferPointer(start: memory.hits, count: count)
    unsafe configuration.metric.orderTies(hits)
    guard let within else { return UnsafeBufferPointer(hits) }
    let near = unsafe UnsafeBufferPointer(rebasing: hits.prefix { isNear($0, within) })
    report.cut(to: near.count, k: k)
    return unsafe near
  }

  private func isNear(_ hit: Hit, _ within: Float) -> Bool {
    configuration.metric.distance(fromScore: hit.score) <= within
  }

  /// Leaves the hits in the memory.
  /// - Returns: how many there are.
  private func search(
    _ query: PreparedQuery, k: Int, parameters: SearchParameters, filter: PreparedFilter?, in memory: SearchMemory,
    report: inout SearchReport
  ) throws(StoreError) -> Int {
    report = SearchReport(filter)
    check(filter)
    let k = min(k, rowCount)
    if k <= 0 { return 0 }
    memory.reserve(segments.reduce(0) { $0 + min(k, $1.index.entryCount) })
    var count = 0
    for segment in segments {
      guard let passing = segment.passing(filter) else { continue }
      count += unsafe try search(segment.index, query, k, parameters, passing, into: memory.hits + count, &report)
    }
    let newRows = filter?.deltaSlots.count ?? slotCount
    // One segment and nothing beside it is the usual state: its hits are the answer.
    if segments.count == 1, newRows == 0 { return count }
    memory.nearest.reset(k: k)
    for i in 0..<count { unsafe memory.nearest.offer(memory.hits[i]) }
    if newRows > 0, let delta {
      do throws(SegmentError) {
        try delta.reading { () throws(SegmentError) in
          try delta.search(
            query, passing: filter?.deltaSlots, mustBeExact: report.exact, stop: parameters.stop,
            nearest: &memory.nearest, counters: &report.counters)
        }
      } catch { throw .segment(index: table, error) }
    }
    memory.reserve(k)
    return unsafe memory.nearest.move(to: memory.hits)
  }

  /// The nearest rows without a filter, `count` of them, searched as thoroughly as the k nearest under one would be.
  func candidates(_ count: Int, for request: StoreRequest) throws(StoreError) -> CheckedSearch.Candidates {
    let parameters = request.parameters.findingCandidates(
      count, k: request.k, kind: configuration.kind, of: rowCount)
    let memory = SearchMemory()
    var report = SearchReport()
    let prepared = unsafe request.query.withUnsafeBufferPointer { vector in
      Result { () throws(StoreError) in unsafe try prepare(vector) }
    }
    let found = try search(
      prepared.get(), k: count, parameters: parameters, filter: nil, in: memory, report: &report)
    let hits = unsafe UnsafeMutableBufferPointer(start: memory.hits, count: found)
    unsafe configuration.metric.orderTies(hits)
    var near: [StoreHit] = []
    near.reserveCapacity(found)
    for i in 0..<found {
      let hit = unsafe hits[i]
      let distance = configuration.metric.distance(fromScore: hit.score)
      if let within = request.within, distance > within { break }
      near.append(StoreHit(rowID: hit.rowID, distance: distance))
    }
    let nanoseconds = segments.reduce(0.0) { sum, segment in
      sum + (segment.index.estimates(k: count, parameters: parameters, filter: nil).first?.nanoseconds ?? 0)
    }
    let answer = StoreAnswer(hits: near, plan: report.plan, complete: true, counters: report.counters, filter: nil)
    return CheckedSearch.Candidates(count: count, answer: answer, nanoseconds: nanoseconds)
  }

  private func search(
    _ index: SegmentIndex, _ query: PreparedQuery, _ k: Int, _ parameters: SearchParameters, _ passing: PassingRows,
    into hits: UnsafeMutablePointer<Hit>, _ report: inout SearchReport
  ) throws(StoreError) -> Int {
    do throws(SegmentError) {
      let outcome = unsafe try index.search(
        query, k: k, parameters: parameters, filter: passing.filter, into: hits, counters: &report.counters)
      if outcome.exact || outcome.count >= min(k, passing.count) {
        report.add(outcome.plan)
        return outcome.count
      }
      // A graph may be torn and lists may run out: whoever asks for k rows gets them when there are as many.
      return unsafe try index.searchExact(
        query, k: k, filter: passing.filter, stop: parameters.stop, into: hits, counters: &report.counters)
    } catch { throw .segment(index: table, error) }
  }

  private func check(_ filter: PreparedFilter?) {
    guard let filter else { return }
    precondition(isState(of: filter), "a filter that was prepared for another state of the index")
  }

  /// The k nearest rows to each of many queries, which share the reading of vectors where those are scanned.
  /// - Parameters:
  ///   - within: only rows at this distance or nearer.
  ///   - report: becomes that of all searches together.
  /// - Returns: one answer for each query, in their order; each is that of `search` for the query alone.
  /// - Throws: as `search`.
  package func search(
    _ queries: [PreparedQuery], k: Int, parameters: SearchParameters, filter: PreparedFilter? = nil,
    within: Float? = nil, threads: Int, report: inout SearchReport
  ) throws(StoreError) -> [[Hit]] {
    report = SearchReport(filter)
    check(filter)
    var found = try nearest(queries, k: k, parameters: parameters, filter: filter, threads: threads, report: &report)
    for i in found.indices { configuration.metric.orderTies(&found[i]) }
    guard let within else { return found }
    for i in found.indices {
      found[i] = Array(found[i].prefix { isNear($0, within) })
      report.cut(to: found[i].count, k: k)
    }
    return found
  }

  /// Adds what a page takes of the segments and the delta.
  func add(to page: ExactPage, _ query: PreparedQuery, _ filter: PreparedFilter?) throws(StoreError) {
    check(filter)
    for segment in segments {
      guard let passing = segment.passing(filter) else { continue }
      do throws(SegmentError) { try page.add(segment.index, query, passing.filter) } catch {
        throw .segment(index: table, error)
      }
    }
    guard let delta else { return }
    do throws(SegmentError) {
      try delta.reading { () throws(SegmentError) in try page.add(delta, query, filter?.deltaSlots) }
    } catch { throw .segment(index: table, error) }
  }

  private func nearest(
    _ queries: [PreparedQuery], k: Int, parameters: SearchParameters, filter: PreparedFilter?, threads: Int,
    report: inout SearchReport
  ) throws(StoreError) -> [[Hit]] {
    let k = min(k, rowCount)
    var found = [(hits: [Hit], isExact: Bool)](repeating: ([], true), count: queries.count)
    if k <= 0 { return found.map(\.hits) }
    for segment in segments {
      guard let passing = segment.passing(filter) else { continue }
      do throws(SegmentError) {
        let answers = try segment.index.search(
          queries, k: k, parameters: parameters, filter: passing.filter, threads: threads)
        for i in found.indices {
          let whole = try complete(answers[i], segment.index, queries[i], k, passing, parameters.stop, &report)
          found[i].hits += whole.hits
          if whole.plan != .exact { found[i].isExact = false }
        }
      } catch { throw .segment(index: table, error) }
    }
    let slots = filter?.deltaSlots
    guard let delta, (slots?.count ?? slotCount) > 0 else {
      return segments.count == 1 ? found.map(\.hits) : found.map { Self.nearest($0.hits, k) }
    }
    do throws(SegmentError) {
      let new = try delta.reading { () throws(SegmentError) in
        try delta.search(
          queries, k: k, beside: found, passing: slots, stop: parameters.stop, threads: threads)
      }
      for new in new { report.counters += new.counters }
      return new.map(\.hits)
    } catch { throw .segment(index: table, error) }
  }

  /// The hits of a segment for one query of many, or, where they are too few, those of an exact search.
  private func complete(
    _ answer: BatchAnswer, _ index: SegmentIndex, _ query: PreparedQuery, _ k: Int, _ passing: PassingRows,
    _ stop: SearchStop?, _ report: inout SearchReport
  ) throws(SegmentError) -> (hits: [Hit], plan: SegmentPlan) {
    report.counters += answer.counters
    if answer.answer.exact || answer.answer.hits.count >= min(k, passing.count) {
      report.add(answer.answer.plan)
      return (answer.answer.hits, answer.answer.plan)
    }
    let hits = try index.searchExact(query, k: k, filter: passing.filter, stop: stop, counters: &report.counters)
    return (hits, .exact)
  }

  private static func nearest(_ hits: [Hit], _ k: Int) -> [Hit] { Array(hits.sorted(by: Hit.isNearer).prefix(k)) }
}

/// The rows of a segment that may be returned; there are some.
private struct PassingRows {
  /// nil for all.
  let filter: EntryFilter?
  let count: Int
}

extension IndexSnapshot.LiveSegment {
  /// nil when no row passes.
  fileprivate func passing(_ filter: PreparedFilter?) -> PassingRows? {
    guard let filter else { return PassingRows(filter: self.filter, count: liveCount) }
    return filter.rows(of: index).map { PassingRows(filter: $0, count: $0.entryCount) }
  }
}

extension IndexStore {
  /// The state last refreshed to.
  func snapshot() throws -> IndexSnapshot {
    try settling {
      let segments = try views.filter { $0.liveCount > 0 }.map {
        IndexSnapshot.LiveSegment(index: $0.index, filter: try $0.filter(), liveCount: $0.liveCount)
      }
      // Nobody else compares texts.
      let textOrder = definition.filterColumns.isEmpty ? .utf8 : try textOrder()
      return IndexSnapshot(
        table: table, definition: definition, textOrder: textOrder, state: state, segments: segments,
        delta: delta?.cache, rowCount: liveCount)
    }
  }
}
