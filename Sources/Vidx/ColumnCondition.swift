internal import VidxIndexes

/// A test of one filter column of an index. NULL passes `isNull` only.
///
/// Values compare as SQLite compares those of a column without a type: numbers by value, then texts byte by byte, then
/// BLOBs; nothing is converted.
public struct ColumnCondition: Sendable, Equatable {
  public enum Test: Sendable, Equatable {
    case equals(Value)
    case differs(from: Value)
    case isIn([Value])
    case isBelow(Value)
    case isAtMost(Value)
    case isAbove(Value)
    case isAtLeast(Value)
    /// Both ends included.
    case isBetween(Value, Value)
    case isNull
    case isNotNull
  }

  /// The name of the column, in any case.
  public var column: String
  public var test: Test

  public init(_ column: String, _ test: Test) {
    self.column = column
    self.test = test
  }
}

extension ColumnCondition.Test {
  var filterTest: FilterCondition.Test {
    func bound(_ value: Value, _ isInclusive: Bool) -> FilterCondition.Bound {
      FilterCondition.Bound(value.columnValue, isInclusive: isInclusive)
    }
    return switch self {
    case .equals(let value): .equals(value.columnValue)
    case .differs(let value): .differs(from: value.columnValue)
    case .isIn(let values): .isIn(values.map(\.columnValue))
    case .isBelow(let value): .range(lower: nil, upper: bound(value, false))
    case .isAtMost(let value): .range(lower: nil, upper: bound(value, true))
    case .isAbove(let value): .range(lower: bound(value, false), upper: nil)
    case .isAtLeast(let value): .range(lower: bound(value, true), upper: nil)
    case .isBetween(let low, let high): .range(lower: bound(low, true), upper: bound(high, true))
    case .isNull: .isNull
    case .isNotNull: .isNotNull
    }
  }
}

extension Value {
  var columnValue: ColumnValue {
    switch self {
    case .null: .null
    case .integer(let integer): .integer(integer)
    case .real(let real): .number(real)
    case .text(let text): .string(text)
    case .blob(let bytes): .blob(bytes)
    }
  }
}
