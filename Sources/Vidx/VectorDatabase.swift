internal import Synchronization
internal import VidxIndexes
internal import VidxSQLite

/// A database of rows and vectors: an SQLite file, and a folder of index files beside it.
///
/// Sendable: use one object from any number of tasks. Writes go one after the other through one connection; searches
/// and queries run side by side on a few others, each on the state that was last committed. Cancelling the task of a
/// search or a query ends it within some milliseconds, whatever it is at, with `.cancelled`.
///
/// ```swift
/// let database = try await VectorDatabase(path: path)
/// try await database.execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT, stars INTEGER)")
/// let index = try await database.createIndex(
///   "note_vectors", options: IndexOptions(dimensions: 3, metric: .cosine, rowTable: "notes"))
///
/// try await database.transaction { transaction in
///   try transaction.execute("INSERT INTO notes VALUES (1, 'a heron', 5), (2, 'a tractor', 2)")
///   try transaction.insert([0.9, 0.1, 0.2], id: 1, into: "note_vectors")
///   try transaction.insert([0.1, 0.8, 0.3], id: 2, into: "note_vectors")
/// }
///
/// let result = try await index.search(near: [1, 0, 0], k: 1, where: "stars >= 4")
/// print(result.hits[0].id, result.hits[0].distance, result.isExact)
/// ```
public final class VectorDatabase: Sendable {
  /// The database file.
  public let path: String
  private let writer: SessionQueue
  private let readers: [SessionQueue]
  /// Long work that lets the writer go on; the writer itself for a database in memory.
  private let caretaker: SessionQueue
  private let maintenance: Maintenance
  private let maintenanceState: MaintenanceState
  private let nextReader = Atomic<Int>(0)

  /// Opens a database, making the file when there is none. Cost: that of opening SQLite; no index is read.
  ///
  /// - Parameters:
  ///   - path: a file. `":memory:"` makes a database without one, for tests: its vectors stay in memory.
  ///   - busyTimeout: how long to wait for another process that is writing, in milliseconds.
  ///   - readers: how many searches and queries may run at the same time.
  ///   - maintenance: whether new and deleted rows are merged into segments without being asked.
  /// - Throws: `.cannotOpen`, `.notADatabase`.
  public init(
    path: String, busyTimeout: Int = 5_000, readers: Int = 4, maintenance: Maintenance = .automatic
  ) async throws(VidxError) {
    self.path = path
    self.maintenance = maintenance
    maintenanceState = MaintenanceState(maintenance)
    let timeout = Int32(clamping: busyTimeout)
    writer = SessionQueue(label: "vidx.writer") { () throws(VidxError) in
      try Session(path: path, mode: .create, busyTimeout: timeout, newHasWriteAheadLog: true)
    }
    // Each connection to a database in memory has one of its own.
    let count = path == ":memory:" ? 0 : max(1, readers)
    self.readers = (0..<count).map { number in
      SessionQueue(label: "vidx.reader.\(number)") { () throws(VidxError) in
        try Session(path: path, mode: .read, busyTimeout: timeout)
      }
    }
    caretaker =
      path == ":memory:"
      ? writer
      : SessionQueue(label: "vidx.caretaker") { () throws(VidxError) in
        try Session(path: path, mode: .readWrite, busyTimeout: timeout)
      }
    try await writer.run { _, _ in }
  }

  deinit { maintenanceState.close() }

  // MARK: Indexes

  /// Makes an index; with `content: .column`, over the rows that are there. Cancelling the task undoes it.
  ///
  /// - Throws: `.alreadyExists`, `.badOption`; `.badRows` when a table has no INTEGER PRIMARY KEY (VACUUM moves
  ///   implicit row ids); `.sql` naming the row of a content table whose vector cannot be taken.
  @discardableResult
  public func createIndex(_ name: String, options: IndexOptions) async throws(VidxError) -> VectorIndex {
    try await writer.run { session, cancellation in
      try session.createIndex(name, options, build: BuildOptions(isCancelled: { cancellation.isRequested }))
    }
    return VectorIndex(name: name, database: self)
  }

  /// An index that is there.
  /// - Throws: `.noSuchIndex`, naming those that are.
  public func index(_ name: String) async throws(VidxError) -> VectorIndex {
    try await read { session in _ = try session.store(name) }
    return VectorIndex(name: name, database: self)
  }

  /// What the indexes are and hold, in alphabetical order.
  public func indexes() async throws(VidxError) -> [IndexSummary] {
    try await read { session in
      try session.snapshot { try session.indexNames().map { try session.summary(of: $0) } }
    }
  }

  /// Removes an index and its files; the rows of your tables stay.
  public func dropIndex(_ name: String) async throws(VidxError) {
    let wantsSweep = try await writer.run { session, _ in
      try session.dropIndex(name)
      return session.wantsAnotherSweep()
    }
    if wantsSweep { sweepLater() }
  }

  // MARK: Rows

  /// Runs one statement that writes; values stand for its `?` in order.
  ///
  /// - Returns: how many rows it changed.
  @discardableResult
  public func execute(_ sql: String, _ parameters: [Value] = []) async throws(VidxError) -> Int {
    try await write { session, _ in try session.execute(sql, parameters) }
  }

  /// Runs one statement that only reads, on the state last committed. Everything that `vidx` adds to SQL works in it.
  ///
  /// ```swift
  /// let rows = try await database.query(
  ///   """
  ///   SELECT n.text, v.distance FROM note_vectors v JOIN notes n ON n.id = v.rowid
  ///   WHERE v.vector MATCH ? AND n.stars >= ? ORDER BY v.distance LIMIT 5
  ///   """, [.vector([1, 0, 0]), 4])
  /// for row in rows { print(row["text"] ?? .null, row["distance"] ?? .null) }
  /// ```
  public func query(_ sql: String, _ parameters: [Value] = []) async throws(VidxError) -> [Row] {
    try await read { session in try session.query(sql, parameters) }
  }

  /// Runs the body in one transaction over rows and vectors: all of it is committed, or, when it throws, nothing.
  ///
  /// The body runs on the writer's thread and must not wait for other tasks. An error of your own arrives as the
  /// `cause` of the one thrown here.
  ///
  /// ```swift
  /// do {
  ///   try await database.transaction { transaction in
  ///     try transaction.execute("UPDATE notes SET stars = 0 WHERE id = 2")
  ///     try transaction.delete(id: 2, from: "note_vectors")
  ///     throw VidxExampleError.changedMyMind
  ///   }
  /// } catch { print("row 2 and its vector are as they were") }
  /// ```
  public func transaction<Result: Sendable>(
    _ body: @escaping @Sendable (Transaction) throws -> Result
  ) async throws(VidxError) -> Result {
    try await write { session, _ in
      let transaction = Transaction(session)
      defer { transaction.end() }
      return try session.transaction { try body(transaction) }
    }
  }

  /// Runs the body on one committed state of rows and vectors, whatever others commit meanwhile: several pages of one
  /// answer, or a search and the rows it found.
  ///
  /// ```swift
  /// let ids = try await database.snapshot { snapshot in
  ///   var settings = SearchSettings(after: .start)
  ///   var ids: [Int64] = []
  ///   while true {
  ///     let page = try snapshot.search("note_vectors", near: [1, 0, 0], k: 1, settings: settings).hits
  ///     guard let last = page.last else { return ids }
  ///     ids += page.map(\.id)
  ///     settings.after = last.cursor
  ///   }
  /// }
  /// print(ids)
  /// ```
  ///
  /// The body runs on a reader's thread and must not wait for other tasks.
  public func snapshot<Result: Sendable>(
    _ body: @escaping @Sendable (Snapshot) throws -> Result
  ) async throws(VidxError) -> Result {
    try await read { session in
      let snapshot = Snapshot(session)
      defer { snapshot.end() }
      return try session.snapshot { try body(snapshot) }
    }
  }

  /// Everything that is wrong with the database and its indexes, one line each; empty when all is sound. Reads every
  /// byte of both.
  public func check() async throws(VidxError) -> [String] {
    try await read { session in
      var problems = try session.databaseProblems()
      for name in try session.indexNames() { problems += try session.problems(of: name) }
      return problems
    }
  }

  /// Copies the database and the files of its indexes, of one committed state, while writes and searches go on.
  /// Cancelling the task leaves nothing of the copy.
  ///
  /// - Parameter path: where the copy goes; nothing may be there.
  /// - Throws: `.alreadyExists`, `.storage`; `.corrupt` naming a damaged file: there is no copy of what is damaged.
  public func backup(to path: String) async throws(VidxError) {
    _ = try await caretaker.run { session, cancellation in
      try session.backup(to: path) { _, _ in if cancellation.isRequested { throw CancellationError() } }
    }
  }

  /// What maintenance has done.
  public var maintenanceReport: MaintenanceReport { maintenanceState.report }

  // MARK: Queues

  /// Looks after the indexes, unless there is somebody at it or little has changed.
  private func maintain(after changes: Int64) {
    guard maintenance.isOn, caretaker !== writer, maintenanceState.request(changes) else { return }
    Task.detached(priority: .utility) { [caretaker, maintenance, maintenanceState] in
      while maintenanceState.nextTurn() {
        var done: (merges: Int, error: VidxError?)
        var wantsSweep = false
        do throws(VidxError) {
          (done, wantsSweep) = try await caretaker.run { session, _ in
            let done = try session.maintain(maintenance) { maintenanceState.cancellation.isRequested }
            return (done, done.merges > 0 && session.wantsAnotherSweep())
          }
        } catch { done = (0, error) }
        if wantsSweep { Self.sweepLater(caretaker, maintenanceState) }
        if !maintenanceState.note(merges: done.merges, error: done.error) { return }
      }
    }
  }

  /// Removes files that no index names any more as soon as no reader of an older state is left.
  private func sweepLater() { Self.sweepLater(caretaker, maintenanceState) }

  private static func sweepLater(_ caretaker: SessionQueue, _ state: MaintenanceState) {
    state.sweepLater { () async throws(VidxError) in
      try await caretaker.run { session, _ in try session.sweepAwaitsReaders() }
    }
  }

  func optimize(_ name: String) async throws(VidxError) {
    let wantsSweep = try await caretaker.run { session, cancellation in
      try session.optimize(name, build: BuildOptions(isCancelled: { cancellation.isRequested }))
      return session.wantsAnotherSweep()
    }
    if wantsSweep { sweepLater() }
  }

  func reindex(_ name: String, _ changes: IndexChanges, _ vectors: IndexVectors) async throws(VidxError) -> Int {
    let (count, wantsSweep) = try await writer.run { session, cancellation in
      let source: ReindexSource =
        switch vectors {
        case .held: .held
        case .column(let column): .column(column)
        case .rows(let rows): try RowVectors(rows).source
        }
      let count = try session.reindex(
        name, source, changes, build: BuildOptions(isCancelled: { cancellation.isRequested }))
      return (count, session.wantsAnotherSweep())
    }
    if wantsSweep { sweepLater() }
    return count
  }

  func write<Result: Sendable>(
    _ body: @escaping @Sendable (Session, Cancellation) throws -> Result
  ) async throws(VidxError) -> Result {
    let (result, changes, owed) = try await writer.run { session, cancellation in
      let before = session.connection.totalChanges
      // Of one that failed behind a commit.
      _ = session.link.takeOwed()
      let result = try body(session, cancellation)
      return (result, session.connection.totalChanges - before, session.link.takeOwed())
    }
    maintain(after: changes)
    for wait in owed {
      // Committed all the same when the task is cancelled meanwhile.
      while let part = wait.next() { do { try await Task.sleep(for: .microseconds(part)) } catch { return result } }
    }
    return result
  }

  /// Cancelling the task ends the statement that the body runs.
  func read<Result: Sendable>(
    _ body: @escaping @Sendable (Session) throws -> Result
  ) async throws(VidxError) -> Result {
    let turn = nextReader.wrappingAdd(1, ordering: .relaxed).oldValue
    let queue = readers.isEmpty ? writer : readers[Int(UInt(bitPattern: turn) % UInt(readers.count))]
    return try await queue.run { session, cancellation in
      try session.cancelling(when: { cancellation.isRequested }) { try body(session) }
    }
  }
}
