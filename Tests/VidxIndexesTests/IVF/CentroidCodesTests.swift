import TestSupport
import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

@Suite struct CentroidCodesTests {
  /// Codes and bounds, or scores of the centroids themselves: the same lists in the same order.
  @Test(arguments: [Metric.cosine, .l2, .innerProduct], [1, 3, 17, 64])
  func changeNoOrder(metric: Metric, dimensions: Int) throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 2000, dimensions: dimensions, seed: UInt64(dimensions), clusters: 90)
    let index = try folder.build(data.source(), configuration(dimensions, metric, lists: 80))
    try compareOrder(index, data.rows[..<40] + TestVectors(count: 40, dimensions: dimensions, seed: 5).rows)
  }

  /// One component a thousand times the others leaves a byte nothing to tell these by: the bounds have to say so.
  @Test(arguments: [Metric.cosine, .l2, .innerProduct])
  func changeNoOrderWhereBytesAreTooCoarse(metric: Metric) throws {
    let folder = TemporaryFolder()
    var data = TestVectors(count: 2000, dimensions: 20, seed: 3, clusters: 90)
    for i in data.rows.indices { data.rows[i][7] += 2000 }
    let index = try folder.build(data.source(), configuration(20, metric, lists: 80))
    try compareOrder(index, Array(data.rows[..<40]))
  }

  @Test func leaveLittleToScore() throws {
    let folder = TemporaryFolder()
    let vectors = try DemoVectors.read(every: 3)
    let rows = Array(vectors[50...])
    let source = ArraySource(
      rowIDs: rows.indices.map { Int64($0) }, vectors: rows.flatMap { $0 }, dimensions: 384)
    let index = try folder.build(source, configuration(384, .cosine, lists: 300), threads: 2)
    var counters = SearchCounters()
    let lists = try lists(of: index)
    let scratch = index.scratch.take()
    for query in vectors[..<50] {
      var ranked = try lists.rank(PreparedQuery(query, dimensions: 384, metric: .cosine), scratch, &counters)
      for _ in 0..<8 { _ = ranked.pop(&counters) }
    }
    #expect(counters.distanceComputations >= 50 * 308)
    #expect(counters.distanceComputations <= 50 * 325, "\(counters.distanceComputations)")
  }

  @Test func areThereFromSomeListsOnAndNotUnderL1() throws {
    let data = TestVectors(count: 500, dimensions: 8, seed: 1)
    for (metric, lists, expected) in [(Metric.l2, 64, true), (.l2, 63, false), (.l1, 80, false)] {
      let folder = TemporaryFolder()
      let index = try folder.build(data.source(), configuration(8, metric, lists: lists))
      #expect(try (index.file.optionalSection(.centroidCodes, expecting: lists * 32) != nil) == expected)
      #expect(try index.check().isEmpty)
    }
  }

  private func compareOrder(_ index: SegmentIndex, _ queries: [[Float]]) throws {
    let lists = try lists(of: index)
    #expect(try index.check().isEmpty)
    let scratch = index.scratch.take()
    let (dimensions, metric) = (index.configuration.dimensions, index.configuration.metric)
    let stride = index.configuration.stride
    for query in queries {
      let prepared = try PreparedQuery(query, dimensions: dimensions, metric: metric)
      var counters = SearchCounters()
      var ranked = try lists.rank(prepared, scratch, &counters)
      var order: [Int] = []
      while let list = ranked.pop(&counters) { order.append(list) }
      let scores = (0..<lists.listCount).map { list in
        unsafe index.kernels.one(prepared.floats, lists.centroids.floats + list * stride, stride)
      }
      #expect(order == scores.indices.sorted { (scores[$0], $0) < (scores[$1], $1) })
    }
  }

  private func lists(of index: SegmentIndex) throws -> IVFLists {
    guard case .ivfflat(let lists) = index.structure else { throw BuildError.cancelled }
    return lists
  }

  private func configuration(_ dimensions: Int, _ metric: Metric, lists: Int) -> IndexConfiguration {
    IndexConfiguration(dimensions: dimensions, metric: metric, kind: .ivfflat, lists: lists, seed: 7)
  }
}
