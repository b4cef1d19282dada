import VidxIndexes
import VidxVectors

/// The vectors of a content table, read from it block by block while a segment is built.
///
/// Belongs to one build, inside one transaction of the connection.
final class ContentRows: VectorSource, @unchecked Sendable {
  // @unchecked: a build reads its source from one thread at a time while its caller, who owns the connection, waits.
  let rowIDs: [Int64]
  let filterColumns: [ValueColumn]
  private let content: ContentTable
  private let dimensions: Int
  private let metric: Metric
  private let statement: Statement
  /// The position in `rowIDs` of the row that the statement comes to next.
  private var position = 0

  init(_ content: ContentTable, dimensions: Int, metric: Metric) throws(SQLiteError) {
    self.content = content
    self.dimensions = dimensions
    self.metric = metric
    (rowIDs, filterColumns) = try content.rowsAndValues()
    statement = try Self.statement(content)
    try statement.bind(rowIDs.first ?? 0, at: 1)
  }

  /// Some of the rows.
  /// - Parameter rowIDs: of rows that have a vector, ascending; not empty.
  init(_ content: ContentTable, dimensions: Int, metric: Metric, rowIDs: [Int64]) throws(SQLiteError) {
    self.content = content
    self.dimensions = dimensions
    self.metric = metric
    self.rowIDs = rowIDs
    filterColumns = try content.values(of: rowIDs)
    statement = try Self.statement(content)
    try statement.bind(rowIDs.first ?? 0, at: 1)
  }

  private static func statement(_ content: ContentTable) throws(SQLiteError) -> Statement {
    let key = quoted(identifier: content.key)
    let column = quoted(identifier: content.column)
    return try content.connection.prepare(
      """
      SELECT \(key), \(column) FROM \(content.qualifiedName) \
      WHERE \(column) IS NOT NULL AND \(key) >= ?1 ORDER BY \(key)
      """)
  }

  func copyVectors(_ rows: Range<Int>, to destination: UnsafeMutablePointer<Float>) throws {
    if rows.isEmpty { return }
    if rows.lowerBound != position {
      statement.reset()
      try statement.bind(rowIDs[rows.lowerBound], at: 1)
    }
    for row in rows {
      // Where some of the rows are wanted, others lie between them.
      var isThere = try statement.step()
      while isThere, statement.int64(0) < rowIDs[row] { isThere = try statement.step() }
      guard isThere, statement.int64(0) == rowIDs[row] else {
        throw StoreError.contentRow(
          table: content.name, rowID: rowIDs[row], reason: "it changed while the index was being built")
      }
      // A text that finds no memory to be converted would be taken for an empty one.
      if statement.type(1) == .text { _ = try statement.textOrNull(1) }
      let vector = try content.vector(statement, column: 1, rowID: rowIDs[row], dimensions: dimensions, metric: metric)
      unsafe (destination + (row - rows.lowerBound) * dimensions).update(from: vector, count: dimensions)
    }
    position = rows.upperBound
  }

  /// Ends the read that may still be open.
  func finish() { statement.finalize() }
}

extension ContentTable {
  /// The keys of the rows that have a vector, ascending.
  func rowIDs() throws(SQLiteError) -> [Int64] {
    let statement = try keys(after: nil)
    var result: [Int64] = []
    while try statement.step() { result.append(statement.int64(0)) }
    return result
  }

  /// Reads the keys of the rows that have a vector, ascending.
  /// - Parameter last: only those above it; nil for all.
  func keys(after last: Int64?) throws(SQLiteError) -> Statement {
    let key = quoted(identifier: key)
    let statement = try connection.prepare(
      "SELECT \(key) FROM \(qualifiedName) WHERE \(quoted(identifier: column)) IS NOT NULL"
        + "\(last == nil ? "" : " AND \(key) > ?1") ORDER BY \(key)")
    if let last { try statement.bind(last, at: 1) }
    return statement
  }

  /// How many these are.
  func rowCount(after last: Int64?) throws(SQLiteError) -> Int {
    let statement = try connection.prepare(
      "SELECT count(*) FROM \(qualifiedName) WHERE \(quoted(identifier: column)) IS NOT NULL"
        + "\(last == nil ? "" : " AND \(quoted(identifier: key)) > ?1")")
    if let last { try statement.bind(last, at: 1) }
    return try statement.step() ? Int(statement.int64(0)) : 0
  }

  /// The keys of the rows that have a vector, ascending, and their values in the filter columns.
  func rowsAndValues() throws(SQLiteError) -> (rowIDs: [Int64], columns: [ValueColumn]) {
    let names = ([key] + filterColumns).map { quoted(identifier: $0) }
    let statement = try connection.prepare(
      "SELECT \(names.joined(separator: ", ")) FROM \(qualifiedName) "
        + "WHERE \(quoted(identifier: column)) IS NOT NULL ORDER BY \(names[0])")
    var rowIDs: [Int64] = []
    var columns = filterColumns.map { _ in ValueColumn() }
    while try statement.step() {
      rowIDs.append(statement.int64(0))
      for i in columns.indices { columns[i].append(statement.columnValue(Int32(1 + i))) }
    }
    return (rowIDs, columns)
  }

  /// The values of rows in the filter columns.
  /// - Parameter rowIDs: ascending.
  func values(of rowIDs: [Int64]) throws(SQLiteError) -> [ValueColumn] {
    var columns = filterColumns.map { _ in ValueColumn() }
    guard !columns.isEmpty, let first = rowIDs.first, let last = rowIDs.last else { return columns }
    let names = ([key] + filterColumns).map { quoted(identifier: $0) }
    let statement = try connection.prepare(
      "SELECT \(names.joined(separator: ", ")) FROM \(qualifiedName) "
        + "WHERE \(names[0]) BETWEEN ?1 AND ?2 ORDER BY \(names[0])")
    try statement.bind(first, at: 1)
    try statement.bind(last, at: 2)
    var next = 0
    while try statement.step() {
      guard next < rowIDs.count, statement.int64(0) == rowIDs[next] else { continue }
      for i in columns.indices { columns[i].append(statement.columnValue(Int32(1 + i))) }
      next += 1
    }
    return columns
  }

  /// The vector in a column of the statement's row.
  /// - Throws: `StoreError.contentRow` when it is none of these dimensions.
  func vector(
    _ statement: Statement, column: Int32, rowID: Int64, dimensions: Int, metric: Metric
  ) throws(StoreError) -> [Float] {
    let vector: [Float]
    do throws(VectorLiteralError) {
      vector = try literal(statement, column: column)
    } catch {
      throw .contentRow(table: name, rowID: rowID, reason: "\(error)")
    }
    do throws(VectorError) {
      try validate(vector, dimensions: dimensions)
    } catch {
      throw .contentRow(table: name, rowID: rowID, reason: "\(error)")
    }
    return vector
  }

  private func literal(_ statement: Statement, column: Int32) throws(VectorLiteralError) -> [Float] {
    switch statement.type(column) {
    case .blob:
      unsafe try statement.withBytes(column) { (bytes) throws(VectorLiteralError) in
        unsafe try VectorLiteral.decode(bytes)
      }
    case .text: try VectorLiteral.parse(statement.text(column) ?? "")
    case .integer: throw .wrongType("INTEGER")
    case .real: throw .wrongType("REAL")
    case .null: throw .wrongType("NULL")
    }
  }
}
