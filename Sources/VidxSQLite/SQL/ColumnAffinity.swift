internal import CSQLite
internal import VidxIndexes

/// What values a column's type prefers, and what others are compared with it after (https://www.sqlite.org/datatype3.html,
/// sections 3 and 4.2).
package enum ColumnAffinity: String, Sendable {
  case none = ""
  case integer = "INTEGER"
  case real = "REAL"
  case text = "TEXT"
  case numeric = "NUMERIC"

  /// Of a column of an ordinary table.
  init(declaredType type: String) {
    let type = type.uppercased()
    func has(_ part: String) -> Bool { type.utf8.count >= part.utf8.count && type.contains(part) }
    self =
      if has("INT") {
        .integer
      } else if has("CHAR") || has("CLOB") || has("TEXT") {
        .text
      } else if type.isEmpty || has("BLOB") {
        .none
      } else if has("REAL") || has("FLOA") || has("DOUB") {
        .real
      } else {
        .numeric
      }
  }
}

extension SQLValue {
  /// A value as it is compared with those of a column. SQLite converts a value that comes without affinity of its own
  /// to the column's; what comes from another column or a CAST it may convert otherwise, and checks again.
  static func columnValue(_ value: OpaquePointer?, _ affinity: ColumnAffinity) -> ColumnValue {
    switch affinity {
    case .none: break
    // Changes the type of a text that is a number.
    case .integer, .real, .numeric: unsafe _ = sqlite3_value_numeric_type(value)
    case .text:
      let type = unsafe sqlite3_value_type(value)
      if type == SQLITE_INTEGER || type == SQLITE_FLOAT { return .text(unsafe Array(text(value))) }
    }
    return unsafe columnValue(value)
  }
}

extension ContentTable {
  /// The affinities of the filter columns of an index over a content table; `none` for those that cannot be found.
  ///
  /// Asked while SQLite compiles a statement, perhaps against a schema that is out of date: then SQLite does so again.
  /// - Parameter content: the name when the index was made; the triggers know the present one.
  static func affinities(
    of columns: [FilterColumn], content: String, index: String, schema: String, connection: Connection
  ) throws(SQLiteError) -> [ColumnAffinity] {
    let trigger = try connection.prepare(
      "SELECT tbl_name FROM \(quoted(identifier: schema)).sqlite_master WHERE type = 'trigger' AND name = ?1")
    try trigger.bind(triggerNames(index: index)[0], at: 1)
    let table = try trigger.step() ? trigger.text(0) ?? content : content
    var types: [String: String] = [:]
    let place = "(\(quoted(identifier: table)))"
    let info = try connection.prepare("PRAGMA \(quoted(identifier: schema)).table_xinfo\(place)")
    while try info.step() { types[(info.text(1) ?? "").lowercased()] = info.text(2) ?? "" }
    // ANY is no type in a STRICT table, and a numeric one elsewhere.
    let list = try connection.prepare("PRAGMA \(quoted(identifier: schema)).table_list\(place)")
    let isStrict = try list.step() && list.int64(5) != 0
    return columns.map { column in
      guard let type = types[column.name.lowercased()], !(isStrict && type.uppercased() == "ANY") else { return .none }
      return ColumnAffinity(declaredType: type)
    }
  }
}
