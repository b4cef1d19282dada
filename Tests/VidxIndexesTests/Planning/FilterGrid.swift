import TestSupport
import VidxSegments
import VidxVectors

@testable import VidxIndexes

/// Filters of every selectivity, near each query of the demo data and far from it, and the true nearest that pass.
struct FilterCells: Sendable {
  static let mostRows = 100
  /// Made once for all tests.
  static let shared = Result { try FilterCells() }

  struct Cell: Sendable {
    let name: String
    /// The rows that pass: one set for all queries, or one for each topic.
    let rowSets: [[Int64]]
    /// Of each query: its set, and the scores of the nearest in it, `mostRows` at most, ascending.
    let setOf: [Int]
    let scores: [[Float]]

    func wanted(_ query: Int, k: Int) -> Int { min(k, scores[query].count) }

    /// The score that the k-th nearest row has, with room for rounding.
    func limit(_ query: Int, k: Int) -> Float {
      let wanted = wanted(query, k: k)
      return wanted == 0 ? -.infinity : scores[query][wanted - 1] + 1e-6
    }
  }

  let source: ArraySource
  let queries: [PreparedQuery]
  private(set) var cells: [Cell] = []

  private init() throws {
    let source = try DemoData.packages()
    self.source = source
    queries = try DemoData.queries().map { try PreparedQuery($0, dimensions: source.dimensions, metric: .cosine) }
    let flat = try TemporaryFolder().build(
      source, IndexConfiguration(dimensions: source.dimensions, kind: .flat, codec: .fixed(.f32)))
    var random = SplitMix(seed: 11)
    let units = source.rowIDs.map { _ in Double.random(in: 0..<1, using: &random) }
    for share in [1, 0.5, 0.25, 0.1, 0.05, 0.01, 0.001] {
      let passing = zip(source.rowIDs, units).filter { $0.1 < share }.map(\.0)
      try add("uniform \(share)", [passing], queries.map { _ in 0 }, flat)
    }
    // Topics: a dozen queries, with all rows from near to far. A query's own, and the farthest.
    let centres = Array(queries.prefix(12))
    let topics = try centres.map { try Self.nearest($0, k: source.rowIDs.count, nil, flat).map(\.rowID) }
    let kernels = VectorKernels(.cosine)
    let orders = queries.map { query in
      let scores = centres.map { unsafe kernels.one(query.floats, $0.floats, flat.configuration.stride) }
      return scores.indices.sorted { scores[$0] < scores[$1] }
    }
    let (own, other) = (orders.map { $0[0] }, orders.map { $0[$0.count - 1] })
    try add("near", topics.map { $0.prefix(500).sorted() }, own, flat)
    try add("near half", topics.map { $0.prefix(5_000).sorted() }, own, flat)
    try add("far", topics.map { $0.prefix(500).sorted() }, other, flat)
    try add("far third", topics.map { $0.suffix(3_333).sorted() }, own, flat)
    try add("far half", topics.map { $0.suffix(5_000).sorted() }, own, flat)
  }

  private mutating func add(_ name: String, _ rowSets: [[Int64]], _ setOf: [Int], _ flat: SegmentIndex) throws {
    let filters = try rowSets.map { try flat.filter($0) }
    let scores = try zip(queries, setOf).map { query, set in
      try Self.nearest(query, k: Self.mostRows, filters[set], flat).map(\.score)
    }
    cells.append(Cell(name: name, rowSets: rowSets, setOf: setOf, scores: scores))
  }

  private static func nearest(
    _ query: PreparedQuery, k: Int, _ filter: EntryFilter?, _ flat: SegmentIndex
  ) throws -> [Hit] {
    var counters = SearchCounters()
    return try flat.search(query, k: k, filter: filter, counters: &counters).hits
  }
}

/// An index over the demo data, searched under these filters.
struct FilterGrid: Sendable {
  let index: SegmentIndex
  let data: FilterCells
  private let filters: [[EntryFilter]]
  /// Grids live as long as the process, and leaks are looked for at its end: the index refers to its graph by an enum,
  /// whose case is in bits of the pointer, and such pointers the leak sanitizer does not know.
  private let graph: HNSWGraph?

  init(_ configuration: IndexConfiguration) throws {
    data = try FilterCells.shared.get()
    let index = try TemporaryFolder().build(data.source, configuration)
    self.index = index
    if case .hnsw(let graph) = index.structure { self.graph = graph } else { graph = nil }
    filters = try data.cells.map { cell in try cell.rowSets.map { try index.filter($0) } }
  }

  func filter(_ cell: Int, _ query: Int) -> EntryFilter { filters[cell][data.cells[cell].setOf[query]] }

  struct Outcome {
    let wanted: Int
    var answer: SegmentAnswer
    var counters: SearchCounters
    /// How many of the answer's rows are no farther than the true k-th.
    var near: Int
    var nanoseconds: Double
  }

  /// A search for each query.
  func run(_ number: Int, k: Int, _ parameters: SearchParameters) throws -> [Outcome] {
    let cell = data.cells[number]
    return try data.queries.indices.map { query in
      var counters = SearchCounters()
      let answer = try index.search(
        data.queries[query], k: k, parameters: parameters, filter: filter(number, query), counters: &counters)
      let limit = cell.limit(query, k: k)
      return Outcome(
        wanted: cell.wanted(query, k: k), answer: answer, counters: counters,
        near: answer.hits.count { $0.score <= limit }, nanoseconds: nanoseconds(counters, k: k))
    }
  }

  /// What the planner's costs make of what a search has counted (docs/PLANNER.md).
  private func nanoseconds(_ counters: SearchCounters, k: Int) -> Double {
    let costs = ScoreCosts(index)
    let isWalked = counters.nodesExpanded > 0
    let lists = counters.listsProbed > 0 ? index.lists?.listCount ?? 0 : 0
    let others = Double(counters.distanceComputations - counters.nodesScored - counters.reranked - lists)
    // The starts hold the scoring of what ten rows need.
    var sum = Double(counters.nodesScored) * costs.node + Double(max(counters.reranked - 30, 0)) * costs.vector
    if isWalked { sum += costs.start }
    if lists > 0 {
      let code = index.coded.areScanned ? costs.code : costs.vector
      sum += costs.listsStart + Double(lists) * costs.centroid + others * code
      sum += Double(counters.listsProbed) * costs.list(k: k)
    } else if !isWalked {
      let isCoded = counters.reranked > 0
      sum += isCoded ? costs.codesStart + others * costs.codeAndBound : costs.start + others * costs.vector
    }
    return sum
  }
}

extension [FilterGrid.Outcome] {
  var recall: Double {
    Double(reduce(0) { $0 + $1.near }) / Double(Swift.max(reduce(0) { $0 + $1.wanted }, 1))
  }

  var nanoseconds: Double { reduce(0) { $0 + $1.nanoseconds } }

  var plans: Set<SegmentPlan> { Set(map(\.answer.plan)) }
}
