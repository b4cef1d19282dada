import CVidxKernels
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// One question of the sample by which the reach of lists is measured: what searches of the lists would find under each
/// of some filters, without scoring anything again.
@safe struct ListTrial: Sendable {
  /// What one setting found under one filter, as sums over questions.
  struct Outcome: Sendable {
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
  static let filterCount = ListReach.shares.scalarCount + 1

  private let queryLength: Float
  /// Scores of the centroids.
  private let centroids: [Float]
  private let filters: [Filter]

  private struct Filter: Sendable {
    /// Of each list: the scores of its passing vectors.
    var starts: [Int] = [0]
    var scores: [Float] = []
    var logCounts: [Float] = []
    /// The k-th least score that passes.
    var limit = Float.infinity
    var wanted = 0
  }

  /// Scores of all vectors for each of some queries, row after row.
  static func scores(_ queries: [PreparedQuery], _ distinct: DistinctVectors) -> AlignedBuffer {
    let (count, stride) = (distinct.count, distinct.stride)
    let out = AlignedBuffer(byteCount: queries.count * count * 4)
    let rows = unsafe VectorKernels(distinct.configuration.metric).rows
    let block = max(16, (256 << 10) / (stride * 4))
    var start = 0
    while start < count {
      let width = min(block, count - start)
      for (i, query) in queries.enumerated() {
        unsafe rows(
          query.floats, distinct.vectors + start * stride, stride, width, stride, out.floats + i * count + start)
      }
      start += width
    }
    return out
  }

  /// - Parameters:
  ///   - position: of the query among the vectors: it is no answer to itself.
  ///   - scores: of all vectors.
  init(
    _ query: PreparedQuery, position: Int, _ scores: UnsafePointer<Float>, _ distinct: DistinctVectors,
    _ lists: IVFBuilder
  ) {
    queryLength = query.length
    let kernels = VectorKernels(distinct.configuration.metric)
    var centroids = [Float](repeating: 0, count: lists.listCount)
    for list in centroids.indices {
      unsafe centroids[list] = kernels.one(query.floats, lists.centroids.row(list), distinct.stride)
    }
    self.centroids = centroids
    let far = Self.farLists(centroids, position)
    filters = (0..<Self.filterCount).map { number in
      let isFar = number == ListReach.shares.scalarCount
      let share = isFar ? 1 : ListReach.shares[number]
      var filter = Filter()
      for list in 0..<lists.listCount {
        if !isFar || far.contains(list) {
          for place in Int(lists.listStarts[list])..<Int(lists.listStarts[list + 1]) {
            let member = Int(lists.order[place])
            if member != position, Self.unit(member, number) < share { unsafe filter.scores.append(scores[member]) }
          }
        }
        let count = filter.scores.count - filter.starts[list]
        filter.logCounts.append(count == 0 ? -.infinity : log(Float(count)))
        filter.starts.append(filter.scores.count)
      }
      filter.wanted = min(MeasuredLists.k, filter.scores.count)
      var nearest = TopK(k: filter.wanted)
      for score in filter.scores { nearest.offer(Hit(score: score, rowID: 0)) }
      filter.limit = nearest.threshold
      return filter
    }
  }

  /// A twentieth of the lists: those about one in the farther half, as rows of one topic are.
  private static func farLists(_ centroids: [Float], _ position: Int) -> Set<Int> {
    let order = centroids.indices.sorted { (centroids[$0], $0) < (centroids[$1], $1) }
    let count = max(order.count / 20, 1)
    let first = order.count / 2 + (position &* 31) % max(order.count / 2 - count, 1)
    return Set(order[first..<min(first + count, order.count)])
  }

  /// A number in 0..<1 that belongs to a vector.
  private static func unit(_ member: Int, _ filter: Int) -> Float {
    var generator = SeededGenerator(seed: UInt64(member) &* 8 &+ UInt64(filter))
    return Float(generator.nextUnit())
  }

  /// A search of the lists under each filter.
  func run(_ reach: (base: Float, slope: Float), _ spreads: [Float], _ metric: Metric) -> [Outcome] {
    let bound = ListBound(metric, queryLength: queryLength, base: reach.base, slope: reach.slope)
    return filters.map { filter in
      var order: [(bound: Float, list: Int)] = []
      for list in centroids.indices where filter.logCounts[list] >= 0 {
        order.append((bound(centroids[list], spreads[list], filter.logCounts[list]), list))
      }
      order.sort { $0 < $1 }
      var outcome = Outcome(found: 0, wanted: filter.wanted, scored: 0)
      var nearest = TopK(k: filter.wanted)
      for (bound, list) in order {
        if bound > nearest.threshold { break }
        for place in filter.starts[list]..<filter.starts[list + 1] {
          let score = filter.scores[place]
          outcome.scored += 1
          if score <= filter.limit { outcome.found += 1 }
          if score < nearest.threshold { nearest.offer(Hit(score: score, rowID: Int64(place))) }
        }
      }
      outcome.found = min(outcome.found, outcome.wanted)
      return outcome
    }
  }
}
