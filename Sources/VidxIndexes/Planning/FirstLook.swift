#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A look at the nearest lists that decides between them and a walk of the graph.
///
/// What lists take differs from query to query: one in ten of a mean, or all that pass. What a walk takes differs less,
/// but where rows were chosen for where they lie, a share of them says nothing of it: near the query nearly all pass,
/// and it takes what it takes without a filter; far from it a walk is of no use. So lists go first, and while they are
/// gone through those are counted, now and then, that are not too far yet (docs/PLANNER.md).
struct FirstLook: Sendable, Equatable {
  /// As many vectors of lists are scored in the time that the walk takes without a filter.
  let walk: Double
  /// Of the vectors, passes.
  let share: Double
  /// The vectors that pass were chosen for where they lie.
  let isUneven: Bool

  /// When the lists left are counted: behind so much of what the walk is expected to take.
  private static let stages = [0.15, 0.35, 0.8, 1.6, 3.2]
  /// How many times the walk they have to take to be given up: the fewer pass, the less certain is what a walk takes,
  /// and where lists take long, it does, too. Besides the k-th distance falls yet: not all of them will be scanned.
  private static func hope(share: Double) -> Double { 0.5 + 2 * pow(1 - share, 3) }

  /// Of one search.
  struct Progress {
    private let walk: Double
    private let hope: Double
    private var stage = 0

    /// - Parameters:
    ///   - passing: vectors of the lists nearest to the query that pass, of `count`: about the share that a walk meets.
    ///   - k: rows wanted. Those lists say nothing of where more are than they have.
    /// - Returns: nil where the query is far from what passes.
    init?(_ look: FirstLook, passing: Int, of count: Int, k: Int) {
      if look.isUneven, Double(passing) < look.share * Double(count) || k > passing { return nil }
      let share = look.isUneven ? Double(passing) / Double(count) : look.share
      hope = FirstLook.hope(share: share)
      walk = look.walk * SearchPlanner.walkFactor(share: share)
    }

    /// Whether the walk is the shorter way on: then how many vectors the lists left are taken to hold, else nil.
    /// - Parameters:
    ///   - seen: vectors scored so far, of those that pass.
    ///   - lists: they were in; those to come are taken to have as many each.
    ///   - left: lists that may hold a vector nearer than the k-th found.
    mutating func wayLeft(seen: Int, of passing: Int, lists: Int, left: () -> Int) -> Double? {
      guard stage < FirstLook.stages.count, Double(seen) >= FirstLook.stages[stage] * walk else { return nil }
      stage += 1
      let vectors = min(Double(left()) * Double(seen) / Double(max(lists, 1)), Double(passing - seen))
      return vectors > hope * walk ? vectors : nil
    }
  }
}
