package import VidxSegments
package import VidxVectors

/// The rows of one segment, nearest first, one at a time, to the last. Belongs to one reader.
///
/// Every passing row comes exactly once. Order is exact in a flat segment; in a graph or in lists a row that the search
/// meets late comes when it is met, after rows that are slightly farther (pgvector's "relaxed order").
package final class SegmentStream {
  /// Produces vectors, nearest first; nil at the end.
  protocol Source: AnyObject {
    func nextCandidate(_ counters: inout SearchCounters) throws(SegmentError) -> Candidate?
  }

  package private(set) var counters = SearchCounters()
  /// Rows come in the exact order, because all that pass are scored.
  package var isExact: Bool { source is ExactStream }
  private let index: SegmentIndex
  private let filter: EntryFilter?
  private let source: any Source
  /// Rows of the vector handed out last that are still to come.
  private var pending: Range<Int> = 0..<0
  private var score: Float = 0

  init(_ index: SegmentIndex, filter: EntryFilter?, source: any Source) {
    self.index = index
    self.filter = filter
    self.source = source
  }

  /// The next row; nil when all have come.
  package func next() throws(SegmentError) -> Hit? {
    while true {
      while let entry = pending.popFirst() {
        if let filter, !filter.passes(entry) { continue }
        counters.rowsScored += 1
        return Hit(score: score, rowID: try index.rows.rowID(entry: entry))
      }
      guard let candidate = try source.nextCandidate(&counters) else { return nil }
      let ordinal = Int(candidate.tag & ~Candidate.expanded)
      if let filter, !filter.ordinals.contains(ordinal) { continue }
      score = candidate.score
      pending = try index.rows.entries(ordinal: ordinal)
    }
  }
}

extension SegmentIndex {
  /// Rows in order of distance, as many as are asked for.
  /// - Complexity: opening scores nothing; each row costs what the search has to look at to be sure of it.
  package func stream(
    _ query: PreparedQuery, parameters: SearchParameters = SearchParameters(), filter: EntryFilter? = nil
  ) -> SegmentStream {
    precondition(query.dimensions == configuration.dimensions, "a query of \(query.dimensions) dimensions")
    if isSoonerScored(filter, parameters) {
      return SegmentStream(self, filter: filter, source: ExactStream(self, query, filter, parameters.stop))
    }
    let source: any SegmentStream.Source =
      switch structure {
      case .hnsw(let graph) where !parameters.isExact && vectorCount > 16 * graph.lookahead(parameters):
        GraphStream(graph, coded, query, lookahead: graph.lookahead(parameters), scratch: scratch, parameters.stop)
      case .ivfflat(let lists) where !parameters.isExact:
        listsStream(lists, query, probes: parameters.probes, filter: filter, stop: parameters.stop)
      default:
        ExactStream(self, query, filter, parameters.stop)
      }
    return SegmentStream(self, filter: filter, source: source)
  }

  /// So few pass that scoring all of them takes less than meeting the first ten of them on a walk or in lists. The
  /// lists beside a graph give no stream.
  private func isSoonerScored(_ filter: EntryFilter?, _ parameters: SearchParameters) -> Bool {
    guard let filter, !filter.isOfLiveRows, parameters.plan == nil else { return false }
    let planner = SearchPlanner(self, k: 10, parameters: parameters, filter: filter)
    guard let graph = planner.graph else { return planner.way.plan == .exact }
    return planner.exact.nanoseconds <= graph.nanoseconds
  }
}

/// Scores all passing vectors at the first call, then hands them out in order.
final class ExactStream: SegmentStream.Source {
  private let index: SegmentIndex
  private let query: PreparedQuery
  private let filter: EntryFilter?
  private let stop: SearchStop?
  private var heap: CandidateHeap?

  init(_ index: SegmentIndex, _ query: PreparedQuery, _ filter: EntryFilter?, _ stop: SearchStop?) {
    self.stop = stop
    self.index = index
    self.query = query
    self.filter = filter
  }

  func nextCandidate(_ counters: inout SearchCounters) throws(SegmentError) -> Candidate? {
    if heap == nil { heap = try scored(&counters) }
    return heap?.pop()
  }

  private func scored(_ counters: inout SearchCounters) throws(SegmentError) -> CandidateHeap {
    var heap = CandidateHeap()
    let scratch = index.scratch.take(stop)
    defer { index.scratch.give(scratch) }
    let passing = filter?.ordinals ?? RowSet(capacity: index.vectorCount, full: true)
    var rest = 0..<index.vectorCount
    while !rest.isEmpty {
      let count = unsafe passing.copyMembers(of: &rest, to: scratch.ids, limit: SearchScratch.blockCapacity)
      try scratch.scored(count)
      unsafe try index.scoreBlock(query, scratch.ids, count, scratch.scores)
      for i in 0..<count { unsafe heap.push(Candidate(scratch.scores[i], scratch.ids[i])) }
      counters.add(scores: count, rowBytes: index.configuration.vectorBytes)
    }
    return heap
  }
}

extension SegmentIndex {
  /// Scores scattered vectors; their blocks are verified when they are first touched.
  func scoreBlock(
    _ query: PreparedQuery, _ ids: UnsafePointer<UInt32>, _ count: Int, _ out: UnsafeMutablePointer<Float>
  ) throws(SegmentError) {
    let stride = configuration.stride
    if !vectors.isVerified { unsafe try vectors.verify(rows: ids, count: count, rowByteCount: stride * 4) }
    unsafe kernels.ids(query.floats, vectors.floats, stride, ids, count, stride, out)
  }
}
