import VidxVectors

/// Lloyd's algorithm: centroids for the lists of an IVF index, from a sample of its vectors.
///
/// - cosine and inner product: spherical k-means. Points are unit vectors, centroids are scaled to unit length after
///   every step, nearest means the largest dot product. That is what pgvector (`vector_ip_ops` has a k-means norm
///   function) and faiss (`cp.spherical = true` for `METRIC_INNER_PRODUCT`) do for both metrics.
/// - l2: plain Lloyd.
/// - l1: plain Lloyd as well (Euclidean steps, means for centroids), as faiss does. Medians would fit the metric but
///   cost a sort per list and dimension; only the final assignment of vectors to lists is by L1, so that a list holds
///   what a query will look for in it (docs/decisions/0003-ivf.md).
///
/// Many points are trained on in two stages: a pool of them first, then all, starting from there. From the second step
/// of a stage on a point is compared with the centroids near its own only (`NeighbourAssigner`).
///
/// Deterministic for a seed, whatever the number of threads: every point's list and every list's sum is worked out by
/// one thread in a fixed order.
@safe struct KMeans {
  /// What to train and how long.
  struct Options: Sendable {
    /// Centroids wanted; fewer come out when there are fewer points.
    var lists: Int
    var isSpherical: Bool
    var seed: UInt64
    var threads = 1
    /// Steps over all points at most, after those over a pool of them.
    var iterations = 12
    /// Ends when a step improves the objective by less than this share.
    var tolerance = 1e-4
  }

  /// What came of it.
  struct Outcome: Sendable {
    let centroids: VectorMatrix
    /// Mean over the points of: 1 - <x, c> when spherical, else the squared distance to the centroid; before the last
    /// step of the centroids.
    let objective: Double
    let iterations: Int
  }

  private let points: VectorRows
  private let options: Options
  private let isCancelled: @Sendable () -> Bool
  /// The list of each point, and its score against that list's centroid.
  private var lists: [UInt32]
  private var scores: [Float]

  /// - Parameters:
  ///   - points: distinct vectors near the origin (see `TrainingSample`); unit vectors when spherical.
  ///   - isCancelled: when it turns true, training throws `BuildError.cancelled` soon.
  ///   - progress: called after each step with the steps done.
  static func train(
    _ points: VectorRows, options: Options, isCancelled: @escaping @Sendable () -> Bool = { false },
    progress: (Int) -> Void = { _ in }
  ) throws(BuildError) -> Outcome {
    precondition(points.count > 0 && options.lists > 0, "\(options.lists) lists of \(points.count) points")
    if points.count <= options.lists {
      let centroids = VectorMatrix(count: points.count, dimensions: points.dimensions)
      for i in 0..<points.count { unsafe centroids.setRow(i, to: points.row(i)) }
      return Outcome(centroids: centroids, objective: 0, iterations: 0)
    }
    var training = KMeans(points, options, isCancelled)
    return try training.run(progress)
  }

  private init(_ points: VectorRows, _ options: Options, _ isCancelled: @escaping @Sendable () -> Bool) {
    self.points = points
    self.options = options
    self.isCancelled = isCancelled
    lists = [UInt32](repeating: 0, count: points.count)
    scores = [Float](repeating: 0, count: points.count)
  }

  private mutating func run(_ progress: (Int) -> Void) throws(BuildError) -> Outcome {
    let centroids = try firstCentroids()
    let constant = options.isSpherical ? 1 : meanHalfSquaredLength()
    var objective = Double.infinity
    var step = 0
    var neighbours: CentroidNeighbours?
    while step < options.iterations {
      assign(to: centroids, neighbours)
      if isCancelled() { throw .cancelled }
      let mean = scores.reduce(0.0) { $0 + Double($1) } / Double(points.count)
      let next = max(0, (constant + mean) * (options.isSpherical ? 1 : 2))
      move(centroids)
      step += 1
      progress(step)
      let hasConverged = step > 1 && objective - next <= options.tolerance * objective
      objective = next
      if hasConverged { break }
      // Centroids move less and less: after steps 1, 2, 4, 8 it is worth asking again which are near each other.
      if centroids.count > 2 * NeighbourAssigner.width, step & (step - 1) == 0 {
        neighbours = CentroidNeighbours(
          centroids.rows(), biases: assigner(to: centroids).biases, width: NeighbourAssigner.width,
          threads: options.threads)
      }
    }
    return Outcome(centroids: centroids, objective: objective, iterations: step)
  }

  /// Where to start: k-means++ among the points, or, when they are many, what a pool of them converges to.
  private func firstCentroids() throws(BuildError) -> VectorMatrix {
    let pool = max(options.lists * Self.poolPerList, Self.leastPool)
    if points.count >= 2 * pool {
      var smaller = options
      smaller.iterations = Self.poolIterations
      var training = KMeans(thinned(to: pool), smaller, isCancelled)
      return try training.run { _ in }.centroids
    }
    var seeding = KMeansSeeding(
      points, count: options.lists, isSpherical: options.isSpherical, seed: options.seed, threads: options.threads)
    return try seeding.choose(isCancelled)
  }

  /// Points of the pool to a list, the least it is worth having, and the steps over it.
  private static let poolPerList = 32
  private static let leastPool = 4096
  private static let poolIterations = 6

  /// A random share of the points, in their order.
  private func thinned(to count: Int) -> VectorRows {
    let matrix = VectorMatrix(count: count, dimensions: points.dimensions)
    var generator = SeededGenerator(seed: options.seed &+ 1)
    var taken = 0
    for i in 0..<points.count where taken < count {
      if generator.nextUnit() * Double(points.count - i) >= Double(count - taken) { continue }
      unsafe matrix.setRow(taken, to: points.row(i))
      taken += 1
    }
    return matrix.rows()
  }

  private func assigner(to centroids: VectorMatrix) -> CentroidAssigner {
    CentroidAssigner(centroids.rows(), metric: options.isSpherical ? .cosine : .l2)
  }

  /// - Parameter neighbours: where to look for the centroid of a point that has one; nil for everywhere.
  private mutating func assign(to centroids: VectorMatrix, _ neighbours: CentroidNeighbours?) {
    let assigner = assigner(to: centroids)
    let (points, threads, isCancelled) = (points, options.threads, isCancelled)
    guard let neighbours else {
      return withDestination { destination in
        assigner.assign(points, to: destination, threads: threads, isCancelled: isCancelled)
      }
    }
    let near = NeighbourAssigner(centroids.rows(), biases: assigner.biases, neighbours: neighbours)
    let members = ListOrder(lists, listCount: centroids.count)
    withDestination { destination in
      near.assign(points, members, to: destination, threads: threads, isCancelled: isCancelled)
    }
  }

  private mutating func withDestination(_ body: (CentroidAssigner.Destination) -> Void) {
    unsafe lists.withUnsafeMutableBufferPointer { lists in
      unsafe scores.withUnsafeMutableBufferPointer { scores in
        guard let first = lists.baseAddress else { return }
        body(unsafe CentroidAssigner.Destination(lists: first, scores: scores.baseAddress))
      }
    }
  }

  /// Moves every centroid to the mean of its points; empty lists take half of the largest.
  private func move(_ centroids: VectorMatrix) {
    let members = ListOrder(lists, listCount: centroids.count)
    let points = self.points
    let isSpherical = options.isSpherical
    Parallel.chunks(centroids.count, chunk: 16, threads: options.threads) { _, range in
      for list in range where !members.isEmpty(list) {
        unsafe Self.setMean(of: members.ordinals(of: list), points, isSpherical, centroids.row(list))
      }
    }
    splitLargest(centroids, members)
  }

  /// Writes the mean of the points, scaled to unit length when spherical. Points that cancel out leave it as it was.
  private static func setMean(
    of members: ArraySlice<UInt32>, _ points: VectorRows, _ isSpherical: Bool, _ centroid: UnsafeMutablePointer<Float>
  ) {
    let dimensions = points.dimensions
    var mean = [Float](repeating: 0, count: dimensions)
    unsafe mean.withUnsafeMutableBufferPointer { mean in
      guard let sum = mean.baseAddress else { return }
      for member in members {
        let point = unsafe points.row(Int(member))
        var d = 0
        while d < dimensions {
          unsafe sum[d] += point[d]
          d &+= 1
        }
      }
    }
    let share = 1 / Float(members.count)
    for d in 0..<dimensions { mean[d] *= share }
    if isSpherical, mean.allSatisfy({ $0 == 0 }) { return }
    for d in 0..<dimensions { unsafe centroid[d] = mean[d] }
    if isSpherical { unsafe scaleToUnit(centroid, dimensions) }
  }

  /// Scales to unit length, unless it is zero.
  static func scaleToUnit(_ vector: UnsafeMutablePointer<Float>, _ dimensions: Int) {
    let length = unsafe squaredLength(vector, dimensions).squareRoot()
    if length == 0 { return }
    for d in 0..<dimensions { unsafe vector[d] = Float(Double(vector[d]) / length) }
  }

  /// Gives each empty list half of the largest: both centroids sit close beside the old one, on either side of it in
  /// the direction of its farthest point; the next step parts its points between them.
  private func splitLargest(_ centroids: VectorMatrix, _ members: ListOrder) {
    var sizes = (0..<centroids.count).map { members.ordinals(of: $0).count }
    for empty in sizes.indices where sizes[empty] == 0 {
      guard let largest = sizes.indices.max(by: { sizes[$0] < sizes[$1] }), sizes[largest] > 1,
        let farthest = members.ordinals(of: largest).max(by: { scores[Int($0)] < scores[Int($1)] })
      else { return }
      let point = unsafe points.row(Int(farthest))
      let old = unsafe centroids.row(largest)
      let new = unsafe centroids.row(empty)
      // Half of a half goes another way: a list split twice must not yield the same centroid twice.
      let step = Float(1) / Float(64 + empty % 64)
      for d in 0..<points.dimensions {
        let offset = unsafe (point[d] - old[d]) * step
        unsafe new[d] = old[d] + offset
        unsafe old[d] -= offset
      }
      if options.isSpherical {
        unsafe Self.scaleToUnit(new, points.dimensions)
        unsafe Self.scaleToUnit(old, points.dimensions)
      }
      sizes[empty] = sizes[largest] / 2
      sizes[largest] -= sizes[empty]
    }
  }

  private func meanHalfSquaredLength() -> Double {
    var sum = 0.0
    for i in 0..<points.count { unsafe sum += squaredLength(points.row(i), points.dimensions) }
    return sum / 2 / Double(points.count)
  }
}
