import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

/// Graphs of 32,768 vectors and more are built in leaves: on data where leaves are of little use, or fall apart.
@Suite(.tags(.recall)) struct HNSWLeafTests {
  static func build(
    _ rows: [[Float]], _ metric: Metric, threads: Int = 2, in folder: TemporaryFolder = TemporaryFolder()
  ) throws -> SegmentIndex {
    let dimensions = rows[0].count
    let source = ArraySource(
      rowIDs: rows.indices.map { Int64($0) }, vectors: rows.flatMap { $0 }, dimensions: dimensions)
    return try folder.build(
      source, IndexConfiguration(dimensions: dimensions, metric: metric, kind: .hnsw), threads: threads)
  }

  /// Neighbouring leaves share vectors, so the chain has no gap.
  @Test(arguments: [1, 2])
  func findsEveryPointOfALine(threads: Int) throws {
    let rows = (0..<33_000).map { [Float($0), 0, 0, 0] }
    let index = try Self.build(rows, .l2, threads: threads)
    #expect(try index.check().isEmpty)
    let missed = try rows.indices.filter { try index.nearest(rows[$0], k: 1).hits.first?.rowID != Int64($0) }
    #expect(missed.isEmpty, "\(missed.prefix(8)) of \(missed.count)")
  }

  /// Clusters so far apart that no leaf has vectors of two: only the links of the upper layers' vectors lead across.
  @Test(arguments: [Metric.l2, .cosine])
  func findsItsWayBetweenClusters(metric: Metric) throws {
    var random = SplitMix(seed: 91)
    let centres = TestVectors(count: 30, dimensions: 24, seed: 92, clusters: 30).rows
    let rows = (0..<33_000).map { i in
      centres[i % 30].map { $0 * 100 + Float.random(in: -1...1, using: &random) }
    }
    #expect(try HNSWByteRowsTests.recall(rows, metric, efSearch: 60) >= 0.95)
  }

  /// More vectors within one level of the bytes than a leaf holds: leaders do not tell them apart.
  @Test func nearDuplicatesFillLeaves() throws {
    var rows = TestVectors(count: 33_000, dimensions: 32, seed: 93).rows
    var random = SplitMix(seed: 94)
    for row in 0..<3_000 {
      rows[row * 4] = rows[32_999].map { $0 + Float.random(in: -0.0001...0.0001, using: &random) }
    }
    let index = try Self.build(rows, .l2)
    #expect(try index.check().isEmpty)
    let asked = stride(from: 1, to: 33_000, by: 100).filter { $0 % 4 != 0 || $0 >= 12_000 }
    let found = try asked.filter { try index.nearest(rows[$0], k: 1).hits.first?.rowID == Int64($0) }
    #expect(found.count * 100 >= asked.count * 97, "\(found.count) of \(asked.count)")
    // As any of the others, these are found to be near.
    let near = try index.nearest(rows[400], k: 10, SearchParameters(efSearch: 100)).hits
    #expect(near.count == 10)
    #expect(near.allSatisfy { $0.rowID % 4 == 0 && $0.rowID < 12_000 || $0.rowID == 32_999 })
  }

  @Test func isTheSameWithOneThread() throws {
    let data = TestVectors(count: 33_000, dimensions: 16, seed: 95)
    let first = try Self.build(data.rows, .cosine, threads: 1)
    let second = try Self.build(data.rows, .cosine, threads: 1)
    var counters = [SearchCounters(), SearchCounters()]
    for row in stride(from: 0, to: 33_000, by: 500) {
      let query = try PreparedQuery(data.rows[row], dimensions: 16, metric: .cosine)
      let parameters = SearchParameters(efSearch: 30)
      let a = try first.search(query, k: 10, parameters: parameters, counters: &counters[0]).hits
      let b = try second.search(query, k: 10, parameters: parameters, counters: &counters[1]).hits
      #expect(a == b)
    }
    #expect(counters[0] == counters[1])
  }

  @Test func cancelsAtEveryStage() throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 33_000, dimensions: 8, seed: 96)
    var calls = 1
    var wasBuilt = false
    while !wasBuilt {
      let asked = Locked(0)
      let limit = calls
      do {
        let file = try SegmentBuilder.build(
          data.source(), configuration: IndexConfiguration(dimensions: 8, kind: .hnsw),
          options: BuildOptions(
            threads: 2,
            isCancelled: {
              asked.withLock {
                $0 += 1
                return $0 > limit
              }
            }), directory: folder.path, fileName: "cancelled-\(calls).seg")
        file.release()
        wasBuilt = true
      } catch BuildError.cancelled {
        #expect(try SegmentFolderListing.files(folder.path).isEmpty)
      }
      calls *= 3
    }
    #expect(calls > 27)
  }

  @Test func reportsProgressUpToTheEnd() throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 33_000, dimensions: 8, seed: 97)
    let seen = Locked<[BuildProgress]>([])
    let file = try SegmentBuilder.build(
      data.source(), configuration: IndexConfiguration(dimensions: 8, kind: .hnsw),
      options: BuildOptions(
        threads: 1,
        progress: { progress in
          if progress.stage == .linking { seen.withLock { $0.append(progress) } }
        }), directory: folder.path, fileName: "progress.seg")
    file.release()
    let all = seen.withLock { $0 }
    #expect(all.count > 20)
    #expect(zip(all, all.dropFirst()).allSatisfy { $0.done <= $1.done && $0.total == $1.total })
    #expect(all.last.map { $0.done == $0.total } == true)
  }
}
