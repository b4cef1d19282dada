import VidxSegments

/// Where rows lie in the tables of a segment, made when so many have been looked for that it pays: until then each is
/// searched for in tables of 4 and 8 bytes a row, of which every step is a miss of the caches.
final class RowRanks: Sendable {
  private struct State {
    var lookups = 0
    var made: RankedBits?
    /// It cannot be made: the table is damaged somewhere. Who looks for a row there will find that out.
    var isImpossible = false
  }

  private let state = Locked(State())
  /// A lookup saves some 100 ns, and a row takes 1 to 2 ns to count.
  private static let share = 64

  /// - Parameters:
  ///   - lookups: how many rows are looked for now.
  ///   - count: rows of the table.
  ///   - make: tried once; throws when the table is damaged.
  /// - Returns: nil as long as it does not pay, and where it cannot be made.
  func ranks(
    for lookups: Int, of count: Int, _ make: () throws(SegmentError) -> RankedBits
  ) -> RankedBits? {
    state.withLock { state in
      if state.made != nil || state.isImpossible { return state.made }
      state.lookups += lookups
      if state.lookups < count / Self.share { return nil }
      do throws(SegmentError) { state.made = try make() } catch { state.isImpossible = true }
      return state.made
    }
  }

  var isMade: Bool { state.withLock { $0.made != nil } }
}
