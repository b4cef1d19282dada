import CSQLite

extension Connection {
  /// Runs the body, of whose statements the one that runs is stopped when it is to be cancelled: it throws an error
  /// whose `isInterrupt` is true. Not to be nested; for reading only, since what a statement has committed stays so.
  /// - Parameter isCancelled: asked some ten thousand times a second while SQLite works, on the thread that runs.
  package func cancelling<Result>(
    when isCancelled: @escaping () -> Bool, _ body: () throws -> Result
  ) throws -> Result {
    self.isCancelled = isCancelled
    watchCancellation()
    defer {
      self.isCancelled = nil
      watchCancellation()
    }
    return try body()
  }

  /// Makes the progress handler the one that asks whether work is cancelled, or none.
  func watchCancellation() {
    if isCancelled == nil {
      unsafe sqlite3_progress_handler(handle, 0, nil, nil)
      return
    }
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    unsafe sqlite3_progress_handler(
      handle, Int32(StatementLimit.stepsPerLook),
      { context in
        guard let context = unsafe context else { return 0 }
        return unsafe Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue().isCancelled?() == true ? 1 : 0
      }, context)
  }
}
