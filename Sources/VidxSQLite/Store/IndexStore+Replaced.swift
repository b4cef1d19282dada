// Rows of a content table that REPLACE removes for the sake of a UNIQUE key, without firing a trigger
// (`ContentTable.createReplaceTriggers`). Which rows a statement may remove is known before, which are gone after it.

extension IndexStore {
  /// So many rows are remembered: more are those of statements that removed nothing, and are still there.
  private static let mostReplacing = 1_000

  /// After so many writes a row that was noted and is still there is forgotten.
  private static let writesRemembered = 8

  /// Notes that the statement may remove a row.
  func noteReplacing(rowID: Int64) {
    if replacing.count >= Self.mostReplacing { replacing = [:] }
    replacing[rowID] = Self.writesRemembered
  }

  /// Removes the rows that were noted and are not in the content table any more. What is there yet may go by a
  /// statement around this one, whose trigger this one is of.
  /// - Parameter rowID: of the row that the statement has written.
  func removeReplaced(by rowID: Int64) throws {
    if replacing.isEmpty { return }
    guard let row = try contentRowStatement() else { return }
    for (candidate, writes) in replacing.sorted(by: { $0.key < $1.key }) where candidate != rowID {
      try row.bind(candidate, at: 1)
      let isThere = try row.step()
      row.reset()
      replacing[candidate] = isThere && writes > 1 ? writes - 1 : nil
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
    guard try key.step(), let column = try key.textOrNull(0) else { return nil }
    return try connection.prepare(
      """
      SELECT 1 FROM \(quoted(identifier: schema)).\(quoted(identifier: name)) \
      WHERE \(quoted(identifier: column)) = ?1
      """)
  }
}
