internal import CSQLite
internal import CVidxSQLite
internal import VidxIndexes

/// `vidx_maintenance()`: what has been merged for this connection without being asked, as JSON; NULL where vidx does
/// not.
enum MaintenanceFunction {
  static let name = "vidx_maintenance"

  /// - Returns: an SQLite result code.
  static func register(on database: OpaquePointer, _ merges: BackgroundMerges?) -> Int32 {
    // As `vidx_last_search`: not deterministic, and nothing for views and triggers of somebody else. When this fails,
    // SQLite has called the destructor.
    unsafe sqlite3_create_function_v2(
      database, name, 0, SQLITE_UTF8 | SQLITE_DIRECTONLY, merges.map { unsafe Unmanaged.passRetained($0).toOpaque() },
      { context, _, _ in unsafe MaintenanceFunction.call(context) }, nil, nil,
      { merges in
        guard let merges = unsafe merges else { return }
        unsafe Unmanaged<BackgroundMerges>.fromOpaque(merges).release()
      })
  }

  private static func call(_ context: OpaquePointer?) {
    guard let context = unsafe context else { return }
    guard let data = unsafe sqlite3_user_data(context) else { return unsafe sqlite3_result_null(context) }
    let merges = unsafe Unmanaged<BackgroundMerges>.fromOpaque(data).takeUnretainedValue()
    unsafe sqlite3_result_text(context, merges.json, -1, vidx_transient())
  }
}

extension BackgroundMerges {
  /// One object, the members in this order.
  var json: String {
    let (report, progress) = (report, buildProgress)
    let stage = progress.map { LastSearch.quoted($0.stage.rawValue) }
    let error = report.error.map { LastSearch.quoted($0) }
    let members: [(String, String)] = [
      ("running", "\(report.isRunning)"), ("stage", stage ?? "null"),
      ("done", progress.map { "\($0.done)" } ?? "null"), ("total", progress.map { "\($0.total)" } ?? "null"),
      ("merges", "\(report.merges)"), ("error", error ?? "null"),
    ]
    return "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
  }
}
