/// The SQL functions of a connection, as SQLite lists them.
struct KnownFunctions {
  /// Those that answer the same for the same arguments, in small letters.
  private(set) var pure: Set<String> = []
  /// Those that SQLite keeps from views and triggers.
  private(set) var direct: Set<String> = []
  /// A host's that are not declared to be harmless: kept from views and triggers unless schemas are trusted.
  private(set) var risky: Set<String> = []

  /// - Complexity: some 0.1 ms.
  init(_ connection: Connection) throws(SQLiteError) {
    // SQLITE_DETERMINISTIC is 0x800, SQLITE_DIRECTONLY 0x80000, SQLITE_INNOCUOUS 0x200000. SQLite's own aggregates do
    // not carry the first; its date functions do, and may be given 'now'.
    let statement = try connection.prepare(
      """
      SELECT lower(name), min((flags & 0x800) <> 0 OR (builtin AND type IN ('a', 'w'))), max((flags & 0x80000) <> 0),
        max(NOT builtin AND (flags & 0x200000) = 0)
      FROM pragma_function_list GROUP BY 1
      """)
    while try statement.step() {
      guard let name = statement.text(0) else { continue }
      if statement.int64(1) != 0 { pure.insert(name) }
      if statement.int64(2) != 0 { direct.insert(name) }
      if statement.int64(3) != 0 { risky.insert(name) }
    }
    pure = pure.subtracting(Self.clocks).union(Self.placeholders)
    risky.subtract(Self.placeholders)
  }

  private static let clocks: Set<String> = [
    "date", "time", "datetime", "julianday", "strftime", "unixepoch", "timediff", "current_date", "current_time",
    "current_timestamp",
  ]
  /// FTS5 fills them in, for its tables only.
  private static let placeholders: Set<String> = ["match", "bm25", "highlight", "snippet"]
}
