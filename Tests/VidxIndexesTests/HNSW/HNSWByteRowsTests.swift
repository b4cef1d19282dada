import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

/// Graphs are built on bytes where these tell near from far. Here they do not, or hardly.
@Suite(.tags(.recall)) struct HNSWByteRowsTests {
  static func recall(_ rows: [[Float]], _ metric: Metric, efSearch: Int) throws -> Double {
    let folder = TemporaryFolder()
    let dimensions = rows[0].count
    let source = ArraySource(
      rowIDs: rows.indices.map { Int64($0) }, vectors: rows.flatMap { $0 }, dimensions: dimensions)
    let index = try folder.build(source, IndexConfiguration(dimensions: dimensions, metric: metric, kind: .hnsw))
    #expect(try index.check().isEmpty)
    let named = rows.indices.map { (id: Int64($0), vector: rows[$0]) }
    var total = 0.0
    let queries = stride(from: 0, to: rows.count, by: rows.count / 50)
    for row in queries {
      let answer = try index.nearest(rows[row], k: 10, SearchParameters(efSearch: efSearch))
      // The truth from the index itself: near-duplicates are nearer together than floats and doubles agree.
      let exact = try index.nearest(rows[row], k: 10, SearchParameters(exact: true))
      let farthest = try #require(exact.hits.last).score
      #expect(answer.hits.count == min(10, named.count))
      total += Double(answer.hits.count { $0.score <= farthest }) / 10
    }
    return total / Double(Array(queries).count)
  }

  /// One component a thousand times larger than the others: it takes all levels for itself.
  @Test func oneComponentOutweighsTheOthers() throws {
    var rows = TestVectors(count: 6_000, dimensions: 16, seed: 71).rows
    var random = SplitMix(seed: 72)
    for row in rows.indices { rows[row][3] = Float.random(in: -2000...2000, using: &random) }
    #expect(try Self.recall(rows, .l2, efSearch: 60) >= 0.95)
  }

  /// Far from the origin, and near each other: without the centre, no level would be left for what differs.
  @Test(arguments: [Metric.l2, .cosine])
  func vectorsShareALargePart(metric: Metric) throws {
    let rows = TestVectors(count: 6_000, dimensions: 32, seed: 73).rows.map { $0.map { $0 + 100 } }
    #expect(try Self.recall(rows, metric, efSearch: 60) >= 0.95)
  }

  /// Hundreds of vectors within one level of each other, among others that are far: only floats tell these apart.
  @Test func nearDuplicatesAmongOthers() throws {
    var rows = TestVectors(count: 6_000, dimensions: 32, seed: 74).rows
    var random = SplitMix(seed: 75)
    for row in 0..<1_500 {
      let centre = rows[6_000 - 1 - row % 5]
      rows[row * 3] = centre.map { $0 + Float.random(in: -0.001...0.001, using: &random) }
    }
    #expect(try Self.recall(rows, .l2, efSearch: 60) >= 0.9)
  }
}
