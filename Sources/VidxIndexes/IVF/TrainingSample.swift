import VidxVectors

/// The points that k-means sees: a bounded sample of the vectors, prepared for the metric.
@safe struct TrainingSample {
  /// Unit vectors under cosine and inner product; moved to the origin under l2 and l1.
  let points: VectorRows
  /// What was subtracted from the vectors; empty for nothing.
  let origin: [Float]

  /// Points per list above which more do not help: recall with 128 is that with 256 (docs/decisions/0003-ivf.md).
  static let enoughPerList = 128
  /// Points per list below which lists get poor (pgvector's `numSamples = lists * 50`).
  private static let leastPerList = 50
  /// The least sample worth taking (pgvector's).
  private static let least = 10_000
  /// Memory for the sample, unless that leaves fewer than `leastPerList`.
  private static let byteLimit = 1 << 30

  /// How many of the vectors to train on.
  static func size(vectorCount: Int, lists: Int, perList: Int = enoughPerList, stride: Int) -> Int {
    let wanted = max(perList * lists, least)
    let affordable = max(byteLimit / (stride * 4), leastPerList * lists)
    return min(vectorCount, wanted, affordable)
  }

  /// Takes a random sample, in the order of the vectors.
  /// - Parameter vectors: distinct.
  init(_ vectors: VectorRows, metric: Metric, lists: Int, perList: Int = enoughPerList, seed: UInt64) {
    let size = Self.size(vectorCount: vectors.count, lists: lists, perList: perList, stride: vectors.stride)
    if metric == .cosine, size == vectors.count {
      points = vectors
      origin = []
      return
    }
    let matrix = VectorMatrix(count: size, dimensions: vectors.dimensions)
    var generator = SeededGenerator(seed: seed)
    var taken = 0
    for i in 0..<vectors.count where taken < size {
      // Selection sampling (Knuth, volume 2, 3.4.2, Algorithm S).
      if generator.nextUnit() * Double(vectors.count - i) >= Double(size - taken) { continue }
      unsafe matrix.setRow(taken, to: vectors.row(i))
      taken += 1
    }
    var kept = taken
    var origin: [Float] = []
    switch metric {
    case .cosine: break
    case .innerProduct: kept = Self.keepDirections(of: matrix, count: taken)
    case .l2, .l1: origin = Self.moveToMean(matrix, count: taken)
    }
    self.origin = origin
    points = matrix.rows(first: kept)
  }

  /// Scales rows to unit length and closes the gaps that zero vectors leave.
  /// - Returns: how many rows remain.
  private static func keepDirections(of matrix: VectorMatrix, count: Int) -> Int {
    var kept = 0
    for i in 0..<count {
      let row = unsafe matrix.row(i)
      if unsafe squaredLength(row, matrix.dimensions) == 0 { continue }
      if kept < i { unsafe matrix.setRow(kept, to: row) }
      unsafe KMeans.scaleToUnit(matrix.row(kept), matrix.dimensions)
      kept += 1
    }
    return kept
  }

  /// Subtracts the mean of the rows from each.
  private static func moveToMean(_ matrix: VectorMatrix, count: Int) -> [Float] {
    var sum = [Double](repeating: 0, count: matrix.dimensions)
    for i in 0..<count {
      let row = unsafe matrix.row(i)
      for d in sum.indices { unsafe sum[d] += Double(row[d]) }
    }
    let mean = sum.map { Float($0 / Double(max(count, 1))) }
    for i in 0..<count { unsafe subtract(mean, from: matrix.row(i), into: matrix.row(i)) }
    return mean
  }
}
