/// What a search under a filter in SQL has done to learn which rows pass, step by step: for people who ask.
package final class FilterTrace {
  package enum Step: Equatable, Sendable {
    /// The rows of an earlier search were still right.
    case kept
    /// The text was run; `rows` ids have come so far.
    case read(rows: Int, isFinished: Bool)
    /// The nearest rows were looked for without the text, which was expected to take so long.
    case found(rows: Int, plan: StorePlan, nanoseconds: Double)
    /// Rows found were checked; `passing` is nil when that turned out too dear.
    case checked(rows: Int, passing: Int?)
  }

  package private(set) var steps: [(step: Step, duration: Duration)] = []

  package init() {}

  /// Checks that follow each other are one step.
  fileprivate func add(_ step: Step, _ duration: Duration) {
    if case .checked(let more, let passing?) = step, let last = steps.last,
      case .checked(let rows, let passed?) = last.step
    {
      steps[steps.count - 1] = (.checked(rows: rows + more, passing: passed + passing), last.duration + duration)
    } else {
      steps.append((step, duration))
    }
  }
}

extension FilterTrace? {
  /// Runs the body and, for those who ask, notes what it did and how long it took.
  func timing<Result>(_ body: () throws -> Result, noting step: (Result) -> FilterTrace.Step) rethrows -> Result {
    guard let trace = self else { return try body() }
    let start = ContinuousClock.now
    let result = try body()
    trace.add(step(result), ContinuousClock.now - start)
    return result
  }
}
