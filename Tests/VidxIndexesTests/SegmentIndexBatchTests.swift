import TestSupport
import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

/// A batch is its queries one by one: the same rows, scores to the last bit, plans, and counters.
@Suite struct SegmentIndexBatchTests {
  static let kinds: [IndexKind] = [.flat, .ivfflat, .hnsw]

  @Test(arguments: Metric.allCases, kinds)
  func isItsQueriesOneByOne(metric: Metric, kind: IndexKind) throws {
    let folder = TemporaryFolder()
    for dimensions in [1, 3, 17, 40] {
      var data = TestVectors(count: 1500, dimensions: dimensions, seed: UInt64(dimensions))
      // Rows that share vectors, and a tie at every boundary.
      for i in stride(from: 0, to: 1500, by: 5) { data.rows[i] = data.rows[i % 50] }
      let index = try folder.build(data.source(), configuration(dimensions, metric, kind), threads: 1)
      let queries = try prepared(data, metric)
      for (k, parameters) in [
        (1, SearchParameters()), (10, SearchParameters(probes: 3)), (40, SearchParameters(exact: true)),
        (1600, SearchParameters(efSearch: 60, probes: 1)),
      ] {
        for count in [1, 2, 11, 40] {
          try compare(index, Array(queries[..<count]), k: k, parameters, nil, threads: count % 3 + 1)
        }
      }
    }
  }

  @Test(arguments: Metric.allCases, kinds)
  func isItsQueriesOneByOneUnderAFilter(metric: Metric, kind: IndexKind) throws {
    let folder = TemporaryFolder()
    var data = TestVectors(count: 1500, dimensions: 24, seed: 5)
    for i in stride(from: 0, to: 1500, by: 7) { data.rows[i] = data.rows[i % 49] }
    let index = try folder.build(data.source(), configuration(24, metric, kind), threads: 1)
    let queries = try prepared(data, metric)
    var random = SplitMix(seed: 8)
    for share in [0.001, 0.01, 0.2, 0.9, 1] {
      let set = RowSet(capacity: index.entryCount)
      for entry in 0..<index.entryCount where Double.random(in: 0..<1, using: &random) < share { set.insert(entry) }
      let filter = try EntryFilter(set, in: index)
      for parameters in [SearchParameters(), SearchParameters(probes: 2), SearchParameters(exact: true)] {
        try compare(index, queries, k: 10, parameters, filter, threads: 2)
      }
    }
  }

  /// Where products in 32 bits are too coarse to tell vectors apart, the kernel has to.
  @Test(arguments: [Metric.l2, .innerProduct])
  func isExactFarFromZero(metric: Metric) throws {
    let folder = TemporaryFolder()
    var data = TestVectors(count: 600, dimensions: 33, seed: 3)
    for i in data.rows.indices { data.rows[i] = data.rows[i].map { $0 * 0.01 + 3000 } }
    let index = try folder.build(data.source(), configuration(33, metric, .flat), threads: 1)
    try compare(index, try prepared(data, metric), k: 5, SearchParameters(), nil, threads: 2)
  }

  /// More rows than a block and more queries than a tile.
  @Test(arguments: [IndexKind.flat, .ivfflat])
  func takesManyQueries(kind: IndexKind) throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 1300, dimensions: 8, seed: 6)
    let index = try folder.build(data.source(), configuration(8, .l2, kind), threads: 1)
    let queries = try data.rows[..<1200].map { try PreparedQuery($0, dimensions: 8, metric: .l2) }
    try compare(index, queries, k: 3, SearchParameters(probes: 4), nil, threads: 2)
  }

  @Test func noQueriesNoAnswers() throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 50, dimensions: 4, seed: 1)
    let index = try folder.build(data.source(), configuration(4, .cosine, .flat), threads: 1)
    #expect(try index.search([], k: 5, threads: 2).isEmpty)
    let none = try index.search(try prepared(data, .cosine), k: 0, threads: 2)
    #expect(none.count == 40 && none.allSatisfy { $0.answer.hits.isEmpty })
  }

  private func configuration(_ dimensions: Int, _ metric: Metric, _ kind: IndexKind) -> IndexConfiguration {
    IndexConfiguration(dimensions: dimensions, metric: metric, kind: kind, lists: 20, seed: 7)
  }

  /// Forty queries: vectors of the index and others.
  private func prepared(_ data: TestVectors, _ metric: Metric) throws -> [PreparedQuery] {
    let others = TestVectors(count: 20, dimensions: data.dimensions, seed: 99).rows
    return try (others + data.rows[20..<40]).map {
      try PreparedQuery($0, dimensions: data.dimensions, metric: metric)
    }
  }

  private func compare(
    _ index: SegmentIndex, _ queries: [PreparedQuery], k: Int, _ parameters: SearchParameters, _ filter: EntryFilter?,
    threads: Int
  ) throws {
    let batch = try index.search(queries, k: k, parameters: parameters, filter: filter, threads: threads)
    #expect(batch.count == queries.count)
    for (query, found) in zip(queries, batch) {
      var counters = SearchCounters()
      let alone = try index.search(query, k: k, parameters: parameters, filter: filter, counters: &counters)
      #expect(found.answer.hits == alone.hits)
      #expect(found.answer.plan == alone.plan)
      #expect(found.counters == counters)
    }
  }
}
