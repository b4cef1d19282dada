internal import VidxIndexes
package import VidxSQLite

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// One open database: the connection and what it can do, synchronously. Not thread safe: one thread at a time.
///
/// The whole of the façade's logic is here and in its extensions; `VectorDatabase` makes it asynchronous, the command
/// line calls it as it is.
package final class Session {
  package enum Mode: Sendable {
    /// Reads and writes; the file is made when there is none.
    case create
    /// Reads and writes; the file must be there.
    case readWrite
    /// Never writes; the file must be there.
    case read
  }

  package let connection: Connection
  package let path: String
  private let mode: Mode
  private let statementBuild: StatementBuild
  /// To the virtual tables: rows of the open transaction that are in no table yet, which the stores below do not see.
  let link = LibraryLink()
  /// The open indexes of this connection, and the version of the schema they were opened in.
  var stores: [String: IndexStore] = [:]
  var storesVersion: Int64 = -1
  /// The state of the database in which that version was read, where it can be told without a transaction.
  var storesMark: CommitMark?
  /// The version while a search holds the read transaction that it was read in.
  var heldVersion: Int64?
  /// Compiled once: every search asks.
  var schemaVersionStatement: Statement?

  // SQLITE_OPEN_READWRITE and SQLITE_OPEN_CREATE; SQLite's header is not imported above VidxSQLite.
  private static let readWrite: Int32 = 2
  private static let create: Int32 = 4

  /// - Parameters:
  ///   - busyTimeout: how long to wait for another connection's lock, in milliseconds.
  ///   - newHasWriteAheadLog: a file that is made here gets a write-ahead log, with which readers and the writer do not
  ///     wait for each other. Without one, SQLite's default, the file can also be read where nothing may be written. A
  ///     file that is there stays as it is.
  package init(
    path: String, mode: Mode, busyTimeout: Int32 = 5_000, newHasWriteAheadLog: Bool = false
  ) throws(VidxError) {
    self.path = path
    self.mode = mode
    statementBuild = StatementBuild()
    let isNew = unsafe access(path, F_OK) != 0
    if mode != .create, isNew { throw Self.openError(path) }
    connection = try wrappingErrors {
      do {
        return try Connection(
          path: path, flags: mode == .create ? Self.readWrite | Self.create : Self.readWrite, busyTimeout: busyTimeout)
      } catch let error as SQLiteError {
        throw VidxError(.cannotOpen, Self.openMessage(path, error), cause: error)
      }
    }
    try prepare(mode: mode, setsWriteAheadLog: mode == .create && isNew && newHasWriteAheadLog)
  }

  private func prepare(mode: Mode, setsWriteAheadLog: Bool) throws(VidxError) {
    do {
      let build = statementBuild
      guard unsafe Extension.register(on: connection.handle, link: link, buildOptions: { build.options }) == 0 else {
        throw VidxError(.other, "the vidx module cannot be registered with this SQLite; use version 3.38 or later")
      }
      if setsWriteAheadLog { try connection.execute("PRAGMA journal_mode = WAL") }
      if mode == .read { try connection.execute("PRAGMA query_only = 1") }
      // SQLite opens lazily: this reads the header, so that a file of another kind is named here.
      try connection.prepare("PRAGMA schema_version").run()
      try connection.keepPagesAtHand()
    } catch {
      let wrapped = VidxError(wrapping: error)
      throw VidxError(wrapped.code, "\(path): \(wrapped.message)", cause: error)
    }
  }

  private static func openError(_ path: String) -> VidxError {
    let reason = unsafe String(cString: strerror(errno))
    return VidxError(.cannotOpen, "\(path): \(reason); check the path, or build the database first")
  }

  private static func openMessage(_ path: String, _ error: SQLiteError) -> String {
    "\(path): \(error.message); check that the folder exists and that the file may be opened"
  }

  /// Runs the body; indexes that its statements build are built with these options.
  func building<Result>(_ options: BuildOptions, _ body: () throws -> Result) throws -> Result {
    statementBuild.options = options
    defer { statementBuild.options = BuildOptions() }
    do { return try body() } catch {
      // What SQLite says of it is a text.
      throw options.isCancelled() ? CancellationError() : error
    }
  }

  // MARK: Transactions

  /// Runs the body in a transaction that is undone when it throws; inside another one, in a savepoint.
  package func transaction<Result>(_ body: () throws -> Result) throws(VidxError) -> Result {
    do { return try connection.transaction(body) } catch {
      forgetUndoneStores()
      throw VidxError(wrapping: error)
    }
  }

  /// Runs the body on one snapshot of the database.
  package func snapshot<Result>(_ body: () throws -> Result) throws(VidxError) -> Result {
    try wrappingErrors { try connection.transaction(isImmediate: false, body) }
  }

  /// Runs a body that only reads; what SQLite is doing for it ends when it is cancelled.
  package func cancelling<Result>(
    when isCancelled: @escaping () -> Bool, _ body: () throws -> Result
  ) throws(VidxError) -> Result {
    try wrappingErrors { try connection.cancelling(when: isCancelled, body) }
  }

  // MARK: SQL

  /// Runs one statement and returns the rows it answers.
  package func query(_ sql: String, _ parameters: [Value] = []) throws(VidxError) -> [Row] {
    try wrappingErrors {
      let statement = try prepareOnly(sql)
      guard mode != .read || statement.isReadOnly else {
        throw VidxError(.readOnly, "the statement writes, and queries only read; execute it instead")
      }
      try bind(parameters, to: statement)
      let columns = (0..<Int32(statement.columnCount)).map(statement.columnName)
      var rows: [Row] = []
      while try statement.step() {
        rows.append(Row(columns: columns, values: (0..<Int32(columns.count)).map(statement.value)))
      }
      return rows
    }
  }

  /// Runs one statement, ignoring rows; returns how many rows it changed.
  @discardableResult
  package func execute(_ sql: String, _ parameters: [Value] = []) throws(VidxError) -> Int {
    try wrappingErrors {
      let statement = try prepareOnly(sql)
      try bind(parameters, to: statement)
      try statement.run()
      if sql.drop(while: \.isWhitespace).prefix(8).lowercased() == "rollback" { forgetUndoneStores() }
      return statement.isReadOnly ? 0 : Int(connection.changes)
    }
  }

  /// Compiles a text that must be one statement.
  func prepareOnly(_ sql: String) throws -> Statement {
    let statement = try connection.prepare(sql)
    guard statement.tail.isEmpty else {
      throw VidxError(.sql, "there is more than one statement in the text; run them one by one")
    }
    return statement
  }

  func bind(_ parameters: [Value], to statement: Statement) throws {
    guard statement.parameterCount == parameters.count else {
      throw VidxError(
        .badOption, "the statement has \(statement.parameterCount) parameters; \(parameters.count) values are given")
    }
    for (index, value) in parameters.enumerated() { try statement.bind(value, at: Int32(index + 1)) }
  }
}

/// How statements that build an index may use the machine, for the module to ask. Belongs to one session.
private final class StatementBuild {
  var options = BuildOptions()
}
