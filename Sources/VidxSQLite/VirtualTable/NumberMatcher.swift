import VidxIndexes

/// Comparisons of a TEXT column with numbers, both as texts and as numbers. SQLite makes texts of numbers that come
/// without affinity of their own, and of the column's texts numbers where they come from a column or a CAST that has a
/// numeric one (https://www.sqlite.org/datatype3.html, section 4.2). Which it is, it does not tell.
final class NumberMatcher: @unchecked Sendable {
  // @unchecked: belongs to one search of one connection.

  private let connection: Connection
  private var statement: Statement?

  init(_ connection: Connection) { self.connection = connection }

  /// `= value` or `IN (...)`.
  func isIn(_ values: [ColumnValue]) -> ValuePredicate {
    let numbers = Set(values.filter(\.isNumber).map(Self.whole))
    var others = Set(values.filter { !$0.isNumber && !$0.isNull })
    for number in values where number.isNumber {
      if let text = text(of: number) { others.insert(text) }
    }
    return ValuePredicate(name: Array("number in \(values)".utf8)) { [self, others] value in
      others.contains(value) || isNumber(value, in: numbers)
    }
  }

  /// - Parameter operation: `<` or `<=`.
  func isBelow(_ number: ColumnValue, _ operation: String) -> ValuePredicate {
    ValuePredicate(name: Array("number \(operation) \(number)".utf8)) { [self] value in
      // Texts and BLOBs are above numbers.
      guard case .text = value else { return value.isNumber }
      return asked(
        "SELECT CAST(?1 AS TEXT) \(operation) CAST(?2 AS NUMERIC) OR CAST(?1 AS TEXT) \(operation) ?2", value, number
      ) { $0.int64(0) != 0 } ?? true
    }
  }

  private func isNumber(_ value: ColumnValue, in numbers: Set<ColumnValue>) -> Bool {
    guard case .text(let bytes) = value else { return numbers.contains(Self.whole(value)) }
    guard let first = bytes.first, Self.beginnings.contains(first) else { return false }
    return asked(
      "SELECT CAST(CAST(?1 AS TEXT) AS NUMERIC), CAST(?1 AS TEXT) = CAST(CAST(?1 AS TEXT) AS NUMERIC)", value
    ) { $0.int64(1) != 0 && numbers.contains(Self.whole($0.columnValue(0))) } ?? true
  }

  /// Of texts that are numbers.
  private static let beginnings = Set("0123456789+-. \t\n\u{B}\u{C}\r".utf8)

  /// 5 for 5.0.
  private static func whole(_ value: ColumnValue) -> ColumnValue {
    guard case .real(let real) = value, let integer = Int64(exactly: real) else { return value }
    return .integer(integer)
  }

  private func text(of number: ColumnValue) -> ColumnValue? {
    asked("SELECT CAST(?1 AS TEXT)", number, keeps: false) { $0.columnValue(0) }
  }

  /// - Returns: nil for an error: SQLite checks each row again, and meets the same.
  private func asked<Answer>(
    _ sql: String, _ values: ColumnValue..., keeps: Bool = true, _ read: (Statement) -> Answer
  ) -> Answer? {
    do {
      let statement = try (keeps ? self.statement : nil) ?? connection.prepare(sql)
      if keeps { self.statement = statement }
      defer { statement.reset() }
      for (i, value) in values.enumerated() { try statement.bind(value, at: Int32(i + 1)) }
      return try statement.step() ? read(statement) : nil
    } catch {
      return nil
    }
  }
}

extension ColumnValue {
  var isNumber: Bool {
    switch self {
    case .integer, .real: true
    default: false
    }
  }
}
