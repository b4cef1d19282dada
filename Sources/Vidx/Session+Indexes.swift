package import VidxIndexes
internal import VidxSQLite
internal import VidxSegments

/// What an index is and holds.
public struct IndexSummary: Sendable, Equatable {
  public struct Segment: Sendable, Equatable {
    /// The file's name in the folder beside the database.
    public let file: String
    public let rows: Int
    public let bytes: Int
    /// How its vectors are coded; nil when this segment's file is missing or damaged, which `check` explains.
    public let codec: IndexCodec?
    /// Bytes of each code; with codec f32 of each vector; nil when `codec` is.
    public let bytesPerCode: Int?
  }

  public let name: String
  public let options: IndexOptions
  /// Rows in the index.
  public let rows: Int
  public let segments: [Segment]
  /// Rows not yet in a segment.
  public let deltaRows: Int
  /// Rows of segments that are deleted or replaced.
  public let tombstones: Int
  /// How far a build in parts has come that is not at its end; nil for none.
  public let unfinished: Unfinished?

  /// How the index is maintained where nobody says otherwise, as far as it is set: `merge_after`, `threads`,
  /// `memory` in bytes, and `maintenance`, 1 where the SQLite extension merges it in the background.
  public let settings: [String: Int]

  public struct Unfinished: Sendable, Equatable {
    /// Rows of the source that are done.
    public let rows: Int
    /// Rows of the source.
    public let total: Int
    /// The file or table.
    public let source: String
  }
}

extension Session {
  /// Makes an index; the rows of a content table are indexed at once.
  ///
  /// - Parameter build: threads, progress and cancellation of that first build.
  package func createIndex(
    _ name: String, _ options: IndexOptions, build: BuildOptions = BuildOptions()
  ) throws(VidxError) {
    try options.validate()
    try requireFreeName(name)
    if let table = options.rowTable { _ = try primaryKey(of: table) }
    try transaction {
      try building(build) {
        try connection.execute(
          "CREATE VIRTUAL TABLE \(quoted(identifier: name)) "
            + "USING vidx(\(options.definition.arguments.joined(separator: ", ")))")
      }
      if case .own = options.content, let table = options.rowTable {
        try setRowTable(table, of: name)
      }
    }
  }

  /// Names the table whose rows are those of an index with vectors of its own.
  func setRowTable(_ table: String, of index: String) throws(VidxError) {
    try execute(
      "INSERT OR REPLACE INTO \(shadow(index, "config"))(key, value) VALUES (?, ?)",
      [.text(IndexStore.rowTableKey), .text(table)])
  }

  package func dropIndex(_ name: String) throws(VidxError) {
    _ = try store(name)
    stores[name] = nil
    try wrappingErrors {
      try connection.execute("DROP TABLE \(quoted(identifier: name))")
      // Inside a transaction the files stay until the next sweep: it may be rolled back.
      if connection.isAutocommit { try IndexStore.sweep(connection, schema: "main") }
    }
  }

  /// Names of the indexes, in alphabetical order.
  package func indexNames() throws(VidxError) -> [String] {
    try wrappingErrors { try connection.indexNames() }
  }

  package func summary(of name: String) throws(VidxError) -> IndexSummary {
    let store = try store(name)
    let segments = try query("SELECT file, entries, bytes FROM \(shadow(name, "segments")) ORDER BY id")
    // Whether files are sound is for a check to say: what is known without them is said in any case.
    let opened = try wrappingErrors { try store.readableSegments() }
    let listed = segments.compactMap { row -> IndexSummary.Segment? in
      guard case .text(let file) = row.values[0], case .integer(let rows) = row.values[1],
        case .integer(let bytes) = row.values[2]
      else { return nil }
      let contents = opened.first { $0.file == file }
      // What the manifest says may be anything.
      return IndexSummary.Segment(
        file: file, rows: min(max(Int(rows), 0), IndexLimits.entries), bytes: max(Int(bytes), 0),
        codec: contents.flatMap { IndexCodec(rawValue: $0.codec.rawValue) },
        bytesPerCode: contents?.bytesPerCode)
    }
    let unfinished = try wrappingErrors { try store.unfinishedBuild() }
    let settings = try wrappingErrors { try store.maintenanceSettings().list }
    let deltaRows = try count(shadow(name, "delta"))
    let tombstones = try count(shadow(name, "tombstones"))
    return IndexSummary(
      name: name, options: try options(of: name, store: store),
      rows: listed.reduce(0) { $0 + $1.rows } - tombstones + deltaRows, segments: listed, deltaRows: deltaRows,
      tombstones: tombstones,
      unfinished: unfinished.map { IndexSummary.Unfinished(rows: $0.done, total: $0.total, source: $0.source) },
      settings: Dictionary(uniqueKeysWithValues: settings.map { ($0.name, $0.value) }))
  }

  private func count(_ table: String) throws(VidxError) -> Int {
    guard case .integer(let count)? = try query("SELECT count(*) FROM \(table)").first?.values[0] else { return 0 }
    return Int(count)
  }

  private func options(of name: String, store: IndexStore) throws(VidxError) -> IndexOptions {
    let definition = store.definition
    let configuration = definition.configuration
    let type: IndexType =
      switch configuration.kind {
      case .flat: .flat
      case .ivfflat: .ivfflat(lists: configuration.lists == 0 ? nil : configuration.lists)
      case .hnsw: .hnsw(m: configuration.m, efConstruction: configuration.efConstruction)
      }
    var content = IndexContent.own
    if let table = definition.content, let column = definition.column { content = .column(column, ofTable: table) }
    return IndexOptions(
      dimensions: configuration.dimensions, metric: configuration.metric, type: type,
      codec: IndexCodec(rawValue: configuration.codec.name) ?? .auto, content: content,
      rowTable: try rowTable(of: name, store: store),
      filterColumns: definition.filterColumns.filter { !$0.isPartition }.map(\.name),
      partition: definition.filterColumns.first(where: \.isPartition)?.name, model: definition.model)
  }

  /// The embedding model that the vectors of an index are of; nil when none was named.
  package func model(of name: String) throws(VidxError) -> String? { try store(name).definition.model }

  /// The table whose rows the index's row ids are; nil when none was named.
  package func rowTable(of name: String) throws(VidxError) -> String? {
    try rowTable(of: name, store: try store(name))
  }

  private func rowTable(of name: String, store: IndexStore) throws(VidxError) -> String? {
    if let content = store.definition.content { return content }
    let rows = try query("SELECT value FROM \(shadow(name, "config")) WHERE key = ?", [.text(IndexStore.rowTableKey)])
    guard case .text(let table)? = rows.first?.values[0] else { return nil }
    return table
  }

  /// Merges new and deleted rows into the segments, outside any transaction: readers and writers go on meanwhile.
  package func optimize(_ name: String, build: BuildOptions = BuildOptions()) throws(VidxError) {
    let store = try store(name)
    do { try wrappingErrors { try store.optimizeOutsideTransaction(options: build) } } catch {
      guard error.code == .cancelled else { throw error }
      throw VidxError(
        .cancelled, "cancelled; merges that were finished are kept, and nothing else was changed", cause: error)
    }
  }

  /// Removes the files that no index names: those of dropped indexes and of builds that were killed. Outside any
  /// transaction. Does nothing while a reader of an older state may need them.
  ///
  /// - Returns: what kept it from removing some, one line each.
  package func sweep() throws(VidxError) -> [String] {
    try wrappingErrors { try IndexStore.sweep(connection, schema: "main").failures.map(\.message) }
  }

  /// The same.
  /// - Returns: whether a reader of an older state has to be waited for.
  /// - Throws: what kept it from removing one.
  func sweepAwaitsReaders() throws(VidxError) -> Bool {
    try wrappingErrors {
      let result = try IndexStore.sweep(connection, schema: "main")
      if let failure = result.failures.first { throw failure }
      return result.awaitsReaders
    }
  }

  /// Sweeps behind work that is done, and is not to fail for it.
  /// - Returns: whether another sweep is wanted, which says what is wrong: this one could not be, or not remove all.
  func wantsAnotherSweep() -> Bool {
    if !connection.isAutocommit { return true }
    return (try? sweepAwaitsReaders()) ?? true
  }

  /// Names of the files in the folder beside the database, those that no index names too.
  package func files() throws(VidxError) -> Set<String> {
    try wrappingErrors {
      guard let path = connection.filename(schema: "main") else { return [] }
      return Set(try SegmentFolder(databasePath: path).list())
    }
  }

  /// Everything that is wrong with an index, one line each; empty when it is sound. Reads every byte.
  package func problems(of name: String) throws(VidxError) -> [String] {
    let store = try store(name)
    let problems = try wrappingErrors { try store.integrityCheck(deep: true) }
    // A damaged index cannot be walked through SQL.
    return try problems.isEmpty && store.definition.content == nil ? strayRows(of: name) : problems
  }

  /// Rows of the index that its table does not have.
  private func strayRows(of name: String) throws(VidxError) -> [String] {
    guard let table = try rowTable(of: name) else { return [] }
    let key = quoted(identifier: try primaryKey(of: table))
    let stray = try query(
      """
      SELECT count(*), min(rowid) FROM \(quoted(identifier: name))
      WHERE rowid NOT IN (SELECT \(key) FROM \(quoted(identifier: table)))
      """)
    guard let values = stray.first?.values, case .integer(let count) = values[0], count > 0,
      case .integer(let first) = values[1]
    else { return [] }
    return [
      "\(count) rows of the index are not in table \(table), the first is \(first): insert them, or delete them from "
        + "the index"
    ]
  }

  /// What SQLite's own check says about the database file; empty when it is sound.
  package func databaseProblems() throws(VidxError) -> [String] {
    let lines = try query("PRAGMA integrity_check").compactMap { row -> String? in
      if case .text(let line) = row.values[0] { line } else { nil }
    }
    return lines == ["ok"] ? [] : lines
  }

  // MARK: Names

  /// The store of an index, which must exist.
  /// - Parameter isRead: the rows of the index are going to be read; not only what it is.
  func store(_ name: String, isRead: Bool = true) throws(VidxError) -> IndexStore {
    do {
      if isRead { try link.flush() }
      let mark = CommitMark(connection, schema: "main")
      if mark == nil || mark != storesMark {
        let (version, markRead) = try markedSchemaVersion()
        if version != storesVersion { (stores, storesVersion) = ([:], version) }
        storesMark = markRead
      }
      // To Swift texts that look the same are equal, and they may be names of two tables.
      if let store = stores[name], store.table.utf8.elementsEqual(name.utf8) { return store }
      let store = try IndexStore.open(connection, schema: "main", table: name)
      stores[name] = store
      return store
    } catch let error as StoreError {
      guard case .noIndex = error else { throw VidxError(wrapping: error) }
      throw try noSuchIndex(name, cause: error)
    } catch { throw VidxError(wrapping: error) }
  }

  /// After a rollback the same version of the schema may come a second time, for other tables: indexes that were opened
  /// in a version which is not the present one are closed.
  func forgetUndoneStores() {
    // When the version cannot be read, nothing is known of it.
    if (try? schemaVersion()) != storesVersion { (stores, storesVersion, storesMark) = ([:], -1, nil) }
  }

  private func schemaVersion() throws(SQLiteError) -> Int64 { try markedSchemaVersion().version }

  /// The version, and the mark of the state it was read in; nil where that does not tell.
  private func markedSchemaVersion() throws(SQLiteError) -> (version: Int64, mark: CommitMark?) {
    if let heldVersion { return (heldVersion, nil) }
    let statement = try compiledSchemaVersion()
    defer { statement.reset() }
    let version = try statement.step() ? statement.int64(0) : 0
    return (version, CommitMark(whileReading: connection, schema: "main"))
  }

  private func compiledSchemaVersion() throws(SQLiteError) -> Statement {
    if let compiled = schemaVersionStatement { return compiled }
    let statement = try connection.prepare("PRAGMA schema_version", isPersistent: true)
    schemaVersionStatement = statement
    return statement
  }

  /// Runs the body in one read transaction, unless it is in one already or may need none: with a write-ahead log
  /// nothing else tells whether there was a commit, and version and index would be asked for in a transaction each.
  func inOneTransaction<Result>(_ body: () throws(VidxError) -> Result) throws(VidxError) -> Result {
    guard heldVersion == nil, connection.isAutocommit, CommitMark(connection, schema: "main") == nil else {
      return try body()
    }
    let statement = try wrappingErrors { try compiledSchemaVersion() }
    defer {
      heldVersion = nil
      statement.reset()
    }
    heldVersion = try wrappingErrors { try statement.step() ? statement.int64(0) : 0 }
    return try body()
  }

  private func noSuchIndex(_ name: String, cause: any Error) throws(VidxError) -> VidxError {
    let names = try indexNames()
    let advice =
      names.isEmpty ? "the database has none: build one" : "the database has \(names.joined(separator: ", "))"
    return VidxError(.noSuchIndex, "there is no index \"\(name)\"; \(advice)", cause: cause)
  }

  func shadow(_ index: String, _ suffix: String) -> String { "main." + quoted(identifier: "\(index)_\(suffix)") }

  func requireFreeName(_ name: String) throws(VidxError) {
    guard !name.isEmpty else { throw VidxError(.badOption, "the name is empty; give one of at least one letter") }
    let rows = try query(
      "SELECT type FROM sqlite_schema WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')", [.text(name)])
    guard rows.isEmpty else {
      if let unfinished = try unfinishedBuild(of: name) {
        throw VidxError(.alreadyExists, try unfinishedMessage(name, unfinished))
      }
      throw VidxError(
        .alreadyExists, "\"\(name)\" exists already; choose another name, or drop it first (DROP TABLE \(name))")
    }
  }

  /// The INTEGER PRIMARY KEY of a table.
  package func primaryKey(of table: String) throws(VidxError) -> String {
    let columns = try query("SELECT name, type, pk FROM pragma_table_info(?)", [.text(table)])
    guard !columns.isEmpty else { throw VidxError(.badRows, "there is no table \"\(table)\"; check the name") }
    let keys = columns.filter { $0.values[2] != .integer(0) }
    guard keys.count == 1, case .text(let name) = keys[0].values[0], case .text(let type) = keys[0].values[1],
      type.uppercased() == "INTEGER"
    else {
      throw VidxError(
        .badRows,
        "table \"\(table)\" has no INTEGER PRIMARY KEY, and VACUUM moves the implicit row ids an index would name; "
          + "give it one (CREATE TABLE with id INTEGER PRIMARY KEY, then INSERT ... SELECT)")
    }
    return name
  }
}
