internal import CSQLite
package import VidxIndexes

/// What makes a connection speak vidx: the virtual table module and the scalar functions.
package enum Extension {
  /// The version of the library, as `vidx_version()` gives it.
  package static let version = "0.1.0"

  /// Adds the module and the functions to a connection; adding them twice replaces the first.
  /// - Parameter buildOptions: asked when a statement is about to build an index ('optimize', 'rebuild', CREATE VIRTUAL
  ///   TABLE over a content table).
  /// - Parameter mostRowIDs: that a filter may give.
  /// - Parameter mergesInBackground: indexes that are set so (`maintenance = background`) are merged without being
  ///   asked.
  /// - Parameter link: for a caller that reads indexes by stores of its own, on the same connection.
  /// - Returns: an SQLite result code; `sqlite3_errmsg` has the details.
  package static func register(
    on database: OpaquePointer, mostRowIDs: Int = IndexLimits.rowIDs, mergesInBackground: Bool = false,
    link: LibraryLink = LibraryLink(),
    buildOptions: @escaping () -> BuildOptions = { BuildOptions() }
  ) -> Int32 {
    let code = unsafe ScalarFunctions.register(on: database)
    guard code == SQLITE_OK else { return code }
    let log = SearchLog()
    let logCode = unsafe SearchLogFunction.register(on: database, log)
    guard logCode == SQLITE_OK else { return logCode }
    // SQLite may have been built for one thread.
    let background = mergesInBackground && sqlite3_threadsafe() != 0 ? BackgroundMerges() : nil
    let reportCode = unsafe MaintenanceFunction.register(on: database, background)
    guard reportCode == SQLITE_OK else { return reportCode }
    return unsafe VirtualTableModule.register(
      on: database, log: log, link: link, background: background, mostRowIDs: mostRowIDs, buildOptions: buildOptions)
  }
}
