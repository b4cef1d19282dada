import Testing

@testable import VidxVectors

@Suite struct HitTests {
  /// Between a half and one, distances lie as far apart as two scores between minus a half and nought do, or farther.
  @Test func scoresThatRoundToOneDistanceAreOrderedByRow() {
    let score: Float = -0.1
    let scores = [score, score.nextUp, score.nextUp.nextUp]
    #expect(Set(scores.map { Metric.cosine.distance(fromScore: $0) }).count < scores.count)
    var hits = [Hit(score: -0.9, rowID: 9)]
    hits += (0..<60).map { Hit(score: scores[$0 / 20], rowID: Int64(($0 * 37) % 60)) }
    hits.append(Hit(score: 0.5, rowID: 3))
    hits.sort(by: Hit.isNearer)
    let before = hits
    Metric.cosine.orderTies(&hits)
    #expect(hits != before)
    #expect(hits.map(\.rowID).sorted() == before.map(\.rowID).sorted())
    let pairs = hits.map { (Metric.cosine.distance(fromScore: $0.score), $0.rowID) }
    #expect(zip(pairs, pairs.dropFirst()).allSatisfy { $0 < $1 })
  }

  @Test func squaresThatHaveOneRootAreOrderedByRow() throws {
    let root = { (square: Float) in Metric.l2.distance(fromScore: square) }
    let square = try #require(sequence(first: Float(3), next: \.nextUp).first { root($0) == root($0.nextUp) })
    var hits = [Hit(score: square, rowID: 2), Hit(score: square.nextUp, rowID: 1), Hit(score: 5, rowID: 0)]
    Metric.l2.orderTies(&hits)
    #expect(hits.map(\.rowID) == [1, 2, 0])
  }

  @Test(arguments: [Metric.innerProduct, .l1]) func scoresThatAreDistancesStay(metric: Metric) {
    var hits = [Hit(score: 1, rowID: 2), Hit(score: Float(1).nextUp, rowID: 1), Hit(score: 2, rowID: 0)]
    metric.orderTies(&hits)
    #expect(hits.map(\.rowID) == [2, 1, 0])
  }
}
