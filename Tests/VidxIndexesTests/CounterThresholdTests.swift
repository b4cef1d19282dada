import Foundation
import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

/// What searches over the demo data cost and find, against the committed figures. Time depends on the machine; these
/// counts do not, so a change that makes searches dearer or worse shows here.
///
/// `VIDX_BASELINES=overwrite` writes the figures anew, for a change that is meant to move them: review the difference.
@Suite(.tags(.recall)) struct CounterThresholdTests {
  /// Figures per query, the mean over all queries.
  struct Figures: Codable, Equatable {
    var recall: Double
    var distanceComputations: Double
    var bytesRead: Double
    var nodesExpanded: Double
    var listsProbed: Double
  }

  struct Setting {
    var name: String
    var index: Index
    var parameters: SearchParameters

    init(_ name: String, _ kind: IndexKind, _ parameters: SearchParameters, codec: Codec? = nil) {
      (self.name, index, self.parameters) = (name, Index(kind: kind, codec: codec?.rawValue ?? "auto"), parameters)
    }
  }

  /// What is built once for all its settings.
  struct Index: Hashable {
    var kind: IndexKind
    var codec: String
  }

  static let settings = [
    Setting("exact", .flat, SearchParameters()),
    Setting("exact int8", .flat, SearchParameters(), codec: .int8),
    Setting("hnsw efSearch 40", .hnsw, SearchParameters(efSearch: 40)),
    Setting("hnsw efSearch 100", .hnsw, SearchParameters(efSearch: 100)),
    Setting("hnsw f32 efSearch 40", .hnsw, SearchParameters(efSearch: 40), codec: .f32),
    Setting("hnsw int8 efSearch 40", .hnsw, SearchParameters(efSearch: 40), codec: .int8),
    Setting("hnsw int4 efSearch 40", .hnsw, SearchParameters(efSearch: 40), codec: .int4),
    Setting("hnsw rabitq efSearch 40", .hnsw, SearchParameters(efSearch: 40), codec: .rabitq),
    Setting("hnsw recall 0.95", .hnsw, SearchParameters(targetRecall: 0.95)),
    Setting("ivfflat probes 1", .ivfflat, SearchParameters(probes: 1)),
    Setting("ivfflat probes 3", .ivfflat, SearchParameters(probes: 3)),
    Setting("ivfflat int8 probes 3", .ivfflat, SearchParameters(probes: 3), codec: .int8),
  ]
  static let k = 10
  /// Kernels of other instruction sets round otherwise, which moves a graph a little.
  static let slack = (recall: 0.005, cost: 1.03)

  static let here = URL(filePath: #filePath).deletingLastPathComponent()
  static let committed = here.appending(path: "CounterThresholds.json")

  @Test func searchesCostNoMoreAndFindNoLess() throws {
    let folder = TemporaryFolder()
    let source = try DemoData.packages()
    let queries = try DemoData.queries()
    var indexes: [Index: SegmentIndex] = [:]
    for index in Set(Self.settings.map(\.index)) {
      let codec = try #require(CodecChoice(name: index.codec))
      // One thread: a parallel build makes another graph each time.
      indexes[index] = try folder.build(
        source, IndexConfiguration(dimensions: source.dimensions, kind: index.kind, codec: codec))
    }
    let flat = try #require(indexes[Index(kind: .flat, codec: "auto")])
    let worst = try queries.map { query in
      try #require(flat.nearest(query, k: Self.k).hits.last).score
    }
    var measured: [String: Figures] = [:]
    for setting in Self.settings {
      let index = try #require(indexes[setting.index])
      measured[setting.name] = try Self.measure(index, queries, setting.parameters, worst)
    }
    if ProcessInfo.processInfo.environment["VIDX_BASELINES"] == "overwrite" {
      try Self.write(measured)
    }
    let thresholds = try JSONDecoder().decode([String: Figures].self, from: Data(contentsOf: Self.committed))
    #expect(thresholds.keys.sorted() == measured.keys.sorted())
    for (name, threshold) in thresholds {
      try Self.compare(name, #require(measured[name]), threshold)
    }
  }

  /// The figures are what the files' rows weigh: each code of 384 bytes and a tail, each vector of 1,536, each list of
  /// 32 links.
  @Test func bytesReadAreThoseOfTheRows() throws {
    let folder = TemporaryFolder()
    let source = try DemoData.packages()
    let query = try PreparedQuery(
      #require(DemoData.queries().first), dimensions: source.dimensions, metric: .cosine)
    for codec in [Codec.f32, .int8] {
      let codeBytes = codec == .f32 ? 4 * 384 : codec.rowBytes(dimensions: 384)
      let graph = try folder.build(
        source, IndexConfiguration(dimensions: 384, kind: .hnsw, m: 16, codec: .fixed(codec)))
      var counters = SearchCounters()
      _ = try graph.search(query, k: Self.k, counters: &counters)
      let walked = (counters.distanceComputations - counters.reranked) * codeBytes + counters.reranked * 4 * 384
      // Above the base, lists of 16: a few.
      let upper = counters.bytesRead - walked - counters.nodesExpanded * 32 * 4
      #expect(upper > 0 && upper <= 40 * 16 * 4 && upper % (16 * 4) == 0, "\(counters)")

      let flat = try folder.build(source, IndexConfiguration(dimensions: 384, kind: .flat, codec: .fixed(codec)))
      counters = SearchCounters()
      _ = try flat.search(query, k: Self.k, counters: &counters)
      #expect(counters.bytesRead == flat.vectorCount * codeBytes + counters.reranked * 4 * 384, "\(counters)")
    }
  }

  /// The exact figures above are measured against themselves: this ties them to double precision.
  @Test func exactSearchIsExact() throws {
    let folder = TemporaryFolder()
    let source = try DemoData.packages()
    let index = try folder.build(source, IndexConfiguration(dimensions: source.dimensions, kind: .flat))
    let rows = source.rowIDs.indices.map { row in
      let start = row * source.dimensions
      return (id: source.rowIDs[row], vector: Array(source.vectors[start..<start + source.dimensions]))
    }
    for query in try DemoData.queries().prefix(3) {
      let found = try index.nearest(query, k: Self.k).hits
      let truth = bruteForce(query, rows, .cosine)
      #expect(recall(found, truth, k: Self.k, .cosine, 1e-6) == 1)
    }
  }

  private static func measure(
    _ index: SegmentIndex, _ queries: [[Float]], _ parameters: SearchParameters, _ worst: [Float]
  ) throws -> Figures {
    var counters = SearchCounters()
    var found = 0
    for (query, worst) in zip(queries, worst) {
      let prepared = try PreparedQuery(
        query, dimensions: index.configuration.dimensions, metric: index.configuration.metric)
      let answer = try index.search(prepared, k: k, parameters: parameters, counters: &counters)
      found += answer.hits.count { $0.score <= worst + 1e-6 }
    }
    let count = Double(queries.count)
    return Figures(
      recall: Double(found) / (count * Double(k)), distanceComputations: Double(counters.distanceComputations) / count,
      bytesRead: Double(counters.bytesRead) / count,
      nodesExpanded: Double(counters.nodesExpanded) / count, listsProbed: Double(counters.listsProbed) / count)
  }

  private static func compare(_ name: String, _ measured: Figures, _ threshold: Figures) {
    #expect(measured.recall >= threshold.recall - slack.recall, "\(name): \(measured), was \(threshold)")
    #expect(
      measured.distanceComputations <= threshold.distanceComputations * slack.cost,
      "\(name): \(measured), was \(threshold)"
    )
    #expect(measured.bytesRead <= threshold.bytesRead * slack.cost, "\(name): \(measured), was \(threshold)")
    #expect(measured.nodesExpanded <= threshold.nodesExpanded * slack.cost, "\(name): \(measured), was \(threshold)")
    #expect(measured.listsProbed <= threshold.listsProbed, "\(name): \(measured), was \(threshold)")
  }

  private static func write(_ figures: [String: Figures]) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try (encoder.encode(figures) + Data("\n".utf8)).write(to: committed)
  }
}
