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
    let names = try index.reader.withStore { $0.definition.filterColumns.map(\.name) }
    let conditions = try unsafe required(conditions, "conditions", count: count).map { condition in
      try unsafe FilterCondition(condition, columns: names)
    }
    try unsafe give(OpenFilter(index, ReaderFilter(conditions)), to: filter)
  }
}

extension FilterCondition {
  /// - Parameter columns: the names of the index's filter columns.
  init(_ condition: vidx_condition, columns: [String]) throws(Failure) {
    let name = try unsafe required(condition.column, "column")
    guard let position = columns.firstIndex(where: { $0.lowercased() == name.lowercased() }) else {
      let guess = nearestSpelling(to: name, among: columns).map { " (did you mean '\($0)'?)" } ?? ""
      let known = columns.isEmpty ? "it has none" : "it has \(columns.joined(separator: ", "))"
      throw Failure(VIDX_BAD_ARGUMENT, "the index has no filter column '\(name)'\(guess): \(known)")
    }
    let given = try unsafe required(condition.values, "values", count: condition.count)
    var values: [ColumnValue] = []
    for i in 0..<(unsafe condition.count) { values.append(try unsafe ColumnValue(given[i])) }
    self.init(position, try Self.test(unsafe Int(condition.test), values, of: name))
  }

  private static func test(_ code: Int, _ values: [ColumnValue], of name: String) throws(Failure) -> Test {
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
    func bound(_ i: Int, _ isInclusive: Bool) -> Bound { Bound(values[i], isInclusive: isInclusive) }
    switch code {
    case VIDX_IN: return .isIn(values)
    case VIDX_DIFFERS: return .differs(from: values[0])
    case VIDX_BELOW: return .range(lower: nil, upper: bound(0, false))
    case VIDX_AT_MOST: return .range(lower: nil, upper: bound(0, true))
    case VIDX_ABOVE: return .range(lower: bound(0, false), upper: nil)
    case VIDX_AT_LEAST: return .range(lower: bound(0, true), upper: nil)
    case VIDX_BETWEEN: return .range(lower: bound(0, true), upper: bound(1, true))
    case VIDX_IS_NULL: return .isNull
    case VIDX_IS_NOT_NULL: return .isNotNull
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
