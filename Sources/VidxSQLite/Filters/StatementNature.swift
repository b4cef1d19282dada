/// What a filter's statement is like.
struct StatementNature {
  /// The same statement with the same values answers the same rows as long as schemas `main` and `temp` stay as they
  /// are. In doubt it does not.
  var isPure: Bool
  /// Which rows it answers does not depend on how many are asked for at once.
  var areRowsIndependent: Bool
  /// It may stay compiled: no vidx table is in it. A table holds its filters, and a statement its tables, and the host
  /// could not close the connection.
  var canBeKept = true
  /// A function that must not be called from a text that is part of another statement.
  var refusedFunction: String?
  /// A virtual table that may reach beyond the database, and must not be read from such a text.
  var refusedTable: String?
}

extension Connection {
  /// - Parameter sql: compiles.
  func nature(of sql: String) throws(SQLiteError) -> StatementNature {
    if isBorrowed { return try StatementProgram(of: sql, self).nature(of: sql, self) }
    let reads = try compilationWatch.reads { () throws(SQLiteError) in _ = try prepare(sql) }
    return StatementNature(
      isPure: try compilationWatch.isPure(reads, on: self),
      areRowsIndependent: try compilationWatch.areRowsIndependent(reads, on: self))
  }
}

/// What EXPLAIN tells of a statement, where the authorizer is the host's (https://www.sqlite.org/opcode.html).
private struct StatementProgram {
  /// In small letters.
  private var functions: Set<String> = []
  private var asksVirtualTables = false
  /// A vidx table in it may run another text, of which nothing is known.
  private var runsFilters = false
  /// It reads another schema than `main` and `temp`.
  private var readsAttached = false

  init(of sql: String, _ connection: Connection) throws(SQLiteError) {
    // addr, opcode, p1, p2, p3, p4, ...
    let program = try connection.prepare("EXPLAIN " + sql)
    while try program.step() {
      guard let opcode = program.text(1) else { continue }
      switch opcode {
      case "Transaction": if program.int64(2) > 1 { readsAttached = true }
      case "VOpen": asksVirtualTables = true
      case "VFilter":
        // The plan that xBestIndex made.
        if program.text(5)?.contains(QueryPlan.Use.filter.rawValue) == true { runsFilters = true }
      case _ where opcode.contains("Func") || opcode.hasPrefix("Agg"):
        // "upper(1)"
        if let name = program.text(5)?.split(separator: "(").first { functions.insert(name.lowercased()) }
      default: break
      }
    }
  }

  func nature(of sql: String, _ connection: Connection) throws(SQLiteError) -> StatementNature {
    let known = try KnownFunctions(connection)
    var nature = StatementNature(
      isPure: functions.isSubset(of: known.pure) && !readsAttached, areRowsIndependent: true)
    nature.refusedFunction = functions.intersection(known.direct).min()
    if nature.refusedFunction == nil, !functions.isDisjoint(with: known.risky), try !Self.trustsSchema(connection) {
      nature.refusedFunction = functions.intersection(known.risky).min()
    }
    if !asksVirtualTables { return nature }
    let tables = try VirtualTables(namedIn: sql, connection)
    nature.refusedTable = tables.refused
    let modules = tables.modules
    let isKnown = !modules.isEmpty && !readsAttached
    nature.areRowsIndependent = isKnown && modules.isSubset(of: VirtualTables.ofArguments)
    if !isKnown || runsFilters && modules.contains(VirtualTableModule.name)
      || !modules.isSubset(of: VirtualTables.ofArguments.union(VirtualTables.stored))
    {
      nature.isPure = false
    }
    nature.canBeKept = isKnown && modules.isDisjoint(with: ["vidx", VirtualTables.unknown])
    return nature
  }

  private static func trustsSchema(_ connection: Connection) throws(SQLiteError) -> Bool {
    let statement = try connection.prepare("PRAGMA trusted_schema")
    return try statement.step() && statement.int64(0) != 0
  }
}
