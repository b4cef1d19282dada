import VidxSegments

/// Where rows lie in the tables of a segment, made when so many have been looked for that it pays: until then each is
/// searched for in tables of 4 and 8 bytes a row, of which every step is a miss of the caches.
final class RowRanks: Sendable {
  private struct State {
    var lookups = 0
    var made: RankedBits?
    /// It cannot be made: positions lie too far apart.
    var isImpossible = false
  }

  private let state = Locked(State())
  /// A lookup saves some 100 ns, and a row takes 1 to 2 ns to count.
  private static let share = 64

  /// - Parameters:
  ///   - lookups: how many rows are looked for now.
  ///   - count: rows of the table.
  ///   - make: nil where it cannot be made.
  /// - Returns: nil as long as it does not pay.
  func ranks(
    for lookups: Int, of count: Int, _ make: () throws(SegmentError) -> RankedBits?
  ) throws(SegmentError) -> RankedBits? {
    try state.withLock { (state) throws(SegmentError) in
      if state.made != nil || state.isImpossible { return state.made }
      state.lookups += lookups
      if state.lookups < count / Self.share { return nil }
      state.made = try make()
      state.isImpossible = state.made == nil
      return state.made
    }
  }
}
