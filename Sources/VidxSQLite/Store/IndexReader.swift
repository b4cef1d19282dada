internal import CSQLite
internal import Synchronization
internal import VidxSegments

/// What ends the condition of a search before it is done.
package struct SearchLimits {
  /// That it may take; nil for any time.
  package var seconds: Double?
  /// Asked some ten thousand times a second while the condition runs, on the thread that searches.
  package var isCancelled: (() -> Bool)?

  package init(seconds: Double? = nil, isCancelled: (() -> Bool)? = nil) {
    self.seconds = seconds
    self.isCancelled = isCancelled
  }
}

/// One index of a database file, opened to be searched: by any number of threads, each search on the state that is
/// committed when it begins.
package final class IndexReader: Sendable {
  package let path: String
  package let name: String
  private let state: Locked<State>
  /// Called before candidates are looked for, by a thread that holds no lock.
  private let willFindCandidates: @Sendable () -> Void

  /// - Throws: `SQLiteError`, `StoreError.noIndex` and what else opening an index throws.
  package convenience init(path: String, name: String) throws {
    try self.init(path: path, name: name, willFindCandidates: {})
  }

  /// - Parameter willFindCandidates: for tests.
  init(path: String, name: String, willFindCandidates: @escaping @Sendable () -> Void) throws {
    self.path = path
    self.name = name
    self.willFindCandidates = willFindCandidates
    let connection = try Connection(path: path, flags: SQLITE_OPEN_READWRITE)
    // A filter may speak of indexes.
    let code = unsafe Extension.register(on: connection.handle)
    guard code == SQLITE_OK else { throw connection.lastError(code) }
    try connection.execute("PRAGMA query_only = 1")
    try connection.keepPagesAtHand()
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

  /// The committed state, and the rows of it that a filter lets pass.
  /// - Throws: as `snapshot`; `FilterError`; `SQLiteError` of an interrupt when it is cancelled.
  /// - Complexity: as `snapshot` when nothing has been committed since the filter was last used. Otherwise the rows are
  ///   read, unless another filter of the same text has read them; other searches of the reader wait meanwhile.
  package func resolve(
    _ filter: ReaderFilter, _ limits: @autoclosure () -> SearchLimits = SearchLimits()
  ) throws -> ReaderFilter.Resolved {
    try state.withLock { state in
      let snapshot = try state.current()
      if let kept = filter.kept(state.version) {
        return ReaderFilter.Resolved(snapshot: snapshot, filter: kept, isCached: true)
      }
      return try state.resolve(filter, limits())
    }
  }

  /// What a search under a filter begins with.
  package enum Begun: Sendable {
    /// The rows that pass, in the state to be searched.
    case resolved(ReaderFilter.Resolved)
    /// It is done, in this state.
    case answered(StoreAnswer, IndexSnapshot)
  }

  /// How far a search under a filter in SQL has come.
  private enum Step {
    case begun(Begun)
    /// So many rows of a snapshot are to be found first.
    case wants(Int, IndexSnapshot, isNoted: Bool)
  }

  /// Rows of a snapshot that have been found, to be checked.
  private struct Found {
    let candidates: CheckedSearch.Candidates
    let snapshot: IndexSnapshot
    let isNoted: Bool
  }

  /// Resolves a filter for one search; or makes the search, where that is done sooner than reading the rows that pass.
  ///
  /// Other searches of the reader wait while SQLite reads or checks rows, not while the nearest are looked for that are
  /// then checked. (Where these do not do, or the state has changed meanwhile, they wait for what follows, too.)
  /// - Parameter request: without a filter of its own.
  /// - Throws: as `resolve`; what the search throws.
  package func begin(
    _ request: @autoclosure () throws -> StoreRequest, under filter: ReaderFilter,
    _ limits: @autoclosure () -> SearchLimits = SearchLimits()
  ) throws -> Begun {
    if filter.terms.texts.isEmpty { return .resolved(try resolve(filter)) }
    let first = try state.withLock { state -> Step in
      let snapshot = try state.current()
      if let kept = filter.kept(state.version) {
        return .begun(.resolved(ReaderFilter.Resolved(snapshot: snapshot, filter: kept, isCached: true)))
      }
      if let count = try state.store.expectedCandidates(request(), under: filter.terms) {
        return .wants(count, snapshot, isNoted: false)
      }
      return try state.step(request(), under: filter, nil, limits())
    }
    guard let found = try find(first, request) else { return Self.begun(first) }
    return try Self.begun(state.withLock { state in try state.step(request(), under: filter, found, limits()) })
  }

  /// The same for a search of a snapshot; what is in SQL is asked of what is committed now.
  /// - Parameter version: of the snapshot: what is kept for the filter is kept for it.
  package func begin(
    _ request: @autoclosure () throws -> StoreRequest, under filter: ReaderFilter, for snapshot: IndexSnapshot,
    version: UInt64, _ limits: @autoclosure () -> SearchLimits = SearchLimits()
  ) throws -> Begun {
    let fixed = (snapshot: snapshot, version: version)
    if !filter.terms.texts.isEmpty, filter.kept(version) == nil,
      let first = try state.withLock({ state -> Step? in
        if let count = try state.store.expectedCandidates(request(), under: filter.terms) {
          return .wants(count, snapshot, isNoted: false)
        }
        return try state.step(request(), under: filter, nil, for: fixed, limits())
      })
    {
      guard let found = try find(first, request) else { return Self.begun(first) }
      let second = try state.withLock { state in
        try state.step(request(), under: filter, found, for: fixed, limits())
      }
      if let second { return Self.begun(second) }
    }
    return .resolved(try resolve(filter, for: snapshot, version: version, limits()))
  }

  /// Finds the candidates that a step wants; nil where it wants none.
  private func find(_ step: Step, _ request: () throws -> StoreRequest) throws -> Found? {
    guard case .wants(let count, let snapshot, let isNoted) = step else { return nil }
    willFindCandidates()
    return Found(candidates: try snapshot.candidates(count, for: request()), snapshot: snapshot, isNoted: isNoted)
  }

  private static func begun(_ step: Step) -> Begun {
    guard case .begun(let begun) = step else { preconditionFailure("candidates were found before") }
    return begun
  }

  /// The rows of a snapshot that a filter lets pass; what is in SQL is asked of what is committed now.
  /// - Parameter version: of the snapshot: what is kept for the filter is kept for it.
  /// - Throws: as `resolve`.
  package func resolve(
    _ filter: ReaderFilter, for snapshot: IndexSnapshot, version: UInt64,
    _ limits: @autoclosure () -> SearchLimits = SearchLimits()
  ) throws -> ReaderFilter.Resolved {
    if let kept = filter.kept(version) {
      return ReaderFilter.Resolved(snapshot: snapshot, filter: kept, isCached: true)
    }
    let terms = filter.terms
    let read = terms.texts.isEmpty ? [] : try state.withLock { try $0.rowIDs(terms.texts, limits()) }
    let prepared = try snapshot.prepare(terms, textRows: read.map(\.ids))
    if read.allSatisfy(\.isPure) { filter.keep(prepared, version) }
    return ReaderFilter.Resolved(snapshot: snapshot, filter: prepared, isCached: false)
  }

  /// Sees that a filter in SQL can be compiled.
  package func check(_ text: FilterText) throws {
    try state.withLock { state in
      _ = try state.current()
      try state.store.check(text)
    }
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
    /// Another after every commit to the database that was seen.
    private(set) var version: UInt64 = 1
    private var dataVersion: UInt32?

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
          noteVersion()
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
        atomicMemoryFence(ordering: .acquiring)
        store.delta?.cache.beginsToChange()
      } else {
        // Threads are searching the delta, and reading more of it would change it under them.
        store.forgetCaches()
      }
      token = try store.refresh(includingDelta: true).token
      store.codeDelta()
      snapshot = try store.snapshot()
      self.version += 1
      noteVersion()
      mark = HeaderMark(connection, schema: "main")
    }

    /// Inside a read transaction: whether anything has been committed, to whatever table.
    private func noteVersion() {
      let now = connection.dataVersion(schema: "main")
      if now == dataVersion { return }
      dataVersion = now
      version += 1
    }

    /// The rows of the committed state that pass.
    func resolve(_ filter: ReaderFilter, _ limits: SearchLimits) throws -> ReaderFilter.Resolved {
      try reading(limits) {
        if filter.terms.texts.isEmpty {
          let prepared = try snapshot.prepare(filter.terms)
          filter.keep(prepared, version)
          return ReaderFilter.Resolved(snapshot: snapshot, filter: prepared, isCached: false)
        }
        return take(try store.filter(filter.terms, timeout: limits.seconds), for: filter)
      }
    }

    /// - Parameter found: candidates to begin with; without any, those that the search wants first are asked for.
    func step(
      _ request: StoreRequest, under filter: ReaderFilter, _ found: Found?, _ limits: SearchLimits
    ) throws -> Step {
      try reading(limits) { try step(request, filter, found, snapshot, version, limits) }
    }

    /// nil when the snapshot does not show what is committed.
    func step(
      _ request: StoreRequest, under filter: ReaderFilter, _ found: Found?,
      for fixed: (snapshot: IndexSnapshot, version: UInt64), _ limits: SearchLimits
    ) throws -> Step? {
      try reading(limits) {
        guard fixed.snapshot.isOf(store.state) else { return nil }
        return try step(request, filter, found, fixed.snapshot, fixed.version, limits)
      }
    }

    private func step(
      _ request: StoreRequest, _ filter: ReaderFilter, _ found: Found?, _ snapshot: IndexSnapshot, _ version: UInt64,
      _ limits: SearchLimits
    ) throws -> Step {
      var first = IndexStore.FirstCandidates()
      first.areAsked = found == nil
      first.isNoted = found?.isNoted ?? false
      // What was found in another state is of no use.
      if let found, found.snapshot.isOf(store.state) { first.found = found.candidates }
      switch try store.step(request, under: filter.terms, timeout: limits.seconds, first: first) {
      case .wants(let count): return .wants(count, snapshot, isNoted: true)
      case .done(.answer(let answer)): return .begun(.answered(answer, snapshot))
      case .done(.filter(let resolved)):
        if resolved.isReusable { filter.keep(resolved.filter, version) }
        return .begun(.resolved(ReaderFilter.Resolved(resolved, snapshot)))
      }
    }

    private func take(_ resolved: ResolvedFilter, for filter: ReaderFilter) -> ReaderFilter.Resolved {
      if resolved.isReusable { filter.keep(resolved.filter, version) }
      return ReaderFilter.Resolved(resolved, snapshot)
    }

    /// Of each text the row ids that pass.
    func rowIDs(_ texts: [FilterText], _ limits: SearchLimits) throws -> [(ids: [Int64], isPure: Bool)] {
      try reading(limits) { try texts.map { try store.rowIDs($0, timeout: limits.seconds) } }
    }

    /// Runs the body on the committed state, in one transaction. Bringing the caches up to it is not cut short.
    private func reading<Result>(_ limits: SearchLimits, _ body: () throws -> Result) throws -> Result {
      try connection.transaction(isImmediate: false) {
        if try !isCurrent() { try reload() }
        guard let isCancelled = limits.isCancelled else { return try body() }
        return try connection.cancelling(when: isCancelled, body)
      }
    }

    private static func schemaVersion(_ connection: Connection) throws(SQLiteError) -> Int64 {
      let statement = try connection.prepare("PRAGMA schema_version")
      return try statement.step() ? statement.int64(0) : 0
    }
  }
}
