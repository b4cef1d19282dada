internal import VidxIndexes
internal import VidxSegments

/// The indexes that are open on one connection. Not thread safe: used under the connection's own serialisation.
///
/// SQLite makes and drops the objects of virtual tables as it likes, a failed CREATE VIRTUAL TABLE drops those of all
/// tables, and a prepared statement may hold one while another is made. The state of an index (its cache, its
/// transaction) must be one per connection, so it lives here while any of them does, and no longer: statements of an
/// index that nobody uses would keep the connection from closing.
final class StoreRegistry {
  let connection: Connection
  let buildOptions: () -> BuildOptions
  /// What `vidx_last_search()` tells of.
  let log: SearchLog
  let link: LibraryLink
  /// Merges without being asked; nil where that is none of ours.
  let background: BackgroundMerges?
  private var entries: [Key: Entry] = [:]
  /// Published in a transaction for indexes that it has dropped, locked until it has ended.
  private var droppedFiles: [PublishedSegment] = []

  /// By bytes: to Swift texts that look the same are equal, and they may be names of two tables.
  private struct Key: Hashable {
    private let schema: [UInt8]
    private let table: [UInt8]

    init(schema: String, table: String) { (self.schema, self.table) = (Array(schema.utf8), Array(table.utf8)) }
  }

  private struct Entry {
    weak var store: IndexStore?
    /// The file and the arguments that the index was opened for: another database may be attached by the same name, and
    /// another table made.
    var file: String?
    var arguments: [String]
  }

  init(
    connection: Connection, log: SearchLog, link: LibraryLink, background: BackgroundMerges?,
    buildOptions: @escaping () -> BuildOptions
  ) {
    self.connection = connection
    self.log = log
    self.link = link
    self.background = background
    self.buildOptions = buildOptions
    link.registry = self
  }

  /// The connection is being closed.
  deinit { background?.stop() }

  /// The index of a new table.
  func create(schema: String, table: String, arguments: [String]) throws -> IndexStore {
    let definition = try IndexArguments.definition(of: arguments)
    let store = try IndexStore.create(
      connection, schema: schema, table: table, definition: definition, options: buildOptions())
    keep(store, schema: schema, table: table, arguments: arguments)
    return store
  }

  /// The index of a table that exists.
  func open(schema: String, table: String, arguments: [String]) throws -> IndexStore {
    let entry = entries[Key(schema: schema, table: table)]
    if let entry, let store = entry.store, entry.arguments == arguments,
      entry.file == connection.filename(schema: schema)
    {
      return store
    }
    let store = try IndexStore.open(connection, schema: schema, table: table)
    // The table's columns are declared by its arguments, and their values are read by what the index has stored.
    guard try store.definition.filterColumns == IndexArguments.filterColumns(of: arguments) else {
      throw StoreError.damagedDefinition(index: table, key: "filter_columns")
    }
    keep(store, schema: schema, table: table, arguments: arguments)
    return store
  }

  /// The table is no more: one of the same name is another.
  func forget(schema: String, table: String) {
    let entry = entries.removeValue(forKey: Key(schema: schema, table: table))
    // A savepoint may bring the table back, and with it the files of this transaction: no sweep is to take them.
    droppedFiles += entry?.store?.unsettledFiles ?? []
  }

  func rename(schema: String, from old: String, to new: String) {
    entries[Key(schema: schema, table: new)] = entries.removeValue(forKey: Key(schema: schema, table: old))
  }

  /// Writes what indexes keep in memory of the open transaction.
  func flush() throws {
    for entry in entries.values { try entry.store?.flush() }
  }

  private func releaseDroppedFiles() {
    guard connection.isAutocommit else { return }
    for file in droppedFiles { file.release() }
    droppedFiles = []
  }

  private func keep(_ store: IndexStore, schema: String, table: String, arguments: [String]) {
    store.bulkPolicy = link.policy
    releaseDroppedFiles()
    entries = entries.filter { $0.value.store != nil }
    entries[Key(schema: schema, table: table)] = Entry(
      store: store, file: connection.filename(schema: schema), arguments: arguments)
  }
}

/// Between the virtual tables of a connection and a library that reads their indexes by stores of its own.
package final class LibraryLink {
  weak var registry: StoreRegistry?
  let policy: BulkPolicy
  private var owed: [MergeBacklog.Wait] = []

  package init(policy: BulkPolicy = BulkPolicy()) { self.policy = policy }

  /// Writes the rows that indexes keep in memory until the transaction ends: whatever is read afterwards has them.
  package func flush() throws { try registry?.flush() }

  /// A commit is to wait for a merge, where no thread is kept from other work.
  func owe(_ wait: MergeBacklog.Wait) { owed.append(wait) }

  /// What commits since the last call are to wait for.
  package func takeOwed() -> [MergeBacklog.Wait] {
    defer { owed = [] }
    return owed
  }
}
