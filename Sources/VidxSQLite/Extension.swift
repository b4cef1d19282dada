internal import CSQLite

/// What makes a connection speak vidx: the virtual table module and the scalar functions.
package enum Extension {
  /// The version of the library, as `vidx_version()` gives it.
  package static let version = "0.1.0"

  /// Adds the module and the functions to a connection; adding them twice replaces the first.
  /// - Returns: an SQLite result code; `sqlite3_errmsg` has the details.
  package static func register(on database: OpaquePointer) -> Int32 {
    unsafe ScalarFunctions.register(on: database)
  }
}
