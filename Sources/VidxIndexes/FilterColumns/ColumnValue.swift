#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A value of a filter column: SQLite's five kinds, compared as SQLite compares them without affinity and under BINARY
/// collation.
///
/// Equal as a key means of the same kind, too: 1 and 1.0 are two values, that compare as equal.
package enum ColumnValue: Hashable, Sendable {
  case null
  case integer(Int64)
  /// Never a NaN; `number` sees to it.
  case real(Double)
  /// UTF-8, which may hold zeros and need not be well formed.
  case text([UInt8])
  case blob([UInt8])

  /// A REAL; NaN is NULL, as in SQLite.
  package static func number(_ value: Double) -> ColumnValue { value.isNaN ? .null : .real(value) }

  package static func string(_ value: String) -> ColumnValue { .text(Array(value.utf8)) }

  package var isNull: Bool { self == .null }
}

extension ColumnValue {
  /// Below 0 when `a` comes before `b`, 0 when they compare as equal. NULL < numbers < TEXT < BLOB.
  package static func compare(_ a: ColumnValue, _ b: ColumnValue) -> Int {
    switch (a, b) {
    case (.integer(let a), .integer(let b)): sign(a, b)
    case (.real(let a), .real(let b)): sign(a, b)
    case (.integer(let a), .real(let b)): compare(a, b)
    case (.real(let a), .integer(let b)): -compare(b, a)
    case (.text(let a), .text(let b)), (.blob(let a), .blob(let b)):
      unsafe a.withUnsafeBytes { a in unsafe b.withUnsafeBytes { b in unsafe compare(a, b) } }
    default: sign(a.rank, b.rank)
    }
  }

  /// The order in a segment: as compared, and among equals INTEGER before REAL.
  static func isBefore(_ a: ColumnValue, _ b: ColumnValue) -> Bool {
    let order = compare(a, b)
    if order != 0 { return order < 0 }
    if case .integer = a, case .real = b { return true }
    return false
  }

  private var rank: Int {
    switch self {
    case .null: 0
    case .integer, .real: 1
    case .text: 2
    case .blob: 3
    }
  }

  private static func sign<T: Comparable>(_ a: T, _ b: T) -> Int { a < b ? -1 : a > b ? 1 : 0 }

  /// Exact beyond 2^53 as well (sqlite3IntFloatCompare).
  private static func compare(_ integer: Int64, _ real: Double) -> Int {
    if !(real >= -0x1p63) { return 1 }
    if real >= 0x1p63 { return -1 }
    // Beyond 2^53 every double is whole, and below it the integer is a double.
    let order = sign(integer, Int64(real))
    return order != 0 ? order : sign(Double(integer), real)
  }

  /// As memcmp, the shorter first among those that begin alike.
  static func compare(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
    let common = min(a.count, b.count)
    if common > 0, let left = a.baseAddress, let right = b.baseAddress {
      let order = unsafe memcmp(left, right, common)
      if order != 0 { return Int(order) }
    }
    return sign(a.count, b.count)
  }
}
