/// A look at the nearest lists that decides between them and a walk of the graph.
///
/// Under a filter of rows that were chosen for where they lie, what a share of them says of neither is true. Near the
/// query nearly all pass, and a walk takes what it takes without a filter, but lists a third of that for one query and
/// several times as much for the next: which, shows when some have been scanned, in how many of those left are not too
/// far yet. Far from it a walk is of no use (docs/PLANNER.md).
struct FirstLook: Sendable, Equatable {
  /// As many vectors of lists are scored in the time that the walk takes without a filter.
  let walk: Double
  /// Of the vectors, passes.
  let share: Double

  /// When the lists left are counted, and the walk's share beyond which they are given up. The k-th distance falls yet
  /// when it is first looked at: not all of them will be scanned.
  private static let stages: [(seen: Double, left: Double)] = [(0.15, 1), (0.35, 0.5)]

  /// Of one search.
  struct Progress {
    private let walk: Double
    private var stage = 0

    /// - Parameters:
    ///   - passing: vectors of the list nearest to the query that pass, of `count`.
    ///   - k: rows wanted. That list says nothing of where more are than it has.
    /// - Returns: nil where the query is far from what passes.
    init?(_ look: FirstLook, passing: Int, of count: Int, k: Int) {
      guard Double(passing) >= look.share * Double(count), 4 * k <= passing else { return nil }
      walk = look.walk
    }

    /// Whether the walk is the shorter way on.
    /// - Parameters:
    ///   - seen: vectors scored so far.
    ///   - lists: they were in; those to come are taken to have as many each.
    ///   - left: lists that may hold a vector nearer than the k-th found.
    mutating func shouldWalk(seen: Int, lists: Int, left: () -> Int) -> Bool {
      guard stage < FirstLook.stages.count, Double(seen) >= FirstLook.stages[stage].seen * walk else { return false }
      let most = FirstLook.stages[stage].left * walk
      stage += 1
      return Double(left()) * Double(seen) / Double(max(lists, 1)) > most
    }
  }
}
