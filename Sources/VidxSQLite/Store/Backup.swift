import CSQLite
package import VidxSegments

/// Copies a database and the segments it names, all of one committed state.
///
/// The state is held by a read transaction from before the first segment is copied to after the last page is: with a
/// write-ahead log writers go on meanwhile; with a rollback journal they wait to commit. Segments never change, and are
/// not swept while a reader of the state is there. The database gets its name last: where it is, all is.
package struct Backup {
  /// How far it has come, in bytes of segments and pages.
  package struct Progress: Sendable, Equatable {
    package var done = 0
    package var total = 0
  }

  private let connection: Connection
  private let schema: String
  private let path: String
  private let target: SegmentFolder
  /// Told of progress, and throws to give up.
  private let proceed: (Progress) throws -> Void
  private var progress = Progress()
  private var copied: [String] = []

  private var partial: String { path + "-partial" }

  /// - Parameters:
  ///   - path: where the copy goes; nothing may be there. Its folder is `<path>-vidx`.
  ///   - proceed: called every few megabytes. When it throws, nothing is left of the copy.
  /// - Returns: bytes copied.
  /// - Throws: `BackupError`; `StoreError.segment` for a damaged file, of which there is no copy; `SegmentError` for
  ///   files that cannot be written; `SQLiteError`.
  @discardableResult
  package static func write(
    _ connection: Connection, schema: String = "main", to path: String,
    fileSystem: any FileSystem = POSIXFileSystem(), proceed: @escaping (Progress) throws -> Void = { _ in }
  ) throws -> Int {
    guard connection.isAutocommit else { throw BackupError.insideTransaction }
    let target = SegmentFolder(databasePath: path, fileSystem: fileSystem)
    try refuse(path, taken: target)
    var backup = Backup(connection: connection, schema: schema, path: path, target: target, proceed: proceed)
    do {
      try backup.copy()
    } catch {
      backup.undo()
      throw error
    }
    return backup.progress.done
  }

  private init(
    connection: Connection, schema: String, path: String, target: SegmentFolder,
    proceed: @escaping (Progress) throws -> Void
  ) {
    self.connection = connection
    self.schema = schema
    self.path = path
    self.target = target
    self.proceed = proceed
  }

  private static func refuse(_ path: String, taken target: SegmentFolder) throws {
    for suffix in ["", "-journal", "-wal"] where try target.isTaken(path + suffix) {
      throw BackupError.exists(path: path + suffix)
    }
    // An empty folder is what an earlier attempt left.
    if try !target.list().isEmpty { throw BackupError.exists(path: target.path) }
  }

  private mutating func copy() throws {
    try target.removeBeside(partial)
    try target.removeBeside(partial + "-journal")
    try connection.transaction(isImmediate: false) {
      // Reading the manifests begins the read transaction.
      let names = try IndexStore.namedFiles(connection, schema: schema).sorted()
      progress.total = try pageBytes() + segmentBytes(names)
      for name in names { try copySegment(name) }
      try copyPages()
    }
    try target.publishDatabase(partial, as: path)
  }

  private mutating func copySegment(_ name: String) throws {
    guard let source = connection.filename(schema: schema).map({ SegmentFolder(databasePath: $0) }) else {
      throw BackupError.noFile
    }
    try source.copy(name, to: target) { count in
      progress.done += count
      try proceed(progress)
    }
    copied.append(name)
  }

  /// Pages copied between two reports: 4 MiB of the usual size.
  private static let pages: Int32 = 1_024

  private mutating func copyPages() throws {
    let copy = try Connection(path: partial)
    let pageByteCount = try number("PRAGMA page_size")
    guard let backup = unsafe sqlite3_backup_init(copy.handle, "main", connection.handle, schema) else {
      throw unsafe copy.lastError(sqlite3_errcode(copy.handle))
    }
    var failure: (any Error)?
    var code = SQLITE_OK
    while code == SQLITE_OK, failure == nil {
      let before = unsafe sqlite3_backup_remaining(backup)
      code = unsafe sqlite3_backup_step(backup, Self.pages)
      let whole = unsafe sqlite3_backup_pagecount(backup)
      let after = unsafe sqlite3_backup_remaining(backup)
      progress.done += Int((before == 0 ? whole : before) - after) * pageByteCount
      do { try proceed(progress) } catch { failure = error }
    }
    let finished = unsafe sqlite3_backup_finish(backup)
    if let failure { throw failure }
    if finished != SQLITE_OK { throw copy.lastError(finished) }
    if code != SQLITE_DONE { throw copy.lastError(code) }
  }

  private func pageBytes() throws -> Int {
    try number("PRAGMA \(quoted(identifier: schema)).page_count") * number("PRAGMA page_size")
  }

  private func segmentBytes(_ names: [String]) throws -> Int {
    guard let source = connection.filename(schema: schema).map({ SegmentFolder(databasePath: $0) }) else { return 0 }
    return try names.reduce(0) { sum, name in sum + (try SegmentFile(path: source.path(ofFile: name)).byteCount) }
  }

  private func number(_ sql: String) throws -> Int {
    let statement = try connection.prepare(sql)
    return try statement.step() ? Int(statement.int64(0)) : 0
  }

  /// Takes away what was copied. What cannot be removed is refused by name the next time.
  private func undo() {
    for name in copied { try? target.remove(name) }
    for suffix in ["", "-journal"] { try? target.removeBeside(partial + suffix) }
  }
}

/// Why a database is not copied.
package enum BackupError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Something is there already.
  case exists(path: String)
  /// The database is in memory.
  case noFile
  /// A transaction is open, whose changes are not committed.
  case insideTransaction

  package var description: String {
    switch self {
    case .exists(let path): "\(path) exists already; choose another place, or move it away first"
    case .noFile: "the database has no file: there is nothing to copy"
    case .insideTransaction: "a transaction is open: end it first"
    }
  }
}
