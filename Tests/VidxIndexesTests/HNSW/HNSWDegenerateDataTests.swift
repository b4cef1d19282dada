import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite struct HNSWDegenerateDataTests {
  /// Points on a line, in order: the graph is little more than a chain, and threads must not leave gaps in it.
  @Test(arguments: [1, 2, 4])
  func findsEveryPointOfALine(threads: Int) throws {
    let folder = TemporaryFolder()
    let rows = (0..<4_000).map { [Float($0), 0, 0, 0] }
    let source = ArraySource(
      rowIDs: rows.indices.map { Int64($0) }, vectors: rows.flatMap { $0 }, dimensions: 4)
    let configuration = IndexConfiguration(dimensions: 4, metric: .l2, kind: .hnsw)
    for _ in 0..<4 {
      let index = try folder.build(source, configuration, threads: threads)
      let missed = try rows.indices.filter { try index.nearest(rows[$0], k: 1).hits.first?.rowID != Int64($0) }
      #expect(missed.isEmpty, "\(missed.prefix(8)) of \(missed.count)")
    }
  }

  /// Long vectors crowd out short ones under inner product: lists fill with the long, and nothing links to the short.
  @Test(arguments: [(0.5, 16), (1.0, 16), (1.0, 2)])
  func reachesEveryVectorWhateverItsLength(spread: Double, m: Int) throws {
    let folder = TemporaryFolder()
    var random = SplitMix(seed: 41)
    let rows = TestVectors(count: 5_000, dimensions: 32, seed: 42).rows.map { row in
      // Sum of uniform numbers: near enough to normal, so the lengths are near enough to lognormal.
      let normal = (0..<12).reduce(-6.0) { sum, _ in sum + Double.random(in: 0..<1, using: &random) }
      let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return row.map { $0 / length * Float(exp(spread * normal)) }
    }
    let source = ArraySource(
      rowIDs: rows.indices.map { Int64($0) }, vectors: rows.flatMap { $0 }, dimensions: 32)
    var configuration = IndexConfiguration(dimensions: 32, metric: .innerProduct, kind: .hnsw)
    configuration.m = m
    let index = try folder.build(source, configuration, threads: 2)
    #expect(try index.check().isEmpty)
    let live = try index.filter(rows.indices.filter { $0 % 6 != 0 }.map { Int64($0) })
    let none = ArraySource(rowIDs: [], vectors: [], dimensions: 32)
    let grown = try folder.build(none, configuration, base: GrowthBase(index: index, live: live))
    #expect(try grown.check().isEmpty)
  }

  @Test func refusesVectorsWhoseDistancesOverflow() throws {
    #expect(throws: VectorError.tooLarge) { try PreparedQuery([1e30, 0], dimensions: 2, metric: .innerProduct) }
    let query = try PreparedQuery([4e18, 1e18], dimensions: 2, metric: .innerProduct)
    let folder = TemporaryFolder()
    let index = try folder.build(
      ArraySource(rowIDs: [1, 2], vectors: [4e18, 0, -4e18, 0], dimensions: 2),
      IndexConfiguration(dimensions: 2, metric: .innerProduct, kind: .flat))
    var counters = SearchCounters()
    let hits = try index.search(query, k: 2, counters: &counters).hits
    #expect(hits.map(\.rowID) == [1, 2])
    #expect(hits.allSatisfy { $0.score.isFinite })
  }
}
