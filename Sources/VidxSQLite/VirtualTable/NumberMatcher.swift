import VidxIndexes

/// Comparisons of a TEXT column with numbers where SQLite makes numbers of the column's texts, as it does for numbers
/// that come from a column or a CAST which has a numeric type (https://www.sqlite.org/datatype3.html, section 4.2).
final class NumberMatcher: @unchecked Sendable {
  // @unchecked: belongs to one search of one connection.

  private let connection: Connection
  /// It may be that SQLite makes texts of the numbers instead: what passes either way passes.
  private let isUncertain: Bool
  private var statement: Statement?

  init(_ connection: Connection, isUncertain: Bool) {
    self.connection = connection
    self.isUncertain = isUncertain
  }

  /// `= value` or `IN (...)`.
  func isIn(_ values: [ColumnValue]) -> ValuePredicate {
    let numbers = Set(values.filter(\.isNumber).map(Self.whole))
    var others = Set(values.filter { !$0.isNumber && !$0.isNull })
    if isUncertain {
      for number in values where number.isNumber {
        if let text = text(of: number) { others.insert(text) }
      }
    }
    return predicate("in \(values)") { [self, others] value in others.contains(value) || isNumber(value, in: numbers) }
  }

  /// `<> number`; with NULL as well, `IS NOT number`.
  func differs(from number: ColumnValue, passesNull: Bool) -> ValuePredicate {
    predicate("differs \(number)", passesNull: passesNull) { [self] value in
      isUncertain || !isNumber(value, in: [Self.whole(number)])
    }
  }

  /// - Parameter operation: `<` or `<=`.
  func isBelow(_ number: ColumnValue, _ operation: String) -> ValuePredicate {
    let asText = isUncertain ? " OR CAST(?1 AS TEXT) \(operation) ?2" : ""
    return predicate("\(operation) \(number)") { [self] value in
      // BLOBs are above numbers, as texts are that are none.
      guard case .text = value else { return value.isNumber }
      return asked("SELECT CAST(?1 AS TEXT) \(operation) CAST(?2 AS NUMERIC)\(asText)", value, number) {
        $0.int64(0) != 0
      } ?? true
    }
  }

  /// - Parameter operation: `>` or `>=`.
  func isAbove(_ number: ColumnValue, _ operation: String) -> ValuePredicate {
    predicate("\(operation) \(number)") { [self] value in
      guard !isUncertain, case .text = value else { return true }
      return asked("SELECT CAST(?1 AS TEXT) \(operation) CAST(?2 AS NUMERIC)", value, number) {
        $0.int64(0) != 0
      } ?? true
    }
  }

  private func predicate(
    _ name: String, passesNull: Bool = false, _ passes: @escaping @Sendable (ColumnValue) -> Bool
  ) -> ValuePredicate {
    ValuePredicate(
      name: Array("number \(isUncertain) \(passesNull) \(name)".utf8), passesNull: passesNull, passes: passes)
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
