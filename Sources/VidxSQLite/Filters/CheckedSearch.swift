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
    /// All row ids that pass, in any order.
    case rows([Int64])
  }

  /// What the searches without the filter were like.
  struct SearchedWhole {
    var plan = StorePlan.exact
    var counters = SearchCounters()
    var rowsChecked = 0
    /// Those of them that pass.
    var rowsPassed = 0
  }

  private let k: Int
  private let rowCount: Int
  private let statement: FilterStatement
  private let check: RowCheck
  private let reading: FilterReading
  private let limit: StatementLimit
  private let nearest: (Int) throws -> (answer: StoreAnswer, nanoseconds: Double)
  private var whole = SearchedWhole()
  /// Whether a row passes, of those checked.
  private var passes: [Int64: Bool] = [:]
  private var checkSteps = 0

  /// - Parameters:
  ///   - k: at least 1.
  ///   - rowCount: of the index.
  ///   - reading: of the statement, at its beginning.
  ///   - nearest: the nearest rows of the whole index, as many as asked for, and what finding them is expected to take.
  init(
    k: Int, rowCount: Int, _ statement: FilterStatement, _ check: RowCheck, _ reading: FilterReading,
    _ limit: StatementLimit, nearest: @escaping (Int) throws -> (answer: StoreAnswer, nanoseconds: Double)
  ) {
    self.k = k
    self.rowCount = rowCount
    self.statement = statement
    self.check = check
    self.reading = reading
    self.limit = limit
    self.nearest = nearest
  }

  /// Steps that reading all rows may take before anything else is tried: those of about 1,100 rows of an index.
  static let firstSteps = 4_500
  /// What a step of SQLite's machine takes, in nanoseconds; what checking a row takes beside its steps, in steps.
  private static let nanosecondsPerStep = 15.0
  private static let stepsPerCheck = 16
  /// A check that takes more steps a row than this runs the text as a whole.
  private static let mostStepsPerCheck = 400
  /// Candidates asked for beyond those that are expected to do.
  private static let spare = 1.2

  func outcome() throws -> Outcome {
    if statement.history.unfinishedSteps < Self.firstSteps, try readSome(Self.firstSteps) { return .rows(reading.ids) }
    var wanted = max(3 * k, min(Int(Double(k) * statement.history.candidatesPerRow * Self.spare), 16 * k))
    while wanted <= rowCount / 4 {
      let (answer, nanoseconds) = try nearest(wanted)
      whole.plan = answer.plan
      whole.counters += answer.counters
      guard let found = try passing(of: answer.hits) else { break }
      // Fewer than were asked for: these are all there are, or all within the distance.
      if found.count == k || answer.hits.count < wanted {
        statement.history.checked(passes.count, k: k)
        whole.rowsChecked = passes.count
        whole.rowsPassed = passes.values.count { $0 }
        return .found(found, whole)
      }
      let rate = Double(found.count + 1) / Double(answer.hits.count + 2)
      let needed = max(Int(Double(k) / rate * Self.spare), 2 * wanted)
      // A search for more costs about as much more, the checks likewise.
      let steps =
        Double(checkSteps) * Double(needed) / Double(max(passes.count, 1)) + nanoseconds / Self.nanosecondsPerStep
        * Double(needed) / Double(wanted)
      wanted = needed
      if Int(steps) > statement.history.unfinishedSteps, try readSome(Int(steps)) { return .rows(reading.ids) }
    }
    let ids = try reading.finish()
    statement.history.finished(steps: reading.steps)
    return .rows(ids)
  }

  /// - Returns: whether all rows have been read.
  private func readSome(_ steps: Int) throws -> Bool {
    if try reading.read(steps: steps) {
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
    guard let passing = try check.passing(ids[...], steps: most, limit: limit) else {
      statement.history.foundCheckDear()
      return false
    }
    checkSteps += check.steps - before + ids.count * Self.stepsPerCheck
    for id in ids { passes[id] = false }
    for id in passing { passes[id] = true }
    return true
  }
}
