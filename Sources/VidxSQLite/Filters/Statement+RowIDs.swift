internal import CSQLite

extension Statement {
  /// Runs the statement and returns the integers of its first column, in the order they come; NULL is left out.
  /// - Parameter timeout: seconds it may take; nil for any time.
  /// - Throws: `FilterError.notARowID`, `.timeout`; `SQLiteError`.
  /// - Complexity: 0.05 to 0.1 us a row beside what finding it takes.
  func rowIDs(timeout: Double?) throws -> [Int64] {
    guard let timeout else { return try rowIDs() }
    let deadline = Deadline(seconds: timeout)
    do {
      return try unsafe deadline.watch(connectionHandle) { try rowIDs() }
    } catch let error as SQLiteError where error.isInterrupt && deadline.hasPassed {
      throw FilterError.timeout(seconds: timeout)
    }
  }

  private func rowIDs() throws -> [Int64] {
    defer { reset() }
    var ids: [Int64] = []
    let statement = unsafe handle
    while true {
      let code = unsafe sqlite3_step(statement)
      guard code == SQLITE_ROW else {
        if code == SQLITE_DONE { return ids }
        throw lastError(code)
      }
      switch unsafe sqlite3_column_type(statement, 0) {
      case SQLITE_INTEGER: unsafe ids.append(sqlite3_column_int64(statement, 0))
      case SQLITE_NULL: continue
      default: throw FilterError.notARowID(text(0) ?? "")
      }
    }
  }
}

/// Stops the statements of a connection when their time is over.
private final class Deadline {
  private let end: ContinuousClock.Instant
  private(set) var hasPassed = false

  /// - Parameter seconds: infinite for some decades.
  init(seconds: Double) { end = ContinuousClock.now + .seconds(min(seconds, 1e9)) }

  /// Runs the body on a connection that has no other progress handler.
  func watch<Result>(_ database: OpaquePointer?, _ body: () throws -> Result) rethrows -> Result {
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    // Steps of SQLite's machine between looks at the clock: some 20 us.
    unsafe sqlite3_progress_handler(
      database, 1_000,
      { context in
        guard let context = unsafe context else { return 0 }
        return unsafe Unmanaged<Deadline>.fromOpaque(context).takeUnretainedValue().look()
      }, context)
    defer { unsafe sqlite3_progress_handler(database, 0, nil, nil) }
    return try withExtendedLifetime(self) { try body() }
  }

  private func look() -> Int32 {
    hasPassed = ContinuousClock.now >= end
    return hasPassed ? 1 : 0
  }
}
