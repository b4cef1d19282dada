internal import CSQLite

/// A filter's text, compiled for one index. Not thread safe; its connection's.
final class FilterStatement {
  /// What is run to read all rows that pass.
  private var statement: Statement
  /// Takes its place when it answers something else than whole numbers.
  private var converting: Statement?
  /// The text as it was given, in its frame: what is analysed.
  private let sql: String
  let connection: Connection
  /// Made when it is first needed; holds nil where there is none.
  private var rowCheck: RowCheck??
  /// What searches found out about the text, whatever its values.
  var history = FilterHistory()
  /// What it read when it was analysed; the schema may have changed since.
  private var isPureAsCompiled: Bool
  private var recompilations: Int32 = 0
  /// A row can be found by its id (not so in the index itself), and passes or not whichever others are asked for.
  private(set) var canCheckRows: Bool
  /// See `StatementNature`.
  let canBeKept: Bool
  /// What stands around the text.
  private let frame: (prefix: String, suffix: String)
  /// A search is at it.
  var isRunning = false
  var lastUse: UInt64 = 0

  /// - Throws: `FilterError`, `SQLiteError`.
  init(_ text: FilterText, of store: IndexStore) throws {
    let connection = store.connection
    self.connection = connection
    // Some statements, PRAGMA among them, do what they say while they are compiled.
    guard text.form != .select || SQLText.isQuery(text.sql) else { throw FilterError.notAQuery }
    frame = try store.frame(of: text.form)
    let (prefix, suffix) = frame
    sql = prefix + text.sql + suffix
    do {
      let compiled = try connection.prepareToRead(sql)
      guard compiled.tail.isEmpty else { throw FilterError.severalStatements }
      guard compiled.isReadOnly, compiled.columnCount > 0 else { throw FilterError.notAQuery }
      (statement, converting) = try Self.readingMembers(text, store) ?? (compiled, nil)
      // The second time it is compiled: the first time opens the virtual tables in it, which read much.
      let nature = try connection.nature(of: sql)
      try Self.check(nature)
      let isByID = try text.form == .select || store.rowTable() != nil
      canCheckRows = isByID && nature.areRowsIndependent
      isPureAsCompiled = nature.isPure
      canBeKept = nature.canBeKept
    } catch let error as SQLiteError where error.code == SQLITE_ERROR || error.code == SQLITE_AUTH {
      throw try Self.fault(error, text, store, prefixCount: prefix.utf8.count)
    }
  }

  /// A condition that is as a whole `key IN (SELECT ...)`, read row by row of the SELECT: SQLite would run that to its
  /// end, into a table of its own, before the first row comes.
  ///
  /// An index of a content table has none but its rows: whole numbers that the SELECT gives need not be looked up
  /// there, which takes longer than a join of four tables over indexes. Whatever else it gives is compared with the key
  /// as IN does.
  /// - Returns: what is read first, and what in its place if that is not the same; nil for any other text, and where
  ///   the SELECT names columns of the rows.
  private static func readingMembers(_ text: FilterText, _ store: IndexStore) throws -> (Statement, Statement?)? {
    guard text.form != .select, let rows = try store.rowTable(),
      let found = Membership(text.sql, table: rows.name, key: rows.key),
      // A column of the rows in double quotes would be a text out of their scope, not an error.
      !found.select.utf8.contains(UInt8(ascii: "\""))
    else { return nil }
    let table = [store.schema, rows.name].map { quoted(identifier: $0) }.joined(separator: ".")
    let key = table + "." + quoted(identifier: rows.key)
    let members = "WITH vidx_rows(c0) AS (" + found.select + "\n) SELECT "
    do {
      let joined = try store.connection.prepare(
        members + "\(key) FROM vidx_rows CROSS JOIN \(table) ON \(key) = c0", isPersistent: true)
      if store.definition.content == nil { return (joined, nil) }
      return (try store.connection.prepare(members + "c0 FROM vidx_rows", isPersistent: true), joined)
    } catch {
      guard error.code == SQLITE_ERROR else { throw error }
      return nil
    }
  }

  /// - Returns: the row ids, ascending, each once; and whether the same values will answer the same until something is
  ///   committed.
  /// - Throws: `FilterError`, `SQLiteError`.
  func rowIDs(_ values: [FilterValue], timeout: Double?) throws -> (ids: [Int64], isPure: Bool) {
    let reading = try reading(values, StatementLimit(seconds: timeout))
    defer { reading.end() }
    return (RowIDs.ascending(try reading.finish()), try isPure())
  }

  /// To be read in parts.
  func reading(_ values: [FilterValue], _ limit: StatementLimit) throws -> FilterReading {
    try check(values)
    try Self.bind(values, to: statement)
    guard let converting else { return FilterReading(statement, limit: limit) }
    return FilterReading(statement, limit: limit) { [self] () throws(SQLiteError) in
      // The next time, too, with whatever values.
      (statement, self.converting) = (converting, nil)
      // Its own count says nothing of what the other has seen.
      recompilations = -1
      try Self.bind(values, to: converting)
      return converting
    }
  }

  private static func bind(_ values: [FilterValue], to statement: Statement) throws(SQLiteError) {
    for (i, value) in values.enumerated() { try statement.bind(value, at: Int32(i + 1)) }
  }

  /// Tells which of some rows pass; nil where SQLite has no statement for it: not every text can be part of another.
  func rowCheck(_ text: FilterText, of store: IndexStore) throws -> RowCheck? {
    if let rowCheck { return rowCheck }
    do { rowCheck = .some(try RowCheck(text, of: store, columnCount: statement.columnCount)) } catch {
      guard (error as? SQLiteError)?.code == SQLITE_ERROR else { throw error }
      rowCheck = .some(nil)
    }
    return rowCheck ?? nil
  }

  /// Sees that there is one value for each parameter.
  func check(_ values: [FilterValue]) throws(FilterError) {
    guard statement.parameterCount == values.count else {
      throw FilterError.valueCount(expected: statement.parameterCount, given: values.count)
    }
  }

  func isPure() throws -> Bool {
    let count = statement.recompilations
    if count != recompilations {
      recompilations = count
      let nature = try connection.nature(of: sql)
      // A view may be another one.
      try Self.check(nature)
      isPureAsCompiled = nature.isPure
      if canCheckRows { canCheckRows = nature.areRowsIndependent }
    }
    return isPureAsCompiled
  }

  private static func check(_ nature: StatementNature) throws(FilterError) {
    if let function = nature.refusedFunction { throw .refusedFunction(function) }
    if let table = nature.refusedTable { throw .refusedTable(table) }
  }

  /// The table of rows has another name by now.
  func isOutOfDate(_ text: FilterText, of store: IndexStore) throws -> Bool { try store.frame(of: text.form) != frame }

  /// SQLite's words for a text that it does not compile, with the place in the user's part of it.
  private static func fault(
    _ error: SQLiteError, _ text: FilterText, _ store: IndexStore, prefixCount: Int
  ) throws -> FilterError {
    let place = error.place(in: text.sql, startingAt: prefixCount)
    if text.form == .condition, error.message.hasPrefix("no such column"), try store.rowTable() == nil {
      return .noColumns(index: store.table, message: error.message, place: place)
    }
    return .notSQL(message: error.message, place: place)
  }
}
