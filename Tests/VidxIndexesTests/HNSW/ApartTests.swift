import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

/// Texts that people ask, beside vectors that have near-duplicates around them.
@Suite struct ApartTests {
  private static let dimensions = 48
  private static let clones = 12
  private static let asked = 100
  // Of one distribution; the last are the questions, and each of the others has near-duplicates.
  private static let texts = TestVectors(count: 1_100, dimensions: dimensions, seed: 77, clusters: 60)
  private static let queries = Array(texts.rows.suffix(asked))
  private static let data = {
    var data = texts
    var generator = SeededGenerator(seed: 78)
    data.rows = texts.rows.dropLast(asked).flatMap { text in
      (0..<clones).map { _ in text.map { $0 + Float.random(in: -0.15...0.15, using: &generator) } }
    }
    return data
  }()

  private static func build(_ folder: TemporaryFolder) throws -> SegmentIndex {
    try folder.build(
      data.source(), IndexConfiguration(dimensions: dimensions, metric: .l2, kind: .hnsw), threads: 2)
  }

  private static func recall(of index: SegmentIndex, _ parameters: SearchParameters) throws -> Double {
    let all = data.rows.enumerated().map { (id: Int64($0.offset + 1), vector: $0.element) }
    var total = 0.0
    for query in queries {
      let hits = try index.nearest(query, k: 10, parameters).hits
      total += VidxIndexesTests.recall(hits, bruteForce(query, all, .l2), k: 10, .l2, tolerance(query, .l2) * 0.01)
    }
    return total / Double(queries.count)
  }

  @Test(.tags(.recall)) func aTargetHoldsForThem() throws {
    let folder = TemporaryFolder()
    let index = try Self.build(folder)
    guard case .hnsw(let graph) = index.structure else { return #expect(Bool(false), "no graph") }
    let calibration = graph.calibration
    #expect(calibration.apart.many > calibration.apart.few)
    for target in [0.95, 0.99] {
      let found = try Self.recall(of: index, SearchParameters(targetRecall: target))
      #expect(found >= target, "recall@10 \(found) of \(target)")
    }
    let alone = calibration.ef(recall: Calibration.aim(for: 0.95))
    let wouldFind = try Self.recall(of: index, SearchParameters(efSearch: alone))
    #expect(wouldFind < 0.9, "vectors of the index alone as questions: efSearch \(alone), \(wouldFind)")
  }

  @Test func missesFallWithAPowerOfTheCandidates() {
    var calibration = Calibration()
    #expect(calibration.ef(missing: 0.05) == 0, "not measured")
    calibration.apart = Calibration.Apart(few: 0.92, many: 0.98)
    #expect(calibration.ef(missing: 0.08) == 40)
    #expect(calibration.ef(missing: 0.02) == 160)
    #expect((79...81).contains(calibration.ef(missing: 0.04)))
    #expect(calibration.ef(missing: 0.01) == 320)
    #expect(calibration.ef(missing: 1e-9) == 1_600, "ten times what was measured is the most")
  }

  @Test func walksUnderFiltersAimHigher() throws {
    let folder = TemporaryFolder()
    let index = try Self.build(folder)
    guard case .hnsw(let graph) = index.structure else { return #expect(Bool(false), "no graph") }
    let parameters = SearchParameters(targetRecall: 0.99)
    let whole = graph.limits(parameters, k: 10), part = graph.limits(parameters, k: 10, isFiltered: true)
    #expect(part.ef > whole.ef)
    let plain = SearchParameters()
    #expect(graph.limits(plain, k: 10) == graph.limits(plain, k: 10, isFiltered: true))
  }
}
