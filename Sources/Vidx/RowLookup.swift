internal import VidxSQLite

/// Rows of an index's table by row id, some of their columns. Not thread safe; belongs to its session.
package final class RowLookup {
  /// Names of the columns, in order.
  package let columns: [String]
  private let statement: Statement

  /// - Parameter names: nil for all columns but the key and the vectors.
  fileprivate init(_ connection: Connection, table: String, key: String, columns: [String]) throws(SQLiteError) {
    self.columns = columns
    let list = columns.map { quoted(identifier: $0) }.joined(separator: ", ")
    statement = try connection.prepare(
      "SELECT \(list) FROM \(quoted(identifier: table)) WHERE \(quoted(identifier: key)) = ?", isPersistent: true)
  }

  /// The values of a row; nil when the table has no such row.
  package func values(of id: Int64) throws(VidxError) -> [Value]? {
    try wrappingErrors {
      try statement.bind(id, at: 1)
      defer { statement.reset() }
      guard try statement.step() else { return nil }
      return (0..<Int32(columns.count)).map(statement.value)
    }
  }
}

extension Session {
  /// A lookup of the rows that an index's row ids name; nil when the index has no table, or no column is wanted.
  ///
  /// - Parameter names: columns, in the order wanted; nil for all but the key and the vectors.
  /// - Throws: `.badOption` for a column that is not there, or when columns are wanted and there is no table.
  package func rowLookup(for index: String, columns names: [String]?) throws(VidxError) -> RowLookup? {
    guard let table = try rowTable(of: index) else {
      guard let names, !names.isEmpty else { return nil }
      throw VidxError(
        .badOption, "index \"\(index)\" was built without a table of rows, so it has no columns; leave them out")
    }
    let key = try primaryKey(of: table)
    let present = try query("SELECT name FROM pragma_table_info(?)", [.text(table)]).compactMap { row -> String? in
      if case .text(let name) = row.values[0] { name } else { nil }
    }
    let vectorColumn = try vectorColumn(of: index)
    let columns = names ?? present.filter { $0 != key && $0 != vectorColumn }
    if let unknown = columns.first(where: { !present.contains($0) }) {
      throw VidxError(
        .badOption, "table \"\(table)\" has no column \"\(unknown)\"; it has \(present.joined(separator: ", "))")
    }
    guard !columns.isEmpty else { return nil }
    return try wrappingErrors { try RowLookup(connection, table: table, key: key, columns: columns) }
  }

  private func vectorColumn(of index: String) throws(VidxError) -> String? {
    try store(index).definition.column
  }
}
