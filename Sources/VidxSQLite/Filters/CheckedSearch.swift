import VidxIndexes

/// Searches under a filter in SQL whose rows nobody has read yet: either reads all of them, or takes the nearest rows
/// of the whole index and checks one by one whether they pass, whichever is sooner done.
///
/// Neither cost is known beforehand: what SQLite has to do for the rows of a text it does not say, and how many of the
/// nearest pass depends on the query. So both are tried, in turns and each for as long as the other is expected to take
/// (docs/PLANNER.md): together they take little more than twice what the better takes alone.
final class CheckedSearch {
  enum Outcome {
    /// k rows that pass, or all that do.
    case found([StoreHit], SearchedWhole)
    /// The text's rows are to be read, some or all of which have been.
    case read
    /// So many of the nearest rows are to be found first, by the caller.
    case wants(Int)
  }

  /// Rows that may pass: the nearest of those searched.
  struct Candidates {
    /// How many were asked for.
    let count: Int
    let answer: StoreAnswer
    /// What finding them was expected to take.
    let nanoseconds: Double
  }

  /// What the searches without the text were like.
  struct SearchedWhole {
    var plan = StorePlan.exact
    var counters = SearchCounters()
    var rowsChecked = 0
    /// Those of them that pass.
    var rowsPassed = 0
  }

  private let k: Int
  private let rowCount: Int
  /// Candidates that show whether there are more; the largest number when all rows are searched.
  private let mostWanted: Int
  private let text: FilterText
  private let statement: FilterStatement
  private let check: RowCheck
  private let reading: FilterReading
  private let limit: StatementLimit
  private let trace: FilterTrace?
  private let nearest: (Int) throws -> Candidates
  private let expected: (Int) throws -> Double
  private var whole = SearchedWhole()
  /// Whether a row passes, of those checked.
  private var passes: [Int64: Bool] = [:]
  private var checkSteps = 0

  /// - Parameters:
  ///   - k: at least 1.
  ///   - rowCount: of the index.
  ///   - searchedCount: rows that are searched; nil for all.
  ///   - trace: gets what was done.
  ///   - nearest: the nearest of them, as many as asked for.
  ///   - expected: nanoseconds that finding so many is expected to take.
  init(
    k: Int, rowCount: Int, searchedCount: Int?, _ run: FilterRun, _ check: RowCheck, _ trace: FilterTrace?,
    nearest: @escaping (Int) throws -> Candidates, expected: @escaping (Int) throws -> Double
  ) {
    self.k = k
    self.rowCount = rowCount
    mostWanted = searchedCount.map { $0 + 1 } ?? .max
    text = run.text
    statement = run.statement
    self.check = check
    reading = run.reading
    limit = run.limit
    self.trace = trace
    self.nearest = nearest
    self.expected = expected
  }

  /// Steps that reading all rows may take before anything else is tried: those of about 1,100 rows of an index.
  static let firstSteps = 4_500
  /// Steps in which a first row id shows whether it is one.
  private static let stepsToLook = 200
  /// What a step of SQLite's machine takes, in nanoseconds; what checking a row takes beside its steps, in steps.
  private static let nanosecondsPerStep = 15.0
  private static let stepsPerCheck = 16
  /// A check that takes more steps a row than this runs the text as a whole.
  private static let mostStepsPerCheck = 400
  /// Candidates asked for beyond those that are expected to do.
  private static let spare = 1.2

  /// How many candidates are found first.
  static func firstCount(k: Int, _ history: FilterHistory) -> Int {
    max(3 * k, min(Int(Double(k) * history.candidatesPerRow * spare), 16 * k))
  }

  /// - Parameters:
  ///   - begun: the candidates to begin with.
  ///   - asks: without any, asks the caller for the first.
  func outcome(_ begun: Candidates?, asks: Bool) throws -> Outcome {
    if try begun == nil ? isReadAtOnce() : isReadByLook() { return .read }
    var begun = begun
    var wanted = begun?.count ?? min(Self.firstCount(k: k, statement.history), mostWanted)
    while wanted <= rowCount / 4 {
      if asks, begun == nil { return .wants(wanted) }
      let answer = try candidates(wanted, begun)
      begun = nil
      guard let found = try passing(of: answer.hits) else { break }
      // Fewer than were asked for: these are all there are, or all within the distance.
      if found.count == k || answer.hits.count < wanted {
        statement.history.checked(passes.count, k: k)
        whole.rowsChecked = passes.count
        whole.rowsPassed = passes.values.count { $0 }
        return .found(found, whole)
      }
      let rate = Double(found.count + 1) / Double(answer.hits.count + 2)
      let needed = min(max(Int(Double(k) / rate * Self.spare), 2 * wanted), mostWanted)
      // As many checks as there are more candidates; these are searched for anew.
      let steps =
        Double(checkSteps) * Double(needed) / Double(max(passes.count, 1))
        + (try expected(needed)) / Self.nanosecondsPerStep
      wanted = needed
      if Int(steps) > statement.history.unfinishedSteps, try readSome(Int(steps)) { return .read }
    }
    _ = try trace.timing({ try reading.finish() }, noting: { .read(rows: $0.count, isFinished: true) })
    statement.history.finished(steps: reading.steps)
    return .read
  }

  /// Reads for as long as what is rare and indexed takes; where that was tried before in vain, or checking all rows
  /// takes no longer, only until a first row id shows whether the text gives some.
  private func isReadAtOnce() throws -> Bool {
    if statement.history.unfinishedSteps < Self.firstSteps,
      mostWanted > Self.firstSteps / (2 * Self.stepsPerCheck)
    {
      return try readSome(Self.firstSteps)
    }
    return try isReadByLook()
  }

  private func isReadByLook() throws -> Bool {
    text.form == .select ? try reading.read(steps: Self.stepsToLook) : false
  }

  /// - Parameter begun: those, if they have been found.
  private func candidates(_ count: Int, _ begun: Candidates?) throws -> StoreAnswer {
    try limit.check(statement.connection)
    let found = try trace.timing(
      { try begun ?? nearest(count) },
      noting: {
        .found(rows: $0.answer.hits.count, plan: $0.answer.plan, nanoseconds: $0.nanoseconds)
      })
    try limit.check(statement.connection)
    whole.plan = found.answer.plan
    whole.counters += found.answer.counters
    return found.answer
  }

  /// - Returns: whether all rows have been read.
  private func readSome(_ steps: Int) throws -> Bool {
    let isFinished = try trace.timing(
      { try reading.read(steps: steps) },
      noting: {
        .read(rows: reading.ids.count, isFinished: $0)
      })
    if isFinished {
      statement.history.finished(steps: reading.steps)
      return true
    }
    statement.history.leftUnfinished(steps: reading.steps)
    return false
  }

  /// The first k that pass; nil when checking has turned out too dear.
  private func passing(of hits: [StoreHit]) throws -> [StoreHit]? {
    var found: [StoreHit] = []
    var next = 0
    while next < hits.count, found.count < k {
      let part = hits[next..<min(next + RowCheck.width, hits.count)]
      guard try checkNew(part.map(\.rowID).filter { passes[$0] == nil }) else { return nil }
      found += part.filter { passes[$0.rowID] == true }
      next = part.endIndex
    }
    return Array(found.prefix(k))
  }

  private func checkNew(_ ids: [Int64]) throws -> Bool {
    if ids.isEmpty { return true }
    let before = check.steps
    let most = ids.count * Self.mostStepsPerCheck + 2_000
    let passing = try trace.timing(
      { try check.passing(ids[...], steps: most, limit: limit) },
      noting: {
        .checked(rows: ids.count, passing: $0?.count)
      })
    guard let passing else {
      statement.history.foundCheckDear()
      return false
    }
    checkSteps += check.steps - before + ids.count * Self.stepsPerCheck
    for id in ids { passes[id] = false }
    for id in passing { passes[id] = true }
    return true
  }
}
