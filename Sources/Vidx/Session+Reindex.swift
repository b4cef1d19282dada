package import VidxIndexes
internal import VidxSQLite

/// Where the vectors of an index that is made anew come from.
package enum ReindexSource {
  /// The index, or the column that it follows.
  case held
  /// A column of the table that the index follows.
  case column(String)
  /// One for each row of an index with vectors of its own.
  ///
  /// The ids are those of the rows, in the order of the vectors. nil: the rows are numbered from 0 or 1 without a gap,
  /// and vectors are in the order of their ids.
  case vectors(any VectorBlocks, ids: [Int64]?)
}

extension Session {
  /// Makes an index anew, of other vectors or in another way, and puts it in the place of the old one, in one
  /// transaction: readers go on with the old one until that is committed, writers wait. When it fails nothing has
  /// changed. The files of the old one wait for a sweep.
  ///
  /// Dimensions are those of the vectors; what `changes` does not say stays as it is.
  /// - Returns: the number of rows.
  /// - Throws: `.wrongModel` when the vectors are held and of another model; `.badRows` unless there is a vector for
  ///   each row of the index and no other; `.badOption`, `.badVector`, `.cancelled`.
  @discardableResult
  package func reindex(
    _ index: String, _ source: ReindexSource = .held, _ changes: IndexChanges = IndexChanges(),
    build: BuildOptions = BuildOptions()
  ) throws(VidxError) -> Int {
    guard connection.isAutocommit else { throw VidxError(.other, "a transaction is open; end it first") }
    var loaded: IndexStore?
    var rows = 0
    do {
      try transaction {
        let new = try replacement(of: index, source, changes)
        let build = build.completed(threads: new.settings.threads, memory: new.settings.memory)
        try replace(index, by: new, build)
        if let source = new.rows {
          let store = try store(new.name)
          loaded = store
          try store.load(source, options: build)
        }
        if build.isCancelled() { throw CancellationError() }
        rows = try summary(of: new.name).rows
      }
    } catch {
      // Removes the segment that the transaction would have named.
      loaded?.rollback()
      throw error
    }
    loaded?.commit()
    return rows
  }

  private func replace(_ index: String, by new: Replacement, _ build: BuildOptions) throws {
    // Those that are open under this name, however it is spelt, are no more.
    stores = [:]
    let name = quoted(identifier: new.name)
    try connection.execute("DROP TABLE \(name)")
    try building(build) {
      try connection.execute(
        "CREATE VIRTUAL TABLE \(name) USING vidx(\(new.definition.arguments.joined(separator: ", ")))")
    }
    if let table = new.rowTable { try setRowTable(table, of: new.name) }
    try store(new.name).write(new.settings)
  }

  private func replacement(
    of index: String, _ source: ReindexSource, _ changes: IndexChanges
  ) throws -> Replacement {
    let store = try store(index)
    let old = store.definition
    // One that follows a table is made of all its rows.
    if old.content == nil, let unfinished = try store.unfinishedBuild() {
      throw VidxError(.badRows, try unfinishedMessage(index, unfinished))
    }
    var new = Replacement(name: try spelling(of: index), definition: old, settings: try store.maintenanceSettings())
    try changes.apply(to: &new.definition)
    if case .held = source, let model = old.model, let named = changes.model, named != model {
      throw VidxError(
        .wrongModel,
        "the vectors of index \"\(index)\" are of model '\(model)'; give vectors of '\(named)', or the "
          + "column that holds them")
    }
    if let table = try store.followedTable() {
      try follow(source, table, old, &new)
    } else {
      try take(source, store, &new)
      new.rowTable = try rowTable(of: index)
    }
    // Says what cannot be, in the words of the option.
    _ = try IndexArguments.definition(of: new.definition.arguments)
    return new
  }

  /// The new index follows a table, too.
  private func follow(
    _ source: ReindexSource, _ table: String, _ old: IndexDefinition, _ new: inout Replacement
  ) throws(VidxError) {
    new.definition.content = table
    switch source {
    case .held: break
    case .column(let column):
      new.definition.column = column
      new.definition.configuration.dimensions = try dimensions(ofColumn: column, table: table)
    case .vectors(let blocks, _):
      throw VidxError(
        .badOption,
        "index \"\(new.name)\" follows column \(old.column ?? "") of table \(table), and \(blocks.name) is no column; "
          + "write the vectors to a column of the table, and name that")
    }
  }

  /// The new index holds its vectors itself, too.
  private func take(_ source: ReindexSource, _ store: IndexStore, _ new: inout Replacement) throws {
    let held = try store.liveRows()
    let positions = try valuePositions(new.definition, store)
    switch source {
    case .held:
      new.rows = HeldRows(rows: held, filterColumns: positions.map { held.filterColumns[$0] })
    case .column(let column):
      throw VidxError(
        .badOption,
        "index \"\(new.name)\" follows no table, so that it has no column \(column); give a vector for each of its rows"
      )
    case .vectors(let blocks, let ids):
      let ids = try rowIDs(ids, of: blocks, in: held.rowIDs, index: new.name)
      // Ids are there twice in a damaged index only; the build refuses them.
      let places = Dictionary(held.rowIDs.enumerated().map { ($1, $0) }) { first, _ in first }
      let columns = positions.map { position in
        ValueColumn(ids.map { id in places[id].map { held.filterColumns[position][$0] } ?? .null })
      }
      if blocks.count > 0 { new.definition.configuration.dimensions = blocks.dimensions }
      new.rows = BlockSource(rowIDs: ids, blocks: blocks, filterColumns: columns)
    }
  }

  /// Where the old index has the values of the new one's filter columns.
  private func valuePositions(_ new: IndexDefinition, _ store: IndexStore) throws(VidxError) -> [Int] {
    var positions: [Int] = []
    for column in new.filterColumns { positions.append(try filterColumn(column.name, of: store)) }
    return positions
  }

  /// The name of an index as it was given when it was made.
  private func spelling(of index: String) throws(VidxError) -> String {
    let rows = try query(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE", [.text(index)])
    guard case .text(let name)? = rows.first?.values[0] else { return index }
    return name
  }

  // MARK: Which row a vector is of

  /// The rows that vectors are of: each row of the index once, and no other.
  private func rowIDs(
    _ given: [Int64]?, of blocks: any VectorBlocks, in held: [Int64], index: String
  ) throws(VidxError) -> [Int64] {
    guard let given else { return try numberedRowIDs(of: blocks, in: held.sorted(), index: index) }
    guard given.count == blocks.count else {
      throw VidxError(
        .badRows,
        "there are \(given.count) ids and \(blocks.count) vectors in \(blocks.name); give an id for each vector")
    }
    let (rows, named) = (Set(held), Set(given))
    if named.count < given.count {
      var seen = Set<Int64>()
      let repeated = given.filter { !seen.insert($0).inserted }
      throw VidxError(
        .badRows, "\(blocks.name) has more than one vector for \(Self.list(repeated)); give one for each row")
    }
    let missing = held.filter { !named.contains($0) }
    guard missing.isEmpty else {
      throw VidxError(
        .badRows,
        "\(blocks.name) has no vector for \(Self.list(missing)) of index \"\(index)\"; give one for each row, or delete "
          + "the rows from the index first")
    }
    let strange = given.filter { !rows.contains($0) }
    guard strange.isEmpty else {
      throw VidxError(
        .badRows,
        "\(blocks.name) has vectors for \(Self.list(strange)), which index \"\(index)\" does not have; leave them out, or "
          + "insert the rows first")
    }
    return given
  }

  /// - Parameter held: ascending.
  private func numberedRowIDs(
    of blocks: any VectorBlocks, in held: [Int64], index: String
  ) throws(VidxError) -> [Int64] {
    guard held.count == blocks.count else {
      throw VidxError(
        .badRows,
        "\(blocks.name) has \(blocks.count) vectors and index \"\(index)\" \(held.count) rows; give a vector for each row"
      )
    }
    guard let first = held.first, let last = held.last else { return [] }
    guard first == 0 || first == 1, last - first == Int64(held.count - 1) else {
      throw VidxError(
        .badRows,
        "the rows of index \"\(index)\" are not numbered 1, 2, 3, ... (they are \(first) to \(last)), so that their order "
          + "does not say which row a vector is of; give the ids of the rows with the vectors")
    }
    return held
  }

  private static func list(_ ids: [Int64]) -> String {
    let shown = ids.sorted().prefix(5).map(String.init).joined(separator: ", ")
    return (ids.count == 1 ? "row " : "rows ") + shown + (ids.count > 5 ? " and \(ids.count - 5) more" : "")
  }
}

/// An index to be made in the place of another.
private struct Replacement {
  let name: String
  var definition: IndexDefinition
  /// Those of the old one.
  let settings: MaintenanceSettings
  /// nil when the index follows a table, whose rows it reads itself.
  var rows: (any VectorSource)?
  /// The table that is named for the rows of an index with vectors of its own.
  var rowTable: String?
}

/// Rows of an index with some of their values.
private struct HeldRows: VectorSource {
  let rows: any VectorSource
  let filterColumns: [ValueColumn]

  var rowIDs: [Int64] { rows.rowIDs }

  func copyVectors(_ range: Range<Int>, to destination: UnsafeMutablePointer<Float>) throws {
    try unsafe rows.copyVectors(range, to: destination)
  }
}

/// Vectors by row id.
struct RowVectors: VectorBlocks {
  let name = "the vectors"
  let ids: [Int64]
  let dimensions: Int
  private let vectors: [[Float]]

  var count: Int { ids.count }
  var source: ReindexSource { .vectors(self, ids: ids) }

  /// - Throws: `.badVector` when they are not all of the same dimensions.
  init(_ rows: [Int64: [Float]]) throws(VidxError) {
    ids = rows.keys.sorted()
    vectors = ids.map { rows[$0] ?? [] }
    dimensions = vectors.first?.count ?? 0
    guard let odd = vectors.firstIndex(where: { $0.count != dimensions }) else { return }
    throw VidxError(
      .badVector,
      "the vector of row \(ids[odd]) has \(vectors[odd].count) dimensions and that of row \(ids[0]) \(dimensions); give all "
        + "the same")
  }

  func read(rows: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) {
    var position = 0
    for vector in vectors[rows] {
      for component in vector {
        unsafe destination[position] = component
        position += 1
      }
    }
  }
}
