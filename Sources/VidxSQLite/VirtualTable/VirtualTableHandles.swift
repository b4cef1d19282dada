internal import CSQLite
internal import CVidxSQLite

/// The structs that SQLite holds for our objects: each begins with SQLite's own and owns a reference to ours.
enum VirtualTableHandle {
  typealias Pointer = UnsafeMutablePointer<sqlite3_vtab>

  static func make(_ table: VirtualTable) -> Pointer {
    let handle = UnsafeMutablePointer<vidx_vtab>.allocate(capacity: 1)
    unsafe handle.initialize(to: vidx_vtab())
    unsafe handle.pointee.implementation = Unmanaged.passRetained(table).toOpaque()
    table.address = UInt(bitPattern: handle)
    return unsafe UnsafeMutableRawPointer(handle).assumingMemoryBound(to: sqlite3_vtab.self)
  }

  static func table(_ pointer: Pointer) -> VirtualTable {
    let handle = unsafe UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: vidx_vtab.self)
    return unsafe Unmanaged<VirtualTable>.fromOpaque(handle.pointee.implementation).takeUnretainedValue()
  }

  static func free(_ pointer: Pointer) {
    let handle = unsafe UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: vidx_vtab.self)
    unsafe Unmanaged<VirtualTable>.fromOpaque(handle.pointee.implementation).release()
    unsafe sqlite3_free(handle.pointee.base.zErrMsg)
    unsafe handle.deallocate()
  }

  /// Runs the body on the table; an error becomes a result code, its message the table's.
  static func attempt(_ pointer: Pointer?, _ body: (VirtualTable) throws -> Void) -> Int32 {
    guard let pointer = unsafe pointer else { return SQLITE_MISUSE }
    let table = unsafe table(pointer)
    do {
      try body(table)
      return SQLITE_OK
    } catch {
      let report = SQLiteReport(error, table: table.name)
      unsafe sqlite3_free(pointer.pointee.zErrMsg)
      unsafe pointer.pointee.zErrMsg = vidx_strdup(report.message)
      return report.code
    }
  }
}

enum VirtualTableCursorHandle {
  typealias Pointer = UnsafeMutablePointer<sqlite3_vtab_cursor>

  static func make(_ cursor: VirtualTableCursor) -> Pointer {
    let handle = UnsafeMutablePointer<vidx_vtab_cursor>.allocate(capacity: 1)
    unsafe handle.initialize(to: vidx_vtab_cursor())
    unsafe handle.pointee.implementation = Unmanaged.passRetained(cursor).toOpaque()
    return unsafe UnsafeMutableRawPointer(handle).assumingMemoryBound(to: sqlite3_vtab_cursor.self)
  }

  static func cursor(_ pointer: Pointer) -> VirtualTableCursor {
    let handle = unsafe UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: vidx_vtab_cursor.self)
    return unsafe Unmanaged<VirtualTableCursor>.fromOpaque(handle.pointee.implementation).takeUnretainedValue()
  }

  static func free(_ pointer: Pointer) {
    let handle = unsafe UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: vidx_vtab_cursor.self)
    unsafe Unmanaged<VirtualTableCursor>.fromOpaque(handle.pointee.implementation).release()
    unsafe handle.deallocate()
  }

  /// Runs the body on the cursor; an error becomes a result code, its message the table's.
  static func attempt(_ pointer: Pointer?, _ body: (VirtualTableCursor) throws -> Void) -> Int32 {
    guard let pointer = unsafe pointer else { return SQLITE_MISUSE }
    let cursor = unsafe cursor(pointer)
    return unsafe VirtualTableHandle.attempt(pointer.pointee.pVtab) { _ in try body(cursor) }
  }
}
