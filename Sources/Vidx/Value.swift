package import VidxSQLite

/// One value of a row or of a statement's parameter: SQLite's five kinds.
public enum Value: Sendable, Equatable {
  case null
  case integer(Int64)
  case real(Double)
  case text(String)
  case blob([UInt8])

  /// A vector as the database stores it: 32-bit floats, little-endian.
  public static func vector(_ components: [Float]) -> Value { .blob(VectorLiteral.blob(of: components)) }
}

extension Value: ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByStringLiteral,
  ExpressibleByNilLiteral, ExpressibleByBooleanLiteral
{
  public init(integerLiteral value: Int64) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .real(value) }
  public init(stringLiteral value: String) { self = .text(value) }
  public init(nilLiteral: ()) { self = .null }
  public init(booleanLiteral value: Bool) { self = .integer(value ? 1 : 0) }
}

/// One row that a query answered.
public struct Row: Sendable, Equatable {
  /// In the order of the query; names may repeat, as in SQL.
  public let columns: [String]
  public let values: [Value]

  package init(columns: [String], values: [Value]) {
    self.columns = columns
    self.values = values
  }

  /// The value of the first column of that name; nil when there is none (SQL's NULL is `.null`).
  public subscript(column: String) -> Value? {
    columns.firstIndex(of: column).map { values[$0] }
  }
}

extension Statement {
  /// The value of a column of the current row.
  package func value(_ column: Int32) -> Value {
    switch type(column) {
    case .null: .null
    case .integer: .integer(int64(column))
    case .real: .real(double(column))
    case .text: .text(text(column) ?? "")
    case .blob: .blob(unsafe withBytes(column) { bytes in unsafe Array(bytes) })
    }
  }

  package func bind(_ value: Value, at index: Int32) throws(SQLiteError) {
    switch value {
    case .null: try bindNull(at: index)
    case .integer(let integer): try bind(integer, at: index)
    case .real(let real): try bind(real, at: index)
    case .text(let text): try bind(text, at: index)
    case .blob(let bytes):
      var failure: SQLiteError?
      unsafe bytes.withUnsafeBytes { raw in
        do throws(SQLiteError) { try unsafe bind(blob: raw, at: index) } catch { failure = error }
      }
      if let failure { throw failure }
    }
  }
}
