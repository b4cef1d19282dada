internal import CSQLite
internal import CVidxSQLite
package import VidxIndexes

/// Values of filter columns on their way from SQLite and to it.

extension SQLValue {
  static func columnValue(_ value: OpaquePointer?) -> ColumnValue {
    switch unsafe sqlite3_value_type(value) {
    case SQLITE_INTEGER: .integer(unsafe sqlite3_value_int64(value))
    case SQLITE_FLOAT: .number(unsafe sqlite3_value_double(value))
    case SQLITE_TEXT: .text(unsafe Array(text(value)))
    case SQLITE_BLOB: .blob(unsafe Array(blob(value)))
    default: .null
    }
  }
}

extension SQLResult {
  static func columnValue(_ value: ColumnValue, to context: OpaquePointer?) {
    switch value {
    case .null: unsafe sqlite3_result_null(context)
    case .integer(let integer): unsafe sqlite3_result_int64(context, integer)
    case .real(let real): unsafe sqlite3_result_double(context, real)
    case .text(let bytes):
      unsafe bytes.withUnsafeBytes { raw in
        // No bytes may have no address, which would stand for NULL.
        guard let start = raw.baseAddress, raw.count > 0 else {
          return unsafe sqlite3_result_text(context, "", 0, vidx_transient())
        }
        unsafe sqlite3_result_text64(
          context, start.assumingMemoryBound(to: CChar.self), UInt64(raw.count), vidx_transient(), UInt8(SQLITE_UTF8))
      }
    case .blob(let bytes):
      unsafe bytes.withUnsafeBytes { raw in
        guard let start = raw.baseAddress, raw.count > 0 else {
          return unsafe sqlite3_result_zeroblob(context, 0)
        }
        unsafe sqlite3_result_blob64(context, start, UInt64(raw.count), vidx_transient())
      }
    }
  }
}

extension Statement {
  package func columnValue(_ column: Int32) -> ColumnValue {
    switch type(column) {
    case .null: .null
    case .integer: .integer(int64(column))
    case .real: .number(double(column))
    case .text: .text(unsafe withBytes(column) { unsafe Array($0) })
    case .blob: .blob(unsafe withBytes(column) { unsafe Array($0) })
    }
  }

  /// The values of `count` columns from the first one on.
  func columnValues(from first: Int32, count: Int) -> [ColumnValue] {
    (0..<Int32(count)).map { columnValue(first + $0) }
  }

  func bind(_ value: ColumnValue, at index: Int32) throws(SQLiteError) {
    switch value {
    case .null: try bindNull(at: index)
    case .integer(let integer): try bind(integer, at: index)
    case .real(let real): try bind(real, at: index)
    case .text(let bytes): try bind(utf8: bytes, at: index)
    case .blob(let bytes):
      let outcome = unsafe bytes.withUnsafeBytes { raw in
        Result { () throws(SQLiteError) in unsafe try bind(blob: raw, at: index) }
      }
      try outcome.get()
    }
  }
}
