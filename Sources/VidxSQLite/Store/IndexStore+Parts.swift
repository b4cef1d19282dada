package import VidxIndexes

// Builds in parts: each part is one segment, added in a transaction of its own with the note how far the build is.
// Whatever ends a build, what is committed stays; what was being built then is a file that nobody names, for a sweep.

extension IndexStore {
  /// Builds the next part of an unfinished build, as large as memory allows, and commits it.
  ///
  /// The write lock is held meanwhile, so that nobody changes rows which are being read.
  /// - Parameter rows: those at some positions of the source, or of these the ones that are to be in the index.
  /// - Returns: how far the build has come; nil when it is at its end.
  /// - Throws: `BuildError`; `StoreError.rowsExist` when the index has some of the rows already, `.segment`;
  ///   `SQLiteError`; what `rows` throws. The index is then as after the part before.
  package func buildNextPart(
    options: BuildOptions, rows: (Range<Int>) throws -> any VectorSource
  ) throws -> UnfinishedBuild? {
    try transaction {
      guard var build = try unfinishedBuild() else { return nil }
      let sizes = try buildMemory(threads: options.threads).parts(of: build.total - build.done, within: options.memory)
      let part = build.done..<build.done + sizes[0].count
      try add(rows(part), to: build, of: sizes.count, options)
      build.done = part.upperBound
      return try note(build, isAtEnd: part.upperBound == build.total)
    }
  }

  /// Whether changes of the content table come to the index: not when the table was dropped and made anew.
  package func isFollowingItsTable() throws -> Bool {
    try ContentTable.followed(by: table, schema: schema, connection: connection) != nil
  }

  /// The same of an index that follows a table, whose rows are built by their ids.
  ///
  /// Rows that were written since the build was begun are in the index already, by the table's triggers: they are left
  /// out.
  package func buildNextPartOfContent(options: BuildOptions) throws -> UnfinishedBuild? {
    try transaction {
      guard var build = try unfinishedBuild() else { return nil }
      guard let content = try contentTable() else { throw StoreError.damagedDefinition(index: table, key: "content") }
      let left = try max(content.rowCount(after: build.lastRowID) - rowCount(after: build.lastRowID), 1)
      let sizes = try buildMemory(threads: options.threads).parts(of: left, within: options.memory)
      let (part, isLast) = try nextRows(of: content, after: build.lastRowID, atMost: sizes[0].count)
      if part.isEmpty { return try note(build, isAtEnd: true) }
      let configuration = definition.configuration
      let source = try ContentRows(
        content, dimensions: configuration.dimensions, metric: configuration.metric, rowIDs: part)
      defer { source.finish() }
      try add(source, to: build, of: sizes.count, options)
      build.lastRowID = part.last
      // The table may have grown or shrunk meanwhile.
      build.total = max(build.total, build.done + max(left, part.count))
      build.done += part.count
      return try note(build, isAtEnd: isLast)
    }
  }

  private func add(
    _ source: any VectorSource, to build: UnfinishedBuild, of parts: Int, _ options: BuildOptions
  ) throws {
    if source.rowIDs.isEmpty { return }
    let options = options.ofPart(build.parts + 1, of: build.parts + parts)
    try adopt(buildSegment(source, base: nil, options: options))
    if options.isCancelled() { throw BuildError.cancelled }
  }

  private func note(_ build: UnfinishedBuild, isAtEnd: Bool) throws(SQLiteError) -> UnfinishedBuild? {
    var build = build
    build.parts += 1
    try note(isAtEnd ? nil : build)
    return isAtEnd ? nil : build
  }

  /// The rows of the table above one that the index does not have, the first of them: no more ids are held than a part
  /// has, however many rows the table has.
  /// - Returns: their ids, ascending, and whether there are no others.
  func nextRows(
    of content: ContentTable, after last: Int64?, atMost count: Int
  ) throws -> (rowIDs: [Int64], isLast: Bool) {
    try refresh(includingDelta: false)
    let keys = try content.keys(after: last)
    var result: [Int64] = []
    while try keys.step() {
      if try place(of: keys.int64(0)) != nil { continue }
      if result.count == count { return (result, false) }
      result.append(keys.int64(0))
    }
    return (result, true)
  }

  /// How many rows of the index are above one; nil for all.
  private func rowCount(after last: Int64?) throws -> Int {
    try refresh(includingDelta: false) { _ -> Int in
      var count = 0
      for view in views {
        var position = view.index.entryCount
        while position > 0 {
          position -= 1
          let row = try settling { try view.index.sortedRow(position) }
          if let last, row.rowID <= last { break }
          if view.isLive(row.entry) { count += 1 }
        }
      }
      let statement = try tables.statement(.deltaIDs)
      defer { statement.reset() }
      while try statement.step() {
        if last.map({ statement.int64(0) > $0 }) ?? true { count += 1 }
      }
      return count
    }
  }

  /// Members of an ascending list that are not in another one.
  static func subtract(_ known: [Int64], from rowIDs: [Int64]) -> [Int64] {
    var result: [Int64] = []
    var i = 0
    for rowID in rowIDs {
      while i < known.count, known[i] < rowID { i += 1 }
      if i == known.count || known[i] != rowID { result.append(rowID) }
    }
    return result
  }
}
