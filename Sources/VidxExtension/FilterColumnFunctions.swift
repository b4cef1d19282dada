public import CVidxExtension
import VidxIndexes
import VidxSQLite

@c(vidx_filter_columns)
public func filterColumns(
  _ index: OpaquePointer?, _ conditions: UnsafePointer<vidx_condition>?, _ count: Int,
  _ filter: UnsafeMutablePointer<OpaquePointer?>?, _ error: ErrorText?
) -> Int32 {
  unsafe outcome(error) {
    let index = try unsafe OpenIndex.of(index)
    let snapshot = try index.snapshot()
    let conditions = try unsafe required(conditions, "conditions", count: count).map { condition in
      let condition = try unsafe NamedCondition(condition)
      _ = try snapshot.filterColumn(condition.column)
      return condition
    }
    try unsafe give(OpenFilter(index, ReaderFilter(conditions)), to: filter)
  }
}

extension NamedCondition {
  init(_ condition: vidx_condition) throws(Failure) {
    let name = try unsafe required(condition.column, "column")
    let given = try unsafe required(condition.values, "values", count: condition.count)
    var values: [ColumnValue] = []
    for i in 0..<(unsafe condition.count) { values.append(try unsafe ColumnValue(given[i])) }
    self.init(name, try FilterCondition.Test(unsafe Int(condition.test), values, of: name))
  }
}

extension FilterCondition.Test {
  fileprivate init(_ code: Int, _ values: [ColumnValue], of name: String) throws(Failure) {
    let needed =
      switch code {
      case VIDX_BETWEEN: 2
      case VIDX_IS_NULL, VIDX_IS_NOT_NULL: 0
      case VIDX_IN: values.count
      default: 1
      }
    guard values.count == needed else {
      throw Failure(
        VIDX_BAD_ARGUMENT, "the test of filter column '\(name)' has \(values.count) values; it needs \(needed)")
    }
    func bound(_ i: Int, _ isInclusive: Bool) -> FilterCondition.Bound {
      FilterCondition.Bound(values[i], isInclusive: isInclusive)
    }
    switch code {
    case VIDX_IN: self = .isIn(values)
    case VIDX_DIFFERS: self = .differs(from: values[0])
    case VIDX_BELOW: self = .range(lower: nil, upper: bound(0, false))
    case VIDX_AT_MOST: self = .range(lower: nil, upper: bound(0, true))
    case VIDX_ABOVE: self = .range(lower: bound(0, false), upper: nil)
    case VIDX_AT_LEAST: self = .range(lower: bound(0, true), upper: nil)
    case VIDX_BETWEEN: self = .range(lower: bound(0, true), upper: bound(1, true))
    case VIDX_IS_NULL: self = .isNull
    case VIDX_IS_NOT_NULL: self = .isNotNull
    default:
      throw Failure(
        VIDX_BAD_ARGUMENT, "the test of filter column '\(name)' is \(code); give one of VIDX_IN to VIDX_IS_NOT_NULL")
    }
  }
}

extension ColumnValue {
  init(_ value: vidx_value) throws(Failure) {
    switch try unsafe FilterValue(value) {
    case .null: self = .null
    case .integer(let integer): self = .integer(integer)
    case .real(let bits): self = .number(Double(bitPattern: bits))
    case .text(let text): self = .string(text)
    case .blob(let bytes): self = .blob(bytes)
    }
  }
}

extension ValueColumn {
  /// The values of `count` rows of a new index.
  init(_ column: vidx_column, count: Int) throws(Failure) {
    self.init()
    if let integers = unsafe column.integers {
      for i in 0..<count { append(.integer(unsafe integers[i])) }
    } else if let reals = unsafe column.reals {
      for i in 0..<count { append(.number(unsafe reals[i])) }
    } else {
      let values = try unsafe required(column.values, "values", count: count)
      for i in 0..<count { append(try unsafe ColumnValue(values[i])) }
    }
  }
}
