import TestSupport
import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// What only searches under filters read, damaged: they throw, and what does not need it answers.
@Suite struct FilterDamageTests {
  // MARK: Lists

  /// A graph with lists beside it, which only searches under filters use.
  private static func graph(_ folder: TemporaryFolder) throws -> SegmentIndex {
    let rows = TestVectors(count: 5_000, dimensions: 8, seed: 51).rows
    let source = ArraySource(rowIDs: rows.indices.map(Int64.init), vectors: rows.flatMap { $0 }, dimensions: 8)
    let index = try folder.build(source, IndexConfiguration(dimensions: 8, metric: .l2, kind: .hnsw))
    #expect(index.lists?.reach != nil)
    return index
  }

  private static func search(_ index: SegmentIndex, _ plan: SegmentPlan) throws -> SegmentAnswer {
    let filter = try index.filter((0..<2_000).map(Int64.init))
    let query = try PreparedQuery([Float](repeating: 0.5, count: 8), dimensions: 8, metric: .l2)
    var counters = SearchCounters()
    return try index.search(
      query, k: 5, parameters: SearchParameters(plan: plan), filter: filter, counters: &counters)
  }

  @Test func listStartsStopSearchesByListsOnly() throws {
    let folder = TemporaryFolder()
    let index = try Self.graph(folder)
    let sound = try [SegmentPlan.exact, .graph].map { try Self.search(index, $0) }
    #expect(try Self.search(index, .lists).plan == .lists)
    var starts = try #require(try SegmentIndexDamageTests.section(.listStarts, of: index.file))
    starts.replaceSubrange(0..<4, with: [255, 255, 255, 255])
    let path = try SegmentIndexDamageTests.forge(index.file, .listStarts, starts, folder)
    let forged = try SegmentIndex(SegmentFile(path: path))
    for (plan, answer) in zip([SegmentPlan.exact, .graph], sound) {
      let found = try Self.search(forged, plan)
      #expect(found.hits == answer.hits && found.plan == plan)
    }
    #expect(throws: SegmentError.invalidContent(section: .listStarts, offset: 0, path: path)) {
      try Self.search(forged, .lists)
    }
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity, -0.5, -.greatestFiniteMagnitude])
  func spreadsAreLengths(value: Float) throws {
    let folder = TemporaryFolder()
    let index = try Self.graph(folder)
    var spreads = try #require(try SegmentIndexDamageTests.section(.listSpreads, of: index.file))
    let place = spreads.count / 8 * 4
    for i in 0..<4 { spreads[place + i] = UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(8 * i)) }
    let path = try SegmentIndexDamageTests.forge(index.file, .listSpreads, spreads, folder)
    let forged = try SegmentIndex(SegmentFile(path: path))
    let expected = SegmentError.invalidContent(section: .listSpreads, offset: 0, path: path)
    #expect(throws: expected) { try Self.search(forged, .lists) }
    #expect(throws: expected) { try forged.check() }
    #expect(try Self.search(forged, .exact).hits.count == 5)
  }

  // MARK: Filter columns

  private static let rowCount = 40_000

  /// Columns whose sections take several blocks each: numbers that are all different, and texts that are not.
  private static func columns(_ folder: TemporaryFolder) throws -> SegmentIndex {
    let rows = 0..<rowCount
    let source = ArraySource(
      rowIDs: rows.map(Int64.init), vectors: rows.map { Float($0) }, dimensions: 1,
      filterColumns: [
        ValueColumn(rows.map { .integer(Int64($0)) }), ValueColumn(rows.map { .string("label \($0 % 97)") }),
      ])
    return try folder.build(source, IndexConfiguration(dimensions: 1, metric: .l2, kind: .flat))
  }

  private static func number(_ test: FilterCondition.Test) -> FilterCondition { FilterCondition(0, test) }

  private static func range(_ low: Int64, _ high: Int64) -> FilterCondition {
    let bounds = [low, high].map { FilterCondition.Bound(.integer($0), isInclusive: true) }
    return number(.range(lower: bounds[0], upper: bounds[1]))
  }

  private static let conditions: [[FilterCondition]] = [
    [range(12_000, 35_000)], [range(100, 39_000), FilterCondition(1, .equals(.string("label 5")))],
    [number(.isIn([.integer(5), .integer(16_383), .integer(16_384), .integer(33_000)]))],
    [number(.differs(from: .integer(20_000))), FilterCondition(1, .isNot(.string("label 9")))],
    [
      number(.isIn((0..<500).map { .integer($0 * 80) })),
      FilterCondition(1, .isIn([.string("label 1"), .string("label 2")])),
    ],
    [FilterCondition(1, .differs(from: .string("label 50")))],
  ]

  /// Everything that can be asked of the columns: each answers or throws what damage throws.
  private static func use(_ path: String) {
    func attempt(_ body: () throws(SegmentError) -> Void) { _ = Result(catching: body) }
    attempt { () throws(SegmentError) in
      let index = try SegmentIndex(SegmentFile(path: path))
      for conditions in conditions {
        attempt { () throws(SegmentError) in
          let entries = try index.entries(passing: conditions)
          #expect(entries.count <= rowCount)
          _ = try EntryFilter(entries, in: index)
        }
      }
      for entry in stride(from: 0, to: rowCount, by: 1_001) {
        for column in 0..<2 {
          attempt { () throws(SegmentError) in _ = try index.value(column: column, entry: entry) }
        }
      }
      attempt { () throws(SegmentError) in _ = try index.check() }
    }
  }

  /// Words and whole stretches of each section, so that what a block says of itself holds, and between blocks not.
  @Test(arguments: [
    SectionKind.filterColumns, .filterValues, .filterBytes, .filterStarts, .filterEntries, .filterRanks,
  ])
  func survivesForgedColumns(kind: SectionKind) throws {
    let folder = TemporaryFolder()
    let index = try Self.columns(folder)
    for conditions in Self.conditions { #expect(try index.entries(passing: conditions).count > 0) }
    let sound = try #require(try SegmentIndexDamageTests.section(kind, of: index.file))
    var random = SplitMix(seed: 52)
    let values: [UInt32] = [0, 1, 96, 97, 16_384, 39_999, 40_000, 40_001, 0x7FFF_FFFF, .max]
    for _ in 0..<60 {
      var bytes = sound
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let first = Int.random(in: 0..<bytes.count / 4, using: &random)
        let length = Bool.random(using: &random) ? 1 : Int.random(in: 1...20_000, using: &random)
        let value = values.randomElement(using: &random) ?? 0
        for word in first..<min(first + length, bytes.count / 4) {
          for i in 0..<4 { bytes[word * 4 + i] = UInt8(truncatingIfNeeded: value >> UInt32(8 * i)) }
        }
      }
      if bytes == sound { continue }
      let path = try SegmentIndexDamageTests.forge(index.file, kind, bytes, folder)
      Self.use(path)
      unsafe unlink(path)
    }
  }

  /// Each block of the starts ascends, the second is not looked at, and the runs together are longer than the column.
  @Test func refusesMoreEntriesThanThereAre() throws {
    let folder = TemporaryFolder()
    let index = try Self.columns(folder)
    var starts = try #require(try SegmentIndexDamageTests.section(.filterStarts, of: index.file))
    for word in 1..<16_384 {
      for i in 0..<4 { starts[word * 4 + i] = UInt8(truncatingIfNeeded: Self.rowCount >> (8 * i)) }
    }
    let path = try SegmentIndexDamageTests.forge(index.file, .filterStarts, starts, folder)
    let forged = try SegmentIndex(SegmentFile(path: path))
    let expected = SegmentError.invalidContent(section: .filterStarts, offset: 0, path: path)
    #expect(throws: expected) {
      try forged.entries(passing: [Self.number(.isIn([.integer(0), .integer(39_000)]))])
    }
    #expect(throws: expected) { try forged.entries(passing: [Self.range(12_000, 39_000)]) }
  }
}
