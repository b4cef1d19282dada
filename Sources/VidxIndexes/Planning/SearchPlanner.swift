import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Chooses how a segment answers, by what each way is expected to cost (docs/PLANNER.md).
///
/// A pure function of the segment, the filter's size and the settings: equal questions get equal plans, on every
/// machine and at every time. What it cannot know, how the filter lies to the query, the searches find out: a walk that
/// meets too few passing vectors gives up, and lists end when what is left is too far.
struct SearchPlanner {
  /// What one way would cost.
  struct Estimate: Sendable, Equatable {
    var plan: SegmentPlan
    /// Vectors and centroids scored, as expected under a filter that is independent of the query.
    var scores: Double
    var nanoseconds: Double
  }

  /// A plan, and what becomes of it when a walk under a filter turns out dearer than was expected.
  struct Way: Sendable, Equatable {
    var plan: SegmentPlan
    /// How many vectors a walk under a filter may score before it gives way to `next`.
    var walkBudget: Int
    var next: SegmentPlan
    /// Of lists, when they are given up for a walk.
    var look: FirstLook?
  }

  let exact: Estimate
  private(set) var graph: Estimate?
  private(set) var lists: Estimate?
  private let passing: Int
  private let share: Double
  private let costs: ScoreCosts
  private var forced: SegmentPlan?

  /// A walk under a filter has to be expected to take less than this share of the next best way: how the filter lies to
  /// the query, which nobody knows beforehand, makes it many times as dear, and lists and scans twice.
  private static let leastGain = 0.7

  /// The share of what lists are expected to take that a walk after a look at them may take.
  private static let mostWalked = 0.95

  /// Lists that are expected to take this many times as long as a walk are not worth a look.
  private static let leastHope = 4.0

  /// Whether it makes a difference that rows were chosen for where they lie, which takes as long to find out as scoring
  /// a hundred of them.
  var mayLook: Bool {
    guard forced == nil, let graph, let lists else { return false }
    return lists.nanoseconds < Self.leastHope * graph.nanoseconds && way.plan != .exact
  }

  /// The way under a filter of rows that were chosen for where they lie: lists, and after a look at some of them maybe
  /// a walk.
  var lookingWay: Way {
    var way = self.way
    guard mayLook, let graph, let lists else { return way }
    let whole = graph.scores / Self.walkFactor(share: share) * costs.node + costs.start
    // Together with the look, and with lists after all, about twice what these take.
    let most = Self.mostWalked * lists.nanoseconds - costs.start
    way = Way(plan: .lists, walkBudget: Int(max(most, 0) / costs.node), next: .lists)
    way.look = FirstLook(walk: whole / costs.listed, share: share)
    return way
  }

  /// How many times as many vectors a walk scores under a filter that passes a share. The fewer pass the more, but not
  /// as many times more: near the query it has met most of those that pass before (docs/PLANNER.md).
  static func walkFactor(share: Double) -> Double { pow(max(share, 1e-9), -0.6) }

  /// What there is to choose among, cheapest first.
  var estimates: [Estimate] { [exact, graph, lists].compactMap { $0 }.sorted { $0.nanoseconds < $1.nanoseconds } }

  /// A walk that was chosen may take as long as the next best way is expected to: whichever of the two is better, both
  /// together take at most twice as long (but for what the expectation is wrong by). One that was asked for may score
  /// as many as pass.
  var way: Way {
    var next = exact
    if let lists, lists.nanoseconds < next.nanoseconds { next = lists }
    if let forced {
      return Way(plan: forced, walkBudget: passing, next: lists == nil ? .exact : .lists)
    }
    guard let graph, graph.nanoseconds < (lists == nil ? 1 : Self.leastGain) * next.nanoseconds else {
      return Way(plan: next.plan, walkBudget: 0, next: .exact)
    }
    return Way(
      plan: .graph, walkBudget: Int((next.nanoseconds - costs.start) / costs.node), next: next.plan)
  }

  init(_ index: SegmentIndex, k: Int, parameters: SearchParameters, filter: EntryFilter?) {
    self.passing = filter?.ordinalCount ?? index.vectorCount
    let passing = Double(self.passing)
    let share = min(passing / Double(max(index.vectorCount, 1)), 1)
    self.share = share
    costs = ScoreCosts(index)
    exact = Self.exact(index, passing, k: k, costs)
    if parameters.isExact { return }
    if case .hnsw(let found) = index.structure {
      let limits = found.limits(parameters, k: k)
      graph = Self.graph(found, limits, k: k, share: share, costs)
    }
    if let found = index.lists, let reach = found.reach, index.usesReach(parameters, filter) {
      let base = index.reachBase(reach, parameters)
      let scored = min(reach.scored(base: base, share: share) * Self.growth(k), passing)
      lists = Estimate(
        plan: .lists, scores: Double(found.listCount) + scored,
        nanoseconds: costs.listsStart + Double(found.listCount) * costs.centroid + scored * costs.listed
          + (index.coded.areScanned ? costs.reranking(k: k) : 0))
    } else if case .ivfflat = index.structure {
      // Where the settings say how many lists to scan, nothing is left to choose.
      forced = .lists
    }
    switch parameters.plan {
    case .graph where graph != nil: forced = .graph
    case .lists where lists != nil: forced = .lists
    default: break
    }
  }

  private static func exact(_ index: SegmentIndex, _ passing: Double, k: Int, _ costs: ScoreCosts) -> Estimate {
    let byVectors = costs.start + passing * costs.vector
    let isCoded = index.coded.areScanned && index.coded.areBoundsCertain
    let byCodes = costs.codesStart + passing * costs.codeAndBound + costs.reranking(k: k)
    return Estimate(plan: .exact, scores: passing, nanoseconds: isCoded ? min(byVectors, byCodes) : byVectors)
  }

  private static func graph(
    _ graph: HNSWGraph, _ limits: WalkLimits, k: Int, share: Double, _ costs: ScoreCosts
  ) -> Estimate {
    let calibration = graph.calibration
    let step = calibration.steps.first { Int($0.ef) >= limits.ef } ?? calibration.steps.last
    let known = step.map { Double($0.distances) * max(Double(limits.ef) / Double(max($0.ef, 1)), 1) }
    let scores = (known ?? 16 * Double(limits.ef)) * pow(max(share, 1e-9), -0.6)
    return Estimate(
      plan: .graph, scores: scores, nanoseconds: scores * costs.node + costs.start + costs.reranking(k: k) / 3)
  }

  /// The reach was measured for ten rows: the more are asked for, the farther the last.
  private static func growth(_ k: Int) -> Double { max(1, (Double(k) / 10).squareRoot()) }
}

/// What scoring takes, in nanoseconds on the machine of docs/PLANNER.md. Only their ratios count, and these hardly
/// differ between machines: they are ratios of cache lines. Measured at every opening they would differ from one to the
/// next, and so would plans and answers.
struct ScoreCosts {
  /// Of a code of a list; of one of any vectors, with what its certain bound lets through; of a code met in a graph.
  let code: Double
  let codeAndBound: Double
  let node: Double
  /// Of a full vector; of a centroid.
  let vector: Double
  let centroid: Double
  /// Of what lists score: codes, or vectors where there are none.
  let listed: Double
  /// Of a search; of one that compares codes of all that pass; of one by lists.
  let start = 2_000.0
  let codesStart = 14_000.0
  let listsStart = 12_000.0

  /// Lines of a vector behind which the processor has begun to fetch ahead.
  private static let fetchedAlone = 32.0

  init(_ index: SegmentIndex) {
    let codeLines = Double(index.coded.rows.stride) / 64
    let vectorLines = Double(index.configuration.stride * 4) / 64
    code = 6 + 2 * codeLines
    codeAndBound = code + 4
    node = 25 + 5 * codeLines
    vector = 15 + 4 * min(vectorLines, Self.fetchedAlone) + max(vectorLines - Self.fetchedAlone, 0)
    centroid = 3 + vectorLines / 2
    listed = index.coded.areScanned ? code : vector
  }

  /// Of what more than ten rows need: three full vectors each, by bounds of codes; a walk's estimates need one. The
  /// starts hold what ten rows do.
  func reranking(k: Int) -> Double { 3 * Double(max(k - 10, 0)) * vector }

  /// So few vectors are scored sooner than their codes and then the nearest.
  static func areVectorsCheaper(_ index: SegmentIndex, passing: Int, k: Int) -> Bool {
    let costs = ScoreCosts(index)
    return costs.start + Double(passing) * costs.vector < costs.codesStart + Double(passing) * costs.codeAndBound
      + costs.reranking(k: k)
  }
}

extension SegmentIndex {
  /// What a search would choose among, cheapest first.
  package func estimates(
    k: Int, parameters: SearchParameters, filter: EntryFilter?
  ) -> [(plan: SegmentPlan, scores: Double, nanoseconds: Double)] {
    SearchPlanner(self, k: k, parameters: parameters, filter: filter).estimates.map {
      (plan: $0.plan, scores: $0.scores, nanoseconds: $0.nanoseconds)
    }
  }

  /// Whether lists are gone through as far as a recall takes. An IVFFlat index that is told how many to scan, and one
  /// without a filter that is told nothing, scans that many.
  func usesReach(_ parameters: SearchParameters, _ filter: EntryFilter?) -> Bool {
    // Without a filter a graph is walked: ef_search says how far.
    guard case .ivfflat = structure else { return parameters.plan == .lists || isSelective(filter) }
    if parameters.probes != nil { return false }
    return parameters.targetRecall != nil || isSelective(filter)
  }

  /// Whether a filter lets only some of the rows pass that there are.
  func isSelective(_ filter: EntryFilter?) -> Bool {
    guard let filter, !filter.isOfLiveRows else { return false }
    return filter.ordinalCount < vectorCount
  }

  /// The base of the reach that settings ask for. Who gives an efSearch gets what searches without a filter find by
  /// it, and no less than who asks for nothing.
  ///
  /// Aims at a part of the misses (`SearchParameters.shareOfMisses`).
  func reachBase(_ reach: ListReach, _ parameters: SearchParameters) -> Float {
    reach.base(recall: 1 - SearchParameters.shareOfMisses * (1 - aimedRecall(parameters)))
  }

  private func aimedRecall(_ parameters: SearchParameters) -> Double {
    if parameters.efSearch == nil, let recall = parameters.targetRecall { return recall }
    guard case .hnsw(let graph) = structure, let ef = parameters.efSearch else {
      return SearchParameters.leastFilteredRecall
    }
    let step = graph.calibration.steps.last { Int($0.ef) <= ef }
    return min(max(Double(step?.recall ?? 0), SearchParameters.leastFilteredRecall), 0.995)
  }
}
