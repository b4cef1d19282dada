extension ContentTable {
  static func triggerNames(index: String) -> [String] {
    ["insert", "update", "delete"].map { "\(index)_content_\($0)" }
  }

  /// Makes the triggers that keep an index in step with the table.
  ///
  /// They write through the virtual table, so that the index changes in the statement's own transaction.
  ///
  /// - With `recursive_triggers` off, as it is by default, REPLACE removes rows without firing delete triggers. So an
  ///   insert first removes what the index has under the new id, whatever conflict clause the statement carries. Rows
  ///   that REPLACE removes for the sake of another UNIQUE column stay in the index; docs/SQL.md says what to do.
  /// - A trigger of the user may fire first and write to the table itself. So each body makes the index hold what the
  /// table holds now under the ids of its row, which need not be what `old` and `new` say.
  /// - UPDATE OF goes by the names in SET, so it sees neither the key under an alias (`rowid`) nor a generated column:
  ///   the values themselves are compared.
  func createTriggers(index: String) throws(SQLiteError) {
    let target = quoted(identifier: index)
    let key = quoted(identifier: key)
    let column = quoted(identifier: column)
    let names = Self.triggerNames(index: index)
    let filters = filterColumns.map { quoted(identifier: $0) }
    let copied = ([column] + filters).joined(separator: ", ")
    // As bytes, whatever the collation of the column: the index tells 'a' from 'A'.
    let changes = filters.map { " OR old.\($0) IS NOT new.\($0) COLLATE BINARY" }.joined()
    func follow(_ ids: String) -> String {
      """
      DELETE FROM \(target) WHERE rowid IN (\(ids)); \
      INSERT INTO \(target)(\((["rowid", "vector"] + filters).joined(separator: ", "))) \
      SELECT \(key), \(copied) FROM \(quoted(identifier: name)) \
      WHERE \(key) IN (\(ids)) AND \(column) IS NOT NULL;
      """
    }
    let events = [
      (names[0], "AFTER INSERT", "", follow("new.\(key)")),
      (
        names[1], "AFTER UPDATE",
        "WHEN old.\(key) IS NOT new.\(key) OR old.\(column) IS NOT new.\(column)\(changes)",
        follow("old.\(key), new.\(key)")
      ),
      (names[2], "AFTER DELETE", "", follow("old.\(key)")),
    ]
    for (trigger, event, condition, body) in events {
      try connection.execute(
        """
        CREATE TRIGGER \(quoted(identifier: schema)).\(quoted(identifier: trigger)) \(event) \
        ON \(quoted(identifier: name)) \(condition) BEGIN \(body) END
        """)
    }
  }

  /// Drops the triggers of an index, if it has any.
  static func dropTriggers(index: String, schema: String, connection: Connection) throws(SQLiteError) {
    for trigger in triggerNames(index: index) {
      try connection.execute("DROP TRIGGER IF EXISTS \(quoted(identifier: schema)).\(quoted(identifier: trigger))")
    }
  }
}
