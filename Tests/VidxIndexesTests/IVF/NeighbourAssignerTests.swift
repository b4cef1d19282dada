import TestSupport
import Testing
import VidxVectors

@testable import VidxIndexes

@Suite struct NeighbourAssignerTests {
  @Test(arguments: [Metric.cosine, .l2], [1, 2, 5])
  func findsTheNearestOfTheNeighbours(metric: Metric, threads: Int) {
    let data = TestVectors(count: 900, dimensions: 20, seed: 4, clusters: 30)
    let vectors = metric == .cosine ? data.rows.map(unit) : data.rows
    let (points, centres) = (Points(vectors), Points(Array(vectors[0..<50])))
    let biases = CentroidAssigner(centres.rows, metric: metric).biases
    let neighbours = CentroidNeighbours(centres.rows, biases: biases, width: 8, threads: threads)
    let old = vectors.indices.map { UInt32($0 % 50) }
    let (lists, scores) = assigned(points, centres, biases, neighbours, old, threads)
    for i in vectors.indices {
      let near = neighbours.of(Int(old[i]))
      #expect(near.contains(lists[i]) && scores[i].isFinite)
      let distances = near.map { referenceDistance(vectors[i], centres.vectors[Int($0)], metric) }
      let own = referenceDistance(vectors[i], centres.vectors[Int(lists[i])], metric)
      #expect(own <= (distances.min() ?? .nan) + tolerance(vectors[i], metric))
    }
  }

  /// Among as many neighbours as there are centroids it is the assigner that looks at all.
  @Test(arguments: [Metric.cosine, .l2])
  func looksEverywhereWhenAllAreNeighbours(metric: Metric) {
    let vectors = TestVectors(count: 700, dimensions: 17, seed: 9).rows.map(unit)
    let (points, centres) = (Points(vectors), Points(Array(vectors[0..<30])))
    let assigner = CentroidAssigner(centres.rows, metric: metric)
    let neighbours = CentroidNeighbours(centres.rows, biases: assigner.biases, width: 99, threads: 1)
    #expect(neighbours.width == 30)
    let old = [UInt32](repeating: 3, count: 700)
    let (_, scores) = assigned(points, centres, assigner.biases, neighbours, old, 1)
    var lists = old
    var expected = [Float](repeating: .nan, count: 700)
    unsafe lists.withUnsafeMutableBufferPointer { lists in
      unsafe expected.withUnsafeMutableBufferPointer { scores in
        guard let first = lists.baseAddress else { return }
        assigner.assign(
          points.rows, to: unsafe CentroidAssigner.Destination(lists: first, scores: scores.baseAddress), threads: 1,
          isCancelled: { false })
      }
    }
    for i in vectors.indices { #expect(abs(scores[i] - expected[i]) < 1e-5) }
  }

  @Test(arguments: [Metric.cosine, .l2])
  func neighboursAreTheNearest(metric: Metric) {
    let data = TestVectors(count: 300, dimensions: 9, seed: 12).rows
    let vectors = metric == .cosine ? data.map(unit) : data
    let centres = Points(vectors)
    let biases = CentroidAssigner(centres.rows, metric: metric).biases
    let neighbours = CentroidNeighbours(centres.rows, biases: biases, width: 5, threads: 2)
    for list in stride(from: 0, to: 300, by: 11) {
      let distances = vectors.map { referenceDistance(vectors[list], $0, metric) }
      let fifth = distances.sorted()[4]
      #expect(neighbours.of(list).first == UInt32(list))
      for near in neighbours.of(list) {
        #expect(distances[Int(near)] <= fifth + tolerance(vectors[list], metric))
      }
    }
  }

  private func assigned(
    _ points: Points, _ centres: Points, _ biases: [Float], _ neighbours: CentroidNeighbours, _ old: [UInt32],
    _ threads: Int
  ) -> (lists: [UInt32], scores: [Float]) {
    let members = ListOrder(old, listCount: centres.vectors.count)
    var lists = [UInt32](repeating: .max, count: old.count)
    var scores = [Float](repeating: .nan, count: old.count)
    unsafe lists.withUnsafeMutableBufferPointer { lists in
      unsafe scores.withUnsafeMutableBufferPointer { scores in
        guard let first = lists.baseAddress else { return }
        NeighbourAssigner(centres.rows, biases: biases, neighbours: neighbours).assign(
          points.rows, members, to: unsafe CentroidAssigner.Destination(lists: first, scores: scores.baseAddress),
          threads: threads, isCancelled: { false })
      }
    }
    return (lists, scores)
  }
}
