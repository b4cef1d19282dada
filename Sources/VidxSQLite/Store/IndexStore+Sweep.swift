internal import CSQLite
internal import CVidxSQLite
package import VidxSegments

// When may a segment that no manifest names be removed? (docs/decisions/0002-sweeping-segments.md)
//
// - Its writer may be about to name it: it holds the file's lock until its commit, and the sweep locks first.
// - A reader of an older state may be about to open it. With a rollback journal there is none after a commit, which has
//   to wait for all readers. With a write-ahead log a checkpoint copies all of it only when no reader is left on an
//   older state, so files that were unnamed before it are nobody's after it.
// - The transaction that took its name away may yet be rolled back: a sweep runs outside any transaction.
//
// Inside a statement another connection sweeps, which is outside of it: it sees what is committed, and can checkpoint.
// Where there can be none, files wait until their retirement is an hour old. Where it meets an error they wait, too.

extension IndexStore {
  /// Removes the files beside the database that no index of it needs. Does nothing while an older reader may, which the
  /// result says.
  /// - Throws: `StoreError.insideTransaction` when one is open; `SQLiteError`.
  @discardableResult
  package func sweep() throws -> SweepResult {
    guard connection.isAutocommit else { throw StoreError.insideTransaction(index: table) }
    return try Self.sweep(connection, schema: schema)
  }

  /// What follows merges: sweeps, and empties a write-ahead log that has grown large.
  @discardableResult
  static func tidy(
    _ connection: Connection, schema: String, isCancelled: () -> Bool = { false }
  ) throws -> SweepResult {
    let result = Result { try sweep(connection, schema: schema) }
    if !isCancelled() { try connection.emptyLog(schema: schema) }
    return try result.get()
  }

  /// Sweeps the folder of a schema's database, also when no index is left in it. Not inside a transaction.
  @discardableResult
  package static func sweep(_ connection: Connection, schema: String) throws -> SweepResult {
    precondition(connection.isAutocommit, "a transaction is open: what it takes away may come back")
    guard let path = connection.filename(schema: schema), !connection.isReadOnly(schema: schema) else {
      return SweepResult()
    }
    let folder = SegmentFolder(databasePath: path)
    let unnamed = try Set(folder.list()).subtracting(namedFiles(connection, schema: schema))
    if unnamed.isEmpty { return SweepResult() }
    // One that a writer holds may be named before the readers are asked, be read, and lose its name again behind them.
    let candidates = try folder.withoutWriters(unnamed).subtracting(namedFiles(connection, schema: schema))
    if candidates.isEmpty { return SweepResult() }
    guard try isLatestStateForAll(connection, schema: schema) else { return SweepResult(awaitsReaders: true) }
    return try folder.sweep {
      // Files that were named when the readers were asked are kept, though they may have lost their name since.
      try Set(folder.list()).subtracting(candidates).union(namedFiles(connection, schema: schema))
    }
  }

  /// Every reader sees the state that is the latest now, or a later one.
  private static func isLatestStateForAll(_ connection: Connection, schema: String) throws -> Bool {
    let schema = quoted(identifier: schema)
    let mode = try connection.prepare("PRAGMA \(schema).journal_mode")
    guard try mode.step() else { return false }
    let isWriteAhead = try mode.textOrNull(0) == "wal"
    mode.finalize()
    if !isWriteAhead { return true }
    // A reader may take its time: the files can wait for the next sweep, whoever sweeps cannot.
    let outcome = connection.waiting(0) {
      Result { () throws(SQLiteError) in
        let checkpoint = try connection.prepare("PRAGMA \(schema).wal_checkpoint(PASSIVE)")
        // Of the frames in the log, all have been copied.
        return try checkpoint.step() && checkpoint.int64(0) == 0 && checkpoint.int64(1) == checkpoint.int64(2)
      }
    }
    if case .failure(let error) = outcome, error.isBusy || error.isLocked { return false }
    return try outcome.get()
  }

  /// The segments that the manifests of all indexes of a schema name, in the state the connection sees.
  ///
  /// Whatever looks like a manifest counts as one: a name too many keeps a file, one too few loses it. Virtual tables
  /// are not asked: what they answer is not in the database.
  static func namedFiles(_ connection: Connection, schema: String) throws(SQLiteError) -> Set<String> {
    let schemaName = quoted(identifier: schema)
    let manifests = try connection.prepare(
      """
      SELECT name FROM \(schemaName).sqlite_master AS m WHERE type = 'table' AND rootpage > 0 \
      AND name LIKE '%\\_segments' ESCAPE '\\' AND EXISTS (SELECT 1 FROM pragma_table_info(m.name, ?1) WHERE name = 'file')
      """)
    try manifests.bind(schema, at: 1)
    var names = Set<String>()
    // The outer statement holds the read transaction: all manifests are of one state.
    while try manifests.step() {
      let files = try connection.prepare(
        "SELECT file FROM \(schemaName).\(quoted(identifier: try manifests.textOrNull(0) ?? ""))")
      while try files.step() {
        if let file = try files.textOrNull(0) { names.insert(file) }
      }
    }
    return names
  }
}

// MARK: Inside a statement

extension IndexStore {
  /// How long a retired file is kept for readers when nothing can prove that there are none, in seconds.
  static let retirement: Int64 = 3_600

  /// Removes files that this index has retired, in transactions before this one. For the start of maintenance inside a
  /// statement.
  func sweepRetired() throws {
    let retired = try retiredFiles()
    if retired.isEmpty { return }
    do {
      guard let path = try pathForAnotherConnection() else {
        return try remove(retired.filter { $0.age > Self.retirement }.map(\.name))
      }
      // A cache that was shared would be locked by the statement that is running.
      let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_PRIVATECACHE
      let other = try Connection(path: path, flags: flags, busyTimeout: 0)
      try Self.sweep(other, schema: "main").failures.forEach(note)
    } catch {
      // Files that wait for the next sweep are no reason to fail; and an error, a lock of a moment above all, is none
      // to judge them by their age.
      note(error)
    }
  }

  /// Where another connection finds the database; nil where there can be none: the host has locked the file for itself,
  /// or locks and reads it otherwise than SQLite usually does.
  func pathForAnotherConnection() throws(SQLiteError) -> String? {
    guard connection.isOpenedAsUsual(schema: schema), try !connection.isExclusive(schema: schema) else { return nil }
    return connection.filename(schema: schema)
  }

  /// Writes what kept files from being removed to SQLite's log of errors (`SQLITE_CONFIG_LOG`).
  private func note(_ error: any Error) {
    if let error = error as? SQLiteError, error.isBusy || error.isLocked { return }
    let report = SQLiteReport(error, table: table)
    unsafe vidx_log(report.code, "replaced segments of \(table) stay until the next sweep: \(report.message)")
  }

  /// Does nothing inside a transaction that was begun explicitly: it may have retired them itself, and be rolled back.
  private func remove(_ old: [String]) throws {
    guard let folder, connection.isAutocommit, !old.isEmpty else { return }
    let named = try Self.namedFiles(connection, schema: schema)
    for name in old where !named.contains(name) {
      // A file that cannot be removed only takes space; the next sweep tries again.
      do { try folder.remove(name) } catch { note(error) }
    }
  }

  /// Forgets the retirement of files that are gone.
  func forgetSweptFiles() throws {
    guard let folder else { return }
    let retired = try retiredFiles().map(\.name)
    if retired.isEmpty { return }
    let present = try settling { try Set(folder.list()) }
    for name in retired where !present.contains(name) {
      let statement = try tables.statement(.forgetRetired)
      try statement.bind(name, at: 1)
      try statement.run()
    }
  }

  /// Files this index does not name any more, and for how many seconds.
  private func retiredFiles() throws(SQLiteError) -> [(name: String, age: Int64)] {
    let statement = try tables.statement(.retired)
    defer { statement.reset() }
    var result: [(name: String, age: Int64)] = []
    while try statement.step() { result.append((try statement.textOrNull(0) ?? "", statement.int64(1))) }
    return result
  }
}
