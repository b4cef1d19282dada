/// The values of one filter column for some rows: the distinct values, and which of them each row has.
package struct ValueColumn: Sendable {
  /// In no order; some may be of no row.
  package private(set) var values: [ColumnValue] = []
  /// For each row a position in `values`.
  package private(set) var codes: [UInt32] = []
  private var codeOf: [ColumnValue: UInt32] = [:]

  package init() {}

  package init(_ values: some Sequence<ColumnValue>) {
    for value in values { append(value) }
  }

  /// A column without values.
  package init(nulls count: Int) {
    values = [.null]
    codeOf = [.null: 0]
    codes = [UInt32](repeating: 0, count: count)
  }

  /// - Parameter values: distinct.
  init(values: [ColumnValue], codes: [UInt32]) {
    self.values = values
    self.codes = codes
    for (i, value) in values.enumerated() { codeOf[value] = UInt32(i) }
  }

  /// Rows.
  package var count: Int { codes.count }

  package subscript(row: Int) -> ColumnValue { values[Int(codes[row])] }

  /// The same values of consecutive rows.
  func rows(_ rows: Range<Int>) -> ValueColumn { ValueColumn(values: values, codes: Array(codes[rows])) }

  package mutating func append(_ value: ColumnValue) { codes.append(code(of: value)) }

  package mutating func append(_ other: ValueColumn) {
    let map = other.values.map { code(of: $0) }
    codes.reserveCapacity(codes.count + other.codes.count)
    for code in other.codes { codes.append(map[Int(code)]) }
  }

  private mutating func code(of value: ColumnValue) -> UInt32 {
    if let code = codeOf[value] { return code }
    let code = UInt32(values.count)
    codeOf[value] = code
    values.append(value)
    return code
  }
}

extension VectorSource {
  /// Most rows have none.
  package var filterColumns: [ValueColumn] { [] }
}
