import TestSupport
import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

/// Scans of codes, whose outcome full vectors decide.
@Suite struct CodedScanTests {
  static let certain: [Codec] = [.f16, .int8, .int4]

  /// The same hits as without codes, scores to the last bit: exact search, and lists where bounds hold always.
  @Test(arguments: certain, Metric.allCases)
  func findsWhatFullVectorsFind(codec: Codec, metric: Metric) throws {
    guard codec.supports(metric) else { return }
    for dimensions in [1, 5, 33, 96] {
      var data = TestVectors(count: 1200, dimensions: dimensions, seed: UInt64(dimensions))
      for i in stride(from: 0, to: 1200, by: 6) { data.rows[i] = data.rows[i % 48] }
      for kind in [IndexKind.flat, .ivfflat] {
        let folder = TemporaryFolder()
        let plain = try folder.build(data.source(), configuration(dimensions, metric, kind, .f32))
        let coded = try folder.build(data.source(), configuration(dimensions, metric, kind, codec))
        #expect(coded.coded.codec == codec)
        try compare(plain, coded, data, isCertain: kind == .flat || codec != .int4)
      }
    }
  }

  private func compare(_ plain: SegmentIndex, _ coded: SegmentIndex, _ data: TestVectors, isCertain: Bool) throws {
    let ids = data.rows.indices.map { Int64($0 + 1) }
    let (some, few) = (ids.filter { $0 % 3 != 0 }, ids.filter { $0 % 97 == 0 })
    let queries = TestVectors(count: 10, dimensions: data.dimensions, seed: 3).rows + data.rows[..<5]
    for query in queries {
      for k in [1, 10, 300] {
        for passing in [nil, some, few] {
          let filters = try (passing.map(plain.filter), passing.map(coded.filter))
          let exact = SearchParameters(exact: true)
          let expected = try plain.nearest(query, k: k, exact, filter: filters.0)
          let found = try coded.nearest(query, k: k, exact, filter: filters.1)
          #expect(found.hits == expected.hits && found.plan == .exact)
          if !isCertain { continue }
          let lists = SearchParameters(probes: 3)
          let scanned = try coded.nearest(query, k: k, lists, filter: filters.1)
          let wanted = try plain.nearest(query, k: k, lists, filter: filters.0)
          #expect(scanned.hits == wanted.hits && scanned.plan == wanted.plan)
        }
      }
    }
  }

  /// Lists by codes whose bounds hold nearly always: nearly the same hits, and few full vectors read.
  @Test(arguments: [Codec.int4, .rabitq, .rabitq2, .rabitq4, .rabitq6])
  func findsNearlyWhatFullVectorsFind(codec: Codec) throws {
    let rows = try DemoVectors.read(every: 4)
    let source = ArraySource(
      rowIDs: rows.indices.map { Int64($0) }, vectors: rows.flatMap { $0 }, dimensions: 384)
    let folder = TemporaryFolder()
    let plain = try folder.build(source, configuration(384, .cosine, .ivfflat, .f32), threads: 2)
    let coded = try folder.build(source, configuration(384, .cosine, .ivfflat, codec), threads: 2)
    var (same, reranked) = (0, 0)
    for query in rows[..<100] {
      let expected = try plain.nearest(query, k: 10, SearchParameters(probes: 6)).hits
      var counters = SearchCounters()
      let prepared = try PreparedQuery(query, dimensions: 384, metric: .cosine)
      let found = try coded.search(
        prepared, k: 10, parameters: SearchParameters(probes: 6), counters: &counters)
      #expect(found.plan == .lists && found.hits.count == 10)
      same += Set(expected.map(\.rowID)).intersection(found.hits.map(\.rowID)).count
      reranked += counters.reranked
    }
    #expect(same >= 980, "\(same) of 1000")
    #expect(reranked <= 100 * 250, "\(reranked)")
  }

  /// A batch is its queries one by one with codes, too.
  @Test(arguments: Codec.allCases, [IndexKind.flat, .ivfflat])
  func batchIsItsQueries(codec: Codec, kind: IndexKind) throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 900, dimensions: 40, seed: 2)
    let index = try folder.build(data.source(), configuration(40, .cosine, kind, codec))
    let queries = try data.rows[..<30].map { try PreparedQuery($0, dimensions: 40, metric: .cosine) }
    // Lists that few queries scan, and lists that many do.
    for probes in [4, 15] {
      let parameters = SearchParameters(probes: probes)
      let batch = try index.search(queries, k: 7, parameters: parameters, threads: 2)
      for (query, found) in zip(queries, batch) {
        var counters = SearchCounters()
        let alone = try index.search(query, k: 7, parameters: parameters, counters: &counters)
        #expect(found.answer.hits == alone.hits && found.answer.plan == alone.plan)
        // Exact batches may multiply vectors.
        if kind == .flat, codec.isCertain { continue }
        #expect(found.counters == counters)
      }
    }
  }

  /// Batches of codes read lists in another order than their queries would, and some vectors only.
  @Test(arguments: [Codec.int8, .int4, .rabitq, .rabitq4], [IndexKind.ivfflat, .flat])
  func filteredBatchIsItsQueries(codec: Codec, kind: IndexKind) throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 1_500, dimensions: 40, seed: 12)
    let index = try folder.build(data.source(), configuration(40, .l2, kind, codec))
    let filter = try index.filter(data.rows.indices.filter { $0 % 4 != 0 }.map { Int64($0 + 1) })
    let queries = try data.rows[..<40].map { try PreparedQuery($0, dimensions: 40, metric: .l2) }
    for k in [1, 60] {
      let parameters = SearchParameters(probes: 5)
      let batch = try index.search(queries, k: k, parameters: parameters, filter: filter, threads: 2)
      for (query, found) in zip(queries, batch) {
        var counters = SearchCounters()
        let alone = try index.search(query, k: k, parameters: parameters, filter: filter, counters: &counters)
        #expect(found.answer.hits == alone.hits && found.counters.rowsScored == counters.rowsScored)
        // Exact batches may multiply vectors.
        #expect(kind == .flat || found.counters == counters)
      }
    }
  }

  /// Independent components, of which bounds exclude little: what a batch holds stays within its room, and queries that
  /// have none are answered all the same.
  @Test(arguments: [Codec.int4, .int8])
  func batchStaysWithinItsRoom(codec: Codec) throws {
    let folder = TemporaryFolder()
    let data = Self.independent(count: 2_000, dimensions: 256)
    let index = try folder.build(data.source(), configuration(256, .cosine, .flat, codec))
    let queries = try Self.independent(count: 60, dimensions: 256, seed: 9).rows.map {
      try PreparedQuery($0, dimensions: 256, metric: .cosine)
    }
    let scratch = index.scratch.take()
    defer { index.scratch.give(scratch) }
    // Some room is left for one array that doubles.
    let room = 12_000
    let bounded = index.scans(of: queries, k: 5, filter: nil, mustBeExact: true, room: room)
    try bounded.scan(0..<index.vectorCount, nil, scratch)
    #expect(bounded.mostHeld <= room + 6_000)
    #expect(bounded.scans.reduce(0) { $0 + $1.held } <= room)
    #expect(bounded.isAside.contains(false))
    if codec == .int4 {
      #expect(bounded.isAside.contains(true))
      let unbounded = index.scans(of: queries, k: 5, filter: nil, mustBeExact: true)
      try unbounded.scan(0..<index.vectorCount, nil, scratch)
      #expect(unbounded.mostHeld > room + 6_000 && !unbounded.isAside.contains(true))
    }
    for candidates in [0, room] {
      let answers = try index.searchExact(queries, k: 5, filter: nil, room: candidates)
      #expect(answers.count == queries.count)
      for (query, found) in zip(queries, answers) {
        var counters = SearchCounters()
        let alone = try index.search(query, k: 5, parameters: SearchParameters(exact: true), counters: &counters)
        #expect(found.answer.hits == alone.hits && found.answer.plan == .exact)
        #expect(found.counters.rowsScored == counters.rowsScored)
      }
    }
  }

  /// Lists as well, counters included.
  @Test(arguments: [Codec.int8, .int4, .rabitq, .rabitq4])
  func listsWithoutRoomAreSearchedAlone(codec: Codec) throws {
    let folder = TemporaryFolder()
    let data = Self.independent(count: 1_500, dimensions: 40)
    let index = try folder.build(data.source(), configuration(40, .l2, .ivfflat, codec))
    guard case .ivfflat(let lists) = index.structure else {
      Issue.record("an index without lists")
      return
    }
    let queries = try data.rows[..<40].map { try PreparedQuery($0, dimensions: 40, metric: .l2) }
    // For no query, for some, for all.
    for room in [0, 1_500, CodedBatch.mostRoom] {
      let batch = try index.searchLists(lists, queries, k: 6, probes: 5, filter: nil, room: room)
      #expect(batch.count == queries.count)
      for (query, found) in zip(queries, batch) {
        var counters = SearchCounters()
        let alone = try index.search(query, k: 6, parameters: SearchParameters(probes: 5), counters: &counters)
        #expect(found.answer.hits == alone.hits && found.answer.plan == alone.plan && found.counters == counters)
      }
    }
  }

  /// Components that do not depend on each other: all vectors are about as far from each other.
  private static func independent(count: Int, dimensions: Int, seed: UInt64 = 4) -> TestVectors {
    var data = TestVectors(count: count, dimensions: dimensions, seed: seed)
    var random = SplitMix(seed: seed)
    for i in data.rows.indices {
      data.rows[i] = (0..<dimensions).map { _ in Float.random(in: -1...1, using: &random) }
    }
    return data
  }

  private func configuration(
    _ dimensions: Int, _ metric: Metric, _ kind: IndexKind, _ codec: Codec
  ) -> IndexConfiguration {
    IndexConfiguration(
      dimensions: dimensions, metric: metric, kind: kind, lists: 20, codec: .fixed(codec), seed: 7)
  }
}
