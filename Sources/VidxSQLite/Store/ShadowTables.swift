import CSQLite

/// The tables behind one index, and the statements on them, each compiled once. Not thread safe.
///
///     t_config(key, value)             the definition, the schema version, identity, revision, settings,
///                                      unfinished build, retired files
///     t_segments(id, file, ...)        the manifest: the segments of the index
///     t_delta(id, stamp, vector)       vectors not yet in a segment; id is the row id; f0, f1, ...: filter columns
///     t_tombstones(segment, entry)     rows of segments that are dead
final class ShadowTables {
  let connection: Connection
  let schema: String
  private(set) var table: String
  /// How many filter columns the delta has; set before the first statement is made.
  var filterColumnCount = 0
  private var statements: [Query: Statement] = [:]
  /// Of the statement that reads the revision, when the tables were last found to be there.
  private var checkedRecompilations: Int32 = 0

  static let suffixes = ["config", "segments", "delta", "tombstones"]

  init(connection: Connection, schema: String, table: String) {
    self.connection = connection
    self.schema = schema
    self.table = table
  }

  /// The quoted, qualified name of a shadow table.
  func name(_ suffix: String) -> String {
    quoted(identifier: schema) + "." + quoted(identifier: table + "_" + suffix)
  }

  func create() throws(SQLiteError) {
    try connection.execute(
      "CREATE TABLE \(name("config"))(key TEXT PRIMARY KEY NOT NULL, value) WITHOUT ROWID")
    try connection.execute(
      """
      CREATE TABLE \(name("segments"))(id INTEGER PRIMARY KEY, file TEXT NOT NULL UNIQUE, entries INTEGER NOT NULL, \
      bytes INTEGER NOT NULL)
      """)
    // The vector comes last, so that reading ids and stamps does not read its overflow pages. The index on the stamp is
    // a constraint's, because SQLite renames those with the table: inside ALTER TABLE an index cannot be dropped.
    try connection.execute(
      """
      CREATE TABLE \(name("delta"))(id INTEGER PRIMARY KEY, stamp INTEGER NOT NULL, \
      \(filterNames { "\($0), " })vector BLOB NOT NULL, \
      UNIQUE(stamp, id))
      """)
    try connection.execute(
      """
      CREATE TABLE \(name("tombstones"))(segment INTEGER NOT NULL, entry INTEGER NOT NULL, \
      PRIMARY KEY(segment, entry)) WITHOUT ROWID
      """)
  }

  func drop() throws(SQLiteError) {
    finalize()
    for suffix in Self.suffixes { try connection.execute("DROP TABLE IF EXISTS \(name(suffix))") }
  }

  func rename(to newTable: String) throws(SQLiteError) {
    finalize()
    for suffix in Self.suffixes {
      try connection.execute(
        "ALTER TABLE \(name(suffix)) RENAME TO \(quoted(identifier: newTable + "_" + suffix))")
    }
    table = newTable
  }

  /// The columns of the delta that hold values of filter columns, in a text of them all.
  private func filterNames(_ text: (String) -> String) -> String {
    (0..<filterColumnCount).map { text("f\($0)") }.joined()
  }

  /// All tables are there, as ordinary tables: a view or a virtual table of such a name would answer what it likes, and
  /// without end.
  func exist() throws(SQLiteError) -> Bool {
    for suffix in Self.suffixes where try !isTaken(table + "_" + suffix, byTable: true) { return false }
    return true
  }

  /// The same for the schema that a statement of these tables has just been stepped in: asked anew for another.
  func stillExist(in statement: Statement) throws(SQLiteError) -> Bool {
    let recompilations = statement.recompilations
    if recompilations == checkedRecompilations { return true }
    guard try exist() else { return false }
    checkedRecompilations = recompilations
    return true
  }

  /// The first of the tables' names that something else has already.
  func firstTaken() throws(SQLiteError) -> String? {
    for suffix in Self.suffixes where try isTaken(table + "_" + suffix) {
      return table + "_" + suffix
    }
    return nil
  }

  /// - Parameter byTable: that has its rows in the database.
  private func isTaken(_ name: String, byTable: Bool = false) throws(SQLiteError) -> Bool {
    let statement = try connection.prepare(
      "SELECT 1 FROM \(quoted(identifier: schema)).sqlite_master WHERE name = ?1 COLLATE NOCASE"
        + (byTable ? " AND type = 'table' AND rootpage > 0" : ""))
    try statement.bind(name, at: 1)
    return try statement.step()
  }

  /// Forgets the compiled statements: nothing of this object then holds on to the connection.
  func finalize() {
    for statement in statements.values { statement.finalize() }
    statements = [:]
    checkedRecompilations = 0
  }

  /// A statement ready to be bound and run. Reset it after use: one that is on a row keeps a read transaction open.
  /// - Throws: `SQLiteError` also while the statement runs, in a trigger that somebody has put on one of the tables:
  ///   SQLite would run it inside itself.
  func statement(_ query: Query) throws(SQLiteError) -> Statement {
    if let statement = statements[query] {
      guard !statement.isBusy else {
        throw SQLiteError(
          code: SQLITE_ERROR, message: "index \(table) is used by a trigger on a table of its own: drop the trigger")
      }
      return statement
    }
    let statement = try connection.prepare(sql(query), isPersistent: true)
    statements[query] = statement
    return statement
  }

  enum Query: Hashable {
    case readConfig, writeConfig, deleteConfig
    case readRevision, writeRevision
    case segments, insertSegment, deleteSegment, deleteAllSegments
    case tombstones, insertTombstone, deleteTombstones, deleteAllTombstones
    case deltaVector, deltaValues, deltaSince, deltaIDs, deltaIDsAndValues, deltaIDsUntil, deltaHighest, deltaCount
    case deltaRows, deltaStrays
    case insertDelta, replaceDelta, deleteDelta, deleteDeltaUntil, deleteAllDelta
    case retire, retireAll, retired, forgetRetired
  }

  private func sql(_ query: Query) -> String {
    switch query {
    case .readConfig: "SELECT value FROM \(name("config")) WHERE key = ?1"
    case .writeConfig: "INSERT OR REPLACE INTO \(name("config"))(key, value) VALUES (?1, ?2)"
    case .deleteConfig: "DELETE FROM \(name("config")) WHERE key = ?1"
    case .readRevision: "SELECT value FROM \(name("config")) WHERE key = 'revision'"
    case .writeRevision: "UPDATE \(name("config")) SET value = ?1 WHERE key = 'revision'"
    case .segments: "SELECT id, file, entries FROM \(name("segments")) ORDER BY id"
    case .insertSegment: "INSERT INTO \(name("segments"))(file, entries, bytes) VALUES (?1, ?2, ?3)"
    case .deleteSegment: "DELETE FROM \(name("segments")) WHERE id = ?1"
    case .deleteAllSegments: "DELETE FROM \(name("segments"))"
    case .tombstones: "SELECT segment, entry FROM \(name("tombstones"))"
    case .insertTombstone: "INSERT INTO \(name("tombstones"))(segment, entry) VALUES (?1, ?2)"
    case .deleteTombstones: "DELETE FROM \(name("tombstones")) WHERE segment = ?1"
    case .deleteAllTombstones: "DELETE FROM \(name("tombstones"))"
    case .deltaVector: "SELECT vector FROM \(name("delta")) WHERE id = ?1"
    case .deltaValues: "SELECT id\(filterNames { ", \($0)" }) FROM \(name("delta")) WHERE id = ?1"
    case .deltaIDsAndValues: "SELECT id\(filterNames { ", \($0)" }) FROM \(name("delta")) ORDER BY id"
    case .deltaSince:
      "SELECT id, vector\(filterNames { ", \($0)" }) FROM \(name("delta")) WHERE stamp > ?1 ORDER BY stamp"
    // In no order: for these SQLite reads the index of stamps and ids, a hundredth of the table with its vectors.
    case .deltaIDs: "SELECT id FROM \(name("delta"))"
    case .deltaIDsUntil: "SELECT id FROM \(name("delta")) WHERE stamp <= ?1"
    case .deltaHighest: "SELECT max(id) FROM \(name("delta"))"
    case .deltaCount: "SELECT count(*) FROM \(name("delta"))"
    case .deltaRows: "SELECT id, vector\(filterNames { ", \($0)" }) FROM \(name("delta")) ORDER BY id"
    case .deltaStrays:
      "SELECT count(*), min(id) FROM \(name("delta")) "
        + "WHERE typeof(stamp) <> 'integer' OR stamp < 0 OR stamp > ?1"
    case .insertDelta:
      "INSERT INTO \(name("delta"))(id, stamp, vector\(filterNames { ", \($0)" })) "
        + "VALUES (?1, ?2, ?3\(filterNames { _ in ", ?" }))"
    case .replaceDelta:
      "UPDATE \(name("delta")) SET stamp = ?2, vector = ?3\(filterNames { ", \($0) = ?" }) WHERE id = ?1"
    case .deleteDelta: "DELETE FROM \(name("delta")) WHERE id = ?1"
    case .deleteDeltaUntil: "DELETE FROM \(name("delta")) WHERE stamp <= ?1"
    case .deleteAllDelta: "DELETE FROM \(name("delta"))"
    case .retireAll:
      "INSERT OR REPLACE INTO \(name("config"))(key, value) "
        + "SELECT 'retired:' || file, CAST(strftime('%s', 'now') AS INTEGER) FROM \(name("segments"))"
    case .retire:
      "INSERT OR REPLACE INTO \(name("config"))(key, value) "
        + "SELECT 'retired:' || file, CAST(strftime('%s', 'now') AS INTEGER) FROM \(name("segments")) WHERE id = ?1"
    case .retired:
      "SELECT substr(key, 9), CAST(strftime('%s', 'now') AS INTEGER) - value FROM \(name("config")) "
        + "WHERE key >= 'retired:' AND key < 'retired;'"
    case .forgetRetired: "DELETE FROM \(name("config")) WHERE key = 'retired:' || ?1"
    }
  }
}
