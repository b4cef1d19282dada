import VidxSegments
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Measures a finished graph: which efSearch and slack reach which recall, and how far estimates are off.
///
/// The questions are vectors of the index that are taken out of the graph for their own search: marked as met before
/// it starts, so that no path leads over them. `Calibration.apart` is measured with their nearest taken out, too.
struct Calibrator {
  let layers: GraphLayers
  let reranker: Reranker
  let vectors: DistinctVectors
  let sample: SearchSample
  let options: BuildOptions

  private typealias Question = SearchSample.Question
  private static let k = SearchSample.k
  private static let efs: [UInt32] = [10, 12, 16, 20, 24, 32, 40, 56, 80, 120, 180, 280, 400]
  /// Steps quicker than the smallest pool.
  private static let quick: [UInt32] = [2, 5, 8]
  private static let slacks: [Float] = [0.01, 0.02, 0.03, 0.045, 0.06, 0.08, 0.1, 0.13, 0.17, 0.22, 0.3, 0.4, 0.6, 1]
  /// What a slack may cost of the recall that its efSearch reaches without.
  private static let allowedLoss = 0.004
  /// Of the nearest of a question, so many are taken out with it for `Calibration.apart`.
  static let apart = 4...24
  /// The neighbour of a question that says how near the others are: half as far or less is a near-duplicate.
  static let yardstick = 100

  /// What a setting reached, as sums over the questions.
  private struct Outcome {
    var found = 0
    var distances = 0
  }

  func run() throws -> Calibration {
    var calibration = Calibration()
    calibration.longest = longestVector()
    let questions = sample.questions
    guard !questions.isEmpty else { return calibration }
    calibration.spare = SearchSample.spare(sample.depthNeeded(by: reranker.coded, refined: false))
    calibration.margin = margin()
    try measureSteps(questions, &calibration)
    calibration.apart = try measureApart(questions, calibration)
    return calibration
  }

  /// What was measured of the graph that this one has grown from, if searches of the sample find about as much by it.
  /// - Parameter first: of the vectors that the older graph did not have.
  /// - Throws: `BuildError.cancelled`.
  /// - Complexity: four searches a question.
  func confirmed(_ old: Calibration, from first: Int) throws(BuildError) -> Calibration? {
    var calibration = old
    calibration.longest = max(old.longest, longestVector(from: first))
    let answers = Double(sample.questions.count * Self.k)
    for recall: Float in [0.95, 0.99] {
      if options.isCancelled() { throw .cancelled }
      guard answers > 0, let step = old.steps.first(where: { $0.recall >= recall }) ?? old.steps.last else { break }
      // The pool cannot be smaller than k; see `measureSteps`.
      let outcome = measure(ef: max(step.ef, UInt32(Self.k)), slack: step.slack, sample.questions, calibration)
      let expected = Double(step.recall)
      // Two standard errors, the misses of a question coming together; and what a fresh graph may differ by.
      let chance = 2 * (2 * expected * (1 - expected) / answers).squareRoot() + 0.01
      if Double(outcome.found) / answers < expected - chance { return nil }
    }
    if answers > 0 { calibration.apart = try measureApart(sample.questions, calibration) }
    return calibration
  }

  private func measureSteps(_ questions: [Question], _ calibration: inout Calibration) throws(BuildError) {
    var least: Float = 0
    for ef in Self.efs {
      if options.isCancelled() { throw .cancelled }
      let (slack, outcome) = cheapest(ef: ef, from: least, questions, calibration)
      if slack < .infinity { least = slack }
      if calibration.steps.isEmpty {
        // The pool cannot be smaller than k: below, it is the slack that shrinks.
        for quick in Self.quick where slack < .infinity {
          let share = slack * Float(quick) / Float(ef)
          let outcome = measure(ef: ef, slack: share, questions, calibration)
          calibration.append(step(ef: quick, slack: share, outcome, questions.count))
        }
      }
      let step = step(ef: ef, slack: slack, outcome, questions.count)
      calibration.append(step)
      if step.recall >= 0.9995 { break }
    }
  }

  private func measureApart(
    _ questions: [Question], _ calibration: Calibration
  ) throws(BuildError) -> Calibration.Apart {
    let (few, many) = Calibration.Apart.efs
    let apart = Self.nearDuplicates(questions, calibration)
    let recalls = [few, many].map { ef in
      let outcome = measure(ef: UInt32(ef), slack: .infinity, questions, calibration, apart: apart)
      return Float(outcome.found) / Float(questions.count * Self.k)
    }
    if options.isCancelled() { throw .cancelled }
    return Calibration.Apart(few: recalls[0], many: recalls[1])
  }

  /// How many near-duplicates a question has, the median, within the bounds of `apart`: nearer than half of what a
  /// hundredth neighbour is far, in squares, which the scores of most metrics are. In few dimensions about as many are
  /// so near anyway, as the growth from the 75th to the 100th shows: those are none.
  ///
  /// Of 84,594 real turns 4, as many as are taken out at least; of a million, twelve around each real one, 14.
  static func nearDuplicates(_ questions: [SearchSample.Question], _ calibration: Calibration) -> Int {
    var (counts, expected): ([Int], [Float]) = ([], [])
    for question in questions {
      guard question.nearest.count >= yardstick else { return apart.lowerBound }
      let zero = calibration.zero(of: question.query)
      let squares = question.nearest.prefix(yardstick).map { hit in
        let distance = max(hit.score + zero, 0)
        return question.query.metric == .l1 ? distance * distance : distance
      }
      let (before, last) = (squares[yardstick * 3 / 4 - 1], squares[yardstick - 1])
      counts.append(squares.count { $0 < last / 2 })
      // The number within a distance grows with a power of it, half of the dimension for squares.
      let power = before > 0 && before < last ? log(Float(4) / 3) / log(last / before) : .infinity
      expected.append(Float(yardstick) * exp2(-power))
    }
    if counts.isEmpty { return apart.lowerBound }
    counts.sort()
    expected.sort()
    let (count, anyway) = (counts[counts.count / 2], expected[counts.count / 2])
    if anyway > Float(count) * 2 / 3 { return apart.lowerBound }
    return min(max(count, apart.lowerBound), apart.upperBound)
  }

  private func step(ef: UInt32, slack: Float, _ outcome: Outcome, _ count: Int) -> Calibration.Step {
    Calibration.Step(
      ef: ef, slack: slack, recall: Float(outcome.found) / Float(count * Self.k),
      distances: Float(outcome.distances) / Float(count))
  }

  /// - Parameter first: of the vectors to look at; none is taken to be longer than all of these before it.
  private func longestVector(from first: Int = 0) -> Float {
    guard vectors.configuration.metric == .innerProduct else { return 1 }
    var longest: Float = 0
    for i in first..<vectors.count {
      var sum: Float = 0
      let vector = unsafe vectors.vectors + i * vectors.stride
      for j in 0..<vectors.configuration.dimensions { unsafe sum += vector[j] * vector[j] }
      longest = max(longest, sum)
    }
    return longest.squareRoot()
  }

  /// By how much estimates of near vectors exceed their scores in one of fifty cases.
  private func margin() -> Float {
    if reranker.coded.codec == .f32 { return 0 }
    var excesses: [Float] = []
    sample.estimate(with: reranker.coded, refined: true) { question, estimates in
      let scale = question.query.metric == .innerProduct ? max(question.query.length, .leastNormalMagnitude) : 1
      for (hit, estimate) in zip(question.nearest.prefix(50), estimates) {
        excesses.append((estimate - hit.score) / scale)
      }
    }
    excesses.sort()
    return excesses.isEmpty ? 0 : max(excesses[excesses.count * 49 / 50], 0)
  }

  /// The smallest slack, from `least` on, that loses next to nothing of the recall of a search that uses up its pool.
  private func cheapest(
    ef: UInt32, from least: Float, _ questions: [Question], _ calibration: Calibration
  ) -> (slack: Float, outcome: Outcome) {
    let full = measure(ef: ef, slack: .infinity, questions, calibration)
    let needed = full.found - Int(Double(questions.count * Self.k) * Self.allowedLoss)
    let candidates = Self.slacks.filter { $0 >= least }
    var low = 0
    var high = candidates.count
    var best: (slack: Float, outcome: Outcome) = (.infinity, full)
    while low < high {
      let middle = (low + high) / 2
      let outcome = measure(ef: ef, slack: candidates[middle], questions, calibration)
      if outcome.found >= needed {
        best = (candidates[middle], outcome)
        high = middle
      } else {
        low = middle + 1
      }
    }
    return best
  }

  /// - Parameter apart: how many of the nearest of each question are taken out with it.
  private func measure(
    ef: UInt32, slack: Float, _ questions: [Question], _ calibration: Calibration, apart: Int = 0
  ) -> Outcome {
    let total = Locked(Outcome())
    let (layers, reranker) = (self.layers, self.reranker)
    let pool = ScratchPool(vectorCount: vectors.count, space: reranker.coded.space)
    Parallel.chunks(questions.count, chunk: 32, threads: options.threads) { _, range in
      let scratch = pool.take()
      defer { pool.give(scratch) }
      var outcome = Outcome()
      for question in questions[range] {
        let limits = WalkLimits(
          ef: Int(ef) + calibration.spare, slack: slack, k: Self.k, zero: calibration.zero(of: question.query))
        let margin = calibration.margin(of: question.query)
        let answer = Self.answer(question, limits, layers, reranker, margin: margin, apart: apart, scratch)
        outcome.found += answer.found
        outcome.distances += answer.distances
      }
      let sum = outcome
      total.withLock {
        $0.found += sum.found
        $0.distances += sum.distances
      }
    }
    let outcome = total.withLock { $0 }
    options.work.addScores(outcome.distances)
    return outcome
  }

  private static func answer(
    _ question: Question, _ limits: WalkLimits, _ layers: GraphLayers, _ reranker: Reranker, margin: Float,
    apart: Int, _ scratch: SearchScratch
  ) -> Outcome {
    var counters = SearchCounters()
    let walk = unsafe GraphWalk(layers, reranker.coded, scratch.prepare(question.query), scratch)
    let result = Result { () throws(SegmentError) in
      let excluded = [question.position] + question.nearest.prefix(apart).map { Int($0.rowID) }
      let count = try walk.searchBase(limits, excluding: excluded, counters: &counters)
      return unsafe try reranker.rank(
        question.query.floats, k: k, of: count, margin: margin, walk.query, scratch, &counters)
    }
    // Memory needs no verifying, so nothing can be thrown.
    guard case .success(let count) = result else { return Outcome() }
    let limit = question.nearest[min(apart + k, question.nearest.count) - 1].score
    var found = 0
    for i in 0..<min(k, count) where unsafe scratch.pool[i].score <= limit { found += 1 }
    return Outcome(found: found, distances: counters.distanceComputations)
  }
}
