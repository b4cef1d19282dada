import CSQLite
import CVidxSQLite
import Synchronization
import VidxIndexes

/// One SQLite connection: opened and owned here, or the host's own, borrowed.
///
/// Not thread safe: one caller at a time, as SQLite's serialised mode would arrange; only `interrupt()` may be called
/// from another thread.
@safe package final class Connection {
  package let handle: OpaquePointer
  /// Filters in SQL that are being evaluated, one inside the other.
  var runningFilters = 0
  /// The host's: it may have an authorizer and a progress handler of its own, which nobody can ask for and put back.
  var isBorrowed: Bool { busyTimeout == nil }
  /// The most row ids that a filter may give, and values that a set may have: a text may give them without end.
  package var mostRowIDs = IndexLimits.rowIDs
  /// For connections that are ours: a host may have an authorizer of its own.
  private(set) lazy var compilationWatch = unsafe CompilationWatch(handle)
  /// Milliseconds to wait for another connection's lock; nil when that is the host's business.
  private let busyTimeout: Int32?

  /// See `cancelling`.
  var isCancelled: (() -> Bool)?
  /// Since the last search began; see `interrupt`.
  private let isInterrupted = Atomic<Bool>(false)

  /// Wraps a connection of the host, which stays its owner and must outlive this object.
  package init(borrowing handle: OpaquePointer) {
    unsafe self.handle = handle
    busyTimeout = nil
  }

  /// Opens a database file and owns the connection.
  /// - Parameters:
  ///   - path: a file name, `:memory:`, or a URI when the flags hold `SQLITE_OPEN_URI`.
  ///   - busyTimeout: how long to wait for another connection's lock, in milliseconds.
  package init(
    path: String, flags: Int32 = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, busyTimeout: Int32 = 5_000
  ) throws(SQLiteError) {
    var opened: OpaquePointer?
    // One caller at a time: SQLite need not see to it, which would cost a third of each step.
    let code = unsafe sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
    guard let opened = unsafe opened else {
      throw SQLiteError(code: SQLITE_NOMEM, message: "out of memory opening \(path)")
    }
    guard code == SQLITE_OK else {
      let message = unsafe String(cString: sqlite3_errmsg(opened))
      unsafe _ = sqlite3_close_v2(opened)
      throw SQLiteError(code: code, message: "\(message): \(path)")
    }
    unsafe handle = opened
    self.busyTimeout = busyTimeout
    unsafe _ = sqlite3_busy_timeout(opened, busyTimeout)
  }

  deinit {
    // v2: statements still alive keep the connection until the last of them is finalised.
    if busyTimeout != nil { unsafe _ = sqlite3_close_v2(handle) }
  }

  /// Runs statements that answer nothing.
  package func execute(_ sql: String) throws(SQLiteError) {
    let code = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
    if code != SQLITE_OK { throw lastError(code, sql: sql) }
  }

  /// Maps as much of the database as SQLite may (2 GiB, unless it was compiled otherwise), as segments are mapped,
  /// and lets 16 MiB of other pages be kept instead of its 2. Rows near to each other in an index of vectors lie
  /// anywhere in their table, and a page that has to be read from the file costs three times what checking a row does;
  /// and a `HeaderMark` costs no system call.
  package func keepPagesAtHand() throws(SQLiteError) {
    try execute("PRAGMA mmap_size = 1099511627776")
    try execute("PRAGMA cache_size = -16384")
  }

  /// Compiles the first statement of the text.
  /// - Parameter isPersistent: it will be kept and run many times.
  package func prepare(_ sql: String, isPersistent: Bool = false) throws(SQLiteError) -> Statement {
    try Statement(connection: self, sql: sql, isPersistent: isPersistent)
  }

  /// Compiles a text that may come from somebody, for its rows to be read. On a connection of ours what does more is
  /// refused before it is compiled; on a host's the authorizer is the host's, and `nature(of:)` says what it is.
  func prepareToRead(_ sql: String) throws(SQLiteError) -> Statement {
    if isBorrowed { return try prepare(sql, isPersistent: true) }
    return try compilationWatch.restricting { () throws(SQLiteError) in try prepare(sql, isPersistent: true) }
  }

  /// The error SQLite holds for its last call, with the code that call returned.
  package func lastError(_ code: Int32, sql: String? = nil) -> SQLiteError {
    let extended = unsafe sqlite3_extended_errcode(handle)
    let matches = extended & 0xFF == code & 0xFF
    let message = unsafe String(cString: matches ? sqlite3_errmsg(handle) : sqlite3_errstr(code))
    let offset = unsafe matches ? sqlite3_error_offset(handle) : -1
    return SQLiteError(
      code: code, extendedCode: matches ? extended : code, message: message, sql: sql,
      offset: offset < 0 ? nil : Int(offset))
  }

  /// Rows that the last INSERT, UPDATE or DELETE changed.
  package var changes: Int64 { Int64(unsafe sqlite3_changes(handle)) }
  /// Rows changed since the connection was opened, those of statements that were undone too.
  package var totalChanges: Int64 { unsafe sqlite3_total_changes64(handle) }
  package var lastInsertRowID: Int64 {
    get { unsafe sqlite3_last_insert_rowid(handle) }
    set { unsafe sqlite3_set_last_insert_rowid(handle, newValue) }
  }
  /// No BEGIN and no SAVEPOINT is open: each statement is its own transaction.
  package var isAutocommit: Bool { unsafe sqlite3_get_autocommit(handle) != 0 }

  /// This connection holds the write lock of a schema, so it may see rows that are not committed.
  package func isWriting(schema: String) -> Bool {
    unsafe sqlite3_txn_state(handle, schema) == SQLITE_TXN_WRITE
  }

  package func isReadOnly(schema: String) -> Bool { unsafe sqlite3_db_readonly(handle, schema) == 1 }

  /// A number that changes with every commit to a schema's database, whoever made it. To be asked inside a read
  /// transaction, which is when SQLite learns of others' commits; changes that are not committed do not count.
  /// - Returns: nil when there is no such database, or not yet: the temporary one is made when it is needed.
  func dataVersion(schema: String) -> UInt32? {
    var version: UInt32 = 0
    let code = unsafe schema.withCString { name in
      unsafe sqlite3_file_control(handle, name, SQLITE_FCNTL_DATA_VERSION, &version)
    }
    return code == SQLITE_OK ? version : nil
  }

  /// The absolute path of a schema's file; nil for in-memory and temporary databases.
  package func filename(schema: String) -> String? {
    guard let name = unsafe sqlite3_db_filename(handle, schema) else { return nil }
    let path = unsafe String(cString: name)
    return path.isEmpty ? nil : path
  }

  /// Whether another connection to the file of a schema, opened by its name alone, would respect the locks of this one.
  /// Otherwise it might take a journal that is being written for one that a crash has left.
  func isOpenedAsUsual(schema: String) -> Bool {
    var system: UnsafeMutablePointer<sqlite3_vfs>?
    let code = unsafe withUnsafeMutablePointer(to: &system) {
      unsafe sqlite3_file_control(handle, schema, SQLITE_FCNTL_VFS_POINTER, $0)
    }
    guard code == SQLITE_OK, unsafe system != nil, unsafe system == sqlite3_vfs_find(nil),
      let name = unsafe sqlite3_db_filename(handle, schema)
    else { return false }
    return unsafe sqlite3_uri_boolean(name, "nolock", 0) == 0 && sqlite3_uri_boolean(name, "immutable", 0) == 0
  }

  /// `PRAGMA locking_mode = EXCLUSIVE`: the lock of a schema's file is kept, so that no other connection can read it.
  /// Where an authorizer of the host's lets nobody ask, another connection will find out: the lock is there, too.
  func isExclusive(schema: String) throws(SQLiteError) -> Bool {
    do {
      let mode = try prepare("PRAGMA \(quoted(identifier: schema)).locking_mode")
      guard try mode.step() else { return false }
      return try mode.textOrNull(0) == "exclusive"
    } catch {
      guard error.isUnauthorized else { throw error }
      return false
    }
  }

  /// The type that a column of a table is declared with, empty without one; nil when there is no such table or column.
  /// Asks the schema as the connection has read it: no statement is run.
  func declaredType(of column: String, table: String, schema: String) throws(SQLiteError) -> String? {
    var type: UnsafePointer<CChar>?
    let code = unsafe sqlite3_table_column_metadata(handle, schema, table, column, &type, nil, nil, nil, nil)
    if code == SQLITE_ERROR { return nil }
    if code != SQLITE_OK { throw lastError(code) }
    return unsafe type.map { unsafe String(cString: $0) } ?? ""
  }

  /// Makes this connection read the schema anew, as every change of it makes the others, inside a transaction that has
  /// written. A connection that forbids such writes (SQLITE_DBCONFIG_DEFENSIVE) goes on with what it knows.
  func renewSchema(_ schema: String) throws(SQLiteError) {
    let place = "PRAGMA \(quoted(identifier: schema)).schema_version"
    let statement = try prepare(place)
    guard try statement.step() else { return }
    let version = Int32(truncatingIfNeeded: statement.int64(0))
    statement.finalize()
    try execute("\(place) = \(version &+ 1)")
    // Finds out that what is known is out of date: the next statement might not even be compiled against it.
    _ = try prepare("SELECT 1 FROM \(quoted(identifier: schema)).sqlite_master").step()
  }

  /// Stops the statement that is running, from any thread or a signal's handler; it throws an error whose `isInterrupt`
  /// is true. Stops a search that is running, too: `StoreError.segment` with `.stopped`.
  package func interrupt() {
    isInterrupted.store(true, ordering: .relaxed)
    unsafe sqlite3_interrupt(handle)
  }

  /// A search begins: what was to stop others does not stop it.
  func beginSearch() { if isInterrupted.load(ordering: .relaxed) { isInterrupted.store(false, ordering: .relaxed) } }

  /// The search that is running is to end.
  var isSearchCancelled: Bool { isInterrupted.load(ordering: .relaxed) || isCancelled?() == true }

  /// Runs the body so that locks of other connections are waited for no longer than so many milliseconds. A borrowed
  /// connection waits as it always does: its busy handler is the host's.
  func waiting<Result>(_ milliseconds: Int32, _ body: () throws -> Result) rethrows -> Result {
    guard let busyTimeout else { return try body() }
    unsafe _ = sqlite3_busy_timeout(handle, min(milliseconds, busyTimeout))
    defer { unsafe _ = sqlite3_busy_timeout(handle, busyTimeout) }
    return try body()
  }

  /// Runs the body in a transaction of its own, or in a savepoint when one is open; an error undoes all of it.
  /// - Parameter isImmediate: take the write lock at once, so that what the body reads cannot go stale under it.
  @discardableResult
  package func transaction<Result>(isImmediate: Bool = true, _ body: () throws -> Result) throws -> Result {
    let isOutermost = isAutocommit
    try execute(isOutermost ? (isImmediate ? "BEGIN IMMEDIATE" : "BEGIN") : "SAVEPOINT vidx_transaction")
    do {
      let result = try body()
      try execute(isOutermost ? "COMMIT" : "RELEASE vidx_transaction")
      return result
    } catch {
      undo(isOutermost: isOutermost)
      throw error
    }
  }

  private func undo(isOutermost: Bool) {
    // Disk full, I/O errors and interrupts may have rolled the transaction back already; then there is nothing to do,
    // and the error that led here is the one to report.
    if isAutocommit { return }
    if isOutermost {
      unsafe _ = sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
    } else {
      unsafe _ = sqlite3_exec(handle, "ROLLBACK TO vidx_transaction; RELEASE vidx_transaction", nil, nil, nil)
    }
  }
}
