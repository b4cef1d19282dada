import CSQLite
import CVidxSQLite
import VidxSQLite

/// Called by the entry point in C with the connection that loads the library.
@_cdecl("vidx_register")
func vidxRegister(_ database: OpaquePointer?, _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> Int32 {
  guard let database = unsafe database else { return SQLITE_MISUSE }
  let code = unsafe Extension.register(on: database, mergesInBackground: true)
  if code != SQLITE_OK, let message = unsafe message {
    unsafe message.pointee = vidx_strdup(
      "vidx could not be added to the connection: \(String(cString: sqlite3_errmsg(database)))")
  }
  return code
}
