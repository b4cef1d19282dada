internal import CSQLite
internal import Synchronization
internal import VidxSegments

/// One index of a database file, opened to be searched: by any number of threads, each search on the state that is
/// committed when it begins.
package final class IndexReader: Sendable {
  package let path: String
  package let name: String
  private let state: Locked<State>

  /// - Throws: `SQLiteError`, `StoreError.noIndex` and what else opening an index throws.
  package init(path: String, name: String) throws {
    self.path = path
    self.name = name
    let connection = try Connection(path: path, flags: SQLITE_OPEN_READWRITE)
    try connection.execute("PRAGMA query_only = 1")
    try connection.mapHeader()
    state = Locked(try State(connection: connection, name: name))
  }

  /// The committed state.
  ///
  /// - Throws: `StoreError.noIndex` when the index was dropped; `SQLiteError`, for example of a lock that is kept.
  /// - Complexity: a few nanoseconds when the header of a file with a rollback journal is as it was; a read transaction
  ///   of SQLite otherwise, and always with a write-ahead log; the reading of what has changed when something has.
  package func snapshot() throws -> IndexSnapshot {
    try state.withLock { state in try state.current() }
  }

  /// The committed state, and what is in it.
  /// - Throws: as `snapshot`.
  package func described() throws -> (snapshot: IndexSnapshot, contents: IndexContents) {
    try state.withLock { state in (snapshot: try state.current(), contents: try state.store.contents()) }
  }

  /// Runs the body on the connection, which no other thread uses meanwhile.
  package func withStore<Result>(_ body: (IndexStore) throws -> Result) throws -> Result {
    try state.withLock { state in
      try state.refresh()
      return try body(state.store)
    }
  }

  private final class State {
    let connection: Connection
    let name: String
    private(set) var store: IndexStore
    private var snapshot: IndexSnapshot
    private var token: UInt64
    /// The file's header in the read transaction that found the state of `snapshot`; nil when it does not tell.
    private var mark: HeaderMark?
    private var schemaVersion: Int64

    init(connection: Connection, name: String) throws {
      self.connection = connection
      self.name = name
      (store, schemaVersion, token, snapshot, mark) = try connection.transaction(isImmediate: false) {
        let store = try IndexStore.open(connection, schema: "main", table: name)
        let token = try store.refresh(includingDelta: true).token
        let mark = HeaderMark(connection, schema: "main")
        return (store, try Self.schemaVersion(connection), token, try store.snapshot(), mark)
      }
    }

    func current() throws -> IndexSnapshot {
      if let mark, mark == HeaderMark(connection, schema: "main") { return snapshot }
      try refresh()
      return snapshot
    }

    func refresh() throws {
      if try !isCurrent() { try connection.transaction(isImmediate: false) { try reload() } }
    }

    /// Whether `snapshot` shows the committed state; if so, `mark` becomes that of this reading.
    private func isCurrent() throws -> Bool {
      do {
        return try store.readRevision { revision -> Bool in
          guard revision.token == token else { return false }
          mark = HeaderMark(connection, schema: "main")
          return true
        }
      } catch {
        // The table may be gone, which reloading says better.
        if try Self.schemaVersion(connection) != schemaVersion { return false }
        throw error
      }
    }

    /// Reads the committed state, inside a transaction.
    private func reload() throws {
      let version = try Self.schemaVersion(connection)
      if version != schemaVersion {
        // An index of the same name may be another one by now.
        store = try IndexStore.open(connection, schema: "main", table: name)
        schemaVersion = version
      } else if isKnownUniquelyReferenced(&snapshot) {
        // What threads have read of it comes before what is changed in it now.
        atomicMemoryFence(ordering: .acquiring)
      } else {
        // Threads are searching the delta, and reading more of it would change it under them.
        store.forgetCaches()
      }
      token = try store.refresh(includingDelta: true).token
      snapshot = try store.snapshot()
      mark = HeaderMark(connection, schema: "main")
    }

    private static func schemaVersion(_ connection: Connection) throws(SQLiteError) -> Int64 {
      let statement = try connection.prepare("PRAGMA schema_version")
      return try statement.step() ? statement.int64(0) : 0
    }
  }
}
