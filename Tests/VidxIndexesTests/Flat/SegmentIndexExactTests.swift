import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@Suite struct SegmentIndexExactTests {
  static let dimensions = [1, 3, 15, 16, 17, 31, 384, 768, 1536, 4096]

  @Test(arguments: Metric.allCases, dimensions)
  func findsWhatBruteForceFinds(metric: Metric, dimensions: Int) throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 300, dimensions: dimensions, seed: UInt64(dimensions))
    let index = try folder.build(
      data.source(), IndexConfiguration(dimensions: dimensions, metric: metric, kind: .flat))
    let rows = data.rows.enumerated().map { (id: Int64($0.offset + 1), vector: $0.element) }
    for query in TestVectors(count: 5, dimensions: dimensions, seed: 7_000 + UInt64(dimensions)).rows {
      let truth = bruteForce(query, rows, metric)
      let answer = try index.nearest(query, k: 10)
      let slack = tolerance(query, metric)
      #expect(answer.exact)
      #expect(answer.hits.count == 10)
      for (hit, true_) in zip(answer.hits, truth) {
        let distance = Double(metric.distance(fromScore: hit.score))
        // The square root magnifies rounding near zero.
        #expect(
          (distance - true_.distance).magnitude <= max(slack, slack.squareRoot() * 0.05), "\(metric) \(dimensions)")
      }
      #expect(answer.hits == answer.hits.sorted(by: Hit.isNearer))
    }
  }

  @Test func givesAllRowsWhenKIsLarger() throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 40, dimensions: 8, seed: 1)
    let index = try folder.build(data.source(), IndexConfiguration(dimensions: 8, kind: .flat))
    #expect(try index.nearest(data.rows[0], k: 1_000_000).hits.count == 40)
    #expect(try index.nearest(data.rows[0], k: 0).hits.isEmpty)
  }

  @Test func scansOnlyWhatPasses() throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 2000, dimensions: 24, seed: 2)
    let index = try folder.build(data.source(), IndexConfiguration(dimensions: 24, kind: .flat))
    let passing = (1...2000).filter { $0 % 7 == 0 }.map { Int64($0) }
    let filter = try index.filter(passing)
    var counters = SearchCounters()
    let query = try PreparedQuery(data.rows[3], dimensions: 24, metric: .cosine)
    let answer = try index.search(query, k: 20, filter: filter, counters: &counters)
    // The code of each, and the vectors that codes leave.
    #expect(counters.distanceComputations - counters.reranked == passing.count)
    let rows = passing.map { (id: $0, vector: data.rows[Int($0) - 1]) }
    let truth = bruteForce(data.rows[3], rows, .cosine).prefix(20)
    #expect(recall(answer.hits, Array(truth), k: 20, .cosine, 1e-6) == 1)
    #expect(answer.hits.allSatisfy { $0.rowID % 7 == 0 })
  }

  @Test func breaksTiesByRowID() throws {
    let folder = TemporaryFolder()
    let rows: [[Float]] = [[0, 1], [1, 0], [0, 1], [0, -1], [0, 1]]
    let index = try folder.build(
      ArraySource(rowIDs: [50, 40, 30, 20, 10], vectors: rows.flatMap { $0 }, dimensions: 2),
      IndexConfiguration(dimensions: 2, metric: .l2, kind: .flat))
    #expect(try index.nearest([0, 1], k: 2).hits.map(\.rowID) == [10, 30])
    // [1, 0] and the rest: equal distances of different vectors too.
    #expect(try index.nearest([1, 0], k: 5).hits.map(\.rowID) == [40, 10, 20, 30, 50])
  }

  @Test func keepsZeroVectorsUnderCosineButNeverFindsThem() throws {
    let folder = TemporaryFolder()
    let rows: [[Float]] = [[0, 0], [3, 4], [0, 0], [1, 0]]
    let index = try folder.build(
      ArraySource(rowIDs: [1, 2, 3, 4], vectors: rows.flatMap { $0 }, dimensions: 2),
      IndexConfiguration(dimensions: 2, metric: .cosine, kind: .flat))
    #expect(index.entryCount == 4)
    #expect(try index.nearest([1, 1], k: 10).hits.map(\.rowID) == [2, 4])
    let entry = try #require(try index.entry(ofRowID: 3))
    #expect(try index.vector(ofEntry: entry) == [0, 0])
    let other = try #require(try index.entry(ofRowID: 2))
    #expect(try index.vector(ofEntry: other) == [3, 4])
    #expect(try index.check().isEmpty)
  }

  @Test func refusesBadQueries() throws {
    #expect(throws: VectorError.dimensionMismatch(expected: 3, actual: 2)) {
      try PreparedQuery([1, 2], dimensions: 3, metric: .l2)
    }
    #expect(throws: VectorError.notFinite(index: 1)) { try PreparedQuery([1, .nan], dimensions: 2, metric: .l2) }
    #expect(throws: VectorError.notFinite(index: 0)) { try PreparedQuery([.infinity, 1], dimensions: 2, metric: .l1) }
    #expect(throws: VectorError.zeroQuery) { try PreparedQuery([0, 0], dimensions: 2, metric: .cosine) }
    _ = try PreparedQuery([0, 0], dimensions: 2, metric: .l2)
  }
}
