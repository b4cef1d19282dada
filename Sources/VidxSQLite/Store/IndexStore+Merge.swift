package import VidxIndexes
package import VidxSegments
import VidxVectors

/// What a merge starts from: one state of the index, independent of what happens to it afterwards.
package struct MergePlan {
  struct Part {
    let id: Int64
    let fileName: String
    let index: SegmentIndex
    /// The entries that lived.
    let live: RowSet
  }

  /// Of the index.
  let identity: Int64?
  let revision: Revision
  let parts: [Part]
  /// The row ids of the delta, ascending.
  let deltaIDs: [Int64]
  let source: any VectorSource
  let base: GrowthBase?

  /// Rows that searches scan: those of the delta, and of segments over which nothing is built.
  let newRowCount: Int
  /// Rows the merged segment will hold.
  package let rowCount: Int
  /// Nothing of that state is left out.
  let isWhole: Bool
  /// The files of all segments that there were.
  let files: Set<String>

  /// How many segments there were.
  var segmentCount: Int { files.count }

  /// Rows that are linked to those of the base: what a merge takes its time for.
  var linkedRowCount: Int { source.rowIDs.count }

  /// Whether writers have brought many times as much as is worth a merge.
  func isBehind(_ policy: MergePolicy) -> Bool { newRowCount / 4 >= policy.deltaRows }
}

extension IndexStore {
  /// Step 1 of a merge: takes a snapshot of the segments and the delta.
  ///
  /// Of all of them; where they are more than `mostRows`, of the delta and the smallest segments that are not.
  /// - Parameter anew: build everything anew, growing nothing.
  /// - Returns: nil when there is nothing to merge: no delta, no tombstones and at most one segment.
  /// - Complexity: O(delta x dimensions + rows of all segments but the largest), in memory.
  package func prepareMerge(anew: Bool = false, mostRows: Int = .max) throws -> MergePlan? {
    if folder == nil { throw StoreError.inMemory(index: table) }
    return try refresh(includingDelta: false) { revision in
      let delta = try readDeltaRows()
      let isSettled =
        delta.rowIDs.isEmpty && views.count <= 1 && !views.contains { $0.hasTombstones || isUnbuilt($0) }
      if isSettled && !(anew && !views.isEmpty) { return nil }
      if anew { return try plan(of: views, delta, revision, anew: true) }
      let policy = MergePolicy(mostRows: mostRows)
      guard let chosen = policy.chooseAll(delta: delta.rowIDs.count, segments: rowsOfSegments()) else { return nil }
      return try plan(of: chosen.sorted().map { views[$0] }, delta, revision, anew: false)
    }
  }

  /// As `prepareMerge`, of what a policy chooses.
  /// - Returns: nil when nothing is worth it, at the cost of counting the delta.
  package func prepareMerge(choosing policy: MergePolicy) throws -> MergePlan? {
    if folder == nil { return nil }
    return try refresh(includingDelta: false) { revision in
      guard let chosen = policy.choose(delta: try deltaCount(), segments: rowsOfSegments()) else { return nil }
      return try plan(of: chosen.sorted().map { views[$0] }, readDeltaRows(), revision, anew: false)
    }
  }

  private func rowsOfSegments() -> [MergePolicy.Segment] {
    views.map {
      MergePolicy.Segment(
        live: $0.liveCount, dead: $0.index.entryCount - $0.liveCount, isUnbuilt: isUnbuilt($0))
    }
  }

  /// Rows of the delta, as the database has them.
  func deltaCount() throws -> Int {
    let statement = try tables.statement(.deltaCount)
    defer { statement.reset() }
    return try statement.step() ? Int(statement.int64(0)) : 0
  }

  private func plan(
    of chosen: [SegmentView], _ delta: ArraySource, _ revision: Revision, anew: Bool
  ) throws -> MergePlan {
    let parts = chosen.map {
      MergePlan.Part(id: $0.id, fileName: $0.fileName, index: $0.index, live: $0.liveEntries())
    }
    let grown = anew ? [] : chosen.filter { $0.liveCount > 0 && !isUnbuilt($0) }
    let base = grown.max { $0.liveCount < $1.liveCount }
    let growth = try base.map { view in
      GrowthBase(index: view.index, live: try settling { try view.filter() })
    }
    let columnCount = definition.filterColumns.count
    var sources: [any VectorSource] = []
    for part in parts where part.id != base?.id {
      sources.append(try settling { try SegmentRows(part.index, live: part.live, columns: columnCount) })
    }
    sources.append(delta)
    let source = ConcatenatedSource(sources, dimensions: definition.configuration.dimensions)
    return MergePlan(
      identity: try readIdentity(), revision: revision, parts: parts, deltaIDs: delta.rowIDs, source: source,
      base: growth, newRowCount: chosen.filter(isUnbuilt).reduce(delta.rowIDs.count) { $0 + $1.liveCount },
      rowCount: source.rowIDs.count + (base?.liveCount ?? 0), isWhole: chosen.count == views.count,
      files: Set(views.map(\.fileName)))
  }

  /// Step 2 of a merge: builds the new segment; several where nothing is grown and memory is too small for one. Touches
  /// no table and needs no transaction.
  /// - Returns: none when no row is left.
  package func buildMerge(_ plan: MergePlan, options: BuildOptions = BuildOptions()) throws -> [PublishedSegment] {
    if plan.rowCount == 0 { return [] }
    guard let base = plan.base else { return try buildSegments(plan.source, options: options) }
    return [try buildSegment(plan.source, base: base, options: options)]
  }

  /// Step 3 of a merge: puts the new segments in the place of what they were built from, inside the caller's
  /// transaction.
  ///
  /// What happened since step 1 stays: rows added or replaced since are in the delta under a later stamp and are left
  /// there; rows deleted or replaced since get a tombstone in their new segment; segments added since are kept. Rows
  /// that another process has merged since are left to where it put them, and get a tombstone, too: a merge of new rows
  /// does not undo a longer one.
  /// - Throws: `StoreError.overtaken` when another merge took most of the rows, or the index is another one by now;
  ///   nothing is changed then.
  package func commitMerge(_ plan: MergePlan, _ published: [PublishedSegment]) throws {
    // Stamps begin anew: those of another index would be taken for what was merged.
    guard try readIdentity() == plan.identity else { throw StoreError.overtaken(index: table) }
    let revision = try refresh(includingDelta: false)
    let unchanged = try rowsOfDeltaUntil(plan.revision)
    let kept = partsLeft(of: plan)
    let dead = try rowsDeadSince(plan, left: kept, unchanged: unchanged)
    if try 2 * liveElsewhere(dead, since: plan) >= max(plan.rowCount, 1) { throw StoreError.overtaken(index: table) }
    let indexes = try settling { try published.map { try SegmentIndex.open(path: $0.path) } }
    let tombstones = try settling { try indexes.map { index in try dead.compactMap { try index.entry(ofRowID: $0) } } }
    try forgetSweptFiles()
    for part in kept {
      for query in [ShadowTables.Query.retire, .deleteTombstones, .deleteSegment] {
        let statement = try tables.statement(query)
        try statement.bind(part.id, at: 1)
        try statement.run()
      }
    }
    // Without a condition SQLite drops the pages of a table unread.
    if try deltaCount() == unchanged.count {
      try tables.statement(.deleteAllDelta).run()
    } else {
      let statement = try tables.statement(.deleteDeltaUntil)
      try statement.bind(plan.revision.stamp, at: 1)
      try statement.run()
    }
    for (i, index) in indexes.enumerated() {
      let id = try name(published[i], entryCount: index.entryCount)
      for entry in tombstones[i] { try insertTombstone(segment: id, entry: entry) }
    }
    var next = revision.next()
    next.deltaMark = Revision.random()
    next.settledMark = Revision.random()
    try write(next)
  }

  /// What the index still consists of.
  private func partsLeft(of plan: MergePlan) -> [MergePlan.Part] {
    let current = Dictionary(uniqueKeysWithValues: views.map { ($0.id, $0.fileName) })
    return plan.parts.filter { current[$0.id] == $0.fileName }
  }

  /// How many of some rows live in segments that have come since.
  private func liveElsewhere(_ rowIDs: [Int64], since plan: MergePlan) throws -> Int {
    let new = views.filter { !plan.files.contains($0.fileName) }
    if new.isEmpty { return 0 }
    return try settling {
      try rowIDs.count { rowID in
        try new.contains { view in try view.index.entry(ofRowID: rowID).map(view.isLive) ?? false }
      }
    }
  }

  /// The row ids that the merged segment holds although they have died or changed meanwhile, or are in another segment
  /// by now.
  /// - Parameter unchanged: the rows of the delta that are as they were.
  private func rowsDeadSince(
    _ plan: MergePlan, left: [MergePlan.Part], unchanged: Set<Int64>
  ) throws -> [Int64] {
    let current = Dictionary(uniqueKeysWithValues: views.map { ($0.id, $0) })
    let left = Set(left.map(\.id))
    var dead: [Int64] = []
    for part in plan.parts {
      let view = left.contains(part.id) ? current[part.id] : nil
      // Rows of a segment only ever die, so as many as before are the same as before.
      if let view, view.liveCount == part.live.count { continue }
      try settling {
        try part.live.forEach { entry in
          if view?.isLive(entry) != true { dead.append(try part.index.rowID(ofEntry: entry)) }
        }
      }
    }
    return dead + plan.deltaIDs.filter { !unchanged.contains($0) }
  }

  /// The rows of the delta that have not been changed since a state of the index.
  private func rowsOfDeltaUntil(_ revision: Revision) throws -> Set<Int64> {
    let statement = try tables.statement(.deltaIDsUntil)
    defer { statement.reset() }
    try statement.bind(revision.stamp, at: 1)
    var rows = Set<Int64>()
    while try statement.step() { rows.insert(statement.int64(0)) }
    return rows
  }

  /// The rows that live, in one state of the index: independent of what happens to it afterwards.
  /// - Throws: `StoreError.segment`, `.damagedDelta`; `SQLiteError`.
  /// - Complexity: O(delta x dimensions + rows), in memory.
  package func liveRows() throws -> any VectorSource {
    try refresh(includingDelta: false) { _ -> any VectorSource in
      let columnCount = definition.filterColumns.count
      var sources: [any VectorSource] = []
      for view in views {
        sources.append(try settling { try SegmentRows(view.index, live: view.liveEntries(), columns: columnCount) })
      }
      sources.append(try readDeltaRows())
      return ConcatenatedSource(sources, dimensions: definition.configuration.dimensions)
    }
  }

  private func readDeltaRows() throws -> ArraySource {
    let dimensions = definition.configuration.dimensions
    let statement = try tables.statement(.deltaRows)
    defer { statement.reset() }
    var rowIDs: [Int64] = []
    var vectors: [Float] = []
    var columns = definition.filterColumns.map { _ in ValueColumn() }
    var vector = [Float](repeating: 0, count: dimensions)
    while try statement.step() {
      guard copyFloats(of: statement, column: 1, to: &vector) else {
        throw StoreError.damagedDelta(index: table, rowID: statement.int64(0))
      }
      rowIDs.append(statement.int64(0))
      vectors += vector
      for i in columns.indices { columns[i].append(statement.columnValue(Int32(2 + i))) }
    }
    return ArraySource(rowIDs: rowIDs, vectors: vectors, dimensions: dimensions, filterColumns: columns)
  }
}

/// The live rows of a segment, as rows to build another from, by row id: in the segment near ones may lie side by side,
/// and a graph is worse for being built in such an order.
struct SegmentRows: VectorSource {
  let rowIDs: [Int64]
  let filterColumns: [ValueColumn]
  private let index: SegmentIndex
  private let entries: [UInt32]

  init(_ index: SegmentIndex, live: RowSet, columns count: Int) throws(SegmentError) {
    var rows: [(id: Int64, entry: UInt32)] = []
    try live.forEach { (entry) throws(SegmentError) in
      rows.append((try index.rowID(ofEntry: entry), UInt32(entry)))
    }
    rows.sort { $0.id < $1.id }
    let entries = rows.map(\.entry)
    rowIDs = rows.map(\.id)
    self.entries = entries
    self.index = index
    filterColumns = try (0..<count).map { (i) throws(SegmentError) in
      try index.columns?.column(i, entries: entries) ?? ValueColumn(nulls: entries.count)
    }
  }

  func copyVectors(_ rows: Range<Int>, to destination: UnsafeMutablePointer<Float>) throws {
    let dimensions = index.configuration.dimensions
    for row in rows {
      let target = unsafe destination + (row - rows.lowerBound) * dimensions
      unsafe try index.copyVector(ofEntry: Int(entries[row]), to: target)
    }
  }
}
