import VidxSegments
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// What searches of a graph cost and find, measured when it was built: the `calibration` section.
///
/// A step is the cheapest setting found for its recall; steps ascend in efSearch and in recall.
struct Calibration: Sendable, Equatable {
  struct Step: Sendable, Equatable {
    var ef: UInt32
    /// See `WalkLimits.slack`.
    var slack: Float
    /// Recall@k of the sample.
    var recall: Float
    /// Scores computed for a query, on average.
    var distances: Float
  }

  /// What walks find of questions that lie apart from the vectors: those of the steps without their near-duplicates.
  ///
  /// What people ask lies as far from the vectors as these from each other where they have no near-duplicates. Among a
  /// million vectors, twelve around each real one, what found 0.99 for vectors of the index found 0.89 for other texts.
  struct Apart: Sendable, Equatable {
    /// Candidates kept: few, many.
    static let efs = (few: 40, many: 160)
    /// Recall@k with so many, without slack; both 0: not measured.
    var few: Float = 0
    var many: Float = 0
  }

  /// The k that recall was measured for.
  var k = 10
  /// Estimates are higher than true scores by more than this in one of fifty cases; relative to the query's length for
  /// inner products. Infinite: not known.
  var margin = Float.infinity
  /// Candidates to keep beyond efSearch, so that estimates do not crowd out true neighbours.
  var spare = 0
  /// Vectors that came or went since it was measured.
  var changes = 0
  /// The length of the longest vector; 1 under cosine.
  var longest: Float = 1
  var apart = Apart()
  var steps: [Step] = []

  init() {}

  /// Adds a step; a recall below that of the step before is chance, and raised to it.
  mutating func append(_ step: Step) {
    var step = step
    step.recall = max(step.recall, steps.last?.recall ?? 0)
    steps.append(step)
  }
}

extension Calibration {
  private static let headerBytes = 32
  private static let stepBytes = 16
  static let maxSteps = 64
  static let maxSpare = 1_000

  var encoded: [UInt32] {
    [
      UInt32(steps.count), UInt32(k), margin.bitPattern, longest.bitPattern, UInt32(spare),
      UInt32(clamping: changes), apart.few.bitPattern, apart.many.bitPattern,
    ]
      + steps.flatMap { [$0.ef, $0.slack.bitPattern, $0.recall.bitPattern, $0.distances.bitPattern] }
  }

  /// - Returns: an empty one where the segment has none.
  init(_ file: SegmentFile) throws(SegmentError) {
    guard let byteCount = file.byteCount(of: .calibration) else { return }
    let section = try file.section(.calibration, expecting: byteCount)
    func refusal(_ offset: Int) -> SegmentError {
      .invalidContent(section: .calibration, offset: offset, path: section.path)
    }
    guard byteCount >= Self.headerBytes else { throw refusal(0) }
    let count = Int(try section.load(UInt32.self, at: 0))
    guard count <= Self.maxSteps, byteCount == Self.headerBytes + count * Self.stepBytes else { throw refusal(0) }
    k = Int(try section.load(UInt32.self, at: 1))
    margin = try section.load(Float.self, at: 2)
    longest = try section.load(Float.self, at: 3)
    spare = Int(try section.load(UInt32.self, at: 4))
    changes = Int(try section.load(UInt32.self, at: 5))
    apart = Apart(few: try section.load(Float.self, at: 6), many: try section.load(Float.self, at: 7))
    guard (0...1).contains(apart.few), (0...1).contains(apart.many) else { throw refusal(24) }
    guard k >= 1, margin >= 0, longest >= 0, longest.isFinite, spare <= Self.maxSpare else { throw refusal(4) }
    for i in 0..<count {
      let step = Step(
        ef: try section.load(UInt32.self, at: 8 + 4 * i), slack: try section.load(Float.self, at: 9 + 4 * i),
        recall: try section.load(Float.self, at: 10 + 4 * i), distances: try section.load(Float.self, at: 11 + 4 * i))
      let previous = steps.last ?? Step(ef: 0, slack: 0, recall: 0, distances: 0)
      guard step.ef > previous.ef, IndexLimits.efSearch.contains(Int(step.ef)), step.slack >= 0,
        step.recall >= previous.recall, step.recall <= 1, step.distances >= 0, step.distances <= 1e12
      else { throw refusal(Self.headerBytes + i * Self.stepBytes) }
      steps.append(step)
    }
  }
}

// What a search is given.
extension Calibration {
  /// Candidates to keep for a recall, when nothing was measured.
  private static let guesses: [(recall: Double, ef: Int)] = [
    (0.90, 16), (0.95, 40), (0.98, 80), (0.99, 120), (0.995, 200), (1, 400),
  ]

  /// The smallest efSearch that reached this recall, between two steps in proportion. Beyond the last step the share
  /// that is missed is taken to halve when ef doubles.
  func ef(recall: Double) -> Int {
    guard let last = steps.last else {
      return Self.guesses.first { $0.recall >= recall }?.ef ?? 400
    }
    guard let next = steps.firstIndex(where: { $0.recall >= Float(recall) }) else {
      let missed = max(1 - Double(last.recall), 1e-4)
      let factor = min(missed / max(1 - recall, 1e-5), 16)
      return min(Int(Double(last.ef) * factor), IndexLimits.efSearch.upperBound)
    }
    if next == 0 { return Int(steps[0].ef) }
    let (low, high) = (steps[next - 1], steps[next])
    let share = (Float(recall) - low.recall) / (high.recall - low.recall)
    return Int((Float(low.ef) + share * Float(high.ef - low.ef)).rounded(.up))
  }

  /// The efSearch that misses this share of the answer to questions apart from the vectors. Misses are taken to fall
  /// with a power of it, as they do on the data in docs/PLANNER.md: by a half to two thirds when it doubles.
  /// - Returns: 0 where that was not measured.
  func ef(missing share: Double) -> Int {
    guard apart.many > 0 else { return 0 }
    let (few, many) = (max(1 - Double(apart.few), 1e-4), max(1 - Double(apart.many), 1e-4))
    let efs = (few: Double(Apart.efs.few), many: Double(Apart.efs.many))
    let power = min(max(log(few / many) / log(efs.many / efs.few), 1), 2)
    let ef = efs.many * pow(many / max(share, 1e-5), 1 / power)
    return min(Int(ef.rounded(.up)), Self.mostExtrapolated)
  }

  /// Ten times what was measured.
  private static let mostExtrapolated = 1_600

  /// What a sample has to have reached so that a recall is likely to be reached by others: a standard error more. The
  /// misses of a question come together, which doubles the variance of independent ones; some 256 questions are asked.
  static func aim(for recall: Double) -> Double {
    recall + (2 * recall * (1 - recall) / (10 * 256)).squareRoot()
  }

  /// The slack that goes with an efSearch: that of the step below, or in proportion between two; none beyond the last.
  func slack(ef: Int) -> Float {
    guard let next = steps.firstIndex(where: { Int($0.ef) >= ef }) else { return .infinity }
    if next == 0 { return steps[0].slack }
    let (low, high) = (steps[next - 1], steps[next])
    if high.slack == .infinity { return Int(high.ef) == ef ? .infinity : low.slack }
    return low.slack + (high.slack - low.slack) * Float(ef - Int(low.ef)) / Float(high.ef - low.ef)
  }

  /// How much too high the estimate of a candidate may be that belongs to the answer.
  func margin(of query: PreparedQuery) -> Float {
    query.metric == .innerProduct ? margin * query.length : margin
  }
}

extension Calibration {
  /// See `WalkLimits.zero`.
  func zero(of query: PreparedQuery) -> Float {
    switch query.metric {
    case .cosine: 1
    case .l2, .l1: 0
    case .innerProduct: longest * query.length
    }
  }
}

extension HNSWGraph {
  /// What a search for k rows may keep and when it ends.
  ///
  /// efSearch goes before the target and means what it does everywhere: the walk ends when the pool is used up. Who
  /// asks for a recall gets the slack that reaches it, which is a statement about most queries: where the graph is thin
  /// (points on a line), the few that need a detour would miss.
  /// - Parameter isFiltered: only some of the vectors pass.
  func limits(_ parameters: SearchParameters, k: Int, isFiltered: Bool) -> WalkLimits {
    guard parameters.efSearch == nil, let recall = parameters.targetRecall else {
      // The last of many is missed more often than the last of ten: at 100 of 100 candidates recall@100 was 0.948.
      // Where some pass, 120 found 0.986, when the same rows, found without the filter and checked, were 0.999.
      let ef = parameters.efSearch ?? max(SearchParameters.defaultEfSearch, k + k / (isFiltered ? 2 : 5))
      return WalkLimits(ef: max(ef, k) + calibration.spare)
    }
    let measured = calibration.k
    let ef = max(calibration.ef(recall: Calibration.aim(for: recall)), calibration.ef(missing: 1 - recall))
    // The slack was measured from the 10th nearest: for fewer rows it counts from there too, for more from the k-th.
    // Of the higher recalls many rows take half as many candidates more than were measured (0.987 for 0.99 without).
    let more = max(k - measured, 0)
    return WalkLimits(
      ef: max(ef + (recall > 0.97 ? more + more / 2 : more), k) + calibration.spare,
      slack: calibration.slack(ef: ef), k: max(k, measured))
  }

  /// The same with what depends on the query.
  func limits(_ limits: WalkLimits, _ query: PreparedQuery) -> WalkLimits {
    var limits = limits
    limits.zero = calibration.zero(of: query)
    return limits
  }

  /// How many followed nodes a stream keeps waiting: as many candidates as a search with these settings keeps.
  ///
  /// A stream scores full vectors and has no end that slack could bring nearer: no spare candidates, and never fewer
  /// than recall was measured with.
  func lookahead(_ parameters: SearchParameters) -> Int {
    if let ef = parameters.efSearch { return ef }
    guard let recall = parameters.targetRecall else { return SearchParameters.defaultEfSearch }
    return max(
      calibration.ef(recall: Calibration.aim(for: recall)), calibration.ef(missing: 1 - recall), calibration.k)
  }
}
