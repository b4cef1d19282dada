internal import CSQLite
internal import CVidxSQLite
internal import VidxIndexes
internal import VidxSegments

/// One table that SQLite has connected to: a handle on an index of the registry.
///
/// Connecting only reads types: SQLite connects while it compiles a statement, perhaps against a schema that is out of
/// date, which statements inside that compilation cannot put right. The index is opened when it is first needed.
final class VirtualTable {
  let registry: StoreRegistry
  let schema: String
  private(set) var name: String
  /// What was in the brackets of CREATE VIRTUAL TABLE.
  private let options: [String]
  let filterColumns: [FilterColumn]
  /// Those of the content table's columns; nil without such a table, or without filter columns.
  private let contentTypes: ContentTypes?
  /// Those that the columns are declared with.
  let affinities: [ColumnAffinity]
  /// Where SQLite has its handle of the table, by which its programs name the table.
  var address: UInt = 0
  /// The index, if it has been needed.
  private(set) var openStore: IndexStore?

  var connection: Connection { registry.connection }

  /// Creates or connects to the table that the arguments name: module, schema, table, then those in brackets.
  init(registry: StoreRegistry, arguments: [String], isNew: Bool) throws {
    self.registry = registry
    schema = arguments[1]
    name = arguments[2]
    options = Array(arguments.dropFirst(3))
    filterColumns = try IndexArguments.filterColumns(of: options)
    guard Self.isNameFree(name, beside: filterColumns) else { throw VirtualTableError.reservedName(name) }
    if isNew { openStore = try registry.create(schema: schema, table: name, arguments: options) }
    // What keeps them from being read, such as another's lock, is an error of the statement: SQLite connects anew for
    // the next one, and would compare by the wrong types as long as it stays connected.
    if !filterColumns.isEmpty, let content = try IndexArguments.content(of: options) {
      contentTypes = try ContentTypes(
        of: filterColumns, content: content, index: name, schema: schema, connection: registry.connection)
    } else {
      contentTypes = nil
    }
    affinities = contentTypes?.affinities ?? filterColumns.map { _ in .none }
    try declare()
  }

  /// The table has no column of this name.
  private static func isNameFree(_ name: String, beside filterColumns: [FilterColumn]) -> Bool {
    let name = name.lowercased()
    return !Column.reservedNames.contains(name) && !filterColumns.contains { $0.name.lowercased() == name }
  }

  /// The index behind the table.
  func store() throws -> IndexStore {
    if let openStore { return openStore }
    let store = try registry.open(schema: schema, table: name, arguments: options)
    openStore = store
    return store
  }

  private func declare() throws(SQLiteError) {
    let database = unsafe registry.connection.handle
    let declaration = Column.declaration(table: name, filterColumns: Array(zip(filterColumns, affinities)))
    // xUpdate leaves nothing behind when it returns SQLITE_CONSTRAINT, so OR IGNORE, FAIL and REPLACE can be honoured;
    // and the module does nothing that a trigger or a view of an untrusted schema must not do.
    for code in [
      unsafe sqlite3_declare_vtab(database, declaration),
      unsafe vidx_vtab_config(database, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1),
      unsafe vidx_vtab_config(database, SQLITE_VTAB_INNOCUOUS, 1),
    ] where code != SQLITE_OK {
      throw connection.lastError(code)
    }
  }

  /// The plan for a query, or nil when these usable terms do not make one.
  /// - Throws: `QueryPlanError`, `VirtualTableError.changedTypes`; `SQLiteError`.
  func plan(_ info: IndexInfo) throws -> QueryPlan? {
    if info.usesFilterColumns, let contentTypes,
      try contentTypes.haveChanged(filterColumns, schema: schema, connection)
    {
      throw VirtualTableError.changedTypes(index: name, content: contentTypes.table)
    }
    // Ignored: these only make an estimate, and an order that is not counted on is sorted. What keeps the index from
    // telling how many rows it has is told, with its own code, when it is asked for them.
    let store = try? store()
    let rowCount = (try? store?.rowCount()) ?? Self.assumedRowCount
    let isStreamExact = store?.definition.configuration.kind == .flat
    var shape = info.shape(rowCount: rowCount, isStreamExact: isStreamExact)
    shape.textColumns = Set(affinities.indices.filter { affinities[$0] == .text })
    if shape.hasPatterns { shape.hasOwnPatternFunctions = try hasOwnPatternFunctions() }
    return try QueryPlanner.plan(for: shape)
  }

  /// Decides which rows k counts, and so is no estimate.
  private func hasOwnPatternFunctions() throws(SQLiteError) -> Bool {
    do throws(SQLiteError) { return try connection.hasOwnPatternFunctions() } catch {
      // A host that lets nobody ask gets the patterns checked by SQLite, as those of other functions are.
      if error.code == SQLITE_AUTH { return false }
      throw error
    }
  }

  private static let assumedRowCount = 10_000

  /// Removes the table for good, also when its index cannot be opened.
  func destroy() throws {
    do {
      try store().destroy()
    } catch let error as SQLiteError where error.code != SQLITE_ERROR && error.code != SQLITE_CORRUPT {
      // Another's lock, or a full disk: the table stays, whole.
      throw error
    } catch {
      // The index says no more what it is; its tables go all the same.
      try ContentTable.dropTriggers(index: name, schema: schema, connection: connection)
      try ShadowTables(connection: connection, schema: schema, table: name).drop()
    }
    registry.forget(schema: schema, table: name)
  }

  func rename(to newName: String) throws {
    guard Self.isNameFree(newName, beside: filterColumns) else { throw VirtualTableError.reservedName(newName) }
    try store().rename(to: newName)
    registry.rename(schema: schema, from: name, to: newName)
    name = newName
  }
}
