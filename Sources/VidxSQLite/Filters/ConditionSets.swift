import VidxIndexes

/// Rows that pass conditions on filter columns, kept while the index is as it was: a set of half the rows takes longer
/// to make than to search among. Not thread safe.
final class ConditionSets {
  private var state: IndexState?
  private var sets: [[FilterCondition]: PreparedFilter] = [:]
  private var byteCount = 0
  private let limit: Int

  /// - Parameter limit: bytes that the sets may take together.
  init(limit: Int = 8 << 20) { self.limit = limit }

  var count: Int { sets.count }

  /// The rows that pass all conditions in a state of the index.
  /// - Parameter make: makes them when they are not kept.
  func rows(
    passing conditions: [FilterCondition], of state: IndexState, _ make: () throws -> PreparedFilter
  ) throws -> PreparedFilter {
    if self.state != state { forget(state) }
    if let kept = sets[conditions] { return kept }
    let made = try make()
    // What another module tells may be something else the next time.
    if conditions.contains(where: \.asksAnother) || made.byteCount > limit { return made }
    // All at once: telling which was used last would cost each search more than making one now and then.
    if byteCount + made.byteCount > limit { forget(state) }
    sets[conditions] = made
    byteCount += made.byteCount
    return made
  }

  private func forget(_ state: IndexState) {
    self.state = state
    sets = [:]
    byteCount = 0
  }
}

extension FilterCondition {
  fileprivate var asksAnother: Bool {
    if case .matches = test { true } else { false }
  }
}
