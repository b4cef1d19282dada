// Rows of a content table that REPLACE removes for the sake of a UNIQUE key, without firing a trigger
// (`ContentTable.createReplaceTriggers`). Which rows a statement may remove is known before, which are gone after it.

extension IndexStore {
  /// So many rows are remembered: more are those of statements that removed nothing, and are still there.
  private static let mostReplacing = 1_000

  /// Notes that the statement may remove a row.
  func noteReplacing(rowID: Int64) {
    if replacing.count >= Self.mostReplacing { replacing = [] }
    replacing.insert(rowID)
  }

  /// Removes the rows that were noted and are not in the content table any more.
  /// - Parameter rowID: of the row that the statement has written.
  func removeReplaced(by rowID: Int64) throws {
    replacing.remove(rowID)
    if replacing.isEmpty { return }
    defer { replacing = [] }
    guard let row = try contentRowStatement() else { return }
    for candidate in replacing.sorted() {
      try row.bind(candidate, at: 1)
      let isThere = try row.step()
      row.reset()
      if !isThere { try delete(rowID: candidate) }
    }
  }

  /// A statement that finds a row of the content table by its id; nil when the index follows none. It needs neither the
  /// column of vectors nor those of the filters, which may have other names by now.
  private func contentRowStatement() throws(SQLiteError) -> Statement? {
    guard let name = try ContentTable.followed(by: table, schema: schema, connection: connection) else { return nil }
    let key = try connection.prepare("SELECT name FROM pragma_table_info(?1, ?2) WHERE pk = 1")
    try key.bind(name, at: 1)
    try key.bind(schema, at: 2)
    guard try key.step(), let column = key.text(0) else { return nil }
    return try connection.prepare(
      """
      SELECT 1 FROM \(quoted(identifier: schema)).\(quoted(identifier: name)) \
      WHERE \(quoted(identifier: column)) = ?1
      """)
  }
}
