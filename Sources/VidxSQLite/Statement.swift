import CSQLite
import CVidxSQLite

/// One compiled statement. Not thread safe. Finalised when the last reference goes, or by `finalize()`.
@safe package final class Statement {
  package let sql: String
  let connection: Connection
  private(set) var handle: OpaquePointer?

  init(connection: Connection, sql: String, isPersistent: Bool) throws(SQLiteError) {
    self.sql = sql
    self.connection = connection
    let flags = isPersistent ? UInt32(SQLITE_PREPARE_PERSISTENT) : 0
    var compiled: OpaquePointer?
    let code = unsafe sqlite3_prepare_v3(connection.handle, sql, -1, flags, &compiled, nil)
    guard code == SQLITE_OK else { throw connection.lastError(code, sql: sql) }
    guard let compiled = unsafe compiled else {
      throw SQLiteError(code: SQLITE_MISUSE, message: "there is no statement in the text", sql: sql)
    }
    unsafe handle = compiled
  }

  deinit { finalize() }

  /// Frees the statement now; using it afterwards is a programmer's error.
  package func finalize() {
    // The code repeats the error of the last step, which was thrown there.
    unsafe _ = sqlite3_finalize(handle)
    unsafe handle = nil
  }

  // MARK: Parameters, counted from 1

  package func bind(_ value: Int64, at index: Int32) throws(SQLiteError) {
    try check(unsafe sqlite3_bind_int64(handle, index, value))
  }

  package func bind(_ value: Int, at index: Int32) throws(SQLiteError) {
    try bind(Int64(value), at: index)
  }

  package func bind(_ value: Double, at index: Int32) throws(SQLiteError) {
    try check(unsafe sqlite3_bind_double(handle, index, value))
  }

  package func bind(_ value: String, at index: Int32) throws(SQLiteError) {
    var text = value
    let code = text.withUTF8 { utf8 in
      // An empty buffer may have no address, and a null address would bind NULL.
      let bytes = unsafe UnsafeRawPointer(utf8.baseAddress)?.assumingMemoryBound(to: CChar.self)
      guard let bytes = unsafe bytes else { return unsafe sqlite3_bind_text(handle, index, "", 0, vidx_transient()) }
      return unsafe sqlite3_bind_text64(
        handle, index, bytes, UInt64(utf8.count), vidx_transient(), UInt8(SQLITE_UTF8))
    }
    try check(code)
  }

  /// Binds a copy of the text, which need not be well formed.
  func bind(utf8 bytes: [UInt8], at index: Int32) throws(SQLiteError) {
    let code = unsafe bytes.withUnsafeBytes { raw in
      guard let start = raw.baseAddress, raw.count > 0 else {
        return unsafe sqlite3_bind_text(handle, index, "", 0, vidx_transient())
      }
      return unsafe sqlite3_bind_text64(
        handle, index, start.assumingMemoryBound(to: CChar.self), UInt64(raw.count), vidx_transient(),
        UInt8(SQLITE_UTF8))
    }
    try check(code)
  }

  /// Binds a copy of the bytes.
  package func bind(blob bytes: UnsafeRawBufferPointer, at index: Int32) throws(SQLiteError) {
    guard let base = bytes.baseAddress, bytes.count > 0 else {
      return try check(unsafe sqlite3_bind_zeroblob(handle, index, 0))
    }
    try check(unsafe sqlite3_bind_blob64(handle, index, base, UInt64(bytes.count), vidx_transient()))
  }

  /// Binds a copy of the components: 32-bit floats, little-endian.
  package func bind(floats: [Float], at index: Int32) throws(SQLiteError) {
    // The machines vidx runs on are little-endian, as the segment format is.
    let code = unsafe floats.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress, bytes.count > 0 else { return unsafe sqlite3_bind_zeroblob(handle, index, 0) }
      return unsafe sqlite3_bind_blob64(handle, index, base, UInt64(bytes.count), vidx_transient())
    }
    try check(code)
  }

  package func bindNull(at index: Int32) throws(SQLiteError) {
    try check(unsafe sqlite3_bind_null(handle, index))
  }

  package var parameterCount: Int { Int(unsafe sqlite3_bind_parameter_count(handle)) }

  /// The name of a parameter with its prefix (`:q`, `@q`, `$q`); nil for a plain `?`.
  package func parameterName(at index: Int32) -> String? {
    guard let name = unsafe sqlite3_bind_parameter_name(handle, index) else { return nil }
    return unsafe String(cString: name)
  }

  package func clearBindings() { unsafe _ = sqlite3_clear_bindings(handle) }

  // MARK: Running

  /// Goes to the next row.
  /// - Returns: false when there is none.
  package func step() throws(SQLiteError) -> Bool {
    let code = unsafe sqlite3_step(handle)
    if code == SQLITE_ROW { return true }
    if code == SQLITE_DONE { return false }
    let error = connection.lastError(code, sql: sql)
    reset()
    throw error
  }

  /// Runs the statement to its end, ignoring rows, and makes it ready to run again.
  package func run() throws(SQLiteError) {
    while try step() {}
    reset()
  }

  /// Makes the statement ready to run again and ends its hold on the read snapshot. Bindings stay.
  package func reset() {
    // The code repeats the error of the last step, which was thrown there.
    unsafe _ = sqlite3_reset(handle)
  }

  /// It has been stepped, and neither come to its end nor been reset.
  var isBusy: Bool { unsafe sqlite3_stmt_busy(handle) != 0 }

  /// The statement writes nothing to a database.
  package var isReadOnly: Bool { unsafe sqlite3_stmt_readonly(handle) != 0 }

  /// How often SQLite had to compile the statement again, for a change of the schema.
  var recompilations: Int32 { unsafe sqlite3_stmt_status(handle, SQLITE_STMTSTATUS_REPREPARE, 0) }

  /// Steps of SQLite's machine that it has taken since it was compiled.
  var steps: Int { Int(unsafe sqlite3_stmt_status(handle, SQLITE_STMTSTATUS_VM_STEP, 0)) }

  /// The error of the last call.
  func lastError(_ code: Int32) -> SQLiteError { connection.lastError(code, sql: sql) }

  // MARK: Columns of the current row, counted from 0

  package enum ColumnType: Sendable { case integer, real, text, blob, null }

  package var columnCount: Int { Int(unsafe sqlite3_column_count(handle)) }

  package func columnName(_ column: Int32) -> String {
    guard let name = unsafe sqlite3_column_name(handle, column) else { return "" }
    return unsafe String(cString: name)
  }

  package func type(_ column: Int32) -> ColumnType {
    switch unsafe sqlite3_column_type(handle, column) {
    case SQLITE_INTEGER: .integer
    case SQLITE_FLOAT: .real
    case SQLITE_TEXT: .text
    case SQLITE_BLOB: .blob
    default: .null
    }
  }

  package func isNull(_ column: Int32) -> Bool { type(column) == .null }
  package func int64(_ column: Int32) -> Int64 { unsafe sqlite3_column_int64(handle, column) }
  package func double(_ column: Int32) -> Double { unsafe sqlite3_column_double(handle, column) }

  /// The value as text; nil for NULL alone. For what is decided by it, when no step follows: a text in UTF-16 has to be
  /// converted, and where there is no memory for that `text` gives nil, too, and only the next `step` the error.
  func textOrNull(_ column: Int32) throws(SQLiteError) -> String? {
    if let text = text(column) { return text }
    if isNull(column) { return nil }
    throw lastError(SQLITE_NOMEM)
  }

  /// The value as text; nil for NULL. See `textOrNull`.
  package func text(_ column: Int32) -> String? {
    guard let bytes = unsafe sqlite3_column_text(handle, column) else { return nil }
    let count = Int(unsafe sqlite3_column_bytes(handle, column))
    return unsafe String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
  }

  /// The bytes of a BLOB, or of a text in UTF-8, valid inside the body only; empty for NULL.
  package func withBytes<Result, Failure: Error>(
    _ column: Int32, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // In a UTF-16 database a text is turned into UTF-8 here, or else when its length is asked for, under the pointer.
    if type(column) == .text { unsafe _ = sqlite3_column_text(handle, column) }
    let bytes = unsafe sqlite3_column_blob(handle, column)
    let count = Int(unsafe sqlite3_column_bytes(handle, column))
    return try unsafe body(UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count))
  }

  private func check(_ code: Int32) throws(SQLiteError) {
    if code != SQLITE_OK { throw connection.lastError(code, sql: sql) }
  }
}
