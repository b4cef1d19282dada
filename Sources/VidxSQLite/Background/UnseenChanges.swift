internal import CSQLite

/// Counts the changes of an index on one connection, so that not each of them has its settings read, and not each
/// commit a thread started.
struct UnseenChanges {
  /// Until the next look. From the start nothing is known, so the first change has one.
  private var remaining = 0
  /// The commit is to ask for a merge.
  private(set) var wantMerge = false
  /// Rows that the open transaction has changed; those changed before each savepoint.
  private var rows = 0
  private var rowsBefore: [Int32: Int] = [:]

  /// - Parameter isRow: else a command.
  /// - Returns: whether it is time to look.
  mutating func count(isRow: Bool) -> Bool {
    if isRow { rows += 1 }
    remaining -= 1
    return remaining <= 0
  }

  mutating func lookAtOnce() { remaining = 0 }

  /// Notes what a look has found.
  mutating func note(wantMerge: Bool, mergeAfter rows: Int) {
    if wantMerge { self.wantMerge = true }
    remaining = max(min(rows / 4, Self.mostChanges), 1)
  }

  /// Others may change the settings meanwhile.
  private static let mostChanges = 1_000

  /// The transaction is committed.
  /// - Returns: whether a merge is to be asked for, and how many rows it has changed.
  mutating func commit() -> (wantMerge: Bool, rows: Int) {
    defer {
      wantMerge = false
      rollback()
    }
    return (wantMerge, rows)
  }

  /// The transaction is undone.
  mutating func rollback() {
    rows = 0
    rowsBefore = [:]
  }

  mutating func savepoint(_ depth: Int32) { rowsBefore[depth] = rows }

  mutating func rollbackTo(_ depth: Int32) { rows = min(rows, rowsBefore[depth] ?? 0) }
}

extension VirtualTable {
  /// Sees now and then whether the index wants to be merged without being asked.
  /// - Throws: an error with which SQLite may have undone the transaction.
  /// - Parameter isRow: else a command was run.
  func noteChange(isRow: Bool) throws {
    guard let store = openStore, store.folder != nil, store.unseen.count(isRow: isRow),
      let background = registry.background
    else { return }
    do {
      let settings = try store.maintenanceSettings()
      try store.unseen.note(
        wantMerge: settings.isInBackground && store.pathForAnotherConnection() != nil,
        mergeAfter: store.mergePolicy().deltaRows)
    } catch {
      if let error = error as? SQLiteError, error.mayUndoTransaction { throw error }
      // The row is written all the same.
      background.note(error)
      store.unseen.note(wantMerge: false, mergeAfter: .max)
    }
  }

  /// The transaction is about to be committed.
  func sync() throws { try openStore?.sync() }

  /// The transaction is committed.
  func commit() {
    guard let store = openStore else { return }
    store.commit()
    let seen = store.unseen.commit()
    guard seen.wantMerge || seen.rows > 0, let path = connection.filename(schema: schema) else { return }
    if seen.wantMerge { registry.background?.request(path) }
    guard let wait = MergeBacklog.add(seen.rows, path: path, index: store.table) else { return }
    // SQLite has given back its locks by now: others go on.
    if registry.background != nil { wait.block() } else { registry.link.owe(wait) }
  }
}
