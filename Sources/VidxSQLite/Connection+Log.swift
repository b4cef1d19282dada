internal import VidxSegments

extension Connection {
  /// Bytes from which on a write-ahead log is large: sixteen times what SQLite lets it grow to where nobody reads.
  static let largeLog = 64 << 20

  /// Empties the write-ahead log of a schema where it has grown large; does nothing while a reader of an older state
  /// needs it. Not inside a transaction.
  ///
  /// By itself SQLite begins its log anew only at a moment when nobody reads, so beside readers of whom there is always
  /// one it grows for ever. Here writers wait, readers that come take what they need from the database file, and those
  /// that are there come to their ends.
  /// - Throws: `SQLiteError` of a write that failed; what stays in the log is none.
  func emptyLog(schema: String, largerThan limit: Int = largeLog) throws {
    guard let path = filename(schema: schema), !isReadOnly(schema: schema),
      // Of the name, and never opened: a descriptor of our own would drop SQLite's locks.
      let log = try? POSIXFileSystem().status(ofPath: path + "-wal"), log.byteCount > limit
    else { return }
    let schema = quoted(identifier: schema)
    let outcome = waiting(Self.patience) {
      Result {
        // Copies what it can without keeping writers from writing: the second is to have little left.
        let copying = try prepare("PRAGMA \(schema).wal_checkpoint(PASSIVE)")
        guard try copying.step(), copying.int64(1) - copying.int64(2) <= Self.mostLeft else { return }
        copying.finalize()
        try prepare("PRAGMA \(schema).wal_checkpoint(TRUNCATE)").run()
      }
    }
    if case .failure(let error as SQLiteError) = outcome, error.isBusy || error.isLocked { return }
    try outcome.get()
  }

  /// So many pages of the log are copied while writers wait.
  private static let mostLeft: Int64 = 1_024

  /// So long, in milliseconds, writers wait for readers.
  private static let patience: Int32 = 100
}
