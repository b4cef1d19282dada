import VidxSegments
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// How far a search goes through lists: as long as the next one may hold a vector nearer than the k-th found.
///
/// A vector x of list c has, with d = |q - c|, r = |x - c| and the angle t between the two,
///
///     |q - x|^2 = d^2 + r^2 - 2 d r cos(t)
///
/// and in many dimensions cos(t) is small and spreads little. The largest cosine among m vectors grows with ln m. So
/// the nearest of the m passing vectors of a list is expected no nearer than
///
///     d^2 + r^2 - 2 d r (base + slope ln m)
///
/// with the list's own r, a slope for the segment, and a base for each recall; both are measured when the segment is
/// built, under filters of several selectivities and one that passes only vectors far from the query. The same base
/// serves all of them (docs/PLANNER.md): a list of which few vectors pass is left sooner, and what counts is not how
/// many lists were seen, but how near the k-th passing vector is.
struct ListReach: Sendable, Equatable {
  struct Step: Sendable, Equatable {
    var base: Float
    /// The least recall@10 over the filters of the sample.
    var recall: Float
    /// Vectors scored for a query on average, under filters that let `shares` pass.
    var scored: SIMD4<Float>
  }

  /// Shares of the vectors that the uniform filters of the sample let pass.
  static let shares: SIMD4<Float> = [1, 0.5, 0.1, 0.01]

  /// Vectors there were when the centroids were trained.
  var trainedVectors: UInt32 = 0
  var slope = ListReach.defaultSlope
  /// Ascending in base and in recall.
  var steps: [Step] = []

  static let defaultSlope: Float = 0.05
  /// So far that no list is left out: where no base reached a recall, or nobody could be asked. Finite, so that no
  /// bound is made of it that is no number.
  static let farthest: Float = 1_000

  /// The base that reaches a recall, between two steps in proportion; all lists where none did.
  func base(recall: Double) -> Float {
    let recall = Float(recall)
    guard let next = steps.firstIndex(where: { $0.recall >= recall }) else {
      return Self.farthest
    }
    if next == 0 { return steps[0].base }
    let (low, high) = (steps[next - 1], steps[next])
    return low.base + (high.base - low.base) * (recall - low.recall) / (high.recall - low.recall)
  }

  /// The same for a segment of more vectors, or fewer, in as many lists: searches score so many times as many.
  func scaled(by factor: Float) -> ListReach {
    var reach = self
    for i in reach.steps.indices { reach.steps[i].scored *= factor }
    return reach
  }

  /// How many vectors a search is expected to score that goes as far as `base`, of those a share of passes.
  func scored(base: Float, share: Double) -> Double {
    guard let last = steps.last else { return .infinity }
    let step = steps.first { $0.base >= base } ?? last
    // Piecewise linear between logarithms, and on as between the last two.
    var i = 1
    while i < Self.shares.scalarCount - 1, share < Double(Self.shares[i]) { i += 1 }
    let (x0, x1) = (log(Double(Self.shares[i - 1])), log(Double(Self.shares[i])))
    let (y0, y1) = (log(max(Double(step.scored[i - 1]), 1)), log(max(Double(step.scored[i]), 1)))
    return exp(y0 + (y1 - y0) * (log(max(share, 1e-9)) - x0) / (x1 - x0))
  }
}

// MARK: The section

extension ListReach {
  private static let headerWords = 8
  private static let stepWords = 2 + shares.scalarCount
  static let maxSteps = 64

  var encoded: [UInt32] {
    [UInt32(steps.count), trainedVectors, slope.bitPattern, 0, 0, 0, 0, 0]
      + steps.flatMap { step in
        [step.base.bitPattern, step.recall.bitPattern] + step.scored.indices.map { step.scored[$0].bitPattern }
      }
  }

  /// - Returns: nil where the segment has none.
  init?(_ file: SegmentFile) throws(SegmentError) {
    guard let byteCount = file.byteCount(of: .listReach) else { return nil }
    let section = try file.section(.listReach, expecting: byteCount)
    func refusal(_ word: Int) -> SegmentError {
      .invalidContent(section: .listReach, offset: word * 4, path: section.path)
    }
    guard byteCount >= Self.headerWords * 4 else { throw refusal(0) }
    let count = Int(try section.load(UInt32.self, at: 0))
    guard count <= Self.maxSteps, byteCount == (Self.headerWords + count * Self.stepWords) * 4 else { throw refusal(0) }
    trainedVectors = try section.load(UInt32.self, at: 1)
    slope = try section.load(Float.self, at: 2)
    guard slope >= 0, slope <= 1 else { throw refusal(2) }
    for i in 0..<count {
      let first = Self.headerWords + i * Self.stepWords
      var numbers: [Float] = []
      for word in first..<first + Self.stepWords { numbers.append(try section.load(Float.self, at: word)) }
      let step = Step(base: numbers[0], recall: numbers[1], scored: SIMD4(numbers[2...]))
      let previous = steps.last
      guard step.base > previous?.base ?? 0, step.base <= 2, step.recall >= previous?.recall ?? 0, step.recall <= 1,
        step.scored.indices.allSatisfy({ step.scored[$0] >= 0 && step.scored[$0].isFinite })
      else { throw refusal(first) }
      steps.append(step)
    }
  }
}

// MARK: Bounds

/// What a list's centroid and spread say of the nearest of its vectors, in scores of the metric.
struct ListBound {
  private let metric: Metric
  private let base: Float
  private let slope: Float
  private let length: Float

  init(_ metric: Metric, queryLength: Float, base: Float, slope: Float) {
    self.metric = metric
    self.base = base
    self.slope = slope
    length = queryLength
  }

  /// - Parameters:
  ///   - score: of the centroid.
  ///   - spread: root mean square distance of the list's vectors from it.
  ///   - logCount: logarithm of the number of vectors that pass; of none, minus infinity.
  @inline(__always)
  func callAsFunction(_ score: Float, _ spread: Float, _ logCount: Float) -> Float {
    if logCount < 0 { return .greatestFiniteMagnitude }
    let reach = base + slope * logCount
    switch metric {
    case .cosine:
      // Of unit vectors: |q - c|^2 = 2 + 2 score.
      let square = max(2 + 2 * score, 0)
      return (square + spread * spread - 2 * reach * square.squareRoot() * spread) / 2 - 1
    case .l2:
      let square = max(score, 0)
      return square + spread * spread - 2 * reach * square.squareRoot() * spread
    case .innerProduct, .l1:
      return score - reach * length * spread
    }
  }
}
