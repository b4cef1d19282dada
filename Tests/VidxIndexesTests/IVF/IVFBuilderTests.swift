import TestSupport
import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

@Suite struct IVFBuilderTests {
  @Test func choosesListsAndProbesAsPgvectorAdvises() {
    let lists = [
      (0, 1), (999, 1), (10_000, 10), (84_594, 84), (1_000_000, 1000), (1_210_000, 1100), (10_000_000, 3162),
    ]
    for (vectors, expected) in lists { #expect(IVFParameters.defaultLists(vectorCount: vectors) == expected) }
    for (lists, expected) in [(1, 1), (2, 1), (10, 3), (100, 10), (290, 17), (3162, 56)] {
      #expect(IVFParameters.defaultProbes(lists: lists) == expected)
    }
  }

  /// Every vector is in the list of its nearest centroid; within a list rows keep their order.
  @Test(arguments: Metric.allCases)
  func putsVectorsIntoTheNearestList(metric: Metric) throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 2000, dimensions: 20, seed: 15)
    let index = try folder.build(data.source(), configuration(20, metric, lists: 23), threads: 2)
    let lists = try lists(of: index)
    #expect(lists.listCount == 23)
    let centroids = try centroids(of: index)
    var seen = 0
    for list in 0..<23 {
      let ordinals = try lists.ordinals(of: list)
      #expect(ordinals.lowerBound == seen)
      seen = ordinals.upperBound
      let ids = try ordinals.map { try index.rowID(ofEntry: $0) }
      #expect(ids == ids.sorted())
      for ordinal in ordinals {
        let vector = try index.vector(ofEntry: ordinal)
        let distances = centroids.map { referenceDistance(vector, $0, metric) }
        #expect(distances[list] <= (distances.min() ?? .nan) + tolerance(vector, metric))
      }
    }
    #expect(seen == 2000)
  }

  @Test func isTheSameForASeedWhateverTheThreads() throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 3000, dimensions: 12, seed: 16)
    let first = try folder.build(data.source(), configuration(12, .cosine, lists: 40), threads: 1)
    let second = try folder.build(data.source(), configuration(12, .cosine, lists: 40), threads: 3)
    #expect(try centroids(of: first) == centroids(of: second))
    #expect(try ids(of: first) == ids(of: second))
    var other = configuration(12, .cosine, lists: 40)
    other.seed = 43
    let third = try folder.build(data.source(), other)
    #expect(try centroids(of: first) != centroids(of: third))
    #expect(third.configuration.seed == 43)
  }

  @Test(arguments: Metric.allCases, [0, 1, 2, 5])
  func takesFewerVectorsThanLists(metric: Metric, count: Int) throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: count, dimensions: 3, seed: 1)
    let index = try folder.build(
      ArraySource(
        rowIDs: (0..<count).map { Int64($0) + 1 }, vectors: data.rows.flatMap { $0 }, dimensions: 3),
      configuration(3, metric, lists: 50))
    #expect(try index.check().isEmpty)
    #expect(try lists(of: index).listCount == max(count, 1))
    let answer = try index.nearest([1, 2, 3], k: 10)
    #expect(answer.hits.count == count)
  }

  @Test func innerProductOfZeroVectorsOnly() throws {
    let folder = TemporaryFolder()
    let index = try folder.build(source([[0, 0], [0, 0]]), configuration(2, .innerProduct, lists: 4))
    #expect(index.vectorCount == 1)
    #expect(try index.nearest([1, 1], k: 5).hits.map(\.rowID) == [1, 2])
  }

  @Test func growsOnTheSameCentroidsUntilTheVectorsDouble() throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 2100, dimensions: 8, seed: 18)
    func source(_ rows: Range<Int>) -> ArraySource {
      ArraySource(rowIDs: rows.map { Int64($0) + 1 }, vectors: rows.flatMap { data.rows[$0] }, dimensions: 8)
    }
    let settings = configuration(8, .l2, lists: 16)
    let first = try folder.build(source(0..<1000), settings)
    let second = try folder.build(source(1000..<1900), settings, base: GrowthBase(index: first))
    #expect(try centroids(of: first) == centroids(of: second))
    #expect(try lists(of: second).parameters.trainedVectors == 1000)
    #expect(second.entryCount == 1900)
    #expect(try second.check().isEmpty)
    // All of them are found where they are.
    for row in stride(from: 0, to: 1900, by: 100) {
      #expect(try second.nearest(data.rows[row], k: 1, SearchParameters(probes: 1)).hits[0].rowID == Int64(row) + 1)
    }
    let third = try folder.build(source(1900..<2100), settings, base: GrowthBase(index: second))
    #expect(try centroids(of: third) != centroids(of: first))
    #expect(try lists(of: third).parameters.trainedVectors == 2100)
    #expect(try third.nearest(data.rows[2050], k: 1, SearchParameters(probes: 1)).hits[0].rowID == 2051)
  }

  @Test func growthLeavesDeadRowsOutAndShrinkingTrainsAnew() throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 1000, dimensions: 8, seed: 19)
    let settings = configuration(8, .cosine, lists: 10)
    let first = try folder.build(data.source(), settings)
    for (live, isKept) in [(600, true), (400, false)] {
      let base = GrowthBase(index: first, live: try first.filter((1...live).map { Int64($0) }))
      let empty = ArraySource(rowIDs: [], vectors: [], dimensions: 8)
      let next = try folder.build(empty, settings, base: base)
      #expect(next.entryCount == live)
      #expect(try (centroids(of: next) == centroids(of: first)) == isKept)
      #expect(try next.nearest(data.rows[999], k: 2000).hits.count == live)
    }
  }

  @Test func reportsProgressThatEndsWithTheWork() throws {
    let folder = TemporaryFolder()
    let seen = Locked([BuildProgress]())
    let file = try SegmentBuilder.build(
      TestVectors(count: 3000, dimensions: 4, seed: 2).source(), configuration: configuration(4, .l2, lists: 30),
      options: BuildOptions(threads: 2, progress: { step in seen.withLock { $0.append(step) } }),
      directory: folder.path, fileName: "progress.seg")
    file.release()
    let steps = seen.withLock { $0.filter { $0.stage == .clustering } }
    #expect(steps.count >= 3)
    #expect(Set(steps.map(\.total)) == [12 * 3000 + 3000])
    #expect(steps.map(\.done).max() == 12 * 3000 + 3000)
  }

  @Test func anotherNumberOfListsTrainsAnew() throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 1000, dimensions: 8, seed: 19)
    let first = try folder.build(data.source(), configuration(8, .cosine, lists: 10))
    let empty = ArraySource(rowIDs: [], vectors: [], dimensions: 8)
    let next = try folder.build(empty, configuration(8, .cosine, lists: 12), base: GrowthBase(index: first))
    #expect(try lists(of: next).listCount == 12)
    #expect(try next.check().isEmpty)
  }

  private func configuration(_ dimensions: Int, _ metric: Metric, lists: Int) -> IndexConfiguration {
    IndexConfiguration(dimensions: dimensions, metric: metric, kind: .ivfflat, lists: lists)
  }

  private func lists(of index: SegmentIndex) throws -> IVFLists {
    guard case .ivfflat(let lists) = index.structure else { throw NotLists() }
    return lists
  }

  private struct NotLists: Error {}

  private func centroids(of index: SegmentIndex) throws -> [[Float]] {
    let lists = try lists(of: index)
    try lists.centroids.verifyAll()
    let stride = index.configuration.stride
    return (0..<lists.listCount).map { i in
      (0..<index.configuration.dimensions).map { unsafe lists.centroids.floats[i * stride + $0] }
    }
  }

  private func ids(of index: SegmentIndex) throws -> [Int64] {
    try (0..<index.entryCount).map { try index.rowID(ofEntry: $0) }
  }
}
