internal import CSQLite
internal import CVidxSQLite
internal import VidxIndexes

/// The functions through which SQLite uses a vidx table. Each only translates; the work is in `VirtualTable` and
/// `VirtualTableCursor`.
enum VirtualTableModule {
  static let name = "vidx"

  /// Adds the module to a connection, with a registry of its own that goes when the connection does.
  /// - Returns: an SQLite result code.
  static func register(
    on database: OpaquePointer, log: SearchLog, link: LibraryLink, background: BackgroundMerges?, mostRowIDs: Int,
    buildOptions: @escaping () -> BuildOptions
  ) -> Int32 {
    let connection = unsafe Connection(borrowing: database)
    connection.mostRowIDs = mostRowIDs
    let registry = StoreRegistry(
      connection: connection, log: log, link: link, background: background, buildOptions: buildOptions)
    // When this fails, SQLite has called the destructor.
    return unsafe sqlite3_create_module_v2(database, name, module, Unmanaged.passRetained(registry).toOpaque()) {
      registry in
      guard let registry = unsafe registry else { return }
      unsafe Unmanaged<StoreRegistry>.fromOpaque(registry).release()
    }
  }

  // SAFETY: written once, before the first use, and never freed; SQLite only reads it.
  nonisolated(unsafe) private static let module: UnsafePointer<sqlite3_module> = {
    var module = sqlite3_module()
    module.iVersion = 3
    addLife(to: &module)
    addReading(to: &module)
    addWriting(to: &module)
    let pointer = UnsafeMutablePointer<sqlite3_module>.allocate(capacity: 1)
    unsafe pointer.initialize(to: module)
    return unsafe UnsafePointer(pointer)
  }()

  // MARK: Making and dropping tables

  private static func addLife(to module: inout sqlite3_module) {
    unsafe module.xCreate = { _, registry, count, arguments, table, message in
      unsafe VirtualTableModule.connect(registry, count, arguments, table, message, isNew: true)
    }
    unsafe module.xConnect = { _, registry, count, arguments, table, message in
      unsafe VirtualTableModule.connect(registry, count, arguments, table, message, isNew: false)
    }
    unsafe module.xDisconnect = { table in
      if let table = unsafe table { unsafe VirtualTableHandle.free(table) }
      return SQLITE_OK
    }
    unsafe module.xDestroy = { table in
      let code = unsafe VirtualTableHandle.attempt(table) { try $0.destroy() }
      if code == SQLITE_OK, let table = unsafe table { unsafe VirtualTableHandle.free(table) }
      return code
    }
    unsafe module.xRename = { table, name in
      guard let name = unsafe name else { return SQLITE_MISUSE }
      return unsafe VirtualTableHandle.attempt(table) { unsafe try $0.rename(to: String(cString: name)) }
    }
    unsafe module.xShadowName = { name in
      guard let name = unsafe name else { return 0 }
      return unsafe ShadowTables.suffixes.contains(String(cString: name).lowercased()) ? 1 : 0
    }
  }

  private static func connect(
    _ registry: UnsafeMutableRawPointer?, _ count: Int32, _ arguments: UnsafePointer<UnsafePointer<CChar>?>?,
    _ table: UnsafeMutablePointer<UnsafeMutablePointer<sqlite3_vtab>?>?,
    _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, isNew: Bool
  ) -> Int32 {
    guard let registry = unsafe registry, let arguments = unsafe arguments, let table = unsafe table, count >= 3 else {
      return SQLITE_MISUSE
    }
    let texts = (0..<Int(count)).map { i in unsafe arguments[i].map { unsafe String(cString: $0) } ?? "" }
    do {
      let object = try unsafe VirtualTable(
        registry: Unmanaged<StoreRegistry>.fromOpaque(registry).takeUnretainedValue(), arguments: texts, isNew: isNew)
      unsafe table.pointee = VirtualTableHandle.make(object)
      return SQLITE_OK
    } catch {
      let report = SQLiteReport(error, table: texts[2])
      unsafe message?.pointee = vidx_strdup(report.message)
      return report.code
    }
  }

  // MARK: Queries

  private static func addReading(to module: inout sqlite3_module) {
    unsafe module.xBestIndex = { table, info in unsafe VirtualTableModule.bestIndex(table, info) }
    unsafe module.xOpen = { table, cursor in
      unsafe VirtualTableHandle.attempt(table) {
        unsafe cursor?.pointee = VirtualTableCursorHandle.make(VirtualTableCursor(table: $0))
      }
    }
    unsafe module.xClose = { cursor in
      if let cursor = unsafe cursor { unsafe VirtualTableCursorHandle.free(cursor) }
      return SQLITE_OK
    }
    unsafe module.xFilter = { cursor, _, plan, count, values in
      unsafe VirtualTableCursorHandle.attempt(cursor) {
        unsafe try $0.start(
          plan: plan.map { unsafe String(cString: $0) } ?? "",
          values: UnsafeMutableBufferPointer(start: values, count: Int(count)))
      }
    }
    unsafe module.xNext = { cursor in unsafe VirtualTableCursorHandle.attempt(cursor) { try $0.advance() } }
    unsafe module.xEof = { cursor in
      guard let cursor = unsafe cursor else { return 1 }
      return unsafe VirtualTableCursorHandle.cursor(cursor).isAtEnd ? 1 : 0
    }
    unsafe module.xColumn = { cursor, context, column in
      unsafe VirtualTableCursorHandle.attempt(cursor) { unsafe try $0.giveColumn(column, to: context) }
    }
    unsafe module.xRowid = { cursor, rowID in
      unsafe VirtualTableCursorHandle.attempt(cursor) { unsafe rowID?.pointee = $0.rowID }
    }
  }

  private static func bestIndex(
    _ table: UnsafeMutablePointer<sqlite3_vtab>?, _ info: UnsafeMutablePointer<sqlite3_index_info>?
  ) -> Int32 {
    guard let info = unsafe info else { return SQLITE_MISUSE }
    var outcome = SQLITE_OK
    let code = unsafe VirtualTableHandle.attempt(table) { table in
      let info = unsafe IndexInfo(info)
      // These usable terms do not make a query: SQLITE_CONSTRAINT asks for others.
      outcome = try table.plan(info).map(info.adopt) ?? SQLITE_CONSTRAINT
    }
    return code == SQLITE_OK ? outcome : code
  }

  // MARK: Changes

  private static func addWriting(to module: inout sqlite3_module) {
    unsafe module.xUpdate = { table, count, values, newRowID in
      unsafe VirtualTableHandle.attempt(table) {
        let values = unsafe UnsafeMutableBufferPointer(start: values, count: Int(count))
        if let rowID = unsafe try $0.update(values) { unsafe newRowID?.pointee = rowID }
      }
    }
    unsafe module.xBegin = { table in unsafe VirtualTableHandle.attempt(table) { $0.openStore?.begin() } }
    unsafe module.xSync = { table in unsafe VirtualTableHandle.attempt(table) { try $0.sync() } }
    unsafe module.xCommit = { table in unsafe VirtualTableHandle.attempt(table) { $0.commit() } }
    unsafe module.xRollback = { table in unsafe VirtualTableHandle.attempt(table) { $0.openStore?.rollback() } }
    unsafe module.xSavepoint = { table, level in
      unsafe VirtualTableHandle.attempt(table) { try $0.openStore?.savepoint(level) }
    }
    unsafe module.xRelease = { table, level in
      unsafe VirtualTableHandle.attempt(table) { $0.openStore?.release(level) }
    }
    unsafe module.xRollbackTo = { table, level in
      unsafe VirtualTableHandle.attempt(table) { $0.openStore?.rollbackTo(level) }
    }
  }
}
