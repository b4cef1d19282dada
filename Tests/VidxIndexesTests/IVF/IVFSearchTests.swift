import TestSupport
import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

@Suite struct IVFSearchTests {
  @Test(arguments: Metric.allCases, [1, 3, 16, 17, 31])
  func allProbesAreExact(metric: Metric, dimensions: Int) throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 600, dimensions: dimensions, seed: UInt64(dimensions))
    let index = try folder.build(data.source(), configuration(dimensions, metric, lists: 11), threads: 2)
    #expect(try index.check().isEmpty)
    for query in TestVectors(count: 10, dimensions: dimensions, seed: 77).rows {
      let exact = try index.nearest(query, k: 20, SearchParameters(exact: true))
      let answer = try index.nearest(query, k: 20, SearchParameters(probes: 11))
      #expect(answer.plan == .exact)
      #expect(answer.hits == exact.hits)
      let truth = bruteForce(query, data.identified, metric)
      #expect(recall(answer.hits, truth, k: 20, metric, tolerance(query, metric)) == 1)
    }
  }

  /// pgvector's TAP tests ask for floors like these (test/t/003_ivfflat_build_recall.pl).
  @Test(arguments: Metric.allCases)
  func recallRisesWithProbes(metric: Metric) throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 4030, dimensions: 24, seed: 31, clusters: 60)
    let queries = data.rows[4000...]
    let index = try folder.build(source(Array(data.rows[..<4000])), configuration(24, metric, lists: 60), threads: 2)
    // Exact search is held against brute force elsewhere.
    let truth = try queries.map { query in
      try index.nearest(query, k: 10, SearchParameters(exact: true)).hits.map {
        (id: $0.rowID, distance: Double(metric.distance(fromScore: $0.score)))
      }
    }
    // Few probes find less under inner product: a large vector is near to queries of many directions.
    let floors = metric == .innerProduct ? [0.45, 0.95, 0.99] : [0.8, 0.98, 1]
    for (probes, floor) in zip([1, 8, 30], floors) {
      var total = 0.0
      for (query, truth) in zip(queries, truth) {
        let hits = try index.nearest(query, k: 10, SearchParameters(probes: probes)).hits
        total += recall(hits, truth, k: 10, metric, 0)
      }
      let mean = total / Double(queries.count)
      #expect(mean >= floor, "probes \(probes)")
    }
  }

  @Test func recallOnRealVectors() throws {
    let folder = TemporaryFolder()
    let rows = try DemoVectors.read(every: 4)
    let index = try folder.build(source(Array(rows[60...])), configuration(384, .cosine, lists: 49), threads: 2)
    for (probes, floor) in [(1, 0.45), (7, 0.82), (20, 0.95)] {
      var found = 0
      for query in rows[..<60] {
        let truth = try index.nearest(query, k: 10, SearchParameters(exact: true)).hits
        let hits = try index.nearest(query, k: 10, SearchParameters(probes: probes)).hits
        found += Set(truth.map(\.rowID)).intersection(hits.map(\.rowID)).count
      }
      #expect(Double(found) / 600 >= floor, "probes \(probes): \(found) of 600")
    }
  }

  @Test func findsEveryRowOfASharedVector() throws {
    let folder = TemporaryFolder()
    var rows = TestVectors(count: 900, dimensions: 12, seed: 2).rows
    for i in stride(from: 0, to: 900, by: 3) { rows[i] = rows[0] }
    let index = try folder.build(source(rows), configuration(12, .cosine, lists: 9))
    #expect(index.vectorCount == 601)
    let hits = try index.nearest(rows[0], k: 300, SearchParameters(probes: 1)).hits
    #expect(hits.map(\.rowID) == stride(from: Int64(1), to: 901, by: 3).map { $0 })
  }

  @Test(arguments: Metric.allCases)
  func findsKRowsWheneverKPass(metric: Metric) throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 3000, dimensions: 10, seed: 9)
    let index = try folder.build(data.source(), configuration(10, metric, lists: 50))
    var random = SplitMix(seed: 4)
    for passing in [0, 1, 9, 10, 30, 150, 1500, 2999, 3000] {
      let ids = (1...3000).map { Int64($0) }.shuffled(using: &random).prefix(passing)
      let filter = try index.filter(Array(ids))
      let allowed = Set(ids)
      for k in [1, 10, 200] {
        var counters = SearchCounters()
        let query = try PreparedQuery(data.rows[17], dimensions: 10, metric: metric)
        let answer = try index.search(
          query, k: k, parameters: SearchParameters(probes: 2), filter: filter, counters: &counters)
        #expect(answer.hits.count == min(k, passing))
        #expect(answer.hits.allSatisfy { allowed.contains($0.rowID) })
        #expect(Set(answer.hits.map(\.rowID)).count == answer.hits.count)
        #expect(zip(answer.hits, answer.hits.dropFirst()).allSatisfy { Hit.isNearer($0, $1) })
        // Failing rows are never scored.
        #expect(counters.rowsScored <= passing)
        #expect(counters.distanceComputations <= passing + index.configuration.lists)
        if answer.exact {
          let exact = try index.nearest(data.rows[17], k: k, SearchParameters(exact: true), filter: filter)
          #expect(answer.hits == exact.hits)
        }
      }
    }
  }

  /// A filter of few rows must not cost recall: the work it saves goes into farther lists.
  @Test func recallUnderAFilterKeepsUp() throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 5000, dimensions: 24, seed: 13, clusters: 80)
    let index = try folder.build(data.source(), configuration(24, .cosine, lists: 64))
    var random = SplitMix(seed: 8)
    for share in [0.5, 0.1, 0.02] {
      let ids = (1...5000).filter { _ in Double.random(in: 0..<1, using: &random) < share }.map { Int64($0) }
      let filter = try index.filter(ids)
      let passing = ids.map { (id: $0, vector: data.rows[Int($0) - 1]) }
      var total = 0.0
      for query in data.rows[0..<30] {
        let answer = try index.nearest(query, k: 10, SearchParameters(probes: 8), filter: filter)
        total += recall(answer.hits, bruteForce(query, passing, .cosine), k: 10, .cosine, 1e-5)
        if share == 0.02 { #expect(answer.exact) }
      }
      #expect(total / 30 >= 0.95, "share \(share)")
    }
  }

  /// A filter over rows that share vectors passes rows, not vectors.
  @Test func filtersRowsOfASharedVector() throws {
    let folder = TemporaryFolder()
    var rows = TestVectors(count: 400, dimensions: 6, seed: 3).rows
    for i in 0..<200 { rows[200 + i] = rows[i] }
    let index = try folder.build(source(rows), configuration(6, .l2, lists: 8))
    let filter = try index.filter((201...400).map { Int64($0) })
    for i in 0..<20 {
      let hits = try index.nearest(rows[i], k: 5, SearchParameters(probes: 8), filter: filter).hits
      #expect(hits.first?.rowID == Int64(201 + i))
      #expect(hits.allSatisfy { $0.rowID > 200 })
    }
  }

  @Test func probesAreClampedAndCounted() throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 2000, dimensions: 8, seed: 5)
    let index = try folder.build(data.source(), configuration(8, .l2, lists: 25))
    for (probes, expected) in [(Int?.none, 5), (.some(-3), 1), (0, 1), (1, 1), (7, 7), (25, 25), (10_000, 25)] {
      var counters = SearchCounters()
      let query = try PreparedQuery(data.rows[0], dimensions: 8, metric: .l2)
      let answer = try index.search(
        query, k: 3, parameters: SearchParameters(probes: probes), counters: &counters)
      #expect(counters.listsProbed == expected)
      #expect(counters.distanceComputations == 25 + counters.rowsScored)
      #expect(answer.exact == (expected == 25))
      if expected < 25 { #expect(counters.rowsScored < 2000) }
    }
    #expect(try index.nearest(data.rows[0], k: 0).hits.isEmpty)
    // More than the probed lists hold: goes on.
    #expect(try index.nearest(data.rows[0], k: 1999, SearchParameters(probes: 1)).hits.count == 1999)
    #expect(try index.nearest(data.rows[0], k: 5000, SearchParameters(probes: 1)).hits.count == 2000)
  }

  @Test func zeroVectorsAreNeverNeighboursUnderCosine() throws {
    let folder = TemporaryFolder()
    var rows = TestVectors(count: 100, dimensions: 5, seed: 1).rows
    for i in 0..<7 { rows[i] = [0, 0, 0, 0, 0] }
    let index = try folder.build(source(rows), configuration(5, .cosine, lists: 4))
    let hits = try index.nearest(rows[50], k: 200).hits
    #expect(hits.count == 93)
    #expect(hits.allSatisfy { $0.rowID > 7 })
    let zeros = try index.filter((1...7).map { Int64($0) })
    #expect(try index.nearest(rows[50], k: 3, filter: zeros).hits.isEmpty)
  }

  private func configuration(_ dimensions: Int, _ metric: Metric, lists: Int) -> IndexConfiguration {
    IndexConfiguration(dimensions: dimensions, metric: metric, kind: .ivfflat, lists: lists)
  }
}

/// Rows with ids from 1.
func source(_ rows: [[Float]]) -> ArraySource {
  ArraySource(
    rowIDs: rows.indices.map { Int64($0) + 1 }, vectors: rows.flatMap { $0 }, dimensions: rows.first?.count ?? 1)
}

extension TestVectors {
  /// The rows with the ids that `source()` gives them.
  var identified: [(id: Int64, vector: [Float])] { rows.enumerated().map { (Int64($0.offset) + 1, $0.element) } }
}
