internal import CSQLite

/// What a statement reads and calls, as SQLite tells an authorizer while it compiles
/// (https://www.sqlite.org/c3ref/set_authorizer.html).
struct StatementReads {
  struct Table: Hashable {
    /// nil where SQLite does not say: no column of the table is read.
    var schema: String?
    var name: String
  }

  fileprivate(set) var tables: Set<Table> = []
  /// Those of whose columns one is called `filter`: a vidx table runs the text that it is given there.
  fileprivate(set) var filtered: Set<Table> = []
  /// In small letters.
  fileprivate(set) var functions: Set<String> = []
  /// It does something else than reading: a PRAGMA, for example.
  fileprivate(set) var doesMore = false
}

/// The authorizer of one of our own connections: when it is asked to, notes what is compiled, or forbids what does more
/// than read.
///
/// It stays for good: setting an authorizer makes SQLite compile all statements again.
final class CompilationWatch {
  private var reads: StatementReads?
  private var isRestricting = false
  /// Functions that answer the same for the same arguments; read once, since nobody adds any to our connections.
  private var pureFunctions: Set<String>?

  /// - Parameter database: a connection that lives as long as this object.
  init(_ database: OpaquePointer) {
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    unsafe _ = sqlite3_set_authorizer(
      database,
      { context, action, first, second, schema, _ in
        guard let context = unsafe context else { return SQLITE_OK }
        let watch = unsafe Unmanaged<CompilationWatch>.fromOpaque(context).takeUnretainedValue()
        unsafe watch.note(action, first, second, schema)
        return unsafe watch.allows(action, second) ? SQLITE_OK : SQLITE_DENY
      }, context)
  }

  /// Runs a body that compiles a text which may come from somebody.
  func restricting<Result>(_ body: () throws(SQLiteError) -> Result) throws(SQLiteError) -> Result {
    isRestricting = true
    defer { isRestricting = false }
    return try body()
  }

  /// What changes the schema, other files or the transaction. A PRAGMA, INSERT, UPDATE or DELETE is not among them:
  /// virtual tables compile such statements of their own when they are opened, as rtree does. The text itself begins
  /// with SELECT, VALUES or WITH, and is none that writes (`FilterStatement`).
  private static let refusedActions: Set<Int32> = [
    SQLITE_ALTER_TABLE, SQLITE_ANALYZE, SQLITE_ATTACH, SQLITE_DETACH, SQLITE_REINDEX, SQLITE_SAVEPOINT,
    SQLITE_TRANSACTION, SQLITE_CREATE_INDEX, SQLITE_CREATE_TABLE, SQLITE_CREATE_TRIGGER, SQLITE_CREATE_VIEW,
    SQLITE_CREATE_VTABLE, SQLITE_CREATE_TEMP_INDEX, SQLITE_CREATE_TEMP_TABLE, SQLITE_CREATE_TEMP_TRIGGER,
    SQLITE_CREATE_TEMP_VIEW, SQLITE_DROP_INDEX, SQLITE_DROP_TABLE, SQLITE_DROP_TRIGGER, SQLITE_DROP_VIEW,
    SQLITE_DROP_VTABLE, SQLITE_DROP_TEMP_INDEX, SQLITE_DROP_TEMP_TABLE, SQLITE_DROP_TEMP_TRIGGER,
    SQLITE_DROP_TEMP_VIEW,
  ]

  /// Functions that run code of somebody else, where they are let: by default they are not.
  private static let refusedFunctions = ["load_extension", "fts3_tokenizer"]

  private func allows(_ action: Int32, _ function: UnsafePointer<CChar>?) -> Bool {
    if !isRestricting { return true }
    guard action == SQLITE_FUNCTION, let function = unsafe function else {
      return !Self.refusedActions.contains(action)
    }
    return !Self.refusedFunctions.contains { unsafe sqlite3_stricmp($0, function) == 0 }
  }

  /// What the statement that the body compiles reads.
  func reads(_ body: () throws(SQLiteError) -> Void) throws(SQLiteError) -> StatementReads {
    reads = StatementReads()
    defer { reads = nil }
    try body()
    return reads ?? StatementReads()
  }

  private func note(
    _ action: Int32, _ first: UnsafePointer<CChar>?, _ second: UnsafePointer<CChar>?, _ schema: UnsafePointer<CChar>?
  ) {
    if reads == nil { return }
    switch action {
    case SQLITE_READ:
      guard let first = unsafe first else { return }
      let schema = unsafe schema.map { unsafe String(cString: $0) }
      let table = StatementReads.Table(schema: schema, name: unsafe String(cString: first))
      reads?.tables.insert(table)
      if let second = unsafe second, unsafe sqlite3_stricmp(second, Column.filter.name) == 0 {
        reads?.filtered.insert(table)
      }
    case SQLITE_FUNCTION:
      guard let second = unsafe second else { return }
      reads?.functions.insert(unsafe String(cString: second).lowercased())
    case SQLITE_SELECT, SQLITE_RECURSIVE: break
    default: reads?.doesMore = true
    }
  }

  // MARK: Purity

  /// The same statement with the same values answers the same rows as long as schemas `main` and `temp` stay as they
  /// are. In doubt it does not.
  func isPure(_ reads: StatementReads, on connection: Connection) throws(SQLiteError) -> Bool {
    if reads.doesMore { return false }
    if pureFunctions == nil { pureFunctions = try KnownFunctions(connection).pure }
    guard let pureFunctions, reads.functions.isSubset(of: pureFunctions) else { return false }
    for table in reads.tables {
      guard try isStored(table, isFiltered: reads.filtered.contains(table), connection) else { return false }
    }
    return true
  }

  /// What the table answers is in the file of schema `main` or `temp`. Another file may change unseen, be detached and
  /// replaced; a virtual table may answer what it likes.
  /// - Parameter isFiltered: its column `filter` is read: what another text answers is not known here.
  private func isStored(
    _ table: StatementReads.Table, isFiltered: Bool, _ connection: Connection
  ) throws(SQLiteError) -> Bool {
    let schemas = table.schema.map { [$0] } ?? ["temp", "main"]
    for schema in schemas {
      guard schema == "main" || schema == "temp" else { return false }
      let statement = try connection.prepare("SELECT sql FROM \(schema).sqlite_master WHERE name = ?1 COLLATE NOCASE")
      try statement.bind(table.name, at: 1)
      if try statement.step() {
        return Self.isStored(definition: try statement.textOrNull(0) ?? "", isFiltered: isFiltered)
      }
    }
    // Tables that need no CREATE: SQLite's own, and modules.
    return ["sqlite_master", "sqlite_schema", "sqlite_temp_master", "json_each", "json_tree"].contains(
      table.name.lowercased())
  }

  /// The statement reads tables of SQLite's own and JSON: which rows it answers does not depend on how many are asked
  /// for at once. A virtual table may answer otherwise when some of its rows are named, as vidx does: the k nearest of
  /// them.
  func areRowsIndependent(_ reads: StatementReads, on connection: Connection) throws(SQLiteError) -> Bool {
    if reads.doesMore { return false }
    for table in reads.tables {
      guard try isOrdinary(table, connection) else { return false }
    }
    return true
  }

  private func isOrdinary(_ table: StatementReads.Table, _ connection: Connection) throws(SQLiteError) -> Bool {
    let name = table.name.lowercased()
    if ["json_each", "json_tree"].contains(name) || name.hasPrefix("sqlite_") { return true }
    for schema in table.schema.map({ [$0] }) ?? ["temp", "main"] {
      let statement = try connection.prepare(
        "SELECT sql FROM \(quoted(identifier: schema)).sqlite_master WHERE name = ?1 COLLATE NOCASE")
      try statement.bind(table.name, at: 1)
      if try statement.step() { return !Self.isVirtual(definition: try statement.textOrNull(0) ?? "") }
    }
    return false
  }

  private static func isVirtual(definition: String) -> Bool { definition.lowercased().hasPrefix("create virtual") }

  private static func isStored(definition: String, isFiltered: Bool) -> Bool {
    guard isVirtual(definition: definition) else { return true }
    guard let module = VirtualTables.module(ofDefinition: definition) else { return false }
    return VirtualTables.stored.contains(module) && !(isFiltered && module == VirtualTableModule.name)
  }
}
