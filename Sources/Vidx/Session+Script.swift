internal import VidxSQLite

/// What one statement of a script answered.
package struct StatementResult: Sendable {
  package let columns: [String]
  package let rows: [Row]
}

extension Session {
  /// Runs the statements of a text one after the other.
  ///
  /// - Parameters:
  ///   - values: values of `:name`, `@name`, `$name` and, by number, `?1`.
  ///   - use: called with the name of each value that a statement takes.
  ///   - row: called with each row; true to keep it in the result.
  package func script(
    _ sql: String, named values: [String: Value], use: (String) -> Void, row keep: (Row) -> Bool
  ) throws(VidxError) -> [StatementResult] {
    try wrappingErrors {
      var results: [StatementResult] = []
      var rest = sql[...]
      repeat {
        let statement = try connection.prepare(String(rest))
        rest = statement.tail
        try bind(values, to: statement, use: use)
        let columns = (0..<Int32(statement.columnCount)).map(statement.columnName)
        var rows: [Row] = []
        while try statement.step() {
          let row = Row(columns: columns, values: (0..<Int32(columns.count)).map(statement.value))
          if keep(row) { rows.append(row) }
        }
        results.append(StatementResult(columns: columns, rows: rows))
      } while !rest.isEmpty
      return results
    }
  }

  private func bind(_ values: [String: Value], to statement: Statement, use: (String) -> Void) throws {
    for index in 0..<Int32(statement.parameterCount) {
      let written = statement.parameterName(at: index + 1)
      let name = written.map { String($0.dropFirst()) } ?? String(index + 1)
      guard let value = values[name] else {
        throw VidxError(.badOption, "parameter \(written ?? "?") has no value; give one for \(name)")
      }
      use(name)
      try statement.bind(value, at: index + 1)
    }
  }
}
