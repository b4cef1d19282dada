import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@Suite struct HNSWTests {
  /// 20,000 x 48: large enough that nothing is answered by an exact scan.
  static let data = TestVectors(count: 20_000, dimensions: 48, seed: 21, clusters: 60)
  static let queries =
    TestVectors(count: 60, dimensions: 48, seed: 22, clusters: 60).rows
    + data.rows.prefix(60)

  static func meanRecall(
    _ index: SegmentIndex, _ rows: [(id: Int64, vector: [Float])], _ parameters: SearchParameters,
    filter: EntryFilter? = nil, k: Int = 10
  ) throws -> Double {
    let metric = index.configuration.metric
    var total = 0.0
    for query in queries {
      let answer = try index.nearest(query, k: k, parameters, filter: filter)
      #expect(answer.hits.count == min(k, rows.count))
      let truth = bruteForce(query, rows, metric)
      total += recall(answer.hits, truth, k: k, metric, tolerance(query, metric) * 0.01)
    }
    return total / Double(queries.count)
  }

  static func rows(_ ids: some Sequence<Int>) -> [(id: Int64, vector: [Float])] {
    ids.map { (id: Int64($0 + 1), vector: data.rows[$0]) }
  }

  @Test(.tags(.recall), arguments: Metric.allCases)
  func keepsItsRecall(metric: Metric) throws {
    let folder = TemporaryFolder()
    let index = try folder.build(
      Self.data.source(), IndexConfiguration(dimensions: 48, metric: metric, kind: .hnsw), threads: 2)
    #expect(try index.check().isEmpty)
    let rows = Self.rows(Self.data.rows.indices)
    // Inner product is no metric: the graph is weaker for it, as everywhere.
    // Two threads make another graph each time; the floors leave room for that.
    let (lowFloor, highFloor) = metric == .innerProduct ? (0.88, 0.945) : (0.93, 0.985)
    let low = try Self.meanRecall(index, rows, SearchParameters(efSearch: 40))
    let high = try Self.meanRecall(index, rows, SearchParameters(efSearch: 200))
    #expect(low >= lowFloor, "\(metric): recall@10 \(low) at efSearch 40")
    #expect(high >= highFloor, "\(metric): recall@10 \(high) at efSearch 200")
    var counters = SearchCounters()
    let query = try PreparedQuery(Self.queries[0], dimensions: 48, metric: metric)
    let answer = try index.search(query, k: 10, parameters: SearchParameters(efSearch: 40), counters: &counters)
    #expect(answer.plan == .graph)
    #expect(counters.distanceComputations < 2500, "\(counters)")
    #expect(try index.nearest(Self.queries[0], k: 10, SearchParameters(exact: true)).exact)
  }

  @Test(.tags(.recall))
  func isRightUnderFilters() throws {
    let folder = TemporaryFolder()
    let index = try folder.build(
      Self.data.source(), IndexConfiguration(dimensions: 48, metric: .l2, kind: .hnsw), threads: 2)
    for step in [2, 5, 20, 100, 1000, 20_000] {
      let passing = stride(from: 0, to: 20_000, by: step)
      let filter = try index.filter(passing.map { Int64($0 + 1) })
      let rows = Self.rows(passing)
      for k in [10, 100] {
        let found = try Self.meanRecall(index, rows, SearchParameters(efSearch: 100), filter: filter, k: k)
        #expect(found >= 0.97, "one row in \(step), k \(k): recall \(found)")
      }
    }
    // Nothing dearer than scoring all that pass, twice: the walk gives up at that cost.
    let half = try index.filter((1...10_000).map { Int64($0 * 2) })
    var counters = SearchCounters()
    let query = try PreparedQuery(Self.queries[0], dimensions: 48, metric: .l2)
    _ = try index.search(query, k: 1000, filter: half, counters: &counters)
    #expect(counters.distanceComputations <= 2 * 10_000 + 64)
    #expect(try index.nearest(Self.queries[0], k: 5, filter: index.filter([])).hits.isEmpty)
  }

  @Test func streamsEveryRowOnceNearlyInOrder() throws {
    let folder = TemporaryFolder()
    let index = try folder.build(
      Self.data.source(), IndexConfiguration(dimensions: 48, kind: .hnsw), threads: 2)
    let query = try PreparedQuery(Self.queries[3], dimensions: 48, metric: .cosine)
    let stream = index.stream(query)
    var hits: [Hit] = []
    var costOfTen = 0
    while let hit = try stream.next() {
      hits.append(hit)
      if hits.count == 10 { costOfTen = stream.counters.distanceComputations }
    }
    #expect(Set(hits.map(\.rowID)).count == 20_000)
    #expect(hits.count == 20_000)
    #expect(costOfTen < 3000, "ten rows cost \(costOfTen) distances")
    let late = zip(hits, hits.dropFirst()).filter { $1.score < $0.score }.count
    #expect(late < 600, "\(late) of 20,000 rows came late")
    let truth = bruteForce(Self.queries[3], Self.rows(Self.data.rows.indices), .cosine)
    #expect(recall(Array(hits.prefix(100)), truth, k: 100, .cosine, 1e-6) >= 0.97)
  }

  @Test func streamsOnlyWhatPasses() throws {
    let folder = TemporaryFolder()
    let index = try folder.build(
      Self.data.source(), IndexConfiguration(dimensions: 48, kind: .hnsw), threads: 2)
    let query = try PreparedQuery(Self.queries[0], dimensions: 48, metric: .cosine)
    let stream = index.stream(query, filter: try index.filter([5, 17, 19_999]))
    var ids: Set<Int64> = []
    while let hit = try stream.next() { #expect(ids.insert(hit.rowID).inserted) }
    #expect(ids == [5, 17, 19_999])
  }

  @Test(.tags(.recall))
  func growsAndMendsAGraph() throws {
    let folder = TemporaryFolder()
    let configuration = IndexConfiguration(dimensions: 48, metric: .l2, kind: .hnsw)
    let all = Self.data.source()
    let first = try folder.build(
      ArraySource(
        rowIDs: Array(all.rowIDs[..<16_000]), vectors: Array(all.vectors[..<(16_000 * 48)]), dimensions: 48),
      configuration, threads: 2)
    // Every fifth row dies, the rest of the data comes.
    let live = try first.filter((0..<16_000).filter { $0 % 5 != 0 }.map { Int64($0 + 1) })
    let grown = try folder.build(
      ArraySource(
        rowIDs: Array(all.rowIDs[16_000...]), vectors: Array(all.vectors[(16_000 * 48)...]), dimensions: 48),
      configuration, base: GrowthBase(index: first, live: live), threads: 2)
    #expect(try grown.check().isEmpty)
    #expect(grown.entryCount == 12_800 + 4_000)
    let rows = Self.rows((0..<20_000).filter { $0 >= 16_000 || $0 % 5 != 0 })
    let fresh = try folder.build(
      ArraySource(rowIDs: rows.map(\.id), vectors: rows.flatMap(\.vector), dimensions: 48), configuration, threads: 2)
    let found = try Self.meanRecall(grown, rows, SearchParameters(efSearch: 40))
    let best = try Self.meanRecall(fresh, rows, SearchParameters(efSearch: 40))
    #expect(found >= best - 0.02, "recall@10 \(found) after growth, \(best) in a fresh build")
    // A base that lost most of its rows is built anew.
    let few = try first.filter((0..<16_000).filter { $0 % 10 == 0 }.map { Int64($0 + 1) })
    let small = try folder.build(
      ArraySource(rowIDs: [], vectors: [], dimensions: 48), configuration, base: GrowthBase(index: first, live: few))
    #expect(small.entryCount == 1_600)
    #expect(try small.check().isEmpty)
    let gone = try first.filter([])
    let empty = try folder.build(
      ArraySource(rowIDs: [], vectors: [], dimensions: 48), configuration, base: GrowthBase(index: first, live: gone))
    #expect(empty.entryCount == 0)
  }

  @Test func growsByRowsThatShareVectorsWithTheBase() throws {
    let folder = TemporaryFolder()
    let configuration = IndexConfiguration(dimensions: 48, kind: .hnsw)
    let rows = Array(Self.data.rows.prefix(3000))
    let base = try folder.build(
      ArraySource(rowIDs: (1...3000).map { Int64($0) }, vectors: rows.flatMap { $0 }, dimensions: 48), configuration)
    let again = ArraySource(
      rowIDs: (10_001...13_000).map { Int64($0) }, vectors: rows.flatMap { $0 }, dimensions: 48)
    let grown = try folder.build(again, configuration, base: GrowthBase(index: base))
    #expect(grown.vectorCount == base.vectorCount)
    #expect(grown.entryCount == 6000)
    #expect(try grown.nearest(rows[42], k: 2).hits.map(\.rowID) == [43, 10_043])
    #expect(throws: BuildError.duplicateRowID(3000)) {
      try folder.build(
        ArraySource(rowIDs: [3000], vectors: rows[0], dimensions: 48), configuration, base: GrowthBase(index: base))
    }
  }

  @Test func searchesFromManyThreads() async throws {
    let folder = TemporaryFolder()
    let index = try folder.build(
      Self.data.source(), IndexConfiguration(dimensions: 48, kind: .hnsw), threads: 2)
    let expected = try Self.queries.map { try index.nearest($0, k: 10).hits }
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask { try Self.queries.map { try index.nearest($0, k: 10).hits } == expected }
      }
      for try await same in group { #expect(same) }
    }
  }
}

extension Tag {
  /// Asserts a floor on recall against brute force.
  @Tag static var recall: Self
}
