extension Connection {
  /// Names of the indexes of the database, in alphabetical order.
  package func indexNames() throws(SQLiteError) -> [String] {
    let statement = try prepare(
      """
      SELECT t.name FROM sqlite_schema t JOIN sqlite_schema c ON c.type = 'table' AND c.name = t.name || '_tombstones'
      WHERE t.type = 'table' AND t.sql LIKE 'CREATE VIRTUAL TABLE%USING%vidx%' ORDER BY t.name
      """)
    var names: [String] = []
    while try statement.step() {
      if let name = statement.text(0) { names.append(name) }
    }
    return names
  }
}
