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
    /// How many vectors a walk under a filter may score before it gives way to `next`; after a look, what that says.
    var walkBudget: Int
    var next: SegmentPlan
    /// Of lists, when they are given up for a walk.
    var look: FirstLook?

    /// A walk that ends a little later than lists would have is better than one that is given up.
    private static let patience = 1.3

    /// A look at lists has led to a walk: it may take as long as what was left of them, if that is more.
    /// - Parameter left: vectors.
    mutating func walk(insteadOf left: Double, _ costs: ScoreCosts) {
      walkBudget = max(walkBudget, Int(Self.patience * left * costs.listed / costs.node))
    }
  }

  let exact: Estimate
  private(set) var graph: Estimate?
  private(set) var lists: Estimate?
  private let passing: Int
  private let share: Double
  private let costs: ScoreCosts
  /// What lists take however few of them are gone through.
  private var leastListed = 0.0
  private var forced: SegmentPlan?

  /// A walk under a filter has to be expected to take less than this share of the next best way: how the filter lies to
  /// the query, which nobody knows beforehand, makes it many times as dear, and lists and scans twice.
  private static let leastGain = 0.8

  /// The share of what lists are expected to take that a walk after a look at them may take at least.
  private static let mostWalked = 0.9

  /// What a look takes at least is lost where a walk follows: at most this share of the walk.
  private static let mostBegun = 0.3

  /// Lists that are expected to take this many times as long as a walk are not worth a look.
  private static let leastHope = 4.0

  /// Whether lists are looked at before a walk is thought of: what they take differs from query to query by far more
  /// than what a walk takes.
  var mayLook: Bool {
    guard forced == nil, let graph, let lists else { return false }
    return lists.nanoseconds < Self.leastHope * graph.nanoseconds && way.plan != .exact
  }

  /// Lists, and after a look at some of them maybe a walk.
  /// - Parameter isUneven: the rows that pass were chosen for where they lie, which takes as long to find out as
  ///   scoring a hundred of them.
  func lookingWay(isUneven: Bool) -> Way {
    guard mayLook, let graph, let lists, isUneven || leastListed < Self.mostBegun * graph.nanoseconds else {
      return way
    }
    let whole = graph.scores / Self.walkFactor(share: share) * costs.node + costs.start
    // With the look, and with lists after all, about twice what these take.
    let budget = max(Self.mostWalked * lists.nanoseconds - costs.start, 0) / costs.node
    var way = Way(plan: .lists, walkBudget: Int(budget), next: .lists)
    way.look = FirstLook(walk: whole / costs.listed, share: share, isUneven: isUneven)
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
      let isFiltered = index.isSelective(filter)
      graph = Self.graph(
        found, share: share, k: k, costs, ef: { found.limits(parameters, k: $0, isFiltered: isFiltered).ef })
    }
    if let found = index.lists, let reach = found.reach, index.usesReach(parameters, filter) {
      let base = index.reachBase(reach, parameters)
      let scored = min(reach.scored(base: base, share: share) * Self.growth(k), passing)
      leastListed = costs.listsStart + Double(found.listCount) * costs.centroid
      if index.coded.areScanned { leastListed += costs.reranking(k: k) }
      let probed = Double(found.listCount) * scored / max(passing, 1)
      lists = Estimate(
        plan: .lists, scores: Double(found.listCount) + scored,
        nanoseconds: leastListed + probed * costs.list(k: k) + scored * costs.listed)
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
    let byCodes = costs.codesStart + passing * costs.codeAndBound + costs.rescoring(k: k, of: passing)
    return Estimate(plan: .exact, scores: passing, nanoseconds: isCoded ? min(byVectors, byCodes) : byVectors)
  }

  /// - Parameter ef: candidates kept for so many rows.
  private static func graph(
    _ graph: HNSWGraph, share: Double, k: Int, _ costs: ScoreCosts, ef: (Int) -> Int
  ) -> Estimate {
    let calibration = graph.calibration
    let measured = ef(min(k, calibration.k))
    let step = calibration.steps.first { Int($0.ef) >= measured } ?? calibration.steps.last
    let known = step.map { Double($0.distances) * max(Double(measured) / Double(max($0.ef, 1)), 1) }
    let further = Double(ef(k) - measured) * Double(graph.parameters.baseDegree) * freshLinks
    let scores = ((known ?? 16 * Double(measured)) + further) * walkFactor(share: share)
    return Estimate(
      plan: .graph, scores: scores, nanoseconds: scores * costs.node + costs.start + costs.reranking(k: k) / 3)
  }

  /// The share of a candidate's links that lead to vectors a walk has not met, where it keeps more candidates because
  /// more rows are wanted than it was measured with.
  private static let freshLinks = 0.28

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

  /// Of codes that lie anywhere, those that no cache holds take as long again: of a million vectors nearly all.
  private static let missed = 75.0
  private static let cachedBytes = 0x1p25

  init(_ index: SegmentIndex) {
    let codeLines = Double(index.coded.rows.stride) / 64
    let codeBytes = Double(index.coded.rows.stride * index.vectorCount)
    let missed = Self.missed * max(1 - Self.cachedBytes / max(codeBytes, 1), 0)
    let vectorLines = Double(index.configuration.stride * 4) / 64
    code = 6 + 2 * codeLines
    codeAndBound = code + 4 + missed
    node = 25 + 5 * codeLines + missed
    vector = 15 + 4 * min(vectorLines, Self.fetchedAlone) + max(vectorLines - Self.fetchedAlone, 0)
    centroid = 3 + vectorLines / 2
    listed = index.coded.areScanned ? code : vector
  }

  /// Of what more than ten rows need: three full vectors each, by bounds of codes; a walk's estimates need one. The
  /// starts hold what ten rows do.
  func reranking(k: Int) -> Double { 3 * Double(max(k - 10, 0)) * vector }

  /// What scans by codes score once more by vectors, whose bounds let the more through the more rows are wanted; the
  /// start holds a hundred.
  func rescoring(k: Int, of scored: Double) -> Double {
    let wanted = Double(k)
    return max(min(5 * wanted * (1 + max(log(scored / wanted), 0)), scored) - 100, 0) * vector
  }

  /// Of a list that is gone through, besides what it scores: its few vectors are fetched by themselves, and the more
  /// rows are wanted the more of them have to be put in order.
  func list(k: Int) -> Double { 100 + 3 * Double(max(k - 10, 0)) }

  /// So few vectors are scored sooner than their codes and then the nearest.
  static func areVectorsCheaper(_ index: SegmentIndex, passing: Int, k: Int) -> Bool {
    let costs = ScoreCosts(index)
    return costs.start + Double(passing) * costs.vector < costs.codesStart + Double(passing) * costs.codeAndBound
      + costs.rescoring(k: k, of: Double(passing))
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
