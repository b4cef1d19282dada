import Foundation
import TestSupport
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
    var generator = SplitMix(seed: 78)
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

  /// What is nearer than half of what the hundredth is far, in squares; of most questions.
  @Test(arguments: [Metric.l2, .cosine, .l1])
  func asManyAreTakenOutAsAreNearDuplicates(_ metric: Metric) throws {
    func questions(_ clones: Int, metric: Metric) throws -> [SearchSample.Question] {
      let query = try PreparedQuery([1, 0, 0, 0], dimensions: 4, metric: metric)
      let zero: Float = metric == .cosine ? 1 : 0
      // Near: a fifth of the rest's squared distance.
      let near: Float = metric == .l1 ? Float(0.2).squareRoot() : 0.2
      return (0..<9).map { number in
        let own = number < 4 ? 0 : clones
        let nearest = (0..<150).map { Hit(score: ($0 < own ? near : 1) - zero, rowID: Int64($0)) }
        return SearchSample.Question(position: number, query: query, nearest: nearest)
      }
    }
    for (clones, expected) in [(0, 4), (3, 4), (14, 14), (60, Calibrator.apart.upperBound)] {
      #expect(try Calibrator.nearDuplicates(questions(clones, metric: metric), Calibration()) == expected)
    }
    let few = try questions(14, metric: metric).map {
      SearchSample.Question(position: $0.position, query: $0.query, nearest: Array($0.nearest.prefix(50)))
    }
    #expect(Calibrator.nearDuplicates(few, Calibration()) == 4, "too few are known")
    // Of points in a room that many are so near anyway.
    let evenly = (1...100).map { Hit(score: Float(pow(Double($0) / 100, 2.0 / 3)), rowID: Int64($0)) }
    let query = try PreparedQuery([1, 0, 0, 0], dimensions: 4, metric: .l2)
    let question = SearchSample.Question(position: 0, query: query, nearest: evenly)
    #expect(Calibrator.nearDuplicates([question], Calibration()) == 4)
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
}
