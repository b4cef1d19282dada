/// What searches have found out about a filter's text. Decides in which order the ways to answer are tried, so only how
/// long that takes; every way ends in k rows when k pass.
struct FilterHistory {
  /// Reading all rows is not expected to be over after so many steps of SQLite's machine, whatever the values; 0 where
  /// it may be over at once.
  var unfinishedSteps: Int {
    assumesLittle ? knownUnfinished : max(knownUnfinished, min(reads.least ?? 0, Self.mostOfSeveral))
  }
  /// Checking rows one by one takes too many steps: the text has to be run as a whole for each.
  private(set) var isCheckDear = false
  /// Candidates that had to be checked for k rows, divided by k, the last time.
  private(set) var candidatesPerRow = 0.0

  private var knownUnfinished = 0
  /// Steps that reading all rows took, where it was read to the end.
  private var reads = Recent()
  private var searches = 0

  /// So many steps are assumed of other values after one search, some 0.25 ms, and after several that agree.
  private static let mostAssumed = 16_000
  private static let mostOfSeveral = 128_000
  /// Every so many searches no more is assumed than after one: a way that is not tried is not known any longer. (A
  /// prime: who asks for two kinds of values in turns meets both.)
  private static let period = 17
  private var assumesLittle: Bool { searches % Self.period == 0 }

  /// All rows were read.
  mutating func finished(steps: Int) {
    searches += 1
    reads.note(steps)
    knownUnfinished = steps <= CheckedSearch.firstSteps ? 0 : min(steps - 1, Self.mostAssumed)
    candidatesPerRow /= 2
  }

  /// Reading was given up.
  mutating func leftUnfinished(steps: Int) { knownUnfinished = max(knownUnfinished, min(steps, Self.mostAssumed)) }

  mutating func foundCheckDear() { isCheckDear = true }

  mutating func checked(_ count: Int, k: Int) {
    searches += 1
    candidatesPerRow = Double(count) / Double(max(k, 1))
  }
}

/// The last few numbers of many.
private struct Recent {
  private var values: [Int] = []
  private var next = 0
  private static let size = 8

  mutating func note(_ value: Int) {
    if values.count < Self.size { values.append(value) } else { values[next] = value }
    next = (next + 1) % Self.size
  }

  /// nil before there are enough.
  var least: Int? { values.count < Self.size ? nil : values.min() }
}
