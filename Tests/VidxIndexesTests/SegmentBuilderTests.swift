import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@Suite struct SegmentBuilderTests {
  @Test(arguments: [IndexKind.flat, .hnsw, .ivfflat])
  func roundTripsRowsOfAnyOrder(kind: IndexKind) throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 500, dimensions: 20, seed: 5)
    var ids = (0..<500).map { Int64($0 * 37 % 500) * 1_000_003 - 9_000_000 }
    ids[7] = .max
    ids[8] = .min
    let source = ArraySource(rowIDs: ids, vectors: data.rows.flatMap { $0 }, dimensions: 20)
    for metric in [Metric.l2, .cosine] {
      let index = try folder.build(source, IndexConfiguration(dimensions: 20, metric: metric, kind: kind))
      #expect(try index.check().isEmpty)
      for (row, id) in ids.enumerated() {
        let entry = try #require(try index.entry(ofRowID: id))
        #expect(try index.rowID(ofEntry: entry) == id)
        let vector = try index.vector(ofEntry: entry)
        for (got, given) in zip(vector, data.rows[row]) {
          #expect(metric == .l2 ? got == given : (got - given).magnitude <= given.magnitude * 2.4e-7)
        }
      }
      #expect(try index.entry(ofRowID: 12345) == nil)
      #expect(try (0..<500).map { try index.sortedRow($0).rowID } == ids.sorted())
    }
  }

  @Test(arguments: [IndexKind.flat, .hnsw, .ivfflat])
  func storesSharedVectorsOnceAndFindsEveryRow(kind: IndexKind) throws {
    let folder = TemporaryFolder()
    let distinct = TestVectors(count: 400, dimensions: 16, seed: 6).rows
    // 1,000 rows of one vector, two of every other, scaled differently: equal under cosine.
    var rows = [[Float]](repeating: distinct[0].map { $0 * 2 }, count: 1000)
    rows += distinct + distinct.map { $0.map { $0 * 4 } }
    let source = ArraySource(
      rowIDs: (0..<rows.count).map { Int64($0) }, vectors: rows.flatMap { $0 }, dimensions: 16)
    let index = try folder.build(source, IndexConfiguration(dimensions: 16, kind: kind))
    #expect(index.vectorCount == 400)
    #expect(index.entryCount == 1800)
    #expect(try index.check().isEmpty)
    let hits = try index.nearest(distinct[0], k: 1002).hits
    #expect(hits.map(\.rowID) == Array(0..<1000) + [1000, 1400])
    // efSearch = 1 still gives ten of them (pgvector's TAP test 015).
    #expect(try index.nearest(distinct[0], k: 10, SearchParameters(efSearch: 1, probes: 1)).hits.count == 10)
    for row in [0, 500, 999] {
      let entry = try #require(try index.entry(ofRowID: Int64(row)))
      for (got, given) in zip(try index.vector(ofEntry: entry), rows[row]) {
        #expect((got - given).magnitude <= given.magnitude * 2.4e-7)
      }
    }
  }

  @Test func refusesWhatCannotBeIndexed() throws {
    let folder = TemporaryFolder()
    let configuration = IndexConfiguration(dimensions: 2, metric: .l2, kind: .flat)
    let bad = ArraySource(rowIDs: [4, 9], vectors: [1, 2, .nan, 4], dimensions: 2)
    #expect(throws: BuildError.badVector(row: 1, rowID: 9, .notFinite(index: 0))) {
      try folder.build(bad, configuration)
    }
    let huge = ArraySource(rowIDs: [4], vectors: [3e38, 3e38], dimensions: 2)
    #expect(throws: BuildError.badVector(row: 0, rowID: 4, .tooLarge)) {
      try folder.build(huge, IndexConfiguration(dimensions: 2, metric: .cosine, kind: .flat))
    }
    let twice = ArraySource(rowIDs: [4, 4], vectors: [1, 2, 3, 4], dimensions: 2)
    #expect(throws: BuildError.duplicateRowID(4)) { try folder.build(twice, configuration) }
    #expect(try SegmentFolderListing.files(folder.path).isEmpty)
  }

  @Test(arguments: [IndexKind.flat, .hnsw, .ivfflat])
  func cancelsWithoutLeavingAFile(kind: IndexKind) throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 2000, dimensions: 8, seed: 3)
    for calls in [0, 1, 3] {
      let countdown = Countdown(calls)
      #expect(throws: BuildError.cancelled) {
        try SegmentBuilder.build(
          data.source(), configuration: IndexConfiguration(dimensions: 8, kind: kind),
          options: BuildOptions(threads: 2, isCancelled: { countdown.isOver }), directory: folder.path,
          fileName: "cancelled.seg")
      }
      #expect(try SegmentFolderListing.files(folder.path).isEmpty)
    }
  }

  @Test(arguments: [IndexKind.flat, .hnsw, .ivfflat])
  func buildsAndSearchesNothing(kind: IndexKind) throws {
    let folder = TemporaryFolder()
    let empty = ArraySource(rowIDs: [], vectors: [], dimensions: 4)
    let index = try folder.build(empty, IndexConfiguration(dimensions: 4, kind: kind))
    #expect(try index.nearest([1, 0, 0, 0], k: 3).hits.isEmpty)
    #expect(try index.check().isEmpty)
    let query = try PreparedQuery([1, 0, 0, 0], dimensions: 4, metric: .cosine)
    #expect(try index.stream(query).next() == nil)
    let one = ArraySource(rowIDs: [7], vectors: [0, 2, 0, 0], dimensions: 4)
    let single = try folder.build(one, IndexConfiguration(dimensions: 4, kind: kind))
    #expect(try single.nearest([1, 0, 0, 0], k: 3).hits.map(\.rowID) == [7])
    #expect(try single.check().isEmpty)
  }

  @Test func isDeterministicWithOneThread() throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 3000, dimensions: 16, seed: 11)
    let configuration = IndexConfiguration(dimensions: 16, kind: .hnsw)
    let a = try folder.build(data.source(), configuration)
    let b = try folder.build(data.source(), configuration)
    let query = try PreparedQuery(data.rows[5], dimensions: 16, metric: .cosine)
    var first = SearchCounters()
    var second = SearchCounters()
    let parameters = SearchParameters(efSearch: 20)
    #expect(
      try a.search(query, k: 10, parameters: parameters, counters: &first).hits
        == b.search(query, k: 10, parameters: parameters, counters: &second).hits)
    #expect(first == second)
  }
}

/// True after it was asked a number of times.
final class Countdown: Sendable {
  private let left: Locked<Int>
  init(_ calls: Int) { left = Locked(calls) }
  var isOver: Bool {
    left.withLock { value in
      defer { value -= 1 }; return value <= 0
    }
  }
}
