extension IndexStore {
  /// The table whose rows the index's row ids are, and its key.
  package struct RowTable {
    package let name: String
    package let key: String
  }

  /// The key of the index's configuration that names the table of an index which keeps its own vectors.
  package static let rowTableKey = "rows_table"

  /// The table whose rows the index's row ids are: that which it follows, or that which was named for it; nil without.
  /// - Throws: `FilterError.noRowTable`, `StoreError.content` when it is gone or has changed beyond use; `SQLiteError`.
  package func rowTable() throws -> RowTable? {
    if let content = try contentTable() { return RowTable(name: content.name, key: content.key) }
    let statement = try connection.prepare(
      "SELECT value FROM \(quoted(identifier: schema)).\(quoted(identifier: table + "_config")) WHERE key = ?1")
    try statement.bind(Self.rowTableKey, at: 1)
    guard try statement.step(), let name = try statement.textOrNull(0) else { return nil }
    let keys = try connection.prepare("SELECT name, type FROM pragma_table_info(?1, ?2) WHERE pk > 0")
    try keys.bind(name, at: 1)
    try keys.bind(schema, at: 2)
    guard try keys.step(), let key = try keys.textOrNull(0),
      try keys.textOrNull(1)?.uppercased() == "INTEGER", try !keys.step()
    else {
      throw FilterError.noRowTable(index: table, table: name)
    }
    return RowTable(name: name, key: key)
  }

  /// What goes before a text and behind it to make a SELECT of row ids.
  func frame(of form: FilterText.Form) throws -> (prefix: String, suffix: String) {
    if form == .select { return ("", "") }
    let rows = try rowTable()
    if form == .conditionOfRows, rows == nil { throw FilterError.noRows(index: table) }
    let from = quoted(identifier: schema) + "." + quoted(identifier: rows?.name ?? table)
    // The newline ends a comment at the end of the condition.
    return ("SELECT \(Self.quotedKey(of: rows)) FROM \(from) WHERE (", "\n)")
  }

  /// What a condition may call the key of its rows.
  func quotedRowKey() throws -> String { Self.quotedKey(of: try rowTable()) }

  private static func quotedKey(of rows: RowTable?) -> String { rows.map { quoted(identifier: $0.key) } ?? "rowid" }
}
