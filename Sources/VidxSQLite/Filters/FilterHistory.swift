/// What searches have found out about a filter's text. Decides in which order the ways to answer are tried, so only how
/// long that takes; every way ends in k rows when k pass.
struct FilterHistory {
  /// Reading all rows was not over after so many steps of SQLite's machine, with the values of the last time; 0 when it
  /// was, or has not been tried.
  private(set) var unfinishedSteps = 0
  /// Checking rows one by one takes too many steps: the text has to be run as a whole for each.
  private(set) var isCheckDear = false
  /// Candidates that had to be checked for k rows, divided by k, the last time.
  private(set) var candidatesPerRow = 0.0

  /// No more than this is taken for granted of other values: some 0.25 ms.
  private static let mostAssumed = 16_000

  /// All rows were read.
  mutating func finished(steps: Int) {
    unfinishedSteps = steps <= CheckedSearch.firstSteps ? 0 : min(steps - 1, Self.mostAssumed)
    candidatesPerRow /= 2
  }

  /// Reading was given up.
  mutating func leftUnfinished(steps: Int) { unfinishedSteps = max(unfinishedSteps, min(steps, Self.mostAssumed)) }

  mutating func foundCheckDear() { isCheckDear = true }

  mutating func checked(_ count: Int, k: Int) { candidatesPerRow = Double(count) / Double(max(k, 1)) }
}
