internal import CSQLite

/// Counts the changes of an index on one connection, so that not each of them has its settings read, and not each
/// commit a thread started.
struct UnseenChanges {
  /// Until the next look. From the start nothing is known, so the first change has one.
  private var remaining = 0
  /// The commit is to ask for a merge.
  private(set) var wantMerge = false

  /// - Returns: whether it is time to look.
  mutating func count() -> Bool {
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
  /// - Returns: whether a merge is to be asked for.
  mutating func commit() -> Bool {
    defer { wantMerge = false }
    return wantMerge
  }
}

extension VirtualTable {
  /// Sees now and then whether the index wants to be merged without being asked.
  /// - Throws: an error with which SQLite may have undone the transaction.
  func noteChange() throws {
    guard let background = registry.background, let store = openStore, store.folder != nil, store.unseen.count()
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
    if store.unseen.commit(), let path = connection.filename(schema: schema) { registry.background?.request(path) }
  }
}
