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

/// The types of the columns of a content table that its index filters by.
struct ContentTypes {
  /// The name that the table has now.
  let table: String
  /// As the table declares them; nil for a column that is not there.
  private let declared: [String?]
  /// `none` for those that are not there.
  let affinities: [ColumnAffinity]

  /// To be made while SQLite compiles a statement, perhaps against a schema that is out of date: then it does so again.
  /// - Parameter content: the name when the index was made; the triggers know the present one.
  init(
    of columns: [FilterColumn], content: String, index: String, schema: String, connection: Connection
  ) throws(SQLiteError) {
    let table = try ContentTable.followed(by: index, schema: schema, connection: connection) ?? content
    let declared = try Self.declared(columns, table, schema, connection)
    // ANY is no type in a STRICT table, and a numeric one elsewhere.
    let hasAny = declared.contains { $0?.uppercased() == "ANY" }
    let isAnyNone = hasAny ? try Self.isStrict(table, schema, connection) : false
    affinities = declared.map { type in
      guard let type, !(isAnyNone && type.uppercased() == "ANY") else { return .none }
      return ColumnAffinity(declaredType: type)
    }
    self.table = table
    self.declared = declared
  }

  /// The table has been made anew, with columns of other types.
  ///
  /// SQLite takes the types of a virtual table's columns when it connects to the table, and connects again when it has
  /// read the schema anew: not when this very connection drops a table and makes another of its name.
  /// - Complexity: a look into the schema that the connection has read, 0.1 us a column.
  func haveChanged(_ columns: [FilterColumn], schema: String, _ connection: Connection) throws(SQLiteError) -> Bool {
    let now = try Self.declared(columns, table, schema, connection)
    // The index goes on with what it has of a table that has been dropped.
    return now != declared && now.contains { $0 != nil }
  }

  private static func declared(
    _ columns: [FilterColumn], _ table: String, _ schema: String, _ connection: Connection
  ) throws(SQLiteError) -> [String?] {
    var types: [String?] = []
    for column in columns {
      types.append(try connection.declaredType(of: column.name, table: table, schema: schema))
    }
    return types
  }

  private static func isStrict(
    _ table: String, _ schema: String, _ connection: Connection
  ) throws(SQLiteError) -> Bool {
    let list = try connection.prepare(
      "PRAGMA \(quoted(identifier: schema)).table_list(\(quoted(identifier: table)))")
    return try list.step() && list.int64(5) != 0
  }
}
