import TestSupport
import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

@Suite("Filter columns of a segment") struct FilterColumnTests {
  private static let values: [ColumnValue] = [
    .null, .integer(1), .real(1), .integer(2), .real(-0.5), .integer(1 << 53 + 1), .real(0x1p53), .integer(.max),
    .real(0x1p63), .integer(.min), .real(-0x1p63), .string(""), .string("a"), .string("ab"), .blob([]), .blob([97]),
  ]

  private static func columns(_ rows: Int, seed: UInt64) -> [[ColumnValue]] {
    var random = SplitMix(seed: seed)
    return (0..<3).map { column in
      (0..<rows).map { _ in
        if column == 2 { return .integer(Int64.random(in: 0..<1_000, using: &random)) }
        return values.randomElement(using: &random) ?? .null
      }
    }
  }

  private static func source(_ columns: [[ColumnValue]], ids: [Int64]) -> ArraySource {
    ArraySource(
      rowIDs: ids, vectors: ids.flatMap { [Float($0 % 50), 1] }, dimensions: 2,
      filterColumns: columns.map { ValueColumn($0) })
  }

  private static func condition(_ random: inout SplitMix) -> FilterCondition {
    let column = Int.random(in: 0..<3, using: &random)
    func value(_ random: inout SplitMix) -> ColumnValue {
      if column == 2, Bool.random(using: &random) { return .integer(Int64.random(in: 0..<1_000, using: &random)) }
      return values.randomElement(using: &random) ?? .null
    }
    let (a, b) = (value(&random), value(&random))
    let bounds = [a, b].map { FilterCondition.Bound($0, isInclusive: Bool.random(using: &random)) }
    let tests: [FilterCondition.Test] = [
      .equals(a), .isIn([a, b, .integer(5)]), .range(lower: bounds[0], upper: nil),
      .range(lower: nil, upper: bounds[1]), .range(lower: bounds[0], upper: bounds[1]), .isNotNull, .differs(from: a),
      .isNull, .isNot(a), .identical(to: b),
    ]
    return FilterCondition(column, tests.randomElement(using: &random) ?? .isNull)
  }

  @Test("Entries that pass are those whose values pass, few or many", arguments: [0, 1, 40, 3_000])
  func entries(rows: Int) throws {
    let folder = TemporaryFolder()
    let columns = Self.columns(rows, seed: 5)
    let ids = (0..<rows).map { Int64(rows - $0) }
    let index = try folder.build(
      Self.source(columns, ids: ids), IndexConfiguration(dimensions: 2, metric: .l2, kind: .flat))
    #expect(index.columns?.count == 3)
    for (row, id) in ids.enumerated() {
      let entry = try #require(try index.entry(ofRowID: id))
      for column in columns.indices {
        #expect(try index.value(column: column, entry: entry) == columns[column][row])
      }
    }
    var random = SplitMix(seed: 6)
    for _ in 0..<300 {
      let conditions = (0...Int.random(in: 0..<3, using: &random)).map { _ in Self.condition(&random) }
      let expected = ids.indices.filter { row in conditions.allSatisfy { $0.passes(columns[$0.column][row]) } }
      var found = Set<Int64>()
      let entries = try index.entries(passing: conditions)
      try entries.forEach { found.insert(try index.rowID(ofEntry: $0)) }
      #expect(found == Set(expected.map { ids[$0] }), "\(conditions)")
      #expect(entries.count == expected.count)
    }
    #expect(try index.check() == [])
  }

  @Test("Values compare as SQLite's do, and are told apart by their kind")
  func order() {
    let sorted: [ColumnValue] = [
      .null, .real(-0x1p63 * 2), .integer(.min), .real(-0.5), .integer(0), .real(0.5), .integer(1), .real(0x1p53),
      .integer(1 << 53 + 1), .integer(.max), .real(0x1p63), .string(""), .string("A"), .string("a"), .string("aa"),
      .blob([]), .blob([0]), .blob([255]),
    ]
    for (i, a) in sorted.enumerated() {
      for (j, b) in sorted.enumerated() {
        #expect(ColumnValue.compare(a, b).signum() == (i - j).signum(), "\(a) and \(b)")
      }
    }
    #expect(ColumnValue.compare(.integer(1 << 53), .real(0x1p53)) == 0)
    #expect(ColumnValue.compare(.integer(.min), .real(-0x1p63)) == 0)
    #expect(ColumnValue.isBefore(.integer(1), .real(1)) && !ColumnValue.isBefore(.real(1), .integer(1)))
    #expect(ColumnValue.number(.nan) == .null)
  }

  @Test("A segment that grows keeps the values of its rows", arguments: IndexKind.allCases)
  func growth(kind: IndexKind) throws {
    let folder = TemporaryFolder()
    let columns = Self.columns(400, seed: 9)
    let configuration = IndexConfiguration(dimensions: 2, metric: .l2, kind: kind)
    let first = try folder.build(Self.source(columns.map { Array($0[..<300]) }, ids: Array(0..<300)), configuration)
    let live = try first.filter((0..<300).filter { $0 % 3 != 0 })
    let second = try folder.build(
      Self.source(columns.map { Array($0[300...]) }, ids: Array(300..<400)), configuration,
      base: GrowthBase(index: first, live: live))
    for id in 0..<400 where id >= 300 || id % 3 != 0 {
      let entry = try #require(try second.entry(ofRowID: Int64(id)))
      for column in columns.indices { #expect(try second.value(column: column, entry: entry) == columns[column][id]) }
    }
    #expect(try second.check() == [])
  }
}
