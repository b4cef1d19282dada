import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Segments that are damaged, or forged with checksums that hold: every use throws or answers, none traps.
@Suite struct SegmentIndexDamageTests {
  static let dimensions = 12

  /// 1,500 rows that share 1,200 vectors, with zero vectors and lengths: every section there is.
  static func source() -> ArraySource {
    var rows = TestVectors(count: 1_200, dimensions: dimensions, seed: 31).rows
    rows += rows.prefix(280)
    rows += [[Float]](repeating: [Float](repeating: 0, count: dimensions), count: 20)
    return ArraySource(
      rowIDs: rows.indices.map { Int64($0) * 3 }, vectors: rows.flatMap { $0 }, dimensions: dimensions,
      filterColumns: [
        ValueColumn(rows.indices.map { .string("label \($0 % 40)") }),
        ValueColumn(rows.indices.map { $0 % 9 == 0 ? .null : .real(Double($0) / 2) }),
        ValueColumn(rows.indices.map { $0 % 2 == 0 ? .integer(Int64($0)) : .blob([UInt8($0 % 256)]) }),
      ])
  }

  /// Of few rows and of many, by postings and by ranks.
  static let conditions: [[FilterCondition]] = [
    [FilterCondition(0, .equals(.string("label 7")))],
    [FilterCondition(0, .isIn([.string("label 1"), .string("label 3")])), FilterCondition(1, .isNotNull)],
    [
      FilterCondition(1, .range(lower: FilterCondition.Bound(.integer(100), isInclusive: true), upper: nil)),
      FilterCondition(2, .differs(from: .blob([7]))), FilterCondition(0, .isNot(.string("label 2"))),
    ],
    [FilterCondition(2, .equals(.integer(300))), FilterCondition(1, .isNull)],
  ]

  /// Everything a segment can be asked. Errors count; what is answered must be of the right shape.
  static func use(_ path: String, _ folder: TemporaryFolder) throws -> [String] {
    let index = try SegmentIndex(SegmentFile(path: path))
    let query = try PreparedQuery([Float](repeating: 1, count: dimensions), dimensions: dimensions, metric: .cosine)
    var problems: [String] = []
    func attempt(_ body: () throws -> Void) {
      do { try body() } catch { problems.append("\(error)") }
    }
    for parameters in [SearchParameters(efSearch: 3, probes: 2), SearchParameters(exact: true)] {
      attempt {
        var counters = SearchCounters()
        let hits = try index.search(query, k: 5, parameters: parameters, counters: &counters).hits
        #expect(hits.count <= 5)
      }
    }
    attempt {
      let filter = try index.filter((0..<300).map { Int64($0) * 6 })
      var counters = SearchCounters()
      _ = try index.search(query, k: 5, parameters: SearchParameters(efSearch: 5), filter: filter, counters: &counters)
    }
    attempt {
      let stream = index.stream(query, parameters: SearchParameters(efSearch: 4, probes: 1))
      var count = 0
      while try stream.next() != nil, count < 5_000 { count += 1 }
    }
    for conditions in Self.conditions {
      attempt {
        let filter = try EntryFilter(index.entries(passing: conditions), in: index)
        var counters = SearchCounters()
        _ = try index.search(query, k: 5, parameters: SearchParameters(), filter: filter, counters: &counters)
      }
    }
    attempt {
      let filter = try index.filter((0..<700).map { Int64($0) * 6 })
      var counters = SearchCounters()
      let hits = try index.search(
        query, k: 5, parameters: SearchParameters(plan: .lists), filter: filter, counters: &counters
      ).hits
      #expect(hits.count <= 5)
    }
    attempt {
      for column in 0..<3 { for entry in 0..<index.entryCount { _ = try index.value(column: column, entry: entry) } }
    }
    attempt { for id in stride(from: Int64(-3), to: 5_000, by: 7) { _ = try index.entry(ofRowID: id) } }
    attempt { for entry in 0..<index.entryCount { _ = try index.vector(ofEntry: entry) } }
    attempt {
      let live = try index.filter((0..<1_500).filter { $0 % 4 != 0 }.map { Int64($0) * 3 })
      let added = ArraySource(rowIDs: [-1], vectors: [Float](repeating: 0.5, count: dimensions), dimensions: dimensions)
      _ = try folder.build(added, index.configuration, base: GrowthBase(index: index, live: live))
    }
    attempt { problems += try index.check() }
    return problems
  }

  static let kinds: [(IndexKind, Codec)] = [
    (.flat, .f32), (.hnsw, .f32), (.ivfflat, .f32), (.hnsw, .int8), (.hnsw, .rabitq4),
  ]

  static func configuration(_ kind: IndexKind, _ codec: Codec) -> IndexConfiguration {
    IndexConfiguration(dimensions: dimensions, kind: kind, codec: .fixed(codec))
  }

  @Test(arguments: kinds)
  func findsFlippedBytes(kind: IndexKind, codec: Codec) throws {
    let folder = TemporaryFolder()
    let index = try folder.build(Self.source(), Self.configuration(kind, codec))
    let sound = try Self.bytes(index.file.path)
    var random = SplitMix(seed: 77)
    for _ in 0..<60 {
      let position = Int.random(in: 0..<sound.count, using: &random)
      var bytes = sound
      bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      let path = "\(folder.path)/flipped.seg"
      try Self.write(bytes, path)
      do {
        _ = try Self.use(path, folder)
        #expect(try !SegmentFile(path: path).check().isEmpty, "bit flipped in byte \(position)")
      } catch is SegmentError {}
    }
  }

  @Test(arguments: kinds)
  func survivesForgedContent(kind: IndexKind, codec: Codec) throws {
    let folder = TemporaryFolder()
    let index = try folder.build(Self.source(), Self.configuration(kind, codec))
    #expect(try Self.use(index.file.path, folder).isEmpty)
    var random = SplitMix(seed: 78)
    let values: [UInt32] = [0, 1, 7, 1_199, 1_200, 1_499, 1_500, 0x7FFF_FFFF, 0x8000_0000, 0x7FC0_0000, .max - 1, .max]
    for kind in SectionKind.allCases {
      guard let section = try Self.section(kind, of: index.file) else { continue }
      for _ in 0..<24 {
        var bytes = section
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          let word = Int.random(in: 0..<bytes.count / 4, using: &random)
          let value = values.randomElement(using: &random) ?? 0
          for i in 0..<4 { bytes[word * 4 + i] = UInt8(truncatingIfNeeded: value >> UInt32(8 * i)) }
        }
        let path = try Self.forge(index.file, kind, bytes, folder)
        do {
          _ = try Self.use(path, folder)
        } catch is SegmentError {}
      }
    }
  }

  /// Two upper nodes that claim one vector would have more layers than a grown graph has room for.
  @Test func refusesTwoUpperNodesOfOneVector() throws {
    let folder = TemporaryFolder()
    let index = try folder.build(Self.source(), IndexConfiguration(dimensions: Self.dimensions, kind: .hnsw))
    let ordinals = try #require(try Self.section(.upperOrdinals, of: index.file))
    for node in 1..<ordinals.count / 4 {
      var bytes = ordinals
      bytes.replaceSubrange(node * 4..<node * 4 + 4, with: ordinals[node * 4 - 4..<node * 4])
      let path = try Self.forge(index.file, .upperOrdinals, bytes, folder)
      let forged = try SegmentIndex(SegmentFile(path: path))
      #expect(try !forged.check().isEmpty)
      let added = ArraySource(
        rowIDs: [-1], vectors: [Float](repeating: 0.5, count: Self.dimensions), dimensions: Self.dimensions)
      #expect(throws: SegmentError.self) {
        try folder.build(added, forged.configuration, base: GrowthBase(index: forged))
      }
      unsafe unlink(path)
    }
  }

  /// Rows without any vector, and a table that says otherwise.
  @Test func refusesRowsOfVectorsThatAreNotThere() throws {
    let folder = TemporaryFolder()
    let zeros = ArraySource(rowIDs: [1, 2], vectors: [0, 0, 0, 0], dimensions: 2)
    let index = try folder.build(zeros, IndexConfiguration(dimensions: 2, kind: .flat))
    #expect(index.vectorCount == 0)
    #expect(try index.vector(ofEntry: 1) == [0, 0])
    let path = try Self.forge(index.file, .entryStarts, [2, 0, 0, 0], folder)
    let forged = try SegmentIndex(SegmentFile(path: path))
    #expect(try forged.vector(ofEntry: 1) == [0, 0])
    #expect(throws: SegmentError.self) { try forged.check() }
  }

  /// Fewer vectors than rows, and no table that says which row has which: entries are not ordinals then.
  @Test(arguments: kinds)
  func refusesSharedVectorsWithoutTheirTable(kind: IndexKind, codec: Codec) throws {
    let folder = TemporaryFolder()
    let index = try folder.build(Self.source(), Self.configuration(kind, codec))
    #expect(index.vectorCount < index.entryCount)
    let path = try Self.forge(index.file, .entryStarts, nil, folder)
    let file = try SegmentFile(path: path)
    let expected = SegmentError.invalidContent(section: .entryStarts, offset: 0, path: path)
    #expect(throws: expected) { try SegmentIndex(file) }
  }

  // MARK: Bytes

  /// A segment like another but for one section, which nil leaves out; all its checksums hold.
  static func forge(
    _ file: SegmentFile, _ kind: SectionKind, _ bytes: [UInt8]?, _ folder: TemporaryFolder
  ) throws -> String {
    let name = "forged-\(UInt64.random(in: 0...UInt64.max)).seg"
    var writer = try SegmentWriter(directory: folder.path, fileName: name, description: file.description)
    for other in SectionKind.allCases {
      guard let content = other == kind ? bytes : try section(other, of: file) else { continue }
      try writer.begin(other)
      var failure: SegmentError?
      unsafe content.withUnsafeBytes { raw in
        do throws(SegmentError) { unsafe try writer.append(raw) } catch { failure = error }
      }
      if let failure { throw failure }
    }
    let published = try writer.publish()
    published.release()
    return published.path
  }

  static func section(_ kind: SectionKind, of file: SegmentFile) throws -> [UInt8]? {
    guard let length = file.byteCount(of: kind) else { return nil }
    return try unsafe file.section(kind, expecting: length).bytes.map { $0 }
  }

  private static func bytes(_ path: String) throws -> [UInt8] {
    let file = try unsafe #require(unsafe fopen(path, "rb"))
    defer { unsafe fclose(file) }
    var result: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = unsafe fread(&buffer, 1, buffer.count, file)
      if count == 0 { return result }
      result += buffer[..<count]
    }
  }

  private static func write(_ bytes: [UInt8], _ path: String) throws {
    unsafe unlink(path)
    let file = try unsafe #require(unsafe fopen(path, "wb"))
    #expect(unsafe fwrite(bytes, 1, bytes.count, file) == bytes.count)
    #expect(unsafe fclose(file) == 0)
  }
}
