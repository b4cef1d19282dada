import CSQLite
package import VidxSegments

/// Copies a database and the segments it names, all of one committed state.
///
/// The state is held by a read transaction from before the first segment is opened to after the last page is copied:
/// with a write-ahead log writers go on meanwhile; with a rollback journal they wait to commit. Segments never change,
/// and all are mapped before the first is copied. The database gets its name last: where it is, all is.
package final class Backup {
  // A class because Swift 6.3.1 fails on a struct that is changed in functions which throw.
  /// How far it has come, in bytes of segments and pages.
  package struct Progress: Sendable, Equatable {
    package var done = 0
    package var total = 0
  }

  private let connection: Connection
  private let schema: String
  private let path: String
  private let target: SegmentFolder
  private let fileSystem: any FileSystem
  /// Told of progress, and throws to give up.
  private let proceed: (Progress) throws -> Void
  private var progress = Progress()
  private var copies: [PublishedSegment] = []
  private var database: PartialDatabase?

  /// - Parameters:
  ///   - path: where the copy goes; nothing may be there. Its folder is `<path>-vidx`.
  ///   - proceed: called every few megabytes. When it throws, nothing is left of the copy.
  /// - Returns: bytes copied.
  /// - Throws: `BackupError`; `SegmentError` for a damaged file, of which there is no copy, and for files that cannot
  ///   be written; `SQLiteError`.
  @discardableResult
  package static func write(
    _ connection: Connection, schema: String = "main", to path: String,
    fileSystem: any FileSystem = POSIXFileSystem(), proceed: @escaping (Progress) throws -> Void = { _ in }
  ) throws -> Int {
    guard connection.isAutocommit else { throw BackupError.insideTransaction }
    let backup = Backup(connection, schema: schema, path: path, fileSystem: fileSystem, proceed: proceed)
    try backup.refuseTaken(beside: [])
    do {
      try backup.copy()
    } catch {
      backup.undo()
      throw error
    }
    return backup.progress.done
  }

  private init(
    _ connection: Connection, schema: String, path: String, fileSystem: any FileSystem,
    proceed: @escaping (Progress) throws -> Void
  ) {
    self.connection = connection
    self.schema = schema
    self.path = path
    self.fileSystem = fileSystem
    self.proceed = proceed
    target = SegmentFolder(databasePath: path, fileSystem: fileSystem)
  }

  /// - Parameter names: of the segments that are ours.
  private func refuseTaken(beside names: [String]) throws {
    for suffix in ["", "-journal", "-wal"] where try PartialDatabase.status(of: path + suffix) != nil {
      throw BackupError.exists(path: path + suffix)
    }
    // An empty folder is nobody's.
    if try target.list() != names { throw BackupError.exists(path: target.path) }
  }

  private func copy() throws {
    let model = try connection.filename(schema: schema).flatMap { try PartialDatabase.status(of: $0) }
    let database = try PartialDatabase(of: path, like: model, fileSystem: fileSystem)
    self.database = database
    var names: [String] = []
    try connection.transaction(isImmediate: false) {
      // Reading the manifests begins the read transaction.
      names = try IndexStore.namedFiles(connection, schema: schema).sorted()
      let segments = try names.map { name in try openSegment(name) }
      progress.total = try pageBytes() + segments.reduce(0) { $0 + $1.byteCount }
      for (name, segment) in zip(names, segments) {
        copies.append(try target.copy(segment, named: name, like: model, proceed: advance))
      }
      try copyPages(to: database.path)
    }
    // Somebody may have begun a database here meanwhile; the last word is publish's.
    try refuseTaken(beside: names)
    try database.publish()
    for copy in copies { copy.release() }
  }

  private func openSegment(_ name: String) throws -> SegmentFile {
    guard let source = connection.filename(schema: schema) else { throw SegmentError.notFound(path: name) }
    return try SegmentFile(path: SegmentFolder(databasePath: source).path(ofFile: name))
  }

  private func advance(_ bytes: Int) throws {
    progress.done += bytes
    try proceed(progress)
  }

  /// Pages copied between two reports: 4 MiB of the usual size.
  private static let pages: Int32 = 1_024

  private func copyPages(to path: String) throws {
    let copy = try Connection(path: path)
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
      do { try advance(Int((before == 0 ? whole : before) - after) * pageByteCount) } catch { failure = error }
    }
    let finished = unsafe sqlite3_backup_finish(backup)
    if let failure { throw failure }
    if finished != SQLITE_OK { throw copy.lastError(finished) }
    if code != SQLITE_DONE { throw copy.lastError(code) }
  }

  private func pageBytes() throws -> Int {
    try number("PRAGMA \(quoted(identifier: schema)).page_count") * number("PRAGMA page_size")
  }

  private func number(_ sql: String) throws -> Int {
    let statement = try connection.prepare(sql)
    return try statement.step() ? Int(statement.int64(0)) : 0
  }

  /// Takes away what was copied. What cannot be removed is refused by name the next time.
  private func undo() {
    for copy in copies { try? copy.discard() }
    target.removeIfEmpty()
    database?.discard()
  }
}

/// Why a database is not copied.
package enum BackupError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Something is there already.
  case exists(path: String)
  /// A transaction is open, whose changes are not committed.
  case insideTransaction

  package var description: String {
    switch self {
    case .exists(let path): "\(path) exists already; choose another place, or move it away first"
    case .insideTransaction: "a transaction is open: end it first"
    }
  }
}
