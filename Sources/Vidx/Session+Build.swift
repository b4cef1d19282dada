package import VidxIndexes
internal import VidxSQLite
internal import VidxVectors

/// A column of a table to be made.
package struct RowColumn: Sendable, Equatable {
  package let name: String
  /// INTEGER, REAL or TEXT.
  package let type: String

  package init(name: String, type: String) { (self.name, self.type) = (name, type) }
}

/// Rows to be loaded into a new table, one after the other.
package protocol RowSource {
  /// What errors call the source: a file's name.
  var name: String { get }
  var columns: [RowColumn] { get }
  var count: Int { get }
  /// Tells the source from others, for builds in parts.
  var fingerprint: String { get throws }

  /// The values of the next row, one for each column; nil after the last.
  mutating func next() throws -> [Value]?

  /// What errors call the row last returned: "line 3".
  var place: String { get }
}

/// Vectors to be loaded into a new index, in the order of their rows.
package protocol VectorBlocks: Sendable {
  /// What errors call the source: a file's name.
  var name: String { get }
  var count: Int { get }
  var dimensions: Int { get }
  /// Tells the source from others, for builds in parts.
  var fingerprint: String { get throws }

  /// Writes vectors `rows` row-major to `destination`.
  func read(rows: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws
}

extension RowSource {
  package var fingerprint: String { "\(columns.count) x \(count)" }
}

extension VectorBlocks {
  package var fingerprint: String { "\(dimensions) x \(count)" }
}

extension Session {
  /// Makes an index of vectors, and a table of rows if there are any, in one transaction: row i goes with vector i.
  ///
  /// - Parameters:
  ///   - rows: an `id` column of INTEGER becomes the primary key; without one rows are numbered from 1.
  ///   - table: the name of the new table; with rows only.
  /// - Returns: the number of rows.
  package func build(
    _ index: String, _ options: IndexOptions, vectors: any VectorBlocks, rows: (any RowSource)? = nil,
    table: String? = nil, build: BuildOptions
  ) throws(VidxError) -> Int {
    try Self.check(options, vectors, rows)
    try requireFreeName(index)
    var loaded: IndexStore?
    do {
      try transaction {
        var options = options
        var ids = Array(Int64(1)...Int64(vectors.count))
        if let rows, let table {
          ids = try importRows(rows, into: table, build: build)
          options.rowTable = table
        }
        let columns = try rows == nil ? [] : filterColumns(options, of: ids)
        try createIndex(index, options, build: build)
        let store = try store(index)
        loaded = store
        try store.load(BlockSource(rowIDs: ids, blocks: vectors, filterColumns: columns), options: build)
        if build.isCancelled() { throw CancellationError() }
      }
    } catch {
      // Removes the segment that the transaction would have named.
      loaded?.rollback()
      throw error
    }
    loaded?.commit()
    return vectors.count
  }

  /// Refuses, before anything is made of so many, what cannot be built.
  static func check(
    _ options: IndexOptions, _ vectors: any VectorBlocks, _ rows: (any RowSource)?
  ) throws(VidxError) {
    if let rows, rows.count != vectors.count {
      throw VidxError(
        .badRows,
        "\(rows.name) has \(rows.count) rows and \(vectors.name) has \(vectors.count) vectors; "
          + "row i goes with vector i, so give as many of each")
    }
    try options.validate()
    guard vectors.count <= IndexLimits.entries else {
      throw VidxError(wrapping: BuildError.tooManyRows(vectors.count))
    }
  }

  /// Refuses filter columns that the table of the rows does not have.
  /// - Returns: their names.
  func checkedFilterColumns(_ options: IndexOptions) throws(VidxError) -> [String] {
    let names = options.filterColumns + (options.partition.map { [$0] } ?? [])
    guard let table = options.rowTable, !names.isEmpty else { return [] }
    let present = try query("SELECT name FROM pragma_table_info(?)", [.text(table)]).compactMap {
      if case .text(let name) = $0.values[0] { name } else { nil }
    }
    for name in names where !present.contains(where: { $0.lowercased() == name.lowercased() }) {
      let guess = nearestSpelling(to: name, among: present).map { " (did you mean \"\($0)\"?)" } ?? ""
      throw VidxError(
        .badRows,
        "the rows have no column \"\(name)\" to filter by\(guess); they have \(present.joined(separator: ", "))")
    }
    return names
  }

  /// The values that the rows of an index's table have in its filter columns, in the order of the ids.
  private func filterColumns(_ options: IndexOptions, of ids: [Int64]) throws(VidxError) -> [ValueColumn] {
    let names = try checkedFilterColumns(options)
    guard let table = options.rowTable, !names.isEmpty else { return [] }
    let key = quoted(identifier: try primaryKey(of: table))
    return try wrappingErrors {
      let list = names.map { ", " + quoted(identifier: $0) }.joined()
      let statement = try connection.prepare(
        "SELECT \(key)\(list) FROM \(quoted(identifier: table))")
      var positions: [Int64: Int] = [:]
      var columns = names.map { _ in ValueColumn() }
      while try statement.step() {
        positions[statement.int64(0)] = positions.count
        for i in columns.indices { columns[i].append(statement.columnValue(Int32(i + 1))) }
      }
      return columns.map { column in
        ValueColumn(ids.map { id in positions[id].map { column[$0] } ?? .null })
      }
    }
  }

  /// Makes an index over the column of a table that exists, in one transaction. Dimensions are those of the first
  /// vector.
  /// - Returns: the number of rows indexed.
  package func build(
    _ index: String, column: String, ofTable table: String, metric: Metric, type: IndexType,
    codec: IndexCodec = .auto, filterColumns: [String] = [], model: String? = nil, build: BuildOptions
  ) throws(VidxError) -> Int {
    _ = try primaryKey(of: table)
    try requireFreeName(index)
    let dimensions = try dimensions(ofColumn: column, table: table)
    let options = IndexOptions(
      dimensions: dimensions, metric: metric, type: type, codec: codec, content: .column(column, ofTable: table),
      filterColumns: filterColumns, model: model)
    return try transaction {
      try createIndex(index, options, build: build)
      if build.isCancelled() { throw CancellationError() }
      return try summary(of: index).rows
    }
  }

  /// How many vectors a column holds, and the components of the first.
  package func vectorCount(
    ofColumn column: String, table: String
  ) throws(VidxError) -> (rows: Int, dimensions: Int) {
    _ = try primaryKey(of: table)
    let dimensions = try dimensions(ofColumn: column, table: table)
    let counted = try query("SELECT count(\(quoted(identifier: column))) FROM \(quoted(identifier: table))")
    guard case .integer(let rows)? = counted.first?.values[0] else { return (0, dimensions) }
    return (Int(rows), dimensions)
  }

  /// Of the first vector in a column.
  func dimensions(ofColumn column: String, table: String) throws(VidxError) -> Int {
    let names = try query("SELECT name FROM pragma_table_info(?)", [.text(table)]).map { $0.values[0] }
    guard names.contains(.text(column)) else {
      let present = names.compactMap { if case .text(let name) = $0 { name } else { nil } }
      throw VidxError(
        .badRows, "table \"\(table)\" has no column \"\(column)\"; it has \(present.joined(separator: ", "))")
    }
    let name = quoted(identifier: column)
    let rows = try query("SELECT \(name) FROM \(quoted(identifier: table)) WHERE \(name) IS NOT NULL LIMIT 1")
    guard let value = rows.first?.values[0] else {
      throw VidxError(
        .badRows,
        "column \"\(column)\" of \"\(table)\" holds no vectors; fill it first, or make the index in SQL "
          + "with its dimensions (CREATE VIRTUAL TABLE ... USING vidx)")
    }
    return try wrappingErrors {
      switch value {
      case .text(let text): try VectorLiteral.parse(text).count
      case .blob(let bytes): try unsafe bytes.withUnsafeBytes { raw in try unsafe VectorLiteral.decode(raw).count }
      default:
        throw VidxError(
          .badVector,
          "column \"\(column)\" of \"\(table)\" holds numbers; vectors are BLOBs of 32-bit floats or JSON "
            + "arrays as text")
      }
    }
  }

  /// Makes a table and loads rows into it, in one transaction.
  /// - Returns: the row ids, in the order of the rows.
  package func importRows(
    _ rows: any RowSource, into table: String, build: BuildOptions
  ) throws(VidxError) -> [Int64] {
    try requireFreeName(table)
    return try transaction {
      let layout = try TableLayout(rows)
      try connection.execute(layout.createStatement(table))
      let insert = try connection.prepare(layout.insertStatement(table), isPersistent: true)
      var source = rows
      var ids: [Int64] = []
      ids.reserveCapacity(rows.count)
      while let values = try source.next() {
        let id = try layout.rowID(of: values, position: ids.count, place: "\(rows.name), \(source.place)")
        for (index, value) in values.enumerated() { try insert.bind(value, at: Int32(index + 1)) }
        if layout.keyColumn == nil { try insert.bind(id, at: Int32(values.count + 1)) }
        do { try insert.run() } catch {
          let wrapped = VidxError(wrapping: error)
          // The key is the only constraint of the new table.
          let reason =
            wrapped.code == .constraint
            ? "id \(id) is that of a row before; give every row an id of its own" : wrapped.message
          throw VidxError(wrapped.code, "\(rows.name), \(source.place): \(reason)", cause: error)
        }
        ids.append(id)
        if ids.count.isMultiple(of: 1024) {
          build.progress(BuildProgress(stage: .reading, done: ids.count, total: rows.count))
          if build.isCancelled() { throw CancellationError() }
        }
      }
      return ids
    }
  }
}

/// The row ids that importing these rows gives them, in their order.
func importedRowIDs(of rows: any RowSource, build: BuildOptions) throws -> [Int64] {
  let layout = try TableLayout(rows)
  var source = rows
  var ids: [Int64] = []
  ids.reserveCapacity(rows.count)
  while let values = try source.next() {
    ids.append(try layout.rowID(of: values, position: ids.count, place: "\(rows.name), \(source.place)"))
    guard ids.count.isMultiple(of: 1024) else { continue }
    build.progress(BuildProgress(stage: .reading, done: ids.count, total: rows.count))
    if build.isCancelled() { throw CancellationError() }
  }
  return ids
}

/// How the columns of a source become a table.
private struct TableLayout {
  let columns: [RowColumn]
  /// Position of the column that is the primary key; nil: one is added.
  let keyColumn: Int?
  let keyName: String

  init(_ source: any RowSource) throws(VidxError) {
    columns = source.columns
    keyColumn = columns.firstIndex { $0.name.lowercased() == "id" && $0.type == "INTEGER" }
    if let keyColumn {
      keyName = columns[keyColumn].name
    } else {
      // An id that is text stays a column of the rows.
      let names = Set(columns.map { $0.name.lowercased() })
      guard let free = ["id", "row_id", "vidx_id"].first(where: { !names.contains($0) }) else {
        throw VidxError(
          .badRows, "\(source.name) has columns id, row_id and vidx_id, none of them whole numbers; rename one")
      }
      keyName = free
    }
  }

  func createStatement(_ table: String) -> String {
    var definitions = columns.enumerated().map { index, column in
      "\(quoted(identifier: column.name)) \(index == keyColumn ? "INTEGER PRIMARY KEY" : column.type)"
    }
    if keyColumn == nil { definitions.insert("\(quoted(identifier: keyName)) INTEGER PRIMARY KEY", at: 0) }
    return "CREATE TABLE \(quoted(identifier: table))(\(definitions.joined(separator: ", ")))"
  }

  func insertStatement(_ table: String) -> String {
    var names = columns.map { quoted(identifier: $0.name) }
    if keyColumn == nil { names.append(quoted(identifier: keyName)) }
    let marks = names.map { _ in "?" }.joined(separator: ", ")
    return "INSERT INTO \(quoted(identifier: table))(\(names.joined(separator: ", "))) VALUES (\(marks))"
  }

  func rowID(of values: [Value], position: Int, place: String) throws(VidxError) -> Int64 {
    guard let keyColumn else { return Int64(position + 1) }
    guard case .integer(let id) = values[keyColumn] else {
      throw VidxError(.badRows, "\(place): no id; give every row one, or none")
    }
    return id
  }
}

/// Blocks of a file as the builder wants them.
struct BlockSource: VectorSource {
  let rowIDs: [Int64]
  let blocks: any VectorBlocks
  let filterColumns: [ValueColumn]

  func copyVectors(_ rows: Range<Int>, to destination: UnsafeMutablePointer<Float>) throws {
    try unsafe blocks.read(
      rows: rows, into: UnsafeMutableBufferPointer(start: destination, count: rows.count * blocks.dimensions))
  }
}
