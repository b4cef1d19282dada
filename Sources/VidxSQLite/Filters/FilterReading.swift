internal import CSQLite

/// The reading of the row ids that a compiled filter answers, in as many parts as one likes. Its statement is busy
/// until `end()`.
final class FilterReading {
  private var statement: Statement
  /// Binds the values to another statement, which converts.
  private var converting: (() throws(SQLiteError) -> Statement)?
  private let limit: StatementLimit
  /// In the order they came; NULLs are left out.
  private(set) var ids: [Int64] = []
  private(set) var isFinished = false
  /// What it has taken so far.
  var steps: Int { statement.steps - start }
  private var start: Int

  /// - Parameters:
  ///   - statement: with its values bound.
  ///   - converting: called once, when it answers something else than whole numbers, or too many: gives a statement
  ///     that is read in its place, with its values bound. Without it both are errors.
  init(
    _ statement: Statement, limit: StatementLimit, converting: (() throws(SQLiteError) -> Statement)? = nil
  ) {
    self.statement = statement
    self.converting = converting
    self.limit = limit
    start = statement.steps
  }

  /// Reads on to the end.
  /// - Throws: `FilterError.notARowID`, `.tooManyRows`, `.timeout`; `SQLiteError`.
  /// - Complexity: 0.05 to 0.1 us a row beside what finding it takes.
  func finish() throws -> [Int64] {
    if !isFinished { try limit.watch(statement.connection) { try read(upTo: .max) } }
    return ids
  }

  /// Reads on for about so many steps of SQLite's machine, of 10 to 20 ns.
  ///
  /// A statement cannot be stopped and go on while it looks for its next row: where that takes too long, what has been
  /// read is given up, and the next call begins anew.
  /// - Returns: whether this was the end.
  /// - Throws: as `finish`.
  func read(steps: Int) throws -> Bool {
    if isFinished { return true }
    let most = self.steps + steps
    do { try limit.watch(statement.connection, steps: 2 * steps) { try read(upTo: most) } } catch {
      guard limit.isOfSteps(error) else { throw error }
      ids.removeAll(keepingCapacity: true)
    }
    return isFinished
  }

  /// Lets go of the statement.
  func end() {
    statement.reset()
    statement.clearBindings()
  }

  private func read(upTo most: Int) throws {
    if try readRowIDs(upTo: most) { return }
    guard let converting else { throw FilterError.notARowID(statement.text(0) ?? "") }
    self.converting = nil
    let taken = steps
    end()
    ids.removeAll(keepingCapacity: true)
    statement = try converting()
    start = statement.steps - taken
    try read(upTo: most)
  }

  /// - Returns: false when something came that is no row id, or too many that are.
  private func readRowIDs(upTo most: Int) throws -> Bool {
    let handle = unsafe statement.handle
    // A host's connection cannot be stopped between rows.
    let mask = statement.connection.isBorrowed ? 0 : 31
    let mostRowIDs = statement.connection.mostRowIDs
    // In hand: each access to a property of a class is checked.
    var ids: [Int64] = []
    swap(&ids, &self.ids)
    defer { swap(&ids, &self.ids) }
    while true {
      let code = unsafe sqlite3_step(handle)
      guard code == SQLITE_ROW else {
        guard code == SQLITE_DONE else {
          let error = statement.lastError(code)
          statement.reset()
          throw error
        }
        isFinished = true
        return true
      }
      if ids.count >= mostRowIDs {
        // A row may have come more than once.
        ids = RowIDs.ascending(ids)
        guard ids.count < mostRowIDs / 2 || converting == nil else { return false }
        guard ids.count < mostRowIDs / 2 else { throw FilterError.tooManyRows(limit: mostRowIDs) }
      }
      switch unsafe sqlite3_column_type(handle, 0) {
      case SQLITE_INTEGER: unsafe ids.append(sqlite3_column_int64(handle, 0))
      case SQLITE_NULL: break
      default: return false
      }
      // Asking costs as much as a step.
      if ids.count & mask == 0, most < .max, steps >= most { return true }
    }
  }
}
