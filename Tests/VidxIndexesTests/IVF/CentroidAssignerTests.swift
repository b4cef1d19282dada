import TestSupport
import Testing
import VidxVectors

@testable import VidxIndexes

@Suite struct CentroidAssignerTests {
  static let dimensions = [1, 3, 15, 16, 17, 31, 100]

  @Test(arguments: Metric.allCases, dimensions)
  func findsTheNearest(metric: Metric, dimensions: Int) {
    let data = TestVectors(count: 1100, dimensions: dimensions, seed: UInt64(dimensions))
    let vectors = metric == .cosine ? data.rows.map(unit) : data.rows
    let centroids = Array(vectors[0..<37])
    let lists = assigned(vectors, centroids, metric, threads: 3)
    // Every seventh is enough to meet each place in a block and each thread.
    for i in stride(from: 0, to: vectors.count, by: 7) {
      let (vector, list) = (vectors[i], lists[i])
      let distances = centroids.map { referenceDistance(vector, $0, metric) }
      let nearest = distances.min() ?? .nan
      #expect(distances[Int(list)] <= nearest + tolerance(vector, metric))
    }
  }

  @Test(arguments: [Metric.cosine, .l2, .innerProduct])
  func findsSeveralNearest(metric: Metric) {
    let data = TestVectors(count: 1100, dimensions: 24, seed: 11)
    let vectors = metric == .cosine ? data.rows.map(unit) : data.rows
    let centroids = Array(vectors[0..<37])
    let points = Points(vectors)
    let centres = Points(centroids)
    let assigner = CentroidAssigner(centres.rows, metric: metric)
    let found = assigner.nearest(points.rows, width: 5, threads: 3, isCancelled: { false })
    #expect(found.count == 5 * vectors.count)
    for i in stride(from: 0, to: vectors.count, by: 7) {
      let lists = found[5 * i..<5 * i + 5].map { Int($0) }
      #expect(Set(lists).count == 5)
      let sorted = centroids.map { referenceDistance(vectors[i], $0, metric) }.sorted()
      for (place, list) in lists.enumerated() {
        let distance = referenceDistance(vectors[i], centroids[list], metric)
        #expect(abs(distance - sorted[place]) <= tolerance(vectors[i], metric))
      }
    }
    let all = assigner.nearest(points.rows, width: 37, threads: 1, isCancelled: { false })
    #expect(Set(all[37..<74]).count == 37)
  }

  /// In 32 bits the squared lengths of such vectors are coarser than the distances between them.
  @Test func isExactFarFromZero() {
    let near = TestVectors(count: 400, dimensions: 32, seed: 5).rows
    let far = near.map { $0.map { $0 + 5000 } }
    let centroids = Array(far[0..<20])
    let origin = [Float](repeating: 5000, count: 32)
    let lists = assigned(far, centroids, .l2, origin: origin, threads: 1)
    for (vector, list) in zip(far, lists) {
      let distances = centroids.map { referenceDistance(vector, $0, .l2) }
      #expect(distances[Int(list)] <= (distances.min() ?? .nan) + 1e-3)
    }
  }

  /// More centroids than fit a block of the usual size, fewer vectors than one.
  @Test func takesManyCentroids() {
    let vectors = TestVectors(count: 40_000, dimensions: 2, seed: 6, clusters: 400).rows
    let lists = assigned(Array(vectors[0..<70]), vectors, .l2, threads: 2)
    for (i, list) in lists.enumerated() { #expect(referenceDistance(vectors[i], vectors[Int(list)], .l2) < 1e-2) }
  }

  @Test func tiesGoToTheFirst() {
    let lists = assigned([[1, 0], [0, 2]], [[3, 0], [0, 1], [3, 0], [0, 1]], .innerProduct, threads: 1)
    #expect(lists == [0, 1])
    #expect(assigned([[1, 0]], [[2, 0], [2, 0], [0, 0]], .l1, threads: 1) == [0])
    #expect(assigned([[1, 0]], [[2, 0], [0, 0]], .l2, threads: 1) == [0])
  }

  @Test func reportsProgressAndStops() {
    let points = Points(TestVectors(count: 3000, dimensions: 4, seed: 1).rows)
    let seen = Locked([Int]())
    _ = assigned(points.vectors, [[0, 0, 0, 0]], .l2, threads: 2) { done in seen.withLock { $0.append(done) } }
    #expect(seen.withLock { $0.max() } == 3000)
    var lists = [UInt32](repeating: 77, count: 3000)
    let centroids = Points([[0, 0, 0, 0]])
    unsafe lists.withUnsafeMutableBufferPointer { lists in
      guard let first = lists.baseAddress else { return }
      CentroidAssigner(centroids.rows, metric: .l2).assign(
        points.rows, to: unsafe CentroidAssigner.Destination(lists: first, scores: nil), threads: 2,
        isCancelled: { true })
    }
    #expect(lists.allSatisfy { $0 == 77 })
  }

  private func assigned(
    _ vectors: [[Float]], _ centroids: [[Float]], _ metric: Metric, origin: [Float] = [], threads: Int,
    progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) -> [UInt32] {
    let points = Points(vectors)
    let centres = Points(centroids)
    var lists = [UInt32](repeating: .max, count: vectors.count)
    var scores = [Float](repeating: .nan, count: vectors.count)
    unsafe lists.withUnsafeMutableBufferPointer { lists in
      unsafe scores.withUnsafeMutableBufferPointer { scores in
        guard let first = lists.baseAddress else { return }
        CentroidAssigner(centres.rows, metric: metric, origin: origin).assign(
          points.rows, to: unsafe CentroidAssigner.Destination(lists: first, scores: scores.baseAddress),
          threads: threads, isCancelled: { false }, progress: progress)
      }
    }
    #expect(scores.allSatisfy { $0.isFinite })
    return lists
  }
}
