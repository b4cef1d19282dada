package import VidxIndexes
import VidxSegments
import VidxVectors

/// Rows of an index, nearest first, one at a time. Belongs to one reader; sees the state in which it was made.
///
/// Every matching row comes exactly once. The order is exact when every segment is scanned (Flat, or `isExact`); from
/// graphs and lists a row that is met late comes when it is met, after rows that are slightly farther (pgvector's
/// "relaxed order").
package final class StoreStream {
  enum Source {
    case segment(SegmentStream, isOrdered: Bool)
    case delta(HitHeap)
  }

  private struct Lane {
    var source: Source
    var head: Hit?
    /// Rows in a row that were too far.
    var misses = 0
  }

  /// A graph or list hands out rows nearly in order: only so many in a row that are too far prove that no near one
  /// follows.
  private static let patience = 64

  /// What its sources ask whether to go on (`IndexStore.stoppable`).
  private let store: IndexStore
  private let metric: Metric
  private let within: Float?
  /// How the rows are found.
  let plan: StorePlan
  /// nil without a filter.
  private(set) var filter: FilterReport?
  private var isAtEnd = false
  /// The last row has come, and none within the distance can have been missed.
  var isComplete: Bool { isAtEnd && (within == nil || plan == .exact) }
  private var lanes: [Lane] = []
  private var own: SearchCounters
  private var isStarted = false

  init(
    _ store: IndexStore, metric: Metric, within: Float?, plan: StorePlan, filter: FilterReport?, sources: [Source],
    counters: SearchCounters
  ) {
    self.plan = plan
    self.filter = filter
    self.store = store
    self.metric = metric
    self.within = within
    own = counters
    lanes = sources.map { Lane(source: $0) }
  }

  /// The filter's rows are those of an earlier search.
  func noteCachedFilter() { filter?.isCached = true }

  /// What the search has done so far.
  package var counters: SearchCounters {
    var result = own
    for lane in lanes {
      if case .segment(let stream, _) = lane.source { result += stream.counters }
    }
    return result
  }

  /// The next row; nil at the end, or when no more rows are within the distance asked for.
  package func next() throws -> (rowID: Int64, distance: Float)? {
    if !isStarted {
      isStarted = true
      for i in lanes.indices { try advance(i) }
    }
    var nearest: (lane: Int, hit: Hit)?
    for (i, lane) in lanes.enumerated() {
      guard let hit = lane.head else { continue }
      if let best = nearest, !Hit.isNearer(hit, best.hit) { continue }
      nearest = (i, hit)
    }
    guard let (lane, hit) = nearest else {
      isAtEnd = true
      return nil
    }
    try advance(lane)
    return (hit.rowID, metric.distance(fromScore: hit.score))
  }

  /// Moves a lane to its next row that is near enough.
  private func advance(_ i: Int) throws {
    while true {
      let hit = try pull(i)
      lanes[i].head = hit
      guard let hit, let within, metric.distance(fromScore: hit.score) > within else {
        lanes[i].misses = 0
        return
      }
      lanes[i].head = nil
      lanes[i].misses += 1
      if isExhausted(lanes[i]) { return }
    }
  }

  private func isExhausted(_ lane: Lane) -> Bool {
    switch lane.source {
    case .delta, .segment(_, isOrdered: true): true
    case .segment(_, isOrdered: false): lane.misses >= Self.patience
    }
  }

  private func pull(_ i: Int) throws(StoreError) -> Hit? {
    switch lanes[i].source {
    case .segment(let stream, _):
      do throws(SegmentError) { return try stream.next() } catch { throw .segment(index: store.table, error) }
    case .delta(var heap):
      let hit = heap.pop()
      lanes[i].source = .delta(heap)
      return hit
    }
  }
}
