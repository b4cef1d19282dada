import CSQLite

/// The user's table that an external-content index follows: it has an INTEGER PRIMARY KEY and a column of vectors.
struct ContentTable {
  let connection: Connection
  let schema: String
  /// As the schema spells it.
  let name: String
  /// The INTEGER PRIMARY KEY.
  let key: String
  let column: String
  /// The columns that the index filters by, as the schema spells them.
  let filterColumns: [String]

  var qualifiedName: String { quoted(identifier: schema) + "." + quoted(identifier: name) }

  /// Finds the table and sees that it can be indexed.
  /// - Throws: `StoreError.content`, `SQLiteError`.
  init(
    connection: Connection, schema: String, name: String, column: String, filterColumns: [String] = []
  ) throws {
    self.connection = connection
    self.schema = schema
    func refuse(_ fault: ContentFault) -> StoreError { .content(table: name, fault) }

    let table = try connection.prepare(
      """
      SELECT name, type, sql LIKE 'CREATE VIRTUAL%' FROM \(quoted(identifier: schema)).sqlite_master \
      WHERE name = ?1 COLLATE NOCASE AND type IN ('table', 'view')
      """)
    try table.bind(name, at: 1)
    guard try table.step(), let spelling = try table.textOrNull(0) else { throw refuse(.missing) }
    if try table.textOrNull(1) == "view" { throw refuse(.view) }
    if table.int64(2) != 0 { throw refuse(.virtual) }
    self.name = spelling

    let columns = try Self.columns(of: spelling, schema: schema, connection: connection)
    try Self.checkRowIDs(of: spelling, schema: schema, connection: connection, columns: columns, refuse)
    let keys = columns.filter { $0.keyPosition > 0 }
    guard keys.count == 1, keys[0].type.uppercased() == "INTEGER" else { throw refuse(.noIntegerPrimaryKey) }
    if try Self.hasKeyIndex(spelling, schema: schema, connection: connection) { throw refuse(.descendingPrimaryKey) }
    key = keys[0].name
    guard let vectors = columns.first(where: { isSameName($0.name, column) }) else {
      throw refuse(.missingColumn(column))
    }
    if vectors.name == key { throw refuse(.keyAsVector(column)) }
    self.column = vectors.name
    self.filterColumns = try filterColumns.map { name in
      guard let found = columns.first(where: { isSameName($0.name, name) }) else {
        throw refuse(.missingFilterColumn(name, known: columns.map(\.name)))
      }
      return found.name
    }
  }

  private struct Column {
    var name: String
    var type: String
    /// From 1 within the primary key; 0 outside.
    var keyPosition: Int64
  }

  private static func columns(of table: String, schema: String, connection: Connection) throws -> [Column] {
    // Hidden columns are those of virtual tables (1); 2 and 3 are generated ones, which are welcome.
    let statement = try connection.prepare(
      "SELECT name, type, pk FROM pragma_table_xinfo(?1, ?2) WHERE hidden <> 1")
    try statement.bind(table, at: 1)
    try statement.bind(schema, at: 2)
    var result: [Column] = []
    while try statement.step() {
      result.append(
        Column(name: statement.text(0) ?? "", type: statement.text(1) ?? "", keyPosition: statement.int64(2)))
    }
    return result
  }

  /// Refuses WITHOUT ROWID: there every name of the row id is unknown, unless it is that of a column.
  private static func checkRowIDs(
    of table: String, schema: String, connection: Connection, columns: [Column], _ refuse: (ContentFault) -> StoreError
  ) throws {
    let taken = Set(columns.map { $0.name.lowercased() })
    guard let alias = ["rowid", "_rowid_", "oid"].first(where: { !taken.contains($0) }) else { return }
    let probe = Result { () throws(SQLiteError) in
      _ = try connection.prepare("SELECT \(alias) FROM \(quoted(identifier: schema)).\(quoted(identifier: table))")
    }
    if case .failure(let error) = probe, error.code == SQLITE_ERROR { throw refuse(.withoutRowID) }
    try probe.get()
  }

  /// The primary key has an index of its own, so it is not the row id.
  private static func hasKeyIndex(_ table: String, schema: String, connection: Connection) throws -> Bool {
    let statement = try connection.prepare("SELECT 1 FROM pragma_index_list(?1, ?2) WHERE origin = 'pk'")
    try statement.bind(table, at: 1)
    try statement.bind(schema, at: 2)
    return try statement.step()
  }
}

extension IndexStore {
  /// The name that the table which this index follows has by now; nil when it keeps its own vectors.
  package func followedTable() throws(SQLiteError) -> String? {
    guard let name = definition.content else { return nil }
    return try ContentTable.followed(by: table, schema: schema, connection: connection) ?? name
  }

  /// The table this index follows; nil when it keeps its own vectors.
  ///
  /// Once the triggers exist they know its name, also after ALTER TABLE ... RENAME.
  /// - Throws: `StoreError.content` when it is gone or has changed beyond use.
  func contentTable() throws -> ContentTable? {
    guard let name = definition.content, let column = definition.column else { return nil }
    let followed = try ContentTable.followed(by: table, schema: schema, connection: connection)
    do {
      return try ContentTable(
        connection: connection, schema: schema, name: followed ?? name, column: column,
        filterColumns: definition.filterColumns.map(\.name))
    } catch StoreError.content(let table, .missingColumn(let column)) where followed != nil {
      throw StoreError.content(table: table, .lostColumn(column))
    } catch StoreError.content(let table, .missingFilterColumn(let column, _)) where followed != nil {
      throw StoreError.content(table: table, .lostColumn(column))
    }
  }
}
