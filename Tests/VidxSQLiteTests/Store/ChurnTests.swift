import Foundation
import TestSupport
import Testing
import VidxFiles
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

/// Ten rounds in which many rows go and others come: answers are as good as those of an index made anew.
///
/// `VIDX_CHURN_DATA` names a folder with base.npy and queries.npy to do the same with.
@Suite("Churn", .tags(.recall)) struct ChurnTests {
  struct Way: Sendable, CustomTestStringConvertible {
    var kind: IndexKind
    /// Merges what is worth it; otherwise all at once.
    var isByPolicy: Bool
    /// Of the rows, which go in each round. A graph that loses less than a third is mended and grown, not built anew.
    var share: Double
    var testDescription: String { "\(kind.name), \(isByPolicy ? "merged by the policy" : "optimized"), \(share)" }

    static let all = [
      Way(kind: .hnsw, isByPolicy: false, share: 0.5), Way(kind: .hnsw, isByPolicy: false, share: 0.3),
      Way(kind: .ivfflat, isByPolicy: true, share: 0.5),
    ]
  }

  private struct Vectors {
    var vectors: [[Float]]
    var queries: [[Float]]
    var dimensions: Int { vectors[0].count }

    init(base: String, queries: String) throws {
      func read(_ path: String) throws -> [[Float]] {
        let file = try NPYFile(path: path)
        return try (0..<file.count).map { try file.vector($0) }
      }
      vectors = try read(base)
      self.queries = try read(queries)
    }
  }

  private static let demo = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../../datasets/debian-packages").standardized.path(percentEncoded: false)

  private static let folder = ProcessInfo.processInfo.environment["VIDX_CHURN_DATA"]

  @Test(arguments: Way.all)
  func recallStays(way: Way) throws {
    var data = try Vectors(base: Self.demo + "/packages.npy", queries: Self.demo + "/queries.npy")
    // Rows that never come are asked for, too: recall is then of five hundred queries. From 4,096 vectors on a graph
    // has lists beside it, in whose order its vectors lie.
    data.queries += data.vectors[8_400..<8_800]
    data.vectors = Array(data.vectors[..<8_400])
    try check(way, data, options: .serial)
  }

  @Test(.enabled("VIDX_CHURN_DATA names no folder") { ChurnTests.folder != nil }, arguments: Way.all)
  func recallStaysOnOtherData(way: Way) throws {
    let folder = Self.folder ?? ""
    try check(way, Vectors(base: folder + "/base.npy", queries: folder + "/queries.npy"), options: BuildOptions())
  }

  private func check(_ way: Way, _ data: Vectors, options: BuildOptions) throws {
    var random = SplitMix(seed: 12)
    let churned = try TestDatabase()
    let store = try IndexStore.make(churned.open(), definition(data.dimensions, kind: way.kind))
    var live = Array(data.vectors.indices.shuffled(using: &random).prefix(data.vectors.count / 2))
    try load(live, data, store, options)
    for _ in 0..<10 {
      let newcomers = Set(data.vectors.indices).subtracting(live).sorted().shuffled(using: &random)
      live.shuffle(using: &random)
      let changed = Int(way.share * Double(live.count))
      try store.transaction {
        for row in live.prefix(changed) { try store.delete(rowID: Int64(row)) }
        for row in newcomers.prefix(changed) { try store.insert(rowID: Int64(row), vector: data.vectors[row]) }
      }
      live = Array(live[changed...] + newcomers.prefix(changed))
      if way.isByPolicy {
        try store.maintain(MergePolicy(deltaRows: changed / 2), options: options)
      } else {
        try store.optimizeOutsideTransaction(options: options)
      }
    }
    #expect(try store.rowCount() == live.count && store.deltaCount() == 0)

    let anew = try TestDatabase()
    let fresh = try IndexStore.make(anew.open(), definition(data.dimensions, kind: way.kind))
    try load(live, data, fresh, options)
    for effort in [SearchParameters(), SearchParameters(efSearch: 16, probes: 8)] {
      let before = try recall(fresh, of: fresh, data.queries, effort)
      let after = try recall(store, of: fresh, data.queries, effort)
      #expect(after >= before - 0.01, "\(after) after the churn, \(before) of an index made anew")
      if Self.folder != nil { print("\(way.testDescription): \(after) after the churn, \(before) anew") }
    }
  }

  private func load(_ rows: [Int], _ data: Vectors, _ store: IndexStore, _ options: BuildOptions) throws {
    let rows = rows.sorted()
    let source = ArraySource(
      rowIDs: rows.map(Int64.init), vectors: rows.flatMap { data.vectors[$0] }, dimensions: data.dimensions)
    try store.transaction { try store.load(source, options: options) }
  }

  /// The share of the ten nearest that is found; rows as near as the tenth count as well as any.
  private func recall(
    _ store: IndexStore, of truth: IndexStore, _ queries: [[Float]], _ effort: SearchParameters
  ) throws -> Double {
    var found = 0
    for query in queries {
      let nearest = try truth.search(
        StoreRequest(query: query, k: 10, parameters: SearchParameters(exact: true)))
      let tenth = try #require(nearest.hits.last).distance + 1e-6
      let answer = try store.search(StoreRequest(query: query, k: 10, parameters: effort))
      found += answer.hits.count { $0.distance <= tenth }
    }
    return Double(found) / Double(10 * queries.count)
  }
}
