import VidxIndexes
import VidxSegments
import VidxVectors

/// The delta in memory, and the state of the database it agrees with.
struct LoadedDelta {
  private(set) var cache: DeltaCache
  var token: UInt64
  var mark: UInt64
  var stamp: Int64
  /// Rows of a transaction that is not committed may be in it: if that is rolled back, it is of no use.
  var isUncommitted: Bool
  /// No search has seen yet what was read last.
  private var isNew = true

  init(cache: DeltaCache, token: UInt64, mark: UInt64, stamp: Int64, isUncommitted: Bool) {
    self.cache = cache
    (self.token, self.mark, self.stamp, self.isUncommitted) = (token, mark, stamp, isUncommitted)
  }

  /// Codes more of it, unless others may be reading it. Whoever has just waited for rows to be read does not wait for
  /// their codes, too, while they are few.
  mutating func code(wholly: Bool = false) {
    defer { isNew = false }
    if isKnownUniquelyReferenced(&cache), wholly || !isNew || cache.isLargelyUncoded { cache.code(wholly: wholly) }
  }
}

extension IndexStore {
  /// Brings the caches up to the state the connection sees: one small SELECT when they are.
  ///
  /// All reading happens while the statement that reads the revision is on its row, which holds the read transaction
  /// open: the caches are of one state of the database, whatever other processes commit meanwhile, and the segments it
  /// names are not swept before they are open.
  ///
  /// - Parameter body: reads more of the same state, inside the same read transaction.
  @discardableResult
  func refresh<Result>(includingDelta: Bool, _ body: (Revision) throws -> Result = { $0 }) throws -> Result {
    try flush()
    return try refreshToWritten(includingDelta: includingDelta, body)
  }

  /// The same, without the rows that the open transaction keeps in memory.
  func refreshToWritten<Result>(includingDelta: Bool, _ body: (Revision) throws -> Result) throws -> Result {
    let statement = try tables.statement(.readRevision)
    defer { statement.reset() }
    let revision = try revision(in: statement)
    if settled?.mark != revision.settledMark {
      settled = try readSettled(revision, reusing: settled?.views ?? [])
    }
    if includingDelta {
      verifyAhead()
      try refreshDelta(revision)
    }
    return try body(revision)
  }

  /// Brings the caches up to the state the connection sees; costs no transaction while nothing has been committed since
  /// the last time, where the header of the file can tell.
  func refreshToSearch() throws {
    try flush()
    let mark = CommitMark(connection, schema: schema)
    if let mark, mark == searchedMark, settled != nil, delta?.isUncommitted == false { return }
    searchedMark = nil
    searchedMark = try refresh(includingDelta: true) { _ -> CommitMark? in
      CommitMark(whileReading: connection, schema: schema)
    }
  }

  /// The revision in the database, without bringing caches up to it.
  /// - Parameter body: runs inside the read transaction that the revision is read in.
  func readRevision<Result>(_ body: (Revision) throws -> Result = { $0 }) throws -> Result {
    try flush()
    let statement = try tables.statement(.readRevision)
    defer { statement.reset() }
    return try body(revision(in: statement))
  }

  func revision(in statement: Statement) throws -> Revision {
    guard try statement.step(), let revision = unsafe statement.withBytes(0, { unsafe Revision($0) }) else {
      throw StoreError.damagedDefinition(index: table, key: "revision")
    }
    // Another may have put something else in the place of the tables, and whatever else is read is read after this.
    guard try tables.stillExist(in: statement) else { throw StoreError.noIndex(schema: schema, table: table) }
    return revision
  }

  /// The segments of the state last refreshed to.
  var views: [SegmentView] { settled?.views ?? [] }

  private func verifyAhead() {
    var bytes = Self.mostVerifiedAhead
    for index in unverified {
      // What is damaged throws where a search reads it.
      do throws(SegmentError) { try index.verifyAhead(upTo: &bytes) } catch { continue }
    }
    unverified = []
  }

  /// Bytes; 64 MiB that are in memory, as what has just been written is, take some 10 ms.
  private static let mostVerifiedAhead = 64 << 20

  private func refreshDelta(_ revision: Revision) throws {
    let isWriting = connection.isWriting(schema: schema)
    if let loaded = delta, loaded.token == revision.token {
      delta?.isUncommitted = isWriting
      return
    }
    // Rows that leave the delta change the mark, and a later stamp tells rows that came: only those are read. A cache
    // that saw a transaction which was rolled back may hold rows that no stamp tells from others: it is read anew.
    let cache: DeltaCache
    var stamp: Int64 = -1
    if let loaded = delta, loaded.mark == revision.deltaMark, !loaded.isUncommitted {
      (cache, stamp) = (loaded.cache, loaded.stamp)
    } else {
      cache = DeltaCache(dimensions: definition.configuration.dimensions, metric: definition.configuration.metric)
    }
    delta = nil
    try readDelta(since: stamp, into: cache)
    delta = LoadedDelta(
      cache: cache, token: revision.token, mark: revision.deltaMark, stamp: revision.stamp, isUncommitted: isWriting)
  }

  /// Codes the delta before threads share it, after which none may change it.
  func codeDelta() { if definition.configuration.kind != .flat { delta?.code(wholly: true) } }

  private func readDelta(since stamp: Int64, into cache: DeltaCache) throws {
    let statement = try tables.statement(.deltaSince)
    defer { statement.reset() }
    try statement.bind(stamp, at: 1)
    var vector = [Float](repeating: 0, count: cache.dimensions)
    while try statement.step() {
      let rowID = statement.int64(0)
      guard copyFloats(of: statement, column: 1, to: &vector) else {
        throw StoreError.damagedDelta(index: table, rowID: rowID)
      }
      do throws(VectorError) {
        try unsafe cache.put(rowID, vector, statement.columnValues(from: 2, count: definition.filterColumns.count))
      } catch {
        throw StoreError.damagedDelta(index: table, rowID: rowID)
      }
    }
  }

  /// Copies a BLOB of exactly as many floats as the vector has components; false when it is of another length.
  func copyFloats(of statement: Statement, column: Int32, to vector: inout [Float]) -> Bool {
    unsafe statement.withBytes(column) { bytes in
      unsafe vector.withUnsafeMutableBytes { destination in
        guard bytes.count == destination.count else { return false }
        unsafe destination.copyMemory(from: bytes)
        return true
      }
    }
  }

  func forgetCaches() {
    settled = nil
    delta = nil
  }
}
