internal import CSQLite

/// A filter's text, compiled to tell which of some rows pass, instead of all that do. Not thread safe; its
/// connection's.
final class RowCheck {
  private let statement: Statement
  /// Parameters of the text; those behind them are row ids.
  private let valueCount: Int32

  /// Row ids that one run of the statement is asked for: from 8 to 32 each row becomes a sixth cheaper.
  static let width = 16

  /// - Parameters:
  ///   - text: that compiles as a filter.
  ///   - columnCount: of the filter's statement.
  /// - Throws: `SQLiteError` where the text cannot be part of another statement.
  /// - Returns: nil for a condition that ends the brackets around it, and so is none to be put beside another.
  init?(_ text: FilterText, of store: IndexStore, columnCount: Int) throws {
    if text.form != .select, Brackets.closeTooMany(in: text.sql) { return nil }
    // Behind the text, whose own parameters are counted from 1.
    let places = repeatElement("?", count: Self.width).joined(separator: ", ")
    let sql = try Self.framed(text, store, columnCount) + "(\(places))"
    let rewritten = try Self.rewritten(text, store).map { try Self.framed($0, store, columnCount) + "(\(places))" }
    statement = try Self.compile(rewritten ?? sql, or: sql, store.connection)
    valueCount = Int32(statement.parameterCount - Self.width)
  }

  private static func framed(_ text: FilterText, _ store: IndexStore, _ columnCount: Int) throws -> String {
    if text.form == .select {
      let columns = (0..<columnCount).map { "c\($0)" }.joined(separator: ", ")
      return "WITH vidx_rows(\(columns)) AS (" + text.sql + "\n) SELECT c0 FROM vidx_rows WHERE c0 IN "
    }
    let (prefix, suffix) = try store.frame(of: text.form)
    return prefix + text.sql + suffix + " AND \(try store.quotedRowKey()) IN "
  }

  /// The condition with its memberships checked row by row; nil without any.
  private static func rewritten(_ text: FilterText, _ store: IndexStore) throws -> FilterText? {
    guard text.form != .select, let rows = try store.rowTable() else { return nil }
    let place = [store.schema, rows.name, rows.key].map { quoted(identifier: $0) }.joined(separator: ".")
    return Membership.rewritten(text.sql, table: rows.name, key: rows.key, at: place).map {
      FilterText(text.form, $0, text.values)
    }
  }

  /// - Parameter other: for a text that SQLite does not take, or for which it makes an index of its own: in that one
  ///   values have the affinity of the first SELECT of several, and those of the others are not found.
  private static func compile(_ sql: String, or other: String, _ connection: Connection) throws -> Statement {
    do throws(SQLiteError) {
      let statement = try connection.prepare(sql, isPersistent: true)
      if sql == other { return statement }
      if try !makesIndex(sql, connection) { return statement }
    } catch {
      if sql == other || error.code != SQLITE_ERROR { throw error }
    }
    return try connection.prepare(other, isPersistent: true)
  }

  private static func makesIndex(_ sql: String, _ connection: Connection) throws(SQLiteError) -> Bool {
    let plan = try connection.prepare("EXPLAIN QUERY PLAN " + sql)
    while try plan.step() {
      if plan.text(3)?.contains("AUTOMATIC") == true { return true }
    }
    return false
  }

  /// Steps of SQLite's machine that it has taken so far.
  var steps: Int { statement.steps }

  func bind(_ values: [FilterValue]) throws(SQLiteError) {
    for (i, value) in values.enumerated() { try statement.bind(value, at: Int32(i + 1)) }
  }

  func clear() {
    statement.reset()
    statement.clearBindings()
  }

  /// Those of at most `width` row ids that pass, in any order.
  /// - Parameter steps: that the statement may take.
  /// - Returns: nil when it takes more.
  func passing(_ ids: ArraySlice<Int64>, steps: Int, limit: StatementLimit) throws -> [Int64]? {
    precondition(ids.count <= Self.width)
    for (i, id) in ids.enumerated() { try statement.bind(id, at: valueCount + 1 + Int32(i)) }
    for i in ids.count..<Self.width { try statement.bindNull(at: valueCount + 1 + Int32(i)) }
    defer { statement.reset() }
    let most = self.steps + steps
    do {
      let passing = try limit.watch(statement.connection, steps: steps) {
        var passing: [Int64] = []
        while try statement.step() {
          guard statement.type(0) == .integer else { throw FilterError.notARowID(statement.text(0) ?? "") }
          passing.append(statement.int64(0))
        }
        return passing
      }
      // Nothing has ended it where the connection is a host's.
      return statement.connection.isBorrowed && self.steps > most ? nil : passing
    } catch  where limit.isOfSteps(error) { return nil }
  }
}
