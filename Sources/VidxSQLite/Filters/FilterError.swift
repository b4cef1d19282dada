/// Why a filter cannot be had.
package enum FilterError: Error, Equatable, Sendable {
  /// SQLite does not compile it. `place` shows where it stopped, in two lines; nil when it did not say.
  case notSQL(message: String, place: String?)
  case severalStatements
  /// It writes, or answers nothing.
  case notAQuery
  /// The first column holds something else than an integer.
  case notARowID(String)
  /// A function that SQLite keeps from views and triggers; a text that is part of a query may come from one.
  case refusedFunction(String)
  /// A virtual table that is not known to keep to the database, for the same reason.
  case refusedTable(String)
  /// Filters ask indexes under filters, and so on.
  case nestedTooDeep
  /// A text may give row ids without end.
  case tooManyRows(limit: Int)
  case valueCount(expected: Int, given: Int)
  case timeout(seconds: Double)
  /// The index says whose rows it holds, and that table is gone or has no INTEGER PRIMARY KEY any more.
  case noRowTable(index: String, table: String)
  /// The condition needs a table of rows, and the index has none.
  case noRows(index: String)
  /// A condition over an index without a table of rows names a column; see `notSQL`.
  case noColumns(index: String, message: String, place: String?)
}

extension FilterError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .notSQL(let message, let place):
      "\(message); correct the SQL of the condition" + (place.map { "\n" + $0 } ?? "")
    case .noColumns(let index, let message, let place):
      "\(message); index \"\(index)\" has no table of rows, so a condition can speak of rowid only, "
        + "for example rowid IN (SELECT id FROM ...), or be a SELECT of row ids" + (place.map { "\n" + $0 } ?? "")
    case .severalStatements: "the condition is more than one statement; give a single one"
    case .notAQuery: "the statement does not read rows; give a SELECT of row ids"
    case .notARowID(let value):
      "the SELECT answers \"\(value)\" where a row id was expected; put the INTEGER PRIMARY KEY first"
    case .refusedFunction(let name):
      "the condition calls \(name)(), which SQLite allows in statements of their own only; select the row ids there"
    case .refusedTable(let name):
      "the condition reads \(name), a virtual table that may reach beyond the database: it is kept from texts that may "
        + "come from a view; write rowid IN (SELECT ...) beside MATCH instead"
    case .nestedTooDeep:
      "the condition asks an index under a condition that asks an index, and so on: more than that is not evaluated"
    case .tooManyRows(let limit):
      "the condition gives more than \(limit) row ids; make it narrower, or search without it"
    case .valueCount(let expected, let given):
      "the statement has \(expected) parameters; \(given) values are given"
    case .timeout(let seconds):
      "the condition was not evaluated within \(seconds) s; give it more time, or an index on the columns it tests"
    case .noRows(let index):
      "index \"\(index)\" was built without a table of rows, so a condition has nothing to speak of; "
        + "filter by a SELECT of row ids instead (vidx search: --ids-from)"
    case .noRowTable(let index, let table):
      "table \"\(table)\", whose rows index \"\(index)\" holds, is gone or has no INTEGER PRIMARY KEY; "
        + "filter by a SELECT of row ids instead"
    }
  }
}
