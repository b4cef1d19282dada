import VidxVectors

/// One question of the sample by which the reach of lists is measured: what searches of the lists would find under each
/// of some filters, without scoring anything again.
struct ListTrial: Sendable {
  /// What one setting found under one filter, as sums over questions.
  struct Outcome: Sendable, Equatable {
    var found = 0
    var wanted = 0
    var scored = 0

    static func += (a: inout Outcome, b: Outcome) {
      a.found += b.found
      a.wanted += b.wanted
      a.scored += b.scored
    }
  }

  /// Uniform filters of `ListReach.shares`, then one that passes a twentieth of the lists, all far from the question.
  static let filterCount = ListSample.uniformCount + 1

  private let sample: ListSample
  private let position: Int
  private let queryLength: Float
  /// Scores of the centroids.
  private let centroids: [Float]
  /// Where `ListSample.places` says: the least scores of each list.
  private let nearest: [Float]
  private let goals: [Goal]

  private struct Goal: Sendable {
    /// The uniform filter, and the lists of which something passes.
    var filter: Int
    var lists: [UInt32]
    /// How many are wanted, and the score of the last of them.
    var wanted = 0
    var limit = -Float.infinity
  }

  /// - Parameters:
  ///   - position: of the query among the vectors: it is no answer to itself.
  ///   - nearest: a row of `ListSample.nearest`.
  init(
    _ query: PreparedQuery, position: Int, _ nearest: [Float], _ sample: ListSample, _ distinct: DistinctVectors,
    _ lists: IVFBuilder
  ) {
    self.sample = sample
    self.position = position
    self.nearest = nearest
    queryLength = query.length
    let kernels = VectorKernels(distinct.configuration.metric)
    var centroids = [Float](repeating: 0, count: lists.listCount)
    for list in centroids.indices {
      unsafe centroids[list] = kernels.one(query.floats, lists.centroids.row(list), distinct.stride)
    }
    self.centroids = centroids
    let all = (0..<UInt32(lists.listCount)).map { $0 }
    goals = (0..<Self.filterCount).map { number in
      let isFar = number == ListSample.uniformCount
      // What passes the far filter passes the first, in fewer lists.
      var goal = Goal(
        filter: isFar ? 0 : number, lists: isFar ? Self.farLists(centroids, position) : all)
      var best = TopK(k: MeasuredLists.k)
      for list in goal.lists {
        goal.wanted += sample.count(goal.filter, Int(list), without: position).count
        for place in sample.places(goal.filter, Int(list)) where nearest[place] < best.threshold {
          best.offer(Hit(score: nearest[place], rowID: 0))
        }
      }
      goal.wanted = min(goal.wanted, MeasuredLists.k)
      goal.lists.removeAll { sample.count(goal.filter, Int($0), without: position).count == 0 }
      if goal.wanted > 0, let last = best.sorted().last { goal.limit = last.score }
      return goal
    }
  }

  /// A twentieth of the lists: those about one in the farther half, as rows of one topic are.
  private static func farLists(_ centroids: [Float], _ position: Int) -> [UInt32] {
    let order = centroids.indices.sorted { (centroids[$0], $0) < (centroids[$1], $1) }
    let count = max(order.count / 20, 1)
    let first = order.count / 2 + (position &* 31) % max(order.count / 2 - count, 1)
    return order[first..<min(first + count, order.count)].map { UInt32($0) }
  }

  /// A search of the lists under each filter.
  func run(_ reach: (base: Float, slope: Float), _ spreads: [Float], _ metric: Metric) -> [Outcome] {
    let bound = ListBound(metric, queryLength: queryLength, base: reach.base, slope: reach.slope)
    return goals.map { goal in
      var order = goal.lists.map { list in
        let logCount = sample.count(goal.filter, Int(list), without: position).log
        return (bound: bound(centroids[Int(list)], spreads[Int(list)], logCount), list: list)
      }
      order.sort { $0 < $1 }
      var outcome = Outcome(found: 0, wanted: goal.wanted, scored: 0)
      var best = TopK(k: goal.wanted)
      for (bound, list) in order {
        if bound > best.threshold { break }
        outcome.scored += sample.count(goal.filter, Int(list), without: position).count
        for place in sample.places(goal.filter, Int(list)) {
          let score = nearest[place]
          if score == .infinity { break }
          if score <= goal.limit { outcome.found += 1 }
          if score < best.threshold { best.offer(Hit(score: score, rowID: Int64(place))) }
        }
      }
      outcome.found = min(outcome.found, outcome.wanted)
      return outcome
    }
  }
}
