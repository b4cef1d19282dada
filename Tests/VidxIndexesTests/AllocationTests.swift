import CAllocationCounter
import TestSupport
import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

/// A search into the caller's memory takes nothing from the heap, once searches like it have been made.
@Suite(.enabled("allocations are counted with glibc, without sanitizers") { vidx_test_counts_allocations() != 0 })
struct AllocationTests {
  static let dimensions = 48
  static let k = 10
  static let codecs: [Codec] = [.f32, .f16, .int8, .int4, .rabitq, .rabitq4]

  private let folder = TemporaryFolder()

  @Test(arguments: IndexKind.allCases, codecs)
  func aSearchAllocatesNothing(kind: IndexKind, codec: Codec) throws {
    for metric in [Metric.cosine, .l2, .innerProduct] {
      let index = try build(kind, codec, metric)
      for parameters in [SearchParameters(), SearchParameters(efSearch: 90, probes: 9), SearchParameters(exact: true)] {
        let count = try allocations(index, metric, parameters, nil)
        #expect(count == 0, "\(metric) \(parameters)")
      }
    }
  }

  @Test(arguments: IndexKind.allCases, [Codec.f32, .int8])
  func aFilteredSearchAllocatesNothing(kind: IndexKind, codec: Codec) throws {
    let index = try build(kind, codec, .cosine)
    let filter = try index.filter((0..<3000).filter { $0 % 8 != 3 })
    let count = try allocations(index, .cosine, SearchParameters(efSearch: 20), filter)
    #expect(count == 0)
  }

  /// What the count would be if it were not kept.
  @Test func allocationsAreCounted() throws {
    let index = try build(.hnsw, .int8, .cosine)
    let query = try #require(try queries(.cosine).first)
    var counters = SearchCounters()
    let before = vidx_test_allocations()
    let hits = try index.search(query, k: Self.k, counters: &counters).hits
    #expect(vidx_test_allocations() > before && hits.count == Self.k)
  }

  private func build(_ kind: IndexKind, _ codec: Codec, _ metric: Metric) throws -> SegmentIndex {
    var data = TestVectors(count: 3000, dimensions: Self.dimensions, seed: 4)
    // Rows that share a vector.
    for i in stride(from: 0, to: 3000, by: 10) { data.rows[i] = data.rows[i + 1] }
    return try folder.build(
      data.source(),
      IndexConfiguration(
        dimensions: Self.dimensions, metric: metric, kind: kind, m: 8, efConstruction: 40, lists: 70,
        codec: .fixed(codec)))
  }

  private func queries(_ metric: Metric) throws -> [PreparedQuery] {
    try TestVectors(count: 40, dimensions: Self.dimensions, seed: 5).rows.map {
      try PreparedQuery($0, dimensions: Self.dimensions, metric: metric)
    }
  }

  /// By all queries, after a warm-up.
  private func allocations(
    _ index: SegmentIndex, _ metric: Metric, _ parameters: SearchParameters, _ filter: EntryFilter?
  ) throws -> Int {
    let queries = try queries(metric)
    let hits = UnsafeMutablePointer<Hit>.allocate(capacity: Self.k)
    defer { unsafe hits.deallocate() }
    var counters = SearchCounters()
    var found = 0
    var before = 0
    for round in 0..<2 {
      if round == 1 { before = Int(vidx_test_allocations()) }
      for query in queries {
        found += unsafe try index.search(
          query, k: Self.k, parameters: parameters, filter: filter, into: hits, counters: &counters
        ).count
      }
    }
    let allocated = Int(vidx_test_allocations()) - before
    #expect(found == 2 * queries.count * Self.k)
    return allocated
  }
}
