/// Columns of a content table, other than its row id, that no two of its rows agree in.
struct UniqueKey: Equatable {
  /// Names as the schema spells them, and the collations that they are compared by.
  var columns: [Column]
  /// Which rows must differ, as the text of a partial index has it; nil for all.
  var condition: String?

  struct Column: Equatable {
    var name: String
    var collation: String
  }
}

extension ContentTable {
  /// The keys by which an insert or an update may replace rows.
  ///
  /// Left out are keys that hold an expression, whose text cannot be asked for: rows that are replaced for the sake of
  /// one of those stay in the index until it is rebuilt. A key that holds the row id needs no look at others.
  func uniqueKeys() throws(SQLiteError) -> [UniqueKey] {
    let indexes = try connection.prepare(
      "SELECT name, partial FROM pragma_index_list(?1, ?2) WHERE \"unique\" = 1 ORDER BY name")
    try indexes.bind(name, at: 1)
    try indexes.bind(schema, at: 2)
    var keys: [UniqueKey] = []
    while try indexes.step() {
      let index = indexes.text(0) ?? ""
      guard let columns = try columns(ofIndex: index) else { continue }
      guard indexes.int64(1) != 0 else {
        keys.append(UniqueKey(columns: columns, condition: nil))
        continue
      }
      if let condition = try condition(ofIndex: index) {
        keys.append(UniqueKey(columns: columns, condition: condition))
      }
    }
    return keys
  }

  /// The columns that generated ones among these may be computed from; empty when none is generated.
  ///
  /// What an expression names cannot be asked for. So all columns of whose name the table's text has more than one: few
  /// too many, as a column that a trigger names cannot be dropped.
  func columnsComputedFrom(_ names: [String]) throws(SQLiteError) -> [String] {
    let statement = try connection.prepare(
      """
      SELECT name, hidden, name GLOB '*[^0-9A-Za-z_]*' OR \
      instr(substr(lower(text), instr(lower(text), lower(name)) + 1), lower(name)) > 0 FROM pragma_table_xinfo(?1, ?2), \
      (SELECT sql AS text FROM \(quoted(identifier: schema)).sqlite_master WHERE type = 'table' AND name = ?1)
      """)
    try statement.bind(name, at: 1)
    try statement.bind(schema, at: 2)
    var columns: [String] = []
    var isAnyGenerated = false
    while try statement.step() {
      guard let column = statement.text(0) else { continue }
      if statement.int64(1) != 0 {
        isAnyGenerated = isAnyGenerated || names.contains(column)
      } else if statement.int64(2) != 0 {
        columns.append(column)
      }
    }
    return isAnyGenerated ? columns : []
  }

  /// nil when one of them is no column.
  private func columns(ofIndex index: String) throws(SQLiteError) -> [UniqueKey.Column]? {
    let statement = try connection.prepare("SELECT name, coll FROM pragma_index_xinfo(?1, ?2) WHERE key = 1")
    try statement.bind(index, at: 1)
    try statement.bind(schema, at: 2)
    var columns: [UniqueKey.Column] = []
    while try statement.step() {
      guard let name = try statement.textOrNull(0) else { return nil }
      columns.append(UniqueKey.Column(name: name, collation: try statement.textOrNull(1) ?? "BINARY"))
    }
    return columns
  }

  /// What stands behind WHERE in the text of a partial index.
  private func condition(ofIndex index: String) throws(SQLiteError) -> String? {
    let statement = try connection.prepare(
      "SELECT sql FROM \(quoted(identifier: schema)).sqlite_master WHERE type = 'index' AND name = ?1")
    try statement.bind(index, at: 1)
    guard try statement.step(), let sql = try statement.textOrNull(0) else { return nil }
    let text = Array(sql.utf8)
    guard let start = Brackets.start(of: text[...]) else { return nil }
    guard let end = Brackets.end(of: text[(start + 1)...]) else { return nil }
    let rest = String(decoding: text[(end + 1)...], as: UTF8.self).trimmed
    // Of all rows, where a comment stands before it: noting too many does no harm.
    guard rest.lowercased().hasPrefix("where") else { return "(1)" }
    // As a term of its own, also when it ends in a comment.
    return "(\(rest.dropFirst("where".count))\n)"
  }
}
