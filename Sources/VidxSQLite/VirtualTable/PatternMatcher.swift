internal import CSQLite
internal import VidxIndexes

/// `column LIKE pattern` or `column GLOB pattern`, as SQLite's own functions answer them.
///
/// Texts and integers are matched by the functions behind them; for REAL and BLOB values, whose text is SQLite's
/// affair, it is asked.
final class PatternMatcher: @unchecked Sendable {
  // @unchecked: belongs to one search of one connection.

  enum Operation: String {
    case like = "LIKE"
    case glob = "GLOB"
  }

  private let operation: Operation
  private let connection: Connection
  private let value: ColumnValue
  /// As text, with a zero at its end; nil for a BLOB, of which SQLite is asked.
  private let pattern: [CChar]?
  private var text: [CChar] = []
  private var statement: Statement?

  /// - Parameter pattern: not NULL.
  init(_ operation: Operation, _ pattern: OpaquePointer?, _ connection: Connection) {
    self.operation = operation
    self.connection = connection
    value = unsafe SQLValue.columnValue(pattern)
    if case .blob = value { self.pattern = nil } else { self.pattern = unsafe Self.terminated(SQLValue.text(pattern)) }
  }

  /// The test of a filter column.
  var predicate: ValuePredicate {
    var name = Array("\(operation.rawValue) ".utf8)
    switch value {
    case .blob(let bytes): name += Array("blob ".utf8) + bytes
    case .text(let bytes): name += Array("text ".utf8) + bytes
    default: name += Array("\(value)".utf8)
    }
    return ValuePredicate(name: name) { [self] in passes($0) }
  }

  /// Longer patterns are errors to SQLite, which checks each row again.
  private static let longest = 50_000

  private func passes(_ value: ColumnValue) -> Bool {
    guard let pattern else { return asked(value) }
    if pattern.count > Self.longest { return true }
    text.removeAll(keepingCapacity: true)
    switch value {
    case .null: return false
    case .integer(let integer): text.append(contentsOf: String(integer).utf8.lazy.map { CChar(bitPattern: $0) })
    case .text(let bytes): text.append(contentsOf: bytes.lazy.map { CChar(bitPattern: $0) })
    case .real, .blob: return asked(value)
    }
    text.append(0)
    return switch operation {
    case .like: unsafe sqlite3_strlike(pattern, text, 0) == 0
    case .glob: unsafe sqlite3_strglob(pattern, text) == 0
    }
  }

  private func asked(_ other: ColumnValue) -> Bool {
    do {
      let statement = try self.statement ?? connection.prepare("SELECT ?1 \(operation.rawValue) ?2")
      self.statement = statement
      defer { statement.reset() }
      try statement.bind(other, at: 1)
      try statement.bind(value, at: 2)
      return try statement.step() && statement.int64(0) != 0
    } catch {
      // SQLite checks each row again, and meets the same error.
      return true
    }
  }

  private static func terminated(_ bytes: UnsafeBufferPointer<UInt8>) -> [CChar] {
    var result = unsafe bytes.map { CChar(bitPattern: $0) }
    result.append(0)
    return result
  }
}

extension Connection {
  /// LIKE and GLOB are SQLite's: nobody has put other functions in their place, as `PRAGMA case_sensitive_like` does.
  /// Who does so later makes SQLite compile all statements anew.
  func hasOwnPatternFunctions() throws(SQLiteError) -> Bool {
    let statement = try prepare(
      "SELECT count(*) FROM pragma_function_list WHERE NOT builtin AND lower(name) IN ('like', 'glob')")
    return try statement.step() && statement.int64(0) == 0
  }
}
