import VidxIndexes
import VidxSegments
import VidxVectors

// Rows of a transaction that inserts many of them. One by one each takes four statements, half a page of SQLite's log
// and half a page of the database; together they are written once, as a segment over which nothing is built yet.
// From some rows on a transaction keeps what it inserts in memory: until it ends, until a savepoint is opened (so they
// are all younger than any, and to roll back to one is to forget them), or until something wants to read.

extension IndexStore {
  /// `insert`, for a caller that tells of the transaction: `begin`, `savepoint`, `rollbackTo`, `sync`, `commit`,
  /// `rollback`.
  /// - Returns: the row id.
  /// - Throws: as `insert`.
  func insertInBulk(
    rowID: Int64?, vector: [Float], values: [ColumnValue] = [], onConflict: ConflictPolicy = .abort
  ) throws -> Int64 {
    if pending == nil, try !beginPending() {
      return try insert(rowID: rowID, vector: vector, values: values, onConflict: onConflict)
    }
    try check(vector, rowID: rowID)
    guard let id = rowID ?? pending?.nextRowID else { throw StoreError.rowIDsExhausted(index: table) }
    if try isTaken(id) {
      // With all rows in their places.
      return try insert(rowID: rowID, vector: vector, values: values, onConflict: onConflict)
    }
    pending?.append(id, StoredRow(vector: vector, values: values.isEmpty ? nulls : values))
    if let pending, pending.byteCount >= bulkPolicy.mostBytes { try flush() }
    return id
  }

  /// - Returns: false where rows are inserted one by one.
  private func beginPending() throws -> Bool {
    // The triggers of a content table open a savepoint for each row.
    guard folder != nil, definition.content == nil else { return false }
    inserts += 1
    if inserts <= bulkPolicy.fewInserts { return false }
    try refresh(includingDelta: false)
    pending = PendingRows(
      dimensions: definition.configuration.dimensions, columnCount: definition.filterColumns.count,
      highestBeside: try highestRowID() ?? 0)
    return true
  }

  private func isTaken(_ rowID: Int64) throws -> Bool {
    guard let pending else { return false }
    // Nothing has changed beside these since the index was last refreshed to.
    return try pending.contains(rowID) || (rowID <= pending.highestBeside && place(of: rowID) != nil)
  }

  /// Writes what is kept in memory: many rows as a segment, few into the delta.
  /// - Throws: `SegmentError`, `SQLiteError`, after which the rows are still kept; `StoreError.halfWritten` from then
  ///   on when some of them may be written: SQLite may say of a statement that is done that it was interrupted.
  func flush() throws {
    if isHalfWritten { throw StoreError.halfWritten(index: table) }
    guard let rows = pending else { return }
    pending = nil
    if rows.count == 0 { return }
    // Whoever reads, or opens savepoints, after every few rows gains nothing from keeping them.
    inserts = rows.count < bulkPolicy.fewInserts ? -16 * bulkPolicy.fewInserts : 0
    // What the host's last INSERT gave is its own business.
    let lastRowID = connection.lastInsertRowID
    defer { connection.lastInsertRowID = lastRowID }
    let transaction = transactions
    var hasBegun = false
    do {
      if rows.byteCount >= bulkPolicy.fewestBytes, views.count < bulkPolicy.mostSegments {
        try writeSegment(rows, &hasBegun)
      } else {
        try writeDelta(rows, &hasBegun)
      }
    } catch {
      // Unless SQLite has undone all of it, of which it has told.
      if transaction == transactions {
        if hasBegun { isHalfWritten = true } else { pending = rows }
      }
      throw error
    }
  }

  private func writeSegment(_ rows: PendingRows, _ hasBegun: inout Bool) throws {
    let published = try buildUnbuilt(rows.source)
    unsettledFiles.append(published)
    var revision = try readRevision().next()
    revision.settledMark = Revision.random()
    // First: to write it again does no harm.
    try write(revision)
    hasBegun = true
    try name(published, entryCount: rows.count)
  }

  private func writeDelta(_ rows: PendingRows, _ hasBegun: inout Bool) throws {
    let revision = try readRevision().next()
    try write(revision)
    hasBegun = true
    for (i, rowID) in rows.rowIDs.enumerated() {
      try writeDelta(.insertDelta, rowID, rows.row(i), stamp: revision.stamp)
    }
  }

  /// A segment over which nothing is built yet: the next merge does it.
  func isUnbuilt(_ view: SegmentView) -> Bool {
    definition.configuration.kind != .flat && view.index.configuration.kind == .flat
  }

  /// With codes that take no time to make, since until it is merged all of it is scanned.
  private func buildUnbuilt(_ source: any VectorSource) throws -> PublishedSegment {
    var configuration = definition.configuration
    if configuration.kind != .flat {
      configuration.kind = .flat
      configuration.codec = .fixed(Codec.int8.supports(configuration.metric) ? .int8 : .f32)
    }
    return try buildSegment(source, configuration: configuration, base: nil, options: BuildOptions(threads: 1))
  }
}
