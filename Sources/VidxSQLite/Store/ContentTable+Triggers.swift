extension ContentTable {
  static func triggerNames(index: String) -> [String] {
    ["insert", "update", "delete"].map { "\(index)_content_\($0)" }
  }

  /// Those for rows that REPLACE removes: before and after an insert, before and after an update.
  private static func replaceTriggerNames(index: String) -> [String] {
    ["inserting", "inserted", "updating", "updated"].map { "\(index)_content_\($0)" }
  }

  /// What the triggers tell the index, beside the id of a row: it may be replaced by the row that is being written; it
  /// has been written.
  static let replacing = "replacing"
  static let replaced = "replaced"

  /// The table that an index follows, by the name it has now: triggers go with their table. Nil where it has none.
  static func followed(by index: String, schema: String, connection: Connection) throws(SQLiteError) -> String? {
    let statement = try connection.prepare(
      "SELECT tbl_name FROM \(quoted(identifier: schema)).sqlite_master WHERE type = 'trigger' AND name = ?1")
    try statement.bind(triggerNames(index: index)[0], at: 1)
    return try statement.step() ? statement.textOrNull(0) : nil
  }

  /// Makes the triggers that keep an index in step with the table.
  ///
  /// They write through the virtual table, so that the index changes in the statement's own transaction.
  ///
  /// - With `recursive_triggers` off, as it is by default, REPLACE removes rows without firing delete triggers. So an
  ///   insert first removes what the index has under the new id, whatever conflict clause the statement carries. Rows
  ///   that REPLACE removes for the sake of another UNIQUE key: see `createReplaceTriggers`.
  /// - A trigger of the user may fire first and write to the table itself. So each body makes the index hold what the
  ///   table holds now under the ids of its row, which need not be what `old` and `new` say.
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
    for (trigger, event, condition, body) in events { try create(trigger, event, condition, body) }
    try createReplaceTriggers(index: index)
  }

  private func create(
    _ trigger: String, _ event: String, _ condition: String, _ body: String
  ) throws(SQLiteError) {
    try connection.execute(
      """
      CREATE TRIGGER \(quoted(identifier: schema)).\(quoted(identifier: trigger)) \(event) \
      ON \(quoted(identifier: name)) \(condition) BEGIN \(body) END
      """)
  }

  /// Makes the triggers that find rows which REPLACE removes for the sake of a UNIQUE key: no trigger fires for those.
  ///
  /// Before a row is written, the index is told which rows have one of its keys; afterwards, that it has been written.
  /// Those that the table then holds no more, the index removes. Whether the statement carries REPLACE, or the table's
  /// own definition, nobody has to know; a row that is skipped in the end has told of rows that are still there.
  private func createReplaceTriggers(index: String) throws(SQLiteError) {
    let keys = try uniqueKeys()
    if keys.isEmpty { return }
    let target = quoted(identifier: index)
    let key = quoted(identifier: key)
    let before = keys.map { unique in
      let terms = unique.columns.map {
        "\(quoted(identifier: $0.name)) = new.\(quoted(identifier: $0.name)) COLLATE \(quoted(identifier: $0.collation))"
      }
      return """
        INSERT INTO \(target)(\(target), rowid) SELECT \(quoted(literal: Self.replacing)), \(key) \
        FROM \(quoted(identifier: name)) \
        WHERE \((terms + (unique.condition.map { [$0] } ?? [])).joined(separator: " AND "));
        """
    }.joined(separator: " ")
    let after = "INSERT INTO \(target)(\(target), rowid) VALUES (\(quoted(literal: Self.replaced)), new.\(key));"
    let condition = try updateCondition(keys)
    let names = Self.replaceTriggerNames(index: index)
    try create(names[0], "BEFORE INSERT", "", before)
    try create(names[1], "AFTER INSERT", "", after)
    try create(names[2], "BEFORE UPDATE", condition, before)
    try create(names[3], "AFTER UPDATE", condition, after)
  }

  /// Which updates may replace rows for the sake of one of the keys, as a WHEN; empty for all.
  private func updateCondition(_ keys: [UniqueKey]) throws(SQLiteError) -> String {
    let columns = Set(keys.flatMap(\.columns).map(\.name)).sorted()
    var terms: [String] = []
    // An update may bring a row under a partial index without a change of its columns.
    if !keys.contains(where: { $0.condition != nil }) {
      let changes = columns.map { name in
        "old.\(quoted(identifier: name)) IS NOT new.\(quoted(identifier: name)) COLLATE BINARY"
      }
      terms.append("(\(changes.joined(separator: " OR ")))")
    }
    // Before an update, SQLite computes what a generated column will be from the columns that the update sets and those
    // that the trigger names; others it takes for NULL.
    let named = try columnsComputedFrom(columns).map { "new.\(quoted(identifier: $0)) IS NULL" }
    if !named.isEmpty { terms.append("(1 OR \(named.joined(separator: " OR ")))") }
    return terms.isEmpty ? "" : "WHEN " + terms.joined(separator: " AND ")
  }

  /// Drops the triggers of an index, if it has any.
  static func dropTriggers(index: String, schema: String, connection: Connection) throws(SQLiteError) {
    for trigger in triggerNames(index: index) + replaceTriggerNames(index: index) {
      try connection.execute("DROP TRIGGER IF EXISTS \(quoted(identifier: schema)).\(quoted(identifier: trigger))")
    }
  }
}
