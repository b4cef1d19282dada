internal import CSQLite
internal import CVidxSQLite

/// What the last search on a connection did. Written by the virtual table, read by `vidx_last_search()`; used under the
/// connection's own serialisation.
final class SearchLog {
  var last: LastSearch?
}

/// `vidx_last_search()`: the last search on this connection as JSON; NULL before the first.
///
/// Of a search whose rows are still being read (the ordered stream, a threshold without k) it tells the state so far.
enum SearchLogFunction {
  static let name = "vidx_last_search"

  /// - Returns: an SQLite result code.
  static func register(on database: OpaquePointer, _ log: SearchLog) -> Int32 {
    // When this fails, SQLite has called the destructor. Not deterministic: each call tells anew. And not harmless in a
    // view or trigger of somebody else, who would learn what this connection has asked other tables.
    unsafe sqlite3_create_function_v2(
      database, name, 0, SQLITE_UTF8 | SQLITE_DIRECTONLY, Unmanaged.passRetained(log).toOpaque(),
      { context, _, _ in unsafe SearchLogFunction.call(context) }, nil, nil,
      { log in
        guard let log = unsafe log else { return }
        unsafe Unmanaged<SearchLog>.fromOpaque(log).release()
      })
  }

  private static func call(_ context: OpaquePointer?) {
    guard let context = unsafe context, let data = unsafe sqlite3_user_data(context) else { return }
    guard let report = unsafe Unmanaged<SearchLog>.fromOpaque(data).takeUnretainedValue().last else {
      return unsafe sqlite3_result_null(context)
    }
    unsafe sqlite3_result_text(context, report.json, -1, vidx_transient())
  }
}
