package import VidxIndexes
internal import VidxSQLite
internal import VidxVectors

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

// Builds in parts: the rows, and then each segment that memory allows, in a transaction of its own. What is committed
// stays when the build is interrupted, by whatever, and the same call goes on from there.

extension Session {
  /// As `build`, in parts.
  ///
  /// Begins the index, or goes on with one of this name that is unfinished and was begun of the same source with the
  /// same options; memory and threads may be others. A row that has been deleted from the table meanwhile is left out,
  /// and values of filter columns are those that it has when its part is built.
  /// - Returns: the number of rows of the index.
  /// - Throws: as `build`; `.badOption` when an unfinished build is of another source or other options; `.cancelled`,
  ///   which says what is done.
  package func buildInParts(
    _ index: String, _ options: IndexOptions, vectors: any VectorBlocks, rows: (any RowSource)? = nil,
    table: String? = nil, build: BuildOptions
  ) throws(VidxError) -> Int {
    try Self.check(options, vectors, rows)
    var options = options
    options.rowTable = rows == nil ? nil : table
    let fingerprint = try wrappingErrors { try ([vectors.fingerprint] + (rows.map { [try $0.fingerprint] } ?? [])) }
      .joined(separator: "; ")
    let source = UnfinishedBuild(source: vectors.name, fingerprint: fingerprint, total: vectors.count)
    return try inParts(index, of: vectors.count, options, build) {
      let ids: [Int64]
      if let unfinished = try unfinishedBuild(of: index) {
        try check(unfinished, of: index, source, options)
        ids = try rows.map { try importedRowIDs(of: $0, build: build) } ?? Array(1...Int64(vectors.count))
      } else {
        ids = try begin(index, options, source, rows, build)
      }
      let store = try store(index)
      let reader = try PartReader(self, options, ids: ids, blocks: vectors)
      do {
        while try store.buildNextPart(options: build, rows: reader.rows) != nil { letOthersWrite() }
      } catch BuildError.badVector(_, let id, let reason) {
        // The part knows the row's number in it only.
        throw BuildError.badVector(row: ids.firstIndex(of: id) ?? 0, rowID: id, reason)
      }
    }
  }

  /// As `build` over a column of a table, in parts. Rows that are written meanwhile are indexed as they are.
  /// - Returns, throws: as the other.
  package func buildInParts(
    _ index: String, column: String, ofTable table: String, metric: Metric, type: IndexType,
    codec: IndexCodec = .auto, filterColumns: [String] = [], model: String? = nil, build: BuildOptions
  ) throws(VidxError) -> Int {
    let unfinished = try unfinishedBuild(of: index)
    let (count, dimensions) = try vectorCount(ofColumn: column, table: table)
    // So few are not worth it, and go where a build in one puts them.
    if unfinished == nil, count < IndexStore.segmentThreshold {
      return try self.build(
        index, column: column, ofTable: table, metric: metric, type: type, codec: codec, filterColumns: filterColumns,
        model: model, build: build)
    }
    let options = IndexOptions(
      dimensions: dimensions, metric: metric, type: type, codec: codec, content: .column(column, ofTable: table),
      filterColumns: filterColumns, model: model)
    let source = UnfinishedBuild(source: table, fingerprint: "", total: count)
    return try inParts(index, of: count, options, build) {
      if let unfinished {
        try check(unfinished, of: index, source, options)
        guard try self.store(index).isFollowingItsTable() else {
          throw VidxError(
            .badRows,
            "table \"\(table)\" has been made anew since index \"\(index)\" was begun, and is not followed any more; "
              + "make the index of what it holds now with vidx rebuild, or drop it: \(try dropStatements(index))")
        }
      } else {
        _ = try begin(index, options, source, nil, build)
      }
      let store = try store(index)
      while try store.buildNextPartOfContent(options: build) != nil { letOthersWrite() }
    }
  }

  /// The build of an index that has not come to its end; nil when there is none, or no such index.
  func unfinishedBuild(of index: String) throws(VidxError) -> UnfinishedBuild? {
    let store: IndexStore
    do throws(VidxError) { store = try self.store(index) } catch {
      if error.code == .noSuchIndex { return nil }
      throw error
    }
    return try wrappingErrors { try store.unfinishedBuild() }
  }

  func unfinishedMessage(_ index: String, _ unfinished: UnfinishedBuild) throws(VidxError) -> String {
    "index \"\(index)\" is unfinished, with \(unfinished.done) of \(unfinished.total) rows of \(unfinished.source); go "
      + "on with vidx build --resume and the options it was begun with, or drop it: \(try dropStatements(index))"
  }

  // MARK: Steps

  /// Who waits for the write lock looks for it again after 100 ms at most (SQLite's busy timeout): between two parts,
  /// of minutes maybe, there is time for it.
  private func letOthersWrite() { usleep(150_000) }

  /// Runs a build in parts, says what of it is done when it is cancelled, and sweeps what killed ones have left.
  private func inParts(
    _ index: String, of count: Int, _ options: IndexOptions, _ build: BuildOptions, _ body: () throws -> Void
  ) throws(VidxError) -> Int {
    guard connection.isAutocommit else { throw VidxError(.other, "a transaction is open; end it first") }
    // Says how much memory it needs before anything is made.
    _ = try options.estimate(rows: count, build: build)
    // Makes room. What cannot be removed now waits for the sweep at the end.
    _ = try? sweep()
    do {
      try wrappingErrors(body)
    } catch {
      guard error.code == .cancelled, let unfinished = try unfinishedBuild(of: index) else { throw error }
      throw VidxError(
        .cancelled,
        "stopped: \(unfinished.done) of \(unfinished.total) rows are done and kept; the same command goes on from there",
        cause: error)
    }
    // All is there: files that cannot be removed now only take space until the next sweep.
    _ = try? sweep()
    return try summary(of: index).rows
  }

  /// Makes the rows' table and an index without rows.
  /// - Returns: the ids of the rows, in the order of their vectors.
  private func begin(
    _ index: String, _ options: IndexOptions, _ source: UnfinishedBuild, _ rows: (any RowSource)?,
    _ build: BuildOptions
  ) throws(VidxError) -> [Int64] {
    try requireFreeName(index)
    return try transaction {
      var ids: [Int64] = []
      if let rows, let table = options.rowTable {
        ids = try importRows(rows, into: table, build: build)
        _ = try checkedFilterColumns(options)
      } else if case .own = options.content {
        ids = Array(1...Int64(source.total))
      }
      var empty = build
      empty.leavesContent = true
      try createIndex(index, options, build: empty)
      try store(index).note(source)
      if build.isCancelled() { throw CancellationError() }
      return ids
    }
  }

  /// Sees that an unfinished build is that of a source and of options.
  private func check(
    _ unfinished: UnfinishedBuild, of index: String, _ source: UnfinishedBuild, _ options: IndexOptions
  ) throws {
    let advice = "or drop what there is of it and begin anew: \(try dropStatements(index))"
    let store = try store(index)
    let (begun, asked) = (store.definition.arguments, options.definition.arguments)
    let (old, new) = (begun.filter { !asked.contains($0) }, asked.filter { !begun.contains($0) })
    guard old.isEmpty && new.isEmpty else {
      func list(_ terms: [String]) -> String { terms.isEmpty ? "without these" : terms.joined(separator: ", ") }
      throw VidxError(
        .badOption,
        "index \"\(index)\" was begun \(old.isEmpty ? "" : "with ")\(list(old)), and this is "
          + "\(new.isEmpty ? "" : "with ")\(list(new)); give the options it was begun with, \(advice)")
    }
    // A table is what it is now.
    if case .column = options.content { return }
    let table = try rowTable(of: index)
    guard unfinished.fingerprint == source.fingerprint, unfinished.total == source.total, table == options.rowTable
    else {
      let rows = table.map { " and of rows for table \($0)" } ?? ""
      throw VidxError(
        .badOption,
        "index \"\(index)\" was begun of \(unfinished.total) vectors in \(unfinished.source)\(rows), and these are "
          + "others, or have been changed; give the files it was begun with, \(advice)")
    }
  }

  /// What takes an index away, and the table of rows that its build has made.
  private func dropStatements(_ index: String) throws(VidxError) -> String {
    let store = try store(index)
    let table = store.definition.content == nil ? try rowTable(of: index) : nil
    return ([index] + (table.map { [$0] } ?? [])).map { "DROP TABLE \(quoted(identifier: $0))" }.joined(separator: "; ")
  }
}

/// Reads the rows of parts: those that their table still has, with the values that they have there now.
private struct PartReader {
  private let ids: [Int64]
  private let blocks: any VectorBlocks
  private let columnCount: Int
  /// Looks a row up by its id; nil without a table.
  private let row: Statement?

  init(_ session: Session, _ options: IndexOptions, ids: [Int64], blocks: any VectorBlocks) throws {
    (self.ids, self.blocks) = (ids, blocks)
    guard let table = options.rowTable else {
      (row, columnCount) = (nil, 0)
      return
    }
    let names = try session.checkedFilterColumns(options)
    columnCount = names.count
    let key = quoted(identifier: try session.primaryKey(of: table))
    let columns = (["1"] + names.map { quoted(identifier: $0) }).joined(separator: ", ")
    row = try session.connection.prepare(
      "SELECT \(columns) FROM \(quoted(identifier: table)) WHERE \(key) = ?1", isPersistent: true)
  }

  func rows(_ part: Range<Int>) throws -> any VectorSource {
    var columns = (0..<columnCount).map { _ in ValueColumn() }
    guard let row else { return PartOfBlocks(rowIDs: Array(ids[part]), positions: Array(part), blocks: blocks) }
    var positions: [Int] = []
    positions.reserveCapacity(part.count)
    for position in part {
      try row.bind(ids[position], at: 1)
      if try row.step() {
        positions.append(position)
        for i in columns.indices { columns[i].append(row.columnValue(Int32(1 + i))) }
      }
      row.reset()
    }
    return PartOfBlocks(
      rowIDs: positions.map { ids[$0] }, positions: positions, blocks: blocks, filterColumns: columns)
  }
}

/// Some vectors of blocks.
private struct PartOfBlocks: VectorSource {
  let rowIDs: [Int64]
  /// Where their vectors are, ascending.
  let positions: [Int]
  let blocks: any VectorBlocks
  var filterColumns: [ValueColumn] = []

  func copyVectors(_ rows: Range<Int>, to destination: UnsafeMutablePointer<Float>) throws {
    var row = rows.lowerBound
    // Vectors that lie side by side are read at once.
    while row < rows.upperBound {
      var end = row + 1
      while end < rows.upperBound, positions[end] == positions[end - 1] + 1 { end += 1 }
      let target = unsafe UnsafeMutableBufferPointer(
        start: destination + (row - rows.lowerBound) * blocks.dimensions, count: (end - row) * blocks.dimensions)
      try unsafe blocks.read(rows: positions[row]..<positions[row] + (end - row), into: target)
      row = end
    }
  }
}
