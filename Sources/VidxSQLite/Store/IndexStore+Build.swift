package import VidxIndexes
package import VidxSegments
import VidxVectors

extension IndexStore {
  /// Builds a segment of this index beside the database, without naming it in the manifest: until `adopt` it is only a
  /// file, locked against sweeps. Needs no transaction.
  /// - Throws: `StoreError.inMemory`, `.repeatedRowIDs`, `.segment` such as for a full disk; `BuildError` naming the
  ///   row. Nothing is left behind then.
  package func build(
    _ source: any VectorSource, options: BuildOptions = BuildOptions()
  ) throws -> PublishedSegment {
    try refuseRepeated(source.rowIDs)
    return try buildSegment(source, base: nil, options: options)
  }

  /// Adds a segment that `build` made to the index. Call inside a transaction, and `commit` or `rollback` after it: the
  /// file is then let go or removed, also when this throws.
  /// - Throws: `StoreError.rowsExist` when the index has some of the rows already; nothing is changed then.
  package func adopt(_ published: PublishedSegment) throws {
    unsettledFiles.append(published)
    let revision = try refresh(includingDelta: false)
    let index = try settling { try SegmentIndex.open(path: published.path) }
    try refuseExisting(in: index)
    try name(published, entryCount: index.entryCount)
    var next = revision.next()
    next.settledMark = Revision.random()
    try write(next)
  }

  /// Adds many rows at once, as one segment, or as several where memory is too small for one: no row goes through the
  /// delta, except in a database without a file.
  ///
  /// Call inside a transaction, and `commit` or `rollback` after it.
  /// - Throws: as `build` and `adopt`.
  package func load(_ source: any VectorSource, options: BuildOptions = BuildOptions()) throws {
    if source.rowIDs.isEmpty { return }
    guard folder != nil else { return try loadIntoDelta(source) }
    try refuseRepeated(source.rowIDs)
    let parts = try parts(of: source, options: options)
    for (i, part) in parts.enumerated() {
      do {
        try adopt(buildSegment(part, base: nil, options: options.ofPart(i + 1, of: parts.count)))
      } catch BuildError.badVector(_, let rowID, let error) {
        // Its number in the part says nothing to anybody.
        throw BuildError.badVector(row: source.rowIDs.firstIndex(of: rowID) ?? 0, rowID: rowID, error)
      }
    }
  }

  private func loadIntoDelta(_ source: any VectorSource) throws {
    try refuseRepeated(source.rowIDs)
    let dimensions = definition.configuration.dimensions
    var vectors = [[Float]]()
    for (i, rowID) in source.rowIDs.enumerated() {
      let vector = try unsafe [Float](unsafeUninitializedCapacity: dimensions) { buffer, count in
        guard let base = buffer.baseAddress else { return }
        unsafe base.initialize(repeating: 0, count: dimensions)
        count = dimensions
        unsafe try source.copyVectors(i..<i + 1, to: base)
      }
      do throws(VectorError) {
        try validate(vector, dimensions: dimensions)
      } catch {
        throw BuildError.badVector(row: i, rowID: rowID, error)
      }
      vectors.append(vector)
    }
    try refresh(includingDelta: false)
    let taken = try source.rowIDs.filter { try place(of: $0) != nil }
    if !taken.isEmpty { throw existing(taken) }
    let columns = source.filterColumns
    for (i, rowID) in source.rowIDs.enumerated() {
      try insert(rowID: rowID, vector: vectors[i], values: columns.map { $0[i] })
    }
  }

  /// What building this index takes.
  func buildMemory(threads: Int) -> BuildMemory {
    BuildMemory(definition.configuration, filterColumns: definition.filterColumns.count, threads: threads)
  }

  /// The rows of each segment to be built of them.
  private func parts(of source: any VectorSource, options: BuildOptions) throws(BuildError) -> [any VectorSource] {
    let parts = try buildMemory(threads: options.threads).parts(of: source.rowIDs.count, within: options.memory)
    return parts.count == 1 ? [source] : parts.map { PartOfSource(source, $0) }
  }

  /// Builds and publishes as many segments from rows known to be distinct as memory makes necessary.
  /// - Throws: as `buildSegment`. None is left behind then.
  func buildSegments(_ source: any VectorSource, options: BuildOptions) throws -> [PublishedSegment] {
    var published: [PublishedSegment] = []
    do {
      let parts = try parts(of: source, options: options)
      for (i, part) in parts.enumerated() {
        published.append(try buildSegment(part, base: nil, options: options.ofPart(i + 1, of: parts.count)))
      }
    } catch {
      // Should this fail too, the next sweep does it; the first error is what the caller needs.
      for segment in published { try? segment.discard() }
      throw error
    }
    return published
  }

  /// Builds and publishes a segment from rows known to be distinct.
  /// - Parameter configuration: nil for the index's.
  func buildSegment(
    _ source: any VectorSource, configuration: IndexConfiguration? = nil, base: GrowthBase?, options: BuildOptions
  ) throws -> PublishedSegment {
    guard let folder else { throw StoreError.inMemory(index: table) }
    let columns = FilteredSource(source, columnCount: definition.filterColumns.count)
    return try settling {
      try SegmentBuilder.build(
        columns, configuration: configuration ?? definition.configuration, base: base, options: options,
        directory: folder.path,
        fileName: SegmentFolder.fileName(index: table, identifier: .random()))
    }
  }

  /// Writes a segment into the manifest.
  /// - Returns: its id there.
  @discardableResult
  func name(_ published: PublishedSegment, entryCount: Int) throws(SQLiteError) -> Int64 {
    let statement = try tables.statement(.insertSegment)
    try statement.bind(published.fileName, at: 1)
    try statement.bind(entryCount, at: 2)
    try statement.bind(published.byteCount, at: 3)
    try statement.run()
    return connection.lastInsertRowID
  }

  private func refuseRepeated(_ rowIDs: [Int64]) throws(StoreError) {
    let sorted = rowIDs.sorted()
    var repeated: [Int64] = []
    for (a, b) in zip(sorted, sorted.dropFirst()) where a == b && repeated.last != a { repeated.append(a) }
    if !repeated.isEmpty { throw .repeatedRowIDs(rowIDs: Array(repeated.prefix(5)), count: repeated.count) }
  }

  private func refuseExisting(in index: SegmentIndex) throws {
    let rowIDs = try settling { try (0..<index.entryCount).map { try index.sortedRow($0).rowID } }
    var taken: [Int64] = []
    for view in views {
      if let filter = try settling({ try view.filter(rowIDs: rowIDs) }) {
        try settling { try filter.entries.forEach { taken.append(try view.index.rowID(ofEntry: $0)) } }
      }
    }
    let statement = try tables.statement(.deltaIDs)
    defer { statement.reset() }
    while try statement.step() {
      if try settling({ try index.entry(ofRowID: statement.int64(0)) }) != nil { taken.append(statement.int64(0)) }
    }
    if !taken.isEmpty { throw existing(taken) }
  }

  private func existing(_ taken: [Int64]) -> StoreError {
    .rowsExist(index: table, rowIDs: Array(taken.sorted().prefix(5)), count: taken.count)
  }
}
