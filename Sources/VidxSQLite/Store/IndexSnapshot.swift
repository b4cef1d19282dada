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
  private let table: String
  private let segments: [LiveSegment]
  private let delta: DeltaCache?

  fileprivate struct LiveSegment {
    let index: SegmentIndex
    /// nil when all rows live.
    let filter: EntryFilter?
    let liveCount: Int
  }

  fileprivate init(
    table: String, configuration: IndexConfiguration, segments: [LiveSegment], delta: DeltaCache?, rowCount: Int
  ) {
    self.table = table
    self.configuration = configuration
    self.segments = segments
    self.delta = delta
    self.rowCount = rowCount
  }

  /// IVFFlat: the lists of the segment that has most; 0 for other kinds.
  package var listCount: Int {
    configuration.kind == .ivfflat ? segments.map { $0.index.configuration.lists }.max() ?? 0 : 0
  }

  /// Makes a query of `configuration.dimensions` floats ready.
  package func prepare(_ query: UnsafeBufferPointer<Float>) throws(StoreError) -> PreparedQuery {
    do throws(VectorError) {
      return unsafe try PreparedQuery(query, dimensions: configuration.dimensions, metric: configuration.metric)
    } catch { throw .query(error) }
  }

  /// The k nearest rows, or all when they are fewer: nearest first, at equal distances the smaller row id first.
  /// - Throws: `StoreError.segment` when a file is damaged.
  package func search(
    _ query: PreparedQuery, k: Int, parameters: SearchParameters, counters: inout SearchCounters
  ) throws(StoreError) -> [Hit] {
    let memory = SearchMemory()
    let count = try search(query, k: k, parameters: parameters, in: memory, counters: &counters)
    return unsafe Array(UnsafeBufferPointer(start: memory.hits, count: count))
  }

  /// The same for a vector, in memory of the caller, who uses it again: allocates nothing then.
  /// - Returns: the hits, until the memory is used again.
  package func search(
    _ vector: UnsafeBufferPointer<Float>, k: Int, parameters: SearchParameters, in memory: SearchMemory,
    counters: inout SearchCounters
  ) throws(StoreError) -> UnsafeBufferPointer<Hit> {
    do throws(VectorError) { unsafe try memory.prepare(vector, configuration) } catch { throw .query(error) }
    let count = try search(memory.query, k: k, parameters: parameters, in: memory, counters: &counters)
    return unsafe UnsafeBufferPointer(start: memory.hits, count: count)
  }

  /// Leaves the hits in the memory.
  /// - Returns: how many there are.
  private func search(
    _ query: PreparedQuery, k: Int, parameters: SearchParameters, in memory: SearchMemory,
    counters: inout SearchCounters
  ) throws(StoreError) -> Int {
    let k = min(k, rowCount)
    if k <= 0 { return 0 }
    memory.reserve(segments.reduce(0) { $0 + min(k, $1.index.entryCount) })
    var count = 0
    for segment in segments {
      count += unsafe try search(segment, query, k, parameters, into: memory.hits + count, &counters)
    }
    let hasDelta = (delta?.slotCount ?? 0) > 0
    // One segment and nothing beside it is the usual state: its hits are the answer.
    if segments.count == 1, !hasDelta { return count }
    memory.nearest.reset(k: k)
    for i in 0..<count { unsafe memory.nearest.offer(memory.hits[i]) }
    if hasDelta { delta?.search(query, filter: nil, nearest: &memory.nearest, counters: &counters) }
    memory.reserve(k)
    return unsafe memory.nearest.move(to: memory.hits)
  }

  /// The k nearest rows to each of many queries, which share the reading of vectors where those are scanned.
  /// - Returns: one answer for each query, in their order; each is that of `search` for the query alone.
  /// - Throws: as `search`.
  package func search(
    _ queries: [PreparedQuery], k: Int, parameters: SearchParameters, threads: Int
  ) throws(StoreError) -> [[Hit]] {
    let k = min(k, rowCount)
    var found = [[Hit]](repeating: [], count: queries.count)
    if k <= 0 { return found }
    for segment in segments {
      do throws(SegmentError) {
        let answers = try segment.index.searchAll(
          queries, k: k, parameters: parameters, filter: segment.filter, passing: segment.liveCount, threads: threads)
        for i in found.indices { found[i] += answers[i] }
      } catch { throw .segment(index: table, error) }
    }
    guard let delta, delta.slotCount > 0 else { return segments.count == 1 ? found : found.map { Self.nearest($0, k) } }
    let new = Parallel.map(queries.count, threads: threads) { i in
      var nearest = TopK(k: k)
      var counters = SearchCounters()
      self.delta?.search(queries[i], filter: nil, nearest: &nearest, counters: &counters)
      return nearest.sorted()
    }
    return zip(found, new).map { Self.nearest($0 + $1, k) }
  }

  private static func nearest(_ hits: [Hit], _ k: Int) -> [Hit] { Array(hits.sorted(by: Hit.isNearer).prefix(k)) }

  private func search(
    _ segment: LiveSegment, _ query: PreparedQuery, _ k: Int, _ parameters: SearchParameters,
    into hits: UnsafeMutablePointer<Hit>, _ counters: inout SearchCounters
  ) throws(StoreError) -> Int {
    do throws(SegmentError) {
      return unsafe try segment.index.searchAll(
        query, k: k, parameters: parameters, filter: segment.filter, passing: segment.liveCount, into: hits,
        counters: &counters)
    } catch { throw .segment(index: table, error) }
  }
}

extension IndexStore {
  /// The state last refreshed to.
  func snapshot() throws -> IndexSnapshot {
    try settling {
      let segments = try views.filter { $0.liveCount > 0 }.map {
        IndexSnapshot.LiveSegment(index: $0.index, filter: try $0.filter(), liveCount: $0.liveCount)
      }
      return IndexSnapshot(
        table: table, configuration: definition.configuration, segments: segments, delta: delta?.cache,
        rowCount: liveCount)
    }
  }
}
