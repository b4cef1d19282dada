import CSQLite

/// What SQLite answered when it refused: its codes and message, and the SQL, never the values bound to it.
package struct SQLiteError: Error, Equatable, Sendable {
  /// The primary result code (`SQLITE_BUSY`, `SQLITE_FULL`, ...).
  package let code: Int32
  /// The extended result code (`SQLITE_BUSY_SNAPSHOT`, ...).
  package let extendedCode: Int32
  package let message: String
  /// The statement, with its parameters as placeholders: bound values are somebody's data and stay out of logs.
  package let sql: String?
  /// Where in `sql` the error is, in bytes, when SQLite can tell.
  package let offset: Int?

  package init(
    code: Int32, extendedCode: Int32? = nil, message: String, sql: String? = nil, offset: Int? = nil
  ) {
    self.offset = offset
    self.code = code & 0xFF
    self.extendedCode = extendedCode ?? code
    self.message = message
    self.sql = sql
  }

  /// What SQLite says when a statement is stopped.
  static let interrupt = SQLiteError(code: SQLITE_INTERRUPT, message: "interrupted")

  /// Another connection holds the lock that was needed, and waiting for it timed out.
  package var isBusy: Bool { code == SQLITE_BUSY }
  /// A statement of the same connection stands in the way.
  package var isLocked: Bool { code == SQLITE_LOCKED }
  /// `sqlite3_interrupt` stopped the statement.
  package var isInterrupt: Bool { code == SQLITE_INTERRUPT }
  /// The host's authorizer forbids it.
  var isUnauthorized: Bool { code == SQLITE_AUTH }
  /// With these SQLite may roll the whole transaction back (lang_transaction.html, "Response To Errors").
  var mayUndoTransaction: Bool {
    [SQLITE_FULL, SQLITE_IOERR, SQLITE_NOMEM, SQLITE_BUSY, SQLITE_INTERRUPT, SQLITE_CORRUPT].contains(code)
  }
}

extension SQLiteError: CustomStringConvertible {
  package var description: String {
    let advice: String? =
      switch code {
      case SQLITE_BUSY: "another connection is writing: try again when it is done"
      case SQLITE_FULL: "free some disk space; nothing was changed"
      case SQLITE_READONLY: "check the permissions of the file and of its folder"
      case SQLITE_CANTOPEN: "check that the path exists and may be opened"
      case SQLITE_NOTADB: "the file is not an SQLite database: check the path"
      default: nil
      }
    var text = "SQLite: \(message) (code \(extendedCode))"
    if let sql { text += " in: \(sql)" }
    if let advice { text += "; \(advice)" }
    return text
  }
}
