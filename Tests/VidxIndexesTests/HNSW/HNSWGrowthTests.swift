import TestSupport
import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

/// Merges of few rows into a large graph: what they take over, what they measure anew, and what they compute.
@Suite struct HNSWGrowthTests {
  private let folder = TemporaryFolder()

  private struct Built {
    let index: SegmentIndex
    let work: BuildWork
    let graph: HNSWGraph
  }

  private struct NotAGraph: Error {}

  private func build(
    _ rows: [[Float]], firstID: Int, _ configuration: IndexConfiguration, base: GrowthBase? = nil, threads: Int = 2
  ) throws -> Built {
    let options = BuildOptions(threads: threads)
    let source = ArraySource(
      rowIDs: rows.indices.map { Int64($0 + firstID) }, vectors: rows.flatMap { $0 },
      dimensions: configuration.dimensions)
    let file = try SegmentBuilder.build(
      source, configuration: configuration, base: base, options: options, directory: folder.path,
      fileName: "grown-\(UInt64.random(in: 0...UInt64.max)).seg")
    file.release()
    let index = try SegmentIndex.open(path: file.path)
    guard case .hnsw(let graph) = index.structure else { throw NotAGraph() }
    return Built(index: index, work: options.work, graph: graph)
  }

  private static func configuration(
    _ data: TestVectors, _ metric: Metric = .cosine, m: Int = 16, codec: CodecChoice = .auto
  ) -> IndexConfiguration {
    var configuration = IndexConfiguration(
      dimensions: data.dimensions, metric: metric, kind: .hnsw, codec: codec)
    configuration.m = m
    return configuration
  }

  /// Recall@10 of some rows, by what the same index gives when it compares all.
  private func recall(_ index: SegmentIndex, of queries: [[Float]], efSearch: Int) throws -> Double {
    var found = 0
    for query in queries {
      let exact = try index.nearest(query, k: 10, SearchParameters(exact: true)).hits
      let farthest = try #require(exact.last).score
      found += try index.nearest(query, k: 10, SearchParameters(efSearch: efSearch, plan: .graph)).hits
        .count { $0.score <= farthest }
    }
    return Double(found) / Double(10 * queries.count)
  }

  /// From 32,768 vectors on new ones find their neighbours in lists. With m = 4 most lists of links are full, so that
  /// links that were taken over are shortened.
  @Test(.tags(.recall), arguments: [(Metric.cosine, 16), (.l2, 16), (.cosine, 4)])
  func aTenthCostsAQuarterAndFindsAsMuch(metric: Metric, m: Int) throws {
    let data = TestVectors(count: 36_300, dimensions: 24, seed: 131, clusters: 50)
    let configuration = Self.configuration(data, metric, m: m)
    let old = try build(Array(data.rows[..<33_000]), firstID: 0, configuration)
    #expect(old.graph.calibration.changes == 0)
    let live = try old.index.filter((0..<33_000).filter { $0 % 50 != 0 }.map { Int64($0) })
    let grown = try build(
      Array(data.rows[33_000...]), firstID: 33_000, configuration, base: GrowthBase(index: old.index, live: live))
    #expect(try grown.index.check() == [])
    #expect(grown.index.entryCount == 36_300 - 660)
    #expect(grown.graph.calibration.changes == 660 + 3_300)
    #expect(grown.graph.calibration.steps == old.graph.calibration.steps)
    let fresh = try build(
      data.rows.indices.filter { $0 >= 33_000 || $0 % 50 != 0 }.map { data.rows[$0] }, firstID: 0, configuration)
    let queries = stride(from: 7, to: 36_300, by: 300).map { data.rows[$0] } + data.rows[33_000..<33_100]
    for effort in [20, 60] {
      let (found, best) = (
        try recall(grown.index, of: queries, efSearch: effort), try recall(fresh.index, of: queries, efSearch: effort)
      )
      #expect(found >= best - 0.01, "recall@10 at efSearch \(effort): \(found), \(best) in a fresh build")
    }
    if grown.index.coded.codec != .f32 { #expect(grown.work.coded == 3_300) }
    #expect(
      grown.work.scores * 4 <= fresh.work.scores, "\(grown.work.scores) scores, \(fresh.work.scores) of a fresh build")
  }

  /// Codes go to the new places of their vectors, those in two parts whole.
  @Test(arguments: [Codec.int8, .rabitq4])
  func takesCodesOver(codec: Codec) throws {
    let data = TestVectors(count: 5_400, dimensions: 32, seed: 132)
    let configuration = Self.configuration(data, codec: .fixed(codec))
    let old = try build(Array(data.rows[..<5_000]), firstID: 0, configuration).index
    let live = try old.filter((0..<5_000).filter { $0 % 9 != 0 }.map { Int64($0) })
    let grown = try build(
      Array(data.rows[5_000...]), firstID: 5_000, configuration, base: GrowthBase(index: old, live: live))
    #expect(grown.work.coded == 400)
    #expect(grown.index.coded.space.parameters == old.coded.space.parameters)
    for id in (0..<5_000 as Range<Int64>) where id % 9 != 0 {
      #expect(try Self.code(of: id, in: grown.index) == Self.code(of: id, in: old), "row \(id)")
    }
    for id in stride(from: Int64(5_000), to: 5_400, by: 20) {
      #expect(try grown.index.nearest(data.rows[Int(id)], k: 1).hits.first?.rowID == id)
    }
  }

  private static func code(of id: Int64, in index: SegmentIndex) throws -> [UInt8] {
    let entry = try #require(try index.entry(ofRowID: id))
    let ordinal = try #require(try index.rows.ordinal(entry: entry))
    return ([index.coded.rows, index.coded.extensions].compactMap { $0 }).flatMap { rows in
      unsafe Array(UnsafeRawBufferPointer(start: rows.base + ordinal * rows.stride, count: rows.stride))
    }
  }

  @Test func listsTakeNewVectorsIn() throws {
    let data = TestVectors(count: 6_600, dimensions: 16, seed: 133)
    let configuration = Self.configuration(data)
    let old = try build(Array(data.rows[..<6_000]), firstID: 0, configuration).index
    let live = try old.filter((0..<6_000).filter { $0 % 20 != 0 }.map { Int64($0) })
    let grown = try build(
      Array(data.rows[6_000...]), firstID: 6_000, configuration, base: GrowthBase(index: old, live: live)
    ).index
    #expect(try grown.check() == [])
    let (before, after) = (try #require(old.lists), try #require(grown.lists))
    #expect(after.listCount == before.listCount && after.reach?.trainedVectors == 6_000)
    let stride = grown.configuration.stride
    let (earlier, centroids) = unsafe (before.centroids.floats, after.centroids.floats)
    for place in 0..<after.listCount * stride {
      let isSame = unsafe earlier[place] == centroids[place]
      #expect(isSame)
    }
    let kernels = VectorKernels(.cosine)
    for list in 0..<after.listCount {
      for ordinal in try after.ordinals(of: list) {
        let vector = unsafe try grown.vectorPointer(ordinal)
        let scores = (0..<after.listCount).map { unsafe kernels.one(vector, centroids + $0 * stride, stride) }
        #expect(scores[list] <= (scores.min() ?? 0) + 1e-5, "vector \(ordinal) in list \(list)")
      }
    }
    let (few, many) = (try #require(before.reach?.steps.last), try #require(after.reach?.steps.last))
    #expect(few.base == many.base && few.recall == many.recall)
    #expect(abs(many.scored[0] / few.scored[0] - 6_300 / 6_000) < 1e-3)
  }

  /// Every vector that comes or goes counts; when they are a quarter, all is measured anew.
  @Test func measuresAnewAfterAQuarter() throws {
    let data = TestVectors(count: 8_400, dimensions: 16, seed: 134)
    let configuration = Self.configuration(data)
    let first = try build(Array(data.rows[..<6_000]), firstID: 0, configuration)
    let second = try build(
      Array(data.rows[6_000..<6_900]), firstID: 6_000, configuration, base: GrowthBase(index: first.index))
    #expect(second.graph.calibration.changes == 900)
    // As a file has it.
    #expect(try Calibration(second.index.file) == second.graph.calibration)
    let live = try second.index.filter((0..<6_900).filter { $0 >= 600 }.map { Int64($0) })
    let none = try build([], firstID: 0, configuration, base: GrowthBase(index: second.index, live: live))
    #expect(none.graph.calibration.changes == 1_500)
    #expect(try none.index.check() == [])
    #expect(none.work.coded == 0)
    let third = try build(
      Array(data.rows[6_900..<7_400]), firstID: 6_900, configuration, base: GrowthBase(index: none.index))
    #expect(third.graph.calibration.changes == 0)
    #expect(third.index.lists?.reach?.trainedVectors == 6_800)
    #expect(try third.index.check() == [])
  }

  /// Vectors without any structure need far larger searches than those of a few clusters: what was measured of these
  /// does not hold.
  @Test(.tags(.recall)) func measuresAnewForVectorsOfAnotherKind() throws {
    let data = TestVectors(count: 6_000, dimensions: 64, seed: 135)
    var random = SplitMix(seed: 136)
    let others = (0..<1_900).map { _ in (0..<64).map { _ in Float.random(in: -1...1, using: &random) } }
    let configuration = Self.configuration(data)
    let first = try build(data.rows, firstID: 0, configuration)
    let mixed = try build(others, firstID: 6_000, configuration, base: GrowthBase(index: first.index))
    #expect(mixed.graph.calibration.changes == 0)
    #expect(mixed.work.coded >= 6_000 + 1_900 || mixed.index.coded.codec == .f32)
    #expect(mixed.graph.calibration.steps != first.graph.calibration.steps)
    #expect(mixed.index.lists?.reach?.trainedVectors == 7_900)
    #expect(try mixed.index.check() == [])
  }

  /// Vectors that all come into one list: others are trained.
  @Test func trainsListsAnewWhereOneGrowsTooLong() throws {
    let data = TestVectors(count: 6_000, dimensions: 16, seed: 137)
    var random = SplitMix(seed: 138)
    let near = (0..<1_500).map { _ in data.rows[17].map { $0 + Float.random(in: -0.05...0.05, using: &random) } }
    let configuration = Self.configuration(data)
    let first = try build(data.rows, firstID: 0, configuration)
    let grown = try build(near, firstID: 6_000, configuration, base: GrowthBase(index: first.index))
    #expect(grown.index.lists?.reach?.trainedVectors == 7_500)
    #expect(try grown.index.check() == [])
  }

  @Test func isTheSameWithOneThread() throws {
    let data = TestVectors(count: 36_000, dimensions: 8, seed: 139)
    let configuration = Self.configuration(data)
    let old = try build(Array(data.rows[..<34_000]), firstID: 0, configuration)
    let grown = try (0..<2).map { _ in
      try build(
        Array(data.rows[34_000...]), firstID: 34_000, configuration, base: GrowthBase(index: old.index), threads: 1)
    }
    #expect(grown[0].work.scores == grown[1].work.scores)
    for node in 0..<grown[0].index.vectorCount {
      #expect(try grown[0].graph.baseNeighbours(node) == grown[1].graph.baseNeighbours(node))
    }
  }

  @Test func cancelsAtEveryStage() throws {
    let data = TestVectors(count: 36_000, dimensions: 8, seed: 140)
    let configuration = Self.configuration(data)
    let old = try build(Array(data.rows[..<34_000]), firstID: 0, configuration)
    let rows = data.rows[34_000...]
    let source = ArraySource(
      rowIDs: rows.indices.map { Int64($0) }, vectors: rows.flatMap { $0 }, dimensions: 8)
    let files = try SegmentFolderListing.files(folder.path)
    var calls = 1
    var wasBuilt = false
    while !wasBuilt {
      let asked = Locked(0)
      let limit = calls
      do {
        let file = try SegmentBuilder.build(
          source, configuration: configuration, base: GrowthBase(index: old.index),
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
        #expect(try SegmentFolderListing.files(folder.path).count == files.count)
      }
      calls *= 2
    }
    #expect(calls > 32)
  }
}
