import Foundation
import TestSupport
import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

/// Segments that somebody forged, with checksums that hold, since anybody can compute them: every use answers or throws
/// a `SegmentError`; none ends the process, goes on for ever or takes memory without bound.
@Suite struct SegmentFuzzTests {
  struct Shape: CustomTestStringConvertible, Sendable {
    var kind: IndexKind
    var metric: Metric
    var codec: Codec
    var rows = 220
    var dimensions = 12
    var cases = 250

    var testDescription: String { "\(kind), \(metric), \(codec), \(rows) rows" }
  }

  static let shapes = [
    Shape(kind: .flat, metric: .cosine, codec: .f32), Shape(kind: .flat, metric: .l2, codec: .rabitq),
    Shape(kind: .flat, metric: .innerProduct, codec: .f16), Shape(kind: .ivfflat, metric: .l2, codec: .f32),
    Shape(kind: .ivfflat, metric: .cosine, codec: .int8), Shape(kind: .hnsw, metric: .l1, codec: .f32),
    Shape(kind: .hnsw, metric: .l2, codec: .int4), Shape(kind: .hnsw, metric: .cosine, codec: .rabitq4),
    Shape(kind: .hnsw, metric: .innerProduct, codec: .int8),
    // With lists beside the graph.
    Shape(kind: .hnsw, metric: .l2, codec: .int8, rows: 4_200, dimensions: 4, cases: 80),
  ]

  /// Rows that share vectors, zero vectors, and filter columns: every section there is.
  private static func build(_ shape: Shape, _ folder: TemporaryFolder) throws -> SegmentIndex {
    var rows = TestVectors(count: shape.rows * 9 / 10, dimensions: shape.dimensions, seed: 61).rows
    rows += rows.prefix(shape.rows / 20)
    if shape.metric == .cosine { rows.append([Float](repeating: 0, count: shape.dimensions)) }
    let source = ArraySource(
      rowIDs: rows.indices.map { Int64($0) * 2 }, vectors: rows.flatMap { $0 }, dimensions: shape.dimensions,
      filterColumns: [
        ValueColumn(rows.indices.map { .string("label \($0 % 9)") }),
        ValueColumn(rows.indices.map { $0 % 5 == 0 ? .null : .integer(Int64($0)) }),
      ])
    let lists = shape.kind == .ivfflat ? 9 : 0
    return try folder.build(
      source,
      IndexConfiguration(
        dimensions: shape.dimensions, metric: shape.metric, kind: shape.kind, lists: lists,
        codec: .fixed(shape.codec)))
  }

  @Test(arguments: shapes)
  func survives(shape: Shape) throws {
    let folder = TemporaryFolder()
    let built = try Self.build(shape, folder)
    let sound = Forgery([UInt8](try Data(contentsOf: URL(fileURLWithPath: built.file.path))))
    var same = sound
    same.signAll()
    #expect(same.bytes == sound.bytes, "the signatures are not those of the writer")
    let path = folder.path + "/forged.seg"
    var random = SplitMix(seed: FuzzCases.seed(62))
    var refused = 0
    let count = FuzzCases.count(shape.cases)
    for number in 0..<count {
      var forged = sound
      let changes = forged.change(&random)
      try FuzzCases.note("segment \(shape.testDescription), case \(number): \(changes)")
      try Data(forged.bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
      do {
        if try Self.use(path, folder, grows: number % 10 == 0) > 0 { refused += 1 }
      } catch is SegmentError { refused += 1 }
    }
    #expect(refused > count / 4, "\(refused) of \(count) were refused: the changes hit nothing")
  }

  /// Everything that a segment can be asked.
  /// - Returns: how often it was refused.
  private static func use(_ path: String, _ folder: TemporaryFolder, grows: Bool) throws -> Int {
    let index = try SegmentIndex(SegmentFile(path: path))
    let configuration = index.configuration
    let query = try PreparedQuery(
      [Float](repeating: 0.5, count: configuration.dimensions), dimensions: configuration.dimensions,
      metric: configuration.metric)
    var refused = 0
    func attempt(_ body: () throws -> Void) throws {
      do { try body() } catch is SegmentError { refused += 1 } catch is BuildError { refused += 1 }
    }
    func search(_ parameters: SearchParameters, _ filter: EntryFilter? = nil) throws {
      var counters = SearchCounters()
      let hits = try index.search(query, k: 5, parameters: parameters, filter: filter, counters: &counters).hits
      #expect(hits.count <= 5)
    }
    for parameters in [
      SearchParameters(efSearch: 3, probes: 2), SearchParameters(targetRecall: 0.9), SearchParameters(exact: true),
    ] {
      try attempt { try search(parameters) }
    }
    for plan in configuration.plans {
      try attempt { try search(SearchParameters(plan: plan), index.filter((0..<90).map { Int64($0) * 4 })) }
    }
    try attempt { try search(SearchParameters(), index.filter([2, 4, 6])) }
    try attempt { _ = try index.search([query, query, query], k: 3, threads: 1) }
    try attempt { try self.readAll(index, query) }
    try attempt { _ = try index.check() }
    try attempt { _ = index.file.check() }
    if grows { try attempt { try grow(index, folder) } }
    return refused
  }

  private static func readAll(_ index: SegmentIndex, _ query: PreparedQuery) throws {
    let stream = index.stream(query, parameters: SearchParameters(efSearch: 4, probes: 1))
    var count = 0
    while try stream.next() != nil { count += 1 }
    #expect(count <= index.entryCount)
    let conditions = [
      [FilterCondition(0, .equals(.string("label 3")))], [FilterCondition(1, .differs(from: .integer(5)))],
      [FilterCondition(1, .range(lower: FilterCondition.Bound(.integer(10), isInclusive: true), upper: nil))],
      [FilterCondition(0, .isIn([.string("label 1"), .string("label 7")])), FilterCondition(1, .isNull)],
    ]
    for conditions in conditions { _ = try EntryFilter(index.entries(passing: conditions), in: index) }
    for entry in stride(from: 0, to: index.entryCount, by: 7) {
      _ = try index.vector(ofEntry: entry)
      for column in 0..<2 { _ = try index.value(column: column, entry: entry) }
    }
    for id in stride(from: Int64(-3), to: 500, by: 5) { _ = try index.entry(ofRowID: id) }
    _ = try index.entries(in: 10...200)
  }

  private static func grow(_ index: SegmentIndex, _ folder: TemporaryFolder) throws {
    let dimensions = index.configuration.dimensions
    let live = try index.filter((0..<150).filter { $0 % 4 != 0 }.map { Int64($0) * 2 })
    let added = ArraySource(rowIDs: [-1], vectors: [Float](repeating: 0.5, count: dimensions), dimensions: dimensions)
    let grown = try folder.build(added, index.configuration, base: GrowthBase(index: index, live: live))
    try FileManager.default.removeItem(atPath: grown.file.path)
  }
}

/// The bytes of a segment (docs/FORMAT.md), to be changed and signed anew.
private struct Forgery {
  struct Section {
    /// Of its line in the section table, of itself, of its checksums.
    var line: Int
    var offset: Int
    var length: Int
    var checksums: Int
  }

  private(set) var bytes: [UInt8]
  let sections: [Section]

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    func number(_ offset: Int, _ size: Int) -> Int {
      (0..<size).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
    }
    sections = (0..<number(72, 4)).map { i in
      let line = 128 + 32 * i
      return Section(
        line: line, offset: number(line + 8, 8), length: number(line + 16, 8), checksums: number(line + 24, 8))
    }
  }

  /// What numbers of a segment may come to be.
  private static let values: [UInt64] = [
    0, 1, 2, 3, 8, 16, 63, 64, 100, 200, 219, 220, 221, 4_096, 16_000, 16_001, 65_536, 0x7FFF_FFFF, 0x8000_0000,
    0xFFFF_FFFE, 0xFFFF_FFFF, 0x7FC0_0000, 0x7F80_0000, 0xFF80_0000, 0x0080_0000, 1 << 32, 1 << 40, 1 << 62, 1 << 63,
    .max, 0x7FF8_0000_0000_0000, 0x3F80_0000, 0xBF80_0000,
  ]

  /// Makes a few changes.
  /// - Returns: which.
  mutating func change(_ random: inout SplitMix) -> String {
    var changes: [String] = []
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      switch Int.random(in: 0..<12, using: &random) {
      case 0, 1, 2: changes.append(changeHeader(&random))
      case 3: changes.append(lengthen(&random))
      default: changes.append(changeSection(&random))
      }
    }
    return changes.joined(separator: "; ")
  }

  /// A number of the header or of the section table.
  private mutating func changeHeader(_ random: inout SplitMix) -> String {
    let place = 4 * Int.random(in: 2..<(128 + 32 * sections.count) / 4, using: &random)
    let size = Bool.random(using: &random) ? 4 : 8
    let value = value(&random)
    put(value, size, at: place)
    signHeader()
    return "header, \(size) bytes at \(place): \(value)"
  }

  /// A few words, or a stretch of equal ones.
  private mutating func changeSection(_ random: inout SplitMix) -> String {
    let section = sections[Int.random(in: 0..<sections.count, using: &random)]
    guard section.length >= 8 else { return "nothing" }
    let size = Int.random(in: 0..<4, using: &random) == 0 ? 8 : 4
    let count = Bool.random(using: &random) ? 1 : Int.random(in: 1...64, using: &random)
    // Parameters and directories are at the beginning.
    let isEarly = Int.random(in: 0..<3, using: &random) == 0
    let last = (section.length - size) / 4
    let first = 4 * Int.random(in: 0...(isEarly ? min(last, 15) : last), using: &random)
    let value = value(&random)
    for i in 0..<count where first + i * size + size <= section.length {
      put(value, size, at: section.offset + first + i * size)
    }
    sign(section)
    return "section at line \(section.line), \(count) x \(size) bytes at \(first): \(value)"
  }

  /// A file that goes on.
  private mutating func lengthen(_ random: inout SplitMix) -> String {
    let count = Int.random(in: 0...8_192, using: &random)
    put(UInt64(bytes.count + count), 8, at: 64)
    bytes += [UInt8](repeating: 0, count: count)
    signHeader()
    return "\(count) bytes more"
  }

  private func value(_ random: inout SplitMix) -> UInt64 {
    Int.random(in: 0..<4, using: &random) == 0
      ? UInt64(truncatingIfNeeded: random.next()) : Self.values[Int.random(in: 0..<Self.values.count, using: &random)]
  }

  private mutating func put(_ value: UInt64, _ size: Int, at place: Int) {
    for i in 0..<size where place + i < bytes.count { bytes[place + i] = UInt8(truncatingIfNeeded: value >> (8 * i)) }
  }

  // MARK: Checksums

  mutating func signAll() {
    for section in sections { sign(section) }
  }

  private mutating func sign(_ section: Section) {
    let sums = Self.checksums(bytes[section.offset..<section.offset + section.length])
    for (i, sum) in sums.enumerated() { put(UInt64(sum), 4, at: section.checksums + 4 * i) }
    let array = bytes[section.checksums..<section.checksums + 4 * sums.count]
    put(UInt64(Self.checksums(array).first ?? 0), 4, at: section.line + 4)
    signHeader()
  }

  private mutating func signHeader() { put(UInt64(Self.checksums(bytes[..<4_092]).first ?? 0), 4, at: 4_092) }

  private static func checksums(_ bytes: ArraySlice<UInt8>) -> [UInt32] {
    unsafe Array(bytes).withUnsafeBytes { unsafe SegmentWriter.checksums(of: $0) }
  }
}
