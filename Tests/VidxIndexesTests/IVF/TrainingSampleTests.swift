import TestSupport
import Testing
import VidxVectors

@testable import VidxIndexes

@Suite struct TrainingSampleTests {
  @Test func sizeIsBoundedByPointsListsAndMemory() {
    func size(_ count: Int, _ lists: Int, _ stride: Int) -> Int {
      TrainingSample.size(vectorCount: count, lists: lists, stride: stride)
    }
    #expect(size(500, 10, 384) == 500)
    #expect(size(1_000_000, 1, 384) == 10_000)
    #expect(size(1_000_000, 100, 384) == 12_800)
    // 3,162 lists of 1,536 dimensions: 128 a list would be 2.5 GB; 1 GiB holds 174,762.
    #expect(size(10_000_000, 3162, 1536) == 174_762)
    #expect(size(10_000_000, 16_384, 1536) == 50 * 16_384)
  }

  @Test func isASubsetInOrder() {
    let points = Points(TestVectors(count: 20_000, dimensions: 2, seed: 4).rows)
    let sample = TrainingSample(points.rows, metric: .cosine, lists: 1, seed: 6)
    #expect(sample.points.count == 10_000)
    let taken = positions(of: sample, in: points)
    #expect(taken.count == 10_000)
    #expect(zip(taken, taken.dropFirst()).allSatisfy { $0 < $1 })
    // Even over the whole: half of the first half, within five standard deviations.
    #expect(abs(taken.filter { $0 < 10_000 }.count - 5000) < 250)
    #expect(positions(of: TrainingSample(points.rows, metric: .cosine, lists: 1, seed: 6), in: points) == taken)
    #expect(positions(of: TrainingSample(points.rows, metric: .cosine, lists: 1, seed: 7), in: points) != taken)
  }

  @Test func innerProductTrainsOnDirections() {
    let points = Points([[3, 4], [0, 0], [0, -2], [0, 0], [5, 12]])
    let sample = TrainingSample(points.rows, metric: .innerProduct, lists: 2, seed: 1)
    #expect(sample.points.count == 3)
    let rows = (0..<3).map { i in (0..<2).map { unsafe sample.points.row(i)[$0] } }
    for (row, expected) in zip(rows, [[0.6, 0.8], [0, -1], [5.0 / 13, 12.0 / 13]]) {
      for (x, y) in zip(row, expected) { #expect(abs(Double(x) - y) < 1e-6) }
    }
    let zeros = Points([[0, 0]])
    #expect(TrainingSample(zeros.rows, metric: .innerProduct, lists: 2, seed: 1).points.count == 0)
  }

  @Test(arguments: [Metric.l2, .l1])
  func euclideanPointsLieAroundZero(metric: Metric) {
    let points = Points([[10, 1], [12, 1], [14, 4]])
    let sample = TrainingSample(points.rows, metric: metric, lists: 2, seed: 1)
    #expect(sample.origin == [12, 2])
    let rows = (0..<3).map { i in (0..<2).map { unsafe sample.points.row(i)[$0] } }
    #expect(rows == [[-2, -1], [0, -1], [2, 2]])
  }

  private func positions(of sample: TrainingSample, in points: Points) -> [Int] {
    var result: [Int] = []
    var next = 0
    for i in 0..<sample.points.count {
      let row = (0..<points.matrix.dimensions).map { unsafe sample.points.row(i)[$0] }
      while next < points.vectors.count, points.vectors[next] != row { next += 1 }
      if next < points.vectors.count { result.append(next) }
      next += 1
    }
    return result
  }
}
