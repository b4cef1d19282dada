import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

/// Graphs and lists against brute force, over every metric and many dimensions. Flat: `SegmentIndexExactTests`.
@Suite struct SegmentIndexParityTests {
  private static func setUp(
    _ kind: IndexKind, _ metric: Metric, _ dimensions: Int, _ folder: TemporaryFolder
  ) throws -> (index: SegmentIndex, rows: [(id: Int64, vector: [Float])], queries: [[Float]]) {
    let data = TestVectors(count: 400, dimensions: dimensions, seed: 90 + UInt64(dimensions))
    let index = try folder.build(
      data.source(), IndexConfiguration(dimensions: dimensions, metric: metric, kind: kind, lists: 12))
    #expect(try index.check().isEmpty)
    let rows = data.rows.enumerated().map { (id: Int64($0.offset + 1), vector: $0.element) }
    return (index, rows, TestVectors(count: 6, dimensions: dimensions, seed: 91 + UInt64(dimensions)).rows)
  }

  /// With every list probed the answer is that of brute force.
  @Test(arguments: Metric.allCases, SegmentIndexExactTests.dimensions)
  func listsAgreeWithBruteForce(metric: Metric, dimensions: Int) throws {
    let folder = TemporaryFolder()
    let (index, rows, queries) = try Self.setUp(.ivfflat, metric, dimensions, folder)
    for query in queries {
      let answer = try index.nearest(query, k: 10, SearchParameters(probes: 12))
      let truth = bruteForce(query, rows, metric)
      #expect(recall(answer.hits, truth, k: 10, metric, tolerance(query, metric)) == 1)
      #expect(answer.hits == answer.hits.sorted(by: Hit.isNearer))
    }
  }

  /// A walk with so small an efSearch that it is not answered by a scan finds nearly all; with exact, all.
  @Test(arguments: Metric.allCases, SegmentIndexExactTests.dimensions)
  func graphsAgreeWithBruteForce(metric: Metric, dimensions: Int) throws {
    let folder = TemporaryFolder()
    let (index, rows, queries) = try Self.setUp(.hnsw, metric, dimensions, folder)
    var found = 0.0
    for query in queries {
      let truth = bruteForce(query, rows, metric)
      let walked = try index.nearest(query, k: 10, SearchParameters(efSearch: 20))
      found += recall(walked.hits, truth, k: 10, metric, tolerance(query, metric))
      let exact = try index.nearest(query, k: 10, SearchParameters(exact: true))
      #expect(recall(exact.hits, truth, k: 10, metric, tolerance(query, metric)) == 1)
    }
    #expect(found / Double(queries.count) >= 0.85, "\(metric), \(dimensions) dimensions: recall \(found / 6)")
  }
}
