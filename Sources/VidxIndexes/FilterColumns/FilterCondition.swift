/// A test of one filter column. NULL passes `isNull` and `isNot` only, as in SQL, and what `matches` says so.
package struct FilterCondition: Hashable, Sendable {
  /// The position of the column among the filter columns of the index.
  package var column: Int
  package var test: Test
  /// That of the database, for the ends of ranges.
  package var textOrder: TextOrder

  package init(_ column: Int, _ test: Test, textOrder: TextOrder = .utf8) {
    self.column = column
    self.test = test
    self.textOrder = textOrder
  }

  /// One end of a range.
  package struct Bound: Hashable, Sendable {
    package var value: ColumnValue
    package var isInclusive: Bool

    package init(_ value: ColumnValue, isInclusive: Bool) {
      self.value = value
      self.isInclusive = isInclusive
    }
  }

  package enum Test: Hashable, Sendable {
    /// `= value`, or `IN (...)`; NULL among them is never equal.
    case isIn([ColumnValue])
    /// `<`, `<=`, `>`, `>=`, BETWEEN; without bounds IS NOT NULL. A bound of NULL lets nothing pass.
    case range(lower: Bound?, upper: Bound?)
    /// `<> value`; with NULL nothing passes.
    case differs(from: ColumnValue)
    case isNull
    /// `IS NOT value`: as `differs`, but NULL passes; with NULL as IS NOT NULL.
    case isNot(ColumnValue)
    /// What another module tells.
    case matches(ValuePredicate)

    package static func equals(_ value: ColumnValue) -> Test { .isIn([value]) }
    package static var isNotNull: Test { .range(lower: nil, upper: nil) }
    /// `IS value`.
    package static func identical(to value: ColumnValue) -> Test { value.isNull ? .isNull : .isIn([value]) }
  }

  /// Whether a value passes.
  package func passes(_ value: ColumnValue) -> Bool {
    switch test {
    case .isNull: return value.isNull
    case .isNot(let other): return ColumnValue.compare(value, other) != 0
    case .matches(let predicate) where value.isNull: return predicate.passesNull
    default: break
    }
    if value.isNull { return false }
    switch test {
    case .isIn(let values):
      return values.contains { !$0.isNull && ColumnValue.compare(value, $0) == 0 }
    case .range(let lower, let upper):
      return (lower.map { isAbove(value, $0) } ?? true) && (upper.map { isBelow(value, $0) } ?? true)
    case .differs(let other):
      return !other.isNull && ColumnValue.compare(value, other) != 0
    case .matches(let predicate): return predicate.passes(value)
    case .isNull, .isNot: return false
    }
  }

  private func isAbove(_ value: ColumnValue, _ bound: Bound) -> Bool {
    if bound.value.isNull { return false }
    let order = compare(value, bound.value)
    return bound.isInclusive ? order >= 0 : order > 0
  }

  private func isBelow(_ value: ColumnValue, _ bound: Bound) -> Bool {
    if bound.value.isNull { return false }
    let order = compare(value, bound.value)
    return bound.isInclusive ? order <= 0 : order < 0
  }

  private func compare(_ a: ColumnValue, _ b: ColumnValue) -> Int {
    if case .text(let a) = a, case .text(let b) = b { return textOrder.compare(a, b) }
    return ColumnValue.compare(a, b)
  }

  /// The values that pass need not be neighbours among those of a segment.
  private var isTestedOneByOne: Bool {
    if case .matches = test { return true }
    guard textOrder != .utf8, case .range(let lower, let upper) = test else { return false }
    return [lower, upper].contains { bound in
      if case .text? = bound?.value { true } else { false }
    }
  }
}

extension FilterCondition {
  /// The ranges of positions in a sorted list of distinct values that pass; ascending, disjoint, none empty.
  /// - Parameters:
  ///   - count: of the values.
  ///   - value: that at a position.
  ///   - compare: the value at a position with another; below 0 when it comes before.
  /// - Complexity: O(log count) comparisons for each value of the condition; O(count) for a range whose texts are in
  ///   another order than UTF-8's, and for what another module tests.
  func ranks<Failure: Error>(
    among count: Int, value: (Int) throws(Failure) -> ColumnValue,
    _ compare: (Int, ColumnValue) throws(Failure) -> Int
  ) throws(Failure) -> [Range<Int>] {
    if isTestedOneByOne {
      var passing: [Range<Int>] = []
      for position in 0..<count where passes(try value(position)) { passing.append(position..<position + 1) }
      return Self.merged(passing)
    }
    /// The first position whose value is not before `value`; or, with `isAfter`, the first that is behind it.
    func position(of value: ColumnValue, isAfter: Bool) throws(Failure) -> Int {
      var (low, high) = (0, count)
      while low < high {
        let middle = (low + high) / 2
        let order = try compare(middle, value)
        if isAfter ? order <= 0 : order < 0 { low = middle + 1 } else { high = middle }
      }
      return low
    }
    func run(_ value: ColumnValue) throws(Failure) -> Range<Int> {
      let start = try position(of: value, isAfter: false)
      return start..<max(start, try position(of: value, isAfter: true))
    }
    let nulls = try run(.null)
    var ranges: [Range<Int>] = []
    switch test {
    case .isNull: ranges = [nulls]
    case .isIn(let values):
      for value in values where !value.isNull { ranges.append(try run(value)) }
    case .range(let lower, let upper):
      if lower?.value.isNull ?? false || upper?.value.isNull ?? false { break }
      let start = try lower.map { (bound) throws(Failure) in
        try position(of: bound.value, isAfter: !bound.isInclusive)
      }
      let end = try upper.map { (bound) throws(Failure) in
        try position(of: bound.value, isAfter: bound.isInclusive)
      }
      let first = max(start ?? 0, nulls.upperBound)
      ranges = [first..<max(first, end ?? count)]
    case .differs(let value):
      if value.isNull { break }
      ranges = Self.complement(of: [nulls, try run(value)], among: count)
    case .matches: break
    case .isNot(let value):
      ranges = Self.complement(of: [try run(value)], among: count)
    }
    return Self.merged(ranges)
  }

  private static func complement(of runs: [Range<Int>], among count: Int) -> [Range<Int>] {
    var result: [Range<Int>] = []
    var start = 0
    for run in runs {
      result.append(start..<max(start, run.lowerBound))
      start = max(start, run.upperBound)
    }
    return result + [start..<max(start, count)]
  }

  private static func merged(_ ranges: [Range<Int>]) -> [Range<Int>] {
    var result: [Range<Int>] = []
    for range in ranges.filter({ !$0.isEmpty }).sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = result.last, range.lowerBound <= last.upperBound {
        result[result.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
      } else {
        result.append(range)
      }
    }
    return result
  }
}
