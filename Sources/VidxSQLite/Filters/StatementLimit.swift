internal import CSQLite

/// Ends the statements of a connection when their time is over, or one that has taken too many steps of SQLite's
/// machine without answering a row.
final class StatementLimit {
  private let end: ContinuousClock.Instant?
  /// The user's; nil for any time.
  private let seconds: Double?
  private(set) var hasTimePassed = false
  /// Looks that are left to the statement that runs; nil for any number.
  private var looksLeft: Int?
  private(set) var areStepsUsedUp = false
  /// The connection's.
  private var isCancelled: (() -> Bool)?
  /// Steps between looks: some 20 us.
  static let stepsPerLook = 1_000

  /// - Parameter seconds: from now on, infinite for some decades; nil for any time.
  init(seconds: Double?) {
    self.seconds = seconds
    end = seconds.map { ContinuousClock.now + .seconds(min($0, 1e9)) }
  }

  /// Runs the body, with this as the connection's progress handler. On a host's, which may have one of its own, nothing
  /// is ended.
  /// - Parameter steps: of one statement, roughly; nil for any number.
  /// - Throws: `FilterError.timeout` in place of the body's error when time is what ended it; `SQLiteError` of an
  ///   interrupt when the connection's work was cancelled.
  func watch<Result>(_ connection: Connection, steps: Int? = nil, _ body: () throws -> Result) throws -> Result {
    if connection.isBorrowed || (end == nil && steps == nil) { return try body() }
    looksLeft = steps.map { $0 / Self.stepsPerLook + 1 }
    areStepsUsedUp = false
    isCancelled = connection.isCancelled
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    unsafe sqlite3_progress_handler(
      connection.handle, Int32(Self.stepsPerLook),
      { context in
        guard let context = unsafe context else { return 0 }
        return unsafe Unmanaged<StatementLimit>.fromOpaque(context).takeUnretainedValue().look()
      }, context)
    defer { connection.watchCancellation() }
    do {
      return try withExtendedLifetime(self) { try body() }
    } catch let error as SQLiteError where error.isInterrupt && hasTimePassed {
      throw FilterError.timeout(seconds: seconds ?? 0)
    }
  }

  /// Looks between two statements whether to go on.
  /// - Throws: as `watch`.
  func check(_ connection: Connection) throws {
    if connection.isCancelled?() == true { throw SQLiteError.interrupt }
    if let end, ContinuousClock.now >= end { throw FilterError.timeout(seconds: seconds ?? 0) }
  }

  /// The error is that of a statement which `watch` ended for its steps.
  func isOfSteps(_ error: any Error) -> Bool { areStepsUsedUp && (error as? SQLiteError)?.isInterrupt == true }

  private func look() -> Int32 {
    if isCancelled?() == true { return 1 }
    if let end, ContinuousClock.now >= end { hasTimePassed = true }
    if let left = looksLeft {
      if left == 0 { areStepsUsedUp = true }
      looksLeft = left - 1
    }
    return hasTimePassed || areStepsUsedUp ? 1 : 0
  }
}
