internal import CSQLite
internal import CVidxSQLite

/// One table that SQLite has connected to: a handle on an index of the registry.
final class VirtualTable {
  let registry: StoreRegistry
  let schema: String
  private(set) var name: String
  let store: IndexStore

  var connection: Connection { registry.connection }

  /// Creates or connects to the table that the arguments name: module, schema, table, then those in brackets.
  init(registry: StoreRegistry, arguments: [String], isNew: Bool) throws {
    self.registry = registry
    schema = arguments[1]
    name = arguments[2]
    guard !Column.reservedNames.contains(name.lowercased()) else { throw VirtualTableError.reservedName(name) }
    let options = Array(arguments.dropFirst(3))
    store =
      isNew
      ? try registry.create(schema: schema, table: name, arguments: options)
      : try registry.open(schema: schema, table: name, arguments: options)
    try declare()
  }

  private func declare() throws(SQLiteError) {
    let database = unsafe registry.connection.handle
    // xUpdate leaves nothing behind when it returns SQLITE_CONSTRAINT, so OR IGNORE, FAIL and REPLACE can be honoured;
    // and the module does nothing that a trigger or a view of an untrusted schema must not do.
    for code in [
      unsafe sqlite3_declare_vtab(database, Column.declaration(table: name)),
      unsafe vidx_vtab_config(database, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1),
      unsafe vidx_vtab_config(database, SQLITE_VTAB_INNOCUOUS, 1),
    ] where code != SQLITE_OK {
      throw connection.lastError(code)
    }
  }

  /// The plan for a query, or nil when these usable terms do not make one.
  func plan(_ info: IndexInfo) throws -> QueryPlan? {
    try QueryPlanner.plan(for: info.shape(rowCount: store.rowCount()))
  }

  /// Removes the table for good.
  func destroy() throws {
    try store.destroy()
    registry.forget(schema: schema, table: name)
  }

  func rename(to newName: String) throws {
    guard !Column.reservedNames.contains(newName.lowercased()) else { throw VirtualTableError.reservedName(newName) }
    try store.rename(to: newName)
    registry.rename(schema: schema, from: name, to: newName)
    name = newName
  }
}
