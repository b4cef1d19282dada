import TestSupport
import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

/// Graphs that are walked on codes.
@Suite struct CodedGraphTests {
  static let dimensions = 96
  // Of one distribution, as what a model makes of questions and of texts; the last are the questions.
  private static let all = TestVectors(count: 6_080, dimensions: dimensions, seed: 51, clusters: 40)
  static let data = {
    var data = all
    data.rows.removeLast(80)
    return data
  }()
  static let queries = Array(all.rows.suffix(80))

  static func build(_ codec: CodecChoice, _ metric: Metric, _ folder: TemporaryFolder) throws -> SegmentIndex {
    try folder.build(
      data.source(),
      IndexConfiguration(dimensions: dimensions, metric: metric, kind: .hnsw, codec: codec), threads: 2)
  }

  static func recall(of index: SegmentIndex, _ parameters: SearchParameters) throws -> Double {
    let metric = index.configuration.metric
    let rows = data.rows.enumerated().map { (id: Int64($0.offset + 1), vector: $0.element) }
    var total = 0.0
    for query in queries {
      let hits = try index.nearest(query, k: 10, parameters).hits
      let truth = bruteForce(query, rows, metric)
      total += VidxIndexesTests.recall(hits, truth, k: 10, metric, tolerance(query, metric) * 0.01)
    }
    return total / Double(queries.count)
  }

  @Test(.tags(.recall), arguments: Codec.allCases.flatMap { codec in Metric.allCases.map { (codec, $0) } })
  func everyCodecFindsTheNeighbours(codec: Codec, metric: Metric) throws {
    let folder = TemporaryFolder()
    guard codec.supports(metric) else {
      #expect(throws: BuildError.codec(.unsupported(codec, metric))) { try Self.build(.fixed(codec), metric, folder) }
      return
    }
    let index = try Self.build(.fixed(codec), metric, folder)
    #expect(index.coded.codec == codec)
    #expect(index.configuration.codec == .fixed(codec))
    let found = try Self.recall(of: index, SearchParameters(efSearch: 120))
    #expect(found >= (metric == .innerProduct ? 0.90 : 0.96), "\(codec), \(metric): recall@10 \(found)")
  }

  @Test(arguments: [Codec.f16, .int8, .int4, .rabitq4])
  func givesTrueDistances(codec: Codec) throws {
    let folder = TemporaryFolder()
    let index = try Self.build(.fixed(codec), .l2, folder)
    for query in Self.queries.prefix(10) {
      var counters = SearchCounters()
      let prepared = try PreparedQuery(query, dimensions: Self.dimensions, metric: .l2)
      let answer = try index.search(
        prepared, k: 10, parameters: SearchParameters(efSearch: 60, plan: .graph),
        counters: &counters)
      #expect(answer.plan == .graph)
      #expect(counters.reranked >= 10)
      // Codes are walked; full vectors are read for few candidates.
      #expect(counters.reranked < counters.distanceComputations / 3, "\(counters)")
      for hit in answer.hits {
        let entry = try #require(try index.entry(ofRowID: hit.rowID))
        #expect(try index.score(prepared, ofEntry: entry) == hit.score)
      }
    }
  }

  @Test(.tags(.recall), arguments: [Metric.cosine, .l2])
  func reachesTheRecallAskedFor(metric: Metric) throws {
    let folder = TemporaryFolder()
    let index = try Self.build(.auto, metric, folder)
    var costs: [Int] = []
    for target in [0.90, 0.95, 0.99] {
      let found = try Self.recall(of: index, SearchParameters(targetRecall: target))
      #expect(found >= target - 0.02, "\(found) of \(target)")
      var counters = SearchCounters()
      let query = try PreparedQuery(Self.queries[0], dimensions: Self.dimensions, metric: metric)
      _ = try index.search(query, k: 10, parameters: SearchParameters(targetRecall: target), counters: &counters)
      costs.append(counters.distanceComputations)
    }
    #expect(costs == costs.sorted(), "more recall does not cost less: \(costs)")
    #expect(try index.nearest(Self.queries[0], k: 10, SearchParameters(targetRecall: 1)).exact)
  }

  @Test func walksFilteredOnCodesToo() throws {
    let folder = TemporaryFolder()
    let index = try Self.build(.fixed(.int4), .cosine, folder)
    let passing = (0..<6_000).filter { $0 % 2 == 0 }
    let filter = try index.filter(passing.map { Int64($0 + 1) })
    let rows = passing.map { (id: Int64($0 + 1), vector: Self.data.rows[$0]) }
    var total = 0.0
    for query in Self.queries {
      let hits = try index.nearest(query, k: 10, SearchParameters(efSearch: 80), filter: filter).hits
      #expect(hits.allSatisfy { $0.rowID % 2 == 1 })
      total += VidxIndexesTests.recall(hits, bruteForce(query, rows, .cosine), k: 10, .cosine, 1e-6)
    }
    #expect(total / Double(Self.queries.count) >= 0.96)
  }

  @Test func chosenCodecKeepsTheOrder() throws {
    let folder = TemporaryFolder()
    let index = try Self.build(.auto, .cosine, folder)
    #expect(index.coded.codec != .f32, "what codes cost less than vectors of 96 dimensions")
    #expect(try Self.build(.auto, .l1, folder).coded.codec == .f32)
    // Too few to measure: nothing is coded.
    let few = TestVectors(count: 300, dimensions: 8, seed: 3)
    #expect(try folder.build(few.source(), IndexConfiguration(dimensions: 8)).coded.codec == .f32)
  }

  @Test func growsWithCodes() throws {
    let folder = TemporaryFolder()
    let first = try Self.build(.fixed(.int8), .cosine, folder)
    let more = TestVectors(count: 500, dimensions: Self.dimensions, seed: 53, clusters: 40)
    let live = try first.filter((0..<6_000).filter { $0 % 7 != 0 }.map { Int64($0 + 1) })
    let grown = try folder.build(
      more.source(firstID: 10_000),
      IndexConfiguration(dimensions: Self.dimensions, kind: .hnsw, codec: .fixed(.int4)),
      base: GrowthBase(index: first, live: live), threads: 2)
    #expect(grown.coded.codec == .int4)
    #expect(try grown.check().isEmpty)
    for i in stride(from: 0, to: 500, by: 25) {
      #expect(try grown.nearest(more.rows[i], k: 1).hits.first?.rowID == Int64(10_000 + i))
    }
  }

  @Test func isDeterministicWithOneThread() throws {
    let folder = TemporaryFolder()
    let configuration = IndexConfiguration(dimensions: Self.dimensions, codec: .auto)
    let some = TestVectors(count: 2_500, dimensions: Self.dimensions, seed: 5, clusters: 10)
    let graphs = try (0..<2).map { _ -> HNSWGraph? in
      guard case .hnsw(let graph) = try folder.build(some.source(), configuration).structure else { return nil }
      return graph
    }
    let first = try #require(graphs[0])
    #expect(first.calibration == graphs[1]?.calibration)
    #expect(!first.calibration.steps.isEmpty)
    let steps = first.calibration.steps
    #expect(zip(steps, steps.dropFirst()).allSatisfy { $0.ef < $1.ef && $0.recall <= $1.recall })
  }
}
