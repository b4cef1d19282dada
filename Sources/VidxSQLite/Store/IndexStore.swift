package import VidxIndexes
package import VidxSegments

/// One vidx index of one schema of one connection: rows in shadow tables, vectors in segments beside the database.
///
/// Not thread safe: it uses the connection, whose rules apply. Reading functions see one snapshot each and may be
/// called at any time. Writing functions make several changes: call them inside a transaction (the statement on a
/// virtual table is one), since an error may leave a part done that only rolling back undoes.
///
/// A row is live in one place at most: in the delta, or as an entry without a tombstone of one segment.
package final class IndexStore {
  package let connection: Connection
  package let schema: String
  package let definition: IndexDefinition
  /// Where the segments are; nil for a database without a file.
  package let folder: SegmentFolder?
  let tables: ShadowTables

  /// Caches, each valid as long as its mark is that of the revision in the database.
  var settled: Settled?
  /// Segments that have come since others were opened, and that no search has seen yet.
  var unverified: [SegmentIndex] = []
  var delta: LoadedDelta?
  /// The state of the database that both were last brought up to for a search outside any transaction.
  var searchedMark: CommitMark?
  let filters = FilterMemory()
  /// Finds out whether the statement that runs is to end.
  var interruptProbe: Statement?
  /// See `textOrder()`.
  private var knownTextOrder: TextOrder?
  /// Rows of the content table that the statement under way may remove: see `removeReplaced`.
  var replacing: [Int64: Int] = [:]
  /// Changes since it was last looked whether merges are wanted: see `BackgroundMerges`.
  var unseen = UnseenChanges()
  /// Rows of the open transaction that are in no table yet, and how many it has inserted: see `insertInBulk`.
  var pending: PendingRows?
  var inserts = 0
  /// Some of those may be written: nothing but undoing the transaction puts that right.
  var isHalfWritten = false
  /// Counts what ends them.
  var transactions = 0
  var bulkPolicy = BulkPolicy()
  /// Segments published in the open transaction, locked until it ends.
  var unsettledFiles: [PublishedSegment] = []

  /// The name of the index.
  package var table: String { tables.table }

  init(tables: ShadowTables, definition: IndexDefinition) {
    self.tables = tables
    self.definition = definition
    tables.filterColumnCount = definition.filterColumns.count
    connection = tables.connection
    schema = tables.schema
    folder = tables.connection.filename(schema: tables.schema).map { SegmentFolder(databasePath: $0) }
  }

  /// Makes the shadow tables of a new index, and with a content table the triggers that keep it in step; indexes the
  /// rows that are there already, unless the options leave them.
  /// - Throws: `StoreError.content`, `.contentRow`; `BuildError`; `SQLiteError`, also when the tables exist.
  package static func create(
    _ connection: Connection, schema: String, table: String, definition: IndexDefinition,
    options: BuildOptions = BuildOptions()
  ) throws -> IndexStore {
    let tables = ShadowTables(connection: connection, schema: schema, table: table)
    if let taken = try tables.firstTaken() { throw StoreError.nameTaken(schema: schema, name: taken) }
    let store = IndexStore(tables: tables, definition: definition)
    let content = try store.contentTable()
    let image = try options.leavesContent ? nil : content.map { try store.image(of: $0, options: options) }
    do {
      try tables.create()
      try definition.write(to: tables)
      try store.writeIdentity()
      let revision = Revision.initial()
      try store.write(revision, isNew: true)
      try content?.createTriggers(index: table)
      if let image { try store.adopt(image, after: revision) }
      return store
    } catch {
      store.abandon(image)
      throw error
    }
  }

  /// Undoes a creation that failed: inside a transaction SQLite keeps what the statement wrote before the error.
  private func abandon(_ image: ContentImage?) {
    do {
      // Where SQLite has rolled back already there is nothing to drop.
      try destroy()
      if case .segments(let segments) = image { for published in segments { try published.discard() } }
    } catch {
      // The error that led here says more. The segments' locks go with the store, and a sweep takes the files.
    }
  }

  /// Opens an index. Reads its definition only; segments are opened when they are first needed.
  /// - Throws: `StoreError.noIndex`, `.newerSchema`, `.damagedDefinition`; `SQLiteError`.
  package static func open(_ connection: Connection, schema: String, table: String) throws -> IndexStore {
    let tables = ShadowTables(connection: connection, schema: schema, table: table)
    guard try tables.exist() else { throw StoreError.noIndex(schema: schema, table: table) }
    return IndexStore(tables: tables, definition: try IndexDefinition(reading: tables))
  }

  /// How the database compares texts. Its encoding stays what it was when the first table was made.
  package func textOrder() throws(SQLiteError) -> TextOrder {
    if let knownTextOrder { return knownTextOrder }
    let statement = try connection.prepare("PRAGMA encoding")
    let order: TextOrder =
      switch try statement.step() ? statement.textOrNull(0) : nil {
      case "UTF-16le": .utf16LittleEndian
      case "UTF-16be": .utf16BigEndian
      default: .utf8
      }
    knownTextOrder = order
    return order
  }

  /// How many rows the index holds, those with a zero vector included.
  /// - Complexity: O(delta) at most, and no vector is read.
  package func rowCount() throws -> Int {
    // SQLite asks for it while it compiles statements, which is no time to write.
    try refreshToWritten(includingDelta: false) { revision in
      let settledCount = (settled?.liveCount ?? 0) + (pending?.count ?? 0)
      if let delta, delta.token == revision.token { return settledCount + delta.cache.count }
      return try settledCount + deltaCount()
    }
  }

  /// Drops the shadow tables and the triggers. The segments' files stay until a sweep: the transaction may yet be
  /// rolled back. The store must not be used afterwards.
  package func destroy() throws {
    pending = nil
    try ContentTable.dropTriggers(index: table, schema: schema, connection: connection)
    try tables.drop()
    forgetCaches()
  }

  /// Gives the index another name. Segments keep their file names, whose first part is for people only.
  package func rename(to newTable: String) throws {
    try flush()
    let content = try definition.content == nil ? nil : contentTable()
    try ContentTable.dropTriggers(index: table, schema: schema, connection: connection)
    try tables.rename(to: newTable)
    try content?.createTriggers(index: newTable)
  }
}
