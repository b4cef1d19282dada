/// A filter in SQL, with the values for its parameters. Two that are equal have the same rows in the same state.
package struct FilterText: Hashable, Sendable {
  package enum Form: Hashable, Sendable {
    /// What stands in a WHERE, over the rows of the index; over the index itself when it has no table of rows.
    case condition
    /// The same, and there must be a table of rows.
    case conditionOfRows
    /// A SELECT that answers row ids in its first column.
    case select
  }

  package let form: Form
  package let sql: String
  /// One for each parameter of the text, in order.
  package let values: [FilterValue]

  package init(_ form: Form, _ sql: String, _ values: [FilterValue] = []) {
    self.form = form
    self.sql = sql
    self.values = values
  }

  /// What it takes in memory, roughly.
  var byteCount: Int { values.reduce(128 + sql.utf8.count) { $0 + $1.byteCount } }

  /// By bytes, as SQLite compares: to Swift, texts that look the same are equal.
  package static func == (a: FilterText, b: FilterText) -> Bool {
    a.form == b.form && a.sql.hasBytes(of: b.sql) && a.values == b.values
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(sql)
    hasher.combine(values)
  }
}

/// A value bound to a parameter. Equal only with the same type: SQLite tells 1 from 1.0 and from '1'.
package enum FilterValue: Hashable, Sendable {
  case null
  case integer(Int64)
  /// By its bits, so that every value equals itself.
  case real(bits: UInt64)
  case text(String)
  case blob([UInt8])

  package static func real(_ value: Double) -> FilterValue { .real(bits: value.bitPattern) }

  package static func == (a: FilterValue, b: FilterValue) -> Bool {
    switch (a, b) {
    case (.null, .null): true
    case (.integer(let x), .integer(let y)): x == y
    case (.real(let x), .real(let y)): x == y
    case (.text(let x), .text(let y)): x.hasBytes(of: y)
    case (.blob(let x), .blob(let y)): x == y
    default: false
    }
  }

  var byteCount: Int {
    switch self {
    case .null, .integer, .real: 16
    case .text(let text): 16 + text.utf8.count
    case .blob(let bytes): 48 + bytes.count
    }
  }
}

extension String {
  /// Equal byte by byte, as SQLite compares.
  fileprivate func hasBytes(of other: String) -> Bool {
    guard utf8.count == other.utf8.count else { return false }
    var (own, other) = (self, other)
    return own.withUTF8 { bytes in other.withUTF8 { unsafe bytes.elementsEqual($0) } }
  }
}

extension Statement {
  package func bind(_ value: FilterValue, at index: Int32) throws(SQLiteError) {
    switch value {
    case .null: try bindNull(at: index)
    case .integer(let integer): try bind(integer, at: index)
    case .real(let bits): try bind(Double(bitPattern: bits), at: index)
    case .text(let text): try bind(text, at: index)
    case .blob(let bytes):
      let bound = unsafe bytes.withUnsafeBytes { raw in
        Result { () throws(SQLiteError) in unsafe try bind(blob: raw, at: index) }
      }
      try bound.get()
    }
  }
}
