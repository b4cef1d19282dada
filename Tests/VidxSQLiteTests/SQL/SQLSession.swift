import Foundation
import Testing
import VidxSQLite

/// A value that came out of SQL.
enum SQLCell: Equatable, CustomStringConvertible {
  case null
  case integer(Int64)
  case real(Double)
  case text(String)
  case blob([UInt8])

  var description: String {
    switch self {
    case .null: "NULL"
    case .integer(let value): "\(value)"
    case .real(let value): "\(value)"
    case .text(let value): "'\(value)'"
    case .blob(let bytes): "x'\(bytes.map { String($0, radix: 16) }.joined())'"
    }
  }
}

extension SQLCell: ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByStringLiteral,
  ExpressibleByNilLiteral
{
  init(integerLiteral value: Int64) { self = .integer(value) }
  init(floatLiteral value: Double) { self = .real(value) }
  init(stringLiteral value: String) { self = .text(value) }
  init(nilLiteral: ()) { self = .null }

  static func vector(_ components: [Float]) -> SQLCell { .blob(VectorLiteral.blob(of: components)) }
}

/// A database with vidx in it, for one test: in memory, or a file in a folder that goes with it.
final class SQLSession {
  let connection: Connection
  private let folder: URL?

  var path: String? { folder?.appendingPathComponent("test.db").path }

  /// - Parameter onDisk: needed for `optimize`, which writes files beside the database.
  init(onDisk: Bool = false) throws {
    if onDisk {
      let url = FileManager.default.temporaryDirectory.appendingPathComponent("vidx-sql-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
      folder = url
      connection = try Self.connect(url.appendingPathComponent("test.db").path)
    } else {
      folder = nil
      connection = try Self.connect(":memory:")
    }
  }

  deinit {
    if let folder { try? FileManager.default.removeItem(at: folder) }
  }

  static func connect(_ path: String) throws -> Connection {
    let connection = try Connection(path: path)
    let code = unsafe Extension.register(on: connection.handle)
    #expect(code == 0, "the extension could not be added")
    return connection
  }

  func run(_ sql: String) throws { try connection.execute(sql) }

  func rows(_ sql: String, _ parameters: SQLCell...) throws -> [[SQLCell]] {
    try rows(sql, parameters)
  }

  func rows(_ sql: String, _ parameters: [SQLCell]) throws -> [[SQLCell]] {
    try Self.rows(connection, sql, parameters)
  }

  static func rows(_ connection: Connection, _ sql: String, _ parameters: [SQLCell] = []) throws -> [[SQLCell]] {
    let statement = try connection.prepare(sql)
    for (i, parameter) in parameters.enumerated() { try bind(parameter, at: Int32(i + 1), of: statement) }
    var rows: [[SQLCell]] = []
    while try statement.step() {
      rows.append((0..<Int32(statement.columnCount)).map { cell(statement, $0) })
    }
    return rows
  }

  /// The first column.
  func column(_ sql: String, _ parameters: SQLCell...) throws -> [SQLCell] {
    try rows(sql, parameters).compactMap(\.first)
  }

  /// The first column, of integers.
  func integers(_ sql: String, _ parameters: SQLCell...) throws -> [Int64] {
    try rows(sql, parameters).map { row in
      guard case .integer(let value)? = row.first else { throw NotAnInteger(sql: sql, row: row) }
      return value
    }
  }

  struct NotAnInteger: Error {
    var sql: String
    var row: [SQLCell]
  }

  /// The error that a statement ends with; an issue is recorded when it does not.
  func error(
    _ sql: String, _ parameters: SQLCell..., sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> SQLiteError {
    try #require(throws: SQLiteError.self, sourceLocation: sourceLocation) { _ = try rows(sql, parameters) }
  }

  private static func bind(_ cell: SQLCell, at index: Int32, of statement: Statement) throws {
    switch cell {
    case .null: try statement.bindNull(at: index)
    case .integer(let value): try statement.bind(value, at: index)
    case .real(let value): try statement.bind(value, at: index)
    case .text(let value): try statement.bind(value, at: index)
    case .blob(let bytes): unsafe try bytes.withUnsafeBytes { unsafe try statement.bind(blob: $0, at: index) }
    }
  }

  private static func cell(_ statement: Statement, _ column: Int32) -> SQLCell {
    switch statement.type(column) {
    case .integer: .integer(statement.int64(column))
    case .real: .real(statement.double(column))
    case .text: .text(statement.text(column) ?? "")
    case .blob: unsafe .blob(statement.withBytes(column) { unsafe [UInt8]($0) })
    case .null: .null
    }
  }
}
