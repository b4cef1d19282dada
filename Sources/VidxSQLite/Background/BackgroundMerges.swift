internal import CSQLite
internal import Synchronization
internal import VidxIndexes
internal import VidxSegments

/// Merges for a connection of a host without being asked, off the path of its commits.
///
/// Behind a commit that has changed much of an index whose settings say `maintenance = background`, a thread looks what
/// is worth merging in that file, on a connection of its own. Thread and connection are there only while they have
/// something to do. They are the host's own SQLite, so what they commit is a transaction like any other.
final class BackgroundMerges: Sendable {
  /// What has been done on behalf of the connection.
  struct Report {
    var isRunning = false
    /// Merges that were committed.
    var merges = 0
    /// Why the last time that something was to be merged ended early; nil when it did not.
    var error: String?
  }

  private struct State {
    var report = Report()
    /// Files in which there may be something to merge.
    var due: [String] = []
    /// Files of which a reader of an older state has kept replaced segments.
    var unswept: Set<String> = []
    /// The thread that was last started, maybe at its end.
    var thread: PlainThread?
    /// `ForkGate.process` in which it was.
    var process = 0
    /// The one that is being merged on, to be interrupted.
    var connection: Connection?
  }

  /// The thread holds it inside the fork gate only.
  private let state = Locked(State())
  private let progress = Locked<BuildProgress?>(nil)
  private let isStopped = Atomic<Bool>(false)

  /// So long a lock of another's is waited for at once, in milliseconds: closing and forking wait for that.
  private static let busyTimeout: Int32 = 100
  /// So often.
  private static let attempts = 100

  private var isToStop: Bool { isStopped.load(ordering: .relaxed) }

  var report: Report { state.withLock { $0.report } }

  /// How far the merge is that is being built; nil while none is.
  var buildProgress: BuildProgress? { progress.withLock { $0 } }

  /// What keeps the connection from finding out whether something is to be merged.
  func note(_ error: any Error) { note("\(error)") }

  private func note(_ error: String) {
    state.withLock { $0.report.error = error }
  }

  /// SQLite may have been set to a single thread when it was started (`SQLITE_CONFIG_SINGLETHREAD`), which it tells by
  /// giving no mutex where one is asked for.
  private static let hasMutexes: Bool = {
    var handle: OpaquePointer?
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_FULLMUTEX
    let code = unsafe sqlite3_open_v2(":memory:", &handle, flags, nil)
    defer { unsafe _ = sqlite3_close(handle) }
    return unsafe code == SQLITE_OK && sqlite3_db_mutex(handle) != nil
  }()

  /// A commit has changed much of an index of this file.
  func request(_ path: String) {
    guard Self.hasMutexes else { return note("this SQLite is set to a single thread") }
    ForkGate.install()
    let last = state.withLock { state -> PlainThread? in
      if isToStop { return nil }
      if !state.due.contains(path) { state.due.append(path) }
      if state.report.isRunning && state.process == ForkGate.process { return nil }
      let last = state.process == ForkGate.process ? state.thread : nil
      state.process = ForkGate.process
      state.thread = PlainThread(leavesSignals: true) { [self] in run() }
      state.report.isRunning = state.thread != nil
      if state.thread == nil { state.report.error = "the system has no thread to merge on" }
      return last
    }
    last?.join()
  }

  /// Ends what is under way, and waits for the thread's end.
  func stop() {
    isStopped.store(true, ordering: .relaxed)
    let thread = state.withLock { state -> PlainThread? in
      // The child of a fork has nobody to wait for.
      guard state.process == ForkGate.process else { return nil }
      state.connection?.interrupt()
      defer { state.thread = nil }
      return state.thread
    }
    thread?.join()
  }

  // MARK: On the thread

  private func run() {
    ForkGate.enter()
    defer { ForkGate.leave() }
    while let path = next() {
      guard FilesAtWork.begin(path, self) else { continue }
      maintain(path)
      // They could not look while this one was at it.
      for other in FilesAtWork.end(path) { other.request(path) }
    }
  }

  private func next() -> String? {
    state.withLock { state in
      if state.due.isEmpty || isToStop {
        state.report.isRunning = false
        return nil
      }
      return state.due.removeFirst()
    }
  }

  /// Merges what is worth it in each index of a file; one that cannot be merged does not keep others from it.
  private func maintain(_ path: String) {
    var first: (any Error)?
    do {
      let connection = try open(path)
      defer { state.withLock { $0.connection = nil } }
      try connection.cancelling(when: { [self] in isToStop }) { first = try maintain(path, connection) }
    } catch { first = first ?? error }
    // What ended because it was to end is no error.
    if isToStop { return }
    state.withLock { $0.report.error = first.map { "\($0)" } }
  }

  /// - Returns: the first error of an index that is still there.
  private func maintain(_ path: String, _ connection: Connection) throws -> (any Error)? {
    var first: (any Error)?
    var hasMerged = false
    for name in try patiently({ try connection.indexNames() }) where !isToStop {
      do {
        if try merge(name, connection) { hasMerged = true }
      } catch {
        if try patiently({ try connection.indexNames() }).contains(name) { first = first ?? error }
      }
    }
    if !isToStop { try tidy(path, connection, hasMerged: hasMerged) }
    return first
  }

  private func open(_ path: String) throws -> Connection {
    // A cache that was shared would be locked by the host's statements.
    let connection = try Connection(
      path: path, flags: SQLITE_OPEN_READWRITE | SQLITE_OPEN_PRIVATECACHE, busyTimeout: Self.busyTimeout)
    state.withLock { $0.connection = connection }
    return connection
  }

  /// - Returns: whether something was.
  private func merge(_ name: String, _ connection: Connection) throws -> Bool {
    let (store, settings) = try patiently {
      let store = try IndexStore.open(connection, schema: "main", table: name)
      return (store, try store.maintenanceSettings())
    }
    guard settings.isInBackground else { return false }
    let options = try store.completed(
      BuildOptions(
        threads: settings.threads ?? 1, progress: { [progress] now in progress.withLock { $0 = now } },
        isCancelled: { [self] in isToStop }))
    defer { progress.withLock { $0 = nil } }
    let policy = try store.mergePolicy()
    guard let plan = try patiently({ try store.prepareMerge(choosing: policy, options: options) }) else { return false }
    do {
      var manners = MergeManners.unasked(isBehind: plan.isBehind(policy))
      let building = manners.building
      manners.building = { build in try ForkGate.outside { try building(build) } }
      manners.attempts = Self.attempts
      manners.pause = ForkGate.pause
      try store.mergeUnasked(plan, policy, options: options, manners)
    } catch StoreError.overtaken {
      // Another process has merged it.
      return false
    }
    state.withLock { $0.report.merges += 1 }
    return true
  }

  /// Removes what nobody needs any more, also what a reader needed the last time.
  private func tidy(_ path: String, _ connection: Connection, hasMerged: Bool) throws {
    guard hasMerged || state.withLock({ $0.unswept.contains(path) }) else { return }
    let swept = try IndexStore.tidy(connection, schema: "main") { isToStop }
    state.withLock { state in
      if swept.awaitsReaders { state.unswept.insert(path) } else { state.unswept.remove(path) }
    }
    if let failure = swept.failures.first { throw failure }
  }

  /// Tries again while another holds a lock.
  private func patiently<Result>(_ body: () throws -> Result) throws -> Result {
    var attempts = Self.attempts
    while true {
      do { return try body() } catch let error as SQLiteError {
        attempts -= 1
        guard error.isBusy, attempts > 0, !isToStop else { throw error }
      }
      ForkGate.pause()
    }
  }
}

/// The files that threads of this process are merging in: of several connections one is enough.
private enum FilesAtWork {
  private struct Entry {
    let process: Int
    var waiting: [BackgroundMerges] = []
  }

  private static let entries = Locked<[String: Entry]>([:])

  /// - Returns: false when another is at it. Once it is done, `end` gives it the one who asked.
  static func begin(_ path: String, _ merges: BackgroundMerges) -> Bool {
    entries.withLock { entries in
      // Of the parent's threads a child has none.
      guard var entry = entries[path], entry.process == ForkGate.process else {
        entries[path] = Entry(process: ForkGate.process)
        return true
      }
      if !entry.waiting.contains(where: { $0 === merges }) { entry.waiting.append(merges) }
      entries[path] = entry
      return false
    }
  }

  static func end(_ path: String) -> [BackgroundMerges] {
    entries.withLock { $0.removeValue(forKey: path)?.waiting ?? [] }
  }
}
