import TestSupport
import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

/// `codec=auto` of flat indexes and of lists.
@Suite struct ScanCodecChooserTests {
  static let dimensions = 96
  static let data = TestVectors(count: 6_000, dimensions: dimensions, seed: 52, clusters: 40)

  static func configuration(
    _ kind: IndexKind, _ metric: Metric, _ codec: CodecChoice
  ) -> IndexConfiguration {
    IndexConfiguration(dimensions: dimensions, metric: metric, kind: kind, lists: 60, codec: codec)
  }

  /// Without being told to, an exact search reads codes, and answers to the last bit as without them.
  @Test(arguments: [Metric.cosine, .l2, .innerProduct, .l1])
  func flatScansCodesByDefault(metric: Metric) throws {
    let folder = TemporaryFolder()
    let plain = try folder.build(Self.data.source(), Self.configuration(.flat, metric, .fixed(.f32)))
    let coded = try folder.build(Self.data.source(), Self.configuration(.flat, metric, .auto), threads: 2)
    #expect(coded.coded.codec.isCertain)
    #expect(coded.coded.codec.supports(metric))
    for query in TestVectors(count: 12, dimensions: Self.dimensions, seed: 4, clusters: 40).rows {
      for k in [1, 10, 500] {
        let expected = try plain.nearest(query, k: k)
        let found = try coded.nearest(query, k: k)
        #expect(found.hits == expected.hits && found.plan == .exact)
      }
      var counters = SearchCounters()
      let prepared = try PreparedQuery(query, dimensions: Self.dimensions, metric: metric)
      _ = try coded.search(prepared, k: 10, counters: &counters)
      // Far fewer vectors than codes.
      #expect(counters.reranked >= 10 && counters.reranked < 1_500, "\(metric): \(counters.reranked)")
    }
  }

  @Test func listsScanCodesByDefault() throws {
    let folder = TemporaryFolder()
    let plain = try folder.build(Self.data.source(), Self.configuration(.ivfflat, .cosine, .fixed(.f32)))
    let coded = try folder.build(Self.data.source(), Self.configuration(.ivfflat, .cosine, .auto))
    #expect(coded.coded.codec != .f32)
    var (same, reranked) = (0, 0)
    for query in Self.data.rows[..<100] {
      let expected = try plain.nearest(query, k: 10, SearchParameters(probes: 8)).hits
      var counters = SearchCounters()
      let prepared = try PreparedQuery(query, dimensions: Self.dimensions, metric: .cosine)
      let found = try coded.search(prepared, k: 10, parameters: SearchParameters(probes: 8), counters: &counters)
      same += Set(expected.map(\.rowID)).intersection(found.hits.map(\.rowID)).count
      reranked += counters.reranked
    }
    #expect(same >= 990, "\(same) of 1000")
    #expect(reranked >= 1_000 && reranked < 15_000, "\(reranked)")
  }

  @Test(arguments: [IndexKind.flat, .ivfflat])
  func fewVectorsAreNotCoded(kind: IndexKind) throws {
    let folder = TemporaryFolder()
    let data = TestVectors(count: 1_999, dimensions: Self.dimensions, seed: 1)
    #expect(try folder.build(data.source(), Self.configuration(kind, .cosine, .auto)).coded.codec == .f32)
  }

  /// Neighbours differ by a ten-thousandth of the length of the vectors, which no code resolves.
  @Test func vectorsThatCodesDoNotTellApartAreNotCoded() throws {
    let folder = TemporaryFolder()
    var data = TestVectors(count: 3_000, dimensions: Self.dimensions, seed: 8)
    for i in data.rows.indices { data.rows[i][0] = i % 2 == 0 ? 1e5 : -1e5 }
    #expect(try folder.build(data.source(), Self.configuration(.flat, .l2, .auto)).coded.codec == .f32)
  }

  /// Under l1 halves are the only codes, and one vector is beyond them.
  @Test func aVectorBeyondHalvesIsNoError() throws {
    let folder = TemporaryFolder()
    var data = Self.data
    let made = try folder.build(data.source(), Self.configuration(.flat, .l1, .auto))
    #expect(made.coded.codec == .f16)
    data.rows[4_001][7] = 1e6
    let index = try folder.build(data.source(), Self.configuration(.flat, .l1, .auto))
    #expect(index.coded.codec == .f32)
    #expect(try index.nearest(data.rows[4_001], k: 1).hits.map(\.rowID) == [4_002])
    #expect(throws: BuildError.self) {
      try folder.build(data.source(), Self.configuration(.flat, .l1, .fixed(.f16)))
    }
  }

  /// What is foreseen to be left to full vectors is what searches score.
  @Test(arguments: [Codec.int8, .int4])
  func foreseesWhatSearchesScore(codec: Codec) throws {
    let folder = TemporaryFolder()
    let configuration = Self.configuration(.flat, .cosine, .fixed(codec))
    let options = BuildOptions(threads: 1)
    let distinct = try DistinctVectors(configuration: configuration, capacity: Self.data.rows.count)
    try distinct.add(Self.data.source(), options: options)
    let chooser = try ScanCodecChooser(distinct, mean: distinct.mean(), share: nil, options: options)
    let foreseen = try chooser.measure(codec, options: options)
    let index = try folder.build(Self.data.source(), configuration)
    var counters = SearchCounters()
    let asked = stride(from: 3, to: 6_000, by: 60)
    for i in asked {
      let query = try PreparedQuery(Self.data.rows[i], dimensions: Self.dimensions, metric: .cosine)
      _ = try index.search(query, k: 11, counters: &counters)
    }
    // After 512 and after 2,048 codes the 22 best so far are scored in full, to tighten the limit.
    let scored = Double(counters.reranked) / Double(asked.underestimatedCount) - 2 * 22
    #expect(foreseen.missed == 0)
    #expect(foreseen.inAll > scored / 2 && foreseen.inAll < scored * 2, "\(foreseen), \(scored)")
  }
}
