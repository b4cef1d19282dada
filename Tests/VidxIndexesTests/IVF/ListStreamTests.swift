import TestSupport
import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

@Suite struct ListStreamTests {
  @Test(arguments: Metric.allCases)
  func yieldsEveryRowExactlyOnce(metric: Metric) throws {
    let folder = TemporaryFolder()
    var rows = TestVectors(count: 1500, dimensions: 9, seed: 3).rows
    for i in 0..<300 { rows[1200 + i] = rows[i] }
    let index = try folder.build(source(rows), configuration(9, metric, lists: 30))
    let query = try PreparedQuery(rows[5], dimensions: 9, metric: metric)
    for probes in [1, 5, 30] {
      let stream = index.stream(query, parameters: SearchParameters(probes: probes))
      let hits = try drain(stream)
      #expect(hits.map(\.rowID).sorted() == (1...1500).map { Int64($0) })
      #expect(try stream.next() == nil)
      // With all lists in the first stage the order is exact.
      if probes == 30 { #expect(zip(hits, hits.dropFirst()).allSatisfy { $0.score <= $1.score }) }
      let counters = stream.counters
      #expect(counters.listsProbed <= 30)
      #expect(counters.distanceComputations == 30 + index.vectorCount)
      #expect(counters.rowsScored == 1500)
    }
  }

  @Test func yieldsWhatPassesAndNothingElse() throws {
    let folder = TemporaryFolder()
    var rows = TestVectors(count: 1000, dimensions: 9, seed: 4).rows
    for i in 0..<200 { rows[800 + i] = rows[i] }
    let index = try folder.build(source(rows), configuration(9, .cosine, lists: 20))
    let query = try PreparedQuery(rows[5], dimensions: 9, metric: .cosine)
    for ids in [[], [7], (700...900).map { Int64($0) }, (1...1000).map { Int64($0) }] {
      let stream = index.stream(query, parameters: SearchParameters(probes: 2), filter: try index.filter(ids))
      #expect(try drain(stream).map(\.rowID).sorted() == ids)
      #expect(stream.counters.distanceComputations <= 20 + ids.count)
    }
  }

  /// The first rows are those a search finds, for little more than a search costs; and the order is nearly right.
  @Test func beginsWithTheNearest() throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 6000, dimensions: 16, seed: 14, clusters: 60)
    let index = try folder.build(data.source(), configuration(16, .cosine, lists: 64), threads: 2)
    var found = 0.0
    for row in 0..<20 {
      let query = try PreparedQuery(data.rows[row], dimensions: 16, metric: .cosine)
      let truth = bruteForce(data.rows[row], data.identified, .cosine)
      let stream = index.stream(query, parameters: SearchParameters(probes: 8))
      var hits: [Hit] = []
      while hits.count < 10, let hit = try stream.next() { hits.append(hit) }
      found += recall(hits, truth, k: 10, .cosine, 1e-5)
      #expect(stream.counters.distanceComputations < 3000)
      while hits.count < 100, let hit = try stream.next() { hits.append(hit) }
      found += recall(hits, truth, k: 100, .cosine, 1e-5)
    }
    #expect(found / 40 >= 0.95)
  }

  @Test func streamsOfOneIndexDoNotDisturbEachOther() throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 900, dimensions: 6, seed: 8)
    let index = try folder.build(data.source(), configuration(6, .l2, lists: 30))
    let queries = try (0..<4).map { try PreparedQuery(data.rows[$0 * 50], dimensions: 6, metric: .l2) }
    let alone = try queries.map { try drain(index.stream($0, parameters: SearchParameters(probes: 1))) }
    let streams = queries.map { index.stream($0, parameters: SearchParameters(probes: 1)) }
    var together = [[Hit]](repeating: [], count: 4)
    for _ in 0..<900 {
      for i in 0..<4 { together[i].append(try #require(try streams[i].next())) }
      _ = try index.nearest(data.rows[1], k: 3)
    }
    #expect(together == alone)
  }

  private func drain(_ stream: SegmentStream) throws -> [Hit] {
    var hits: [Hit] = []
    while let hit = try stream.next() { hits.append(hit) }
    return hits
  }

  private func configuration(_ dimensions: Int, _ metric: Metric, lists: Int) -> IndexConfiguration {
    IndexConfiguration(dimensions: dimensions, metric: metric, kind: .ivfflat, lists: lists)
  }
}
