import Foundation
import Testing

/// `vidx bench`: what it says of recall is true, and what it recommends follows from it.
@Suite struct BenchTests {
  let sandbox: Sandbox
  let sample = Sample(count: 300)

  init() throws {
    sandbox = try Sandbox()
    try sandbox.write("vectors.npy", sample.npy)
  }

  private func build(_ type: String...) throws {
    let arguments = ["build", "t.db", "--index", "v", "--vectors", "vectors.npy", "--type"]
    let outcome = try sandbox.start(arguments + type).wait()
    try #require(outcome.status == 0, "\(outcome.errors)")
  }

  /// The rows that searches find, by query, positions from 0.
  private func found(_ query: String, k: Int, probes: Int) throws -> [[Int]] {
    let outcome = try sandbox.succeed(
      "search", "t.db", "--index", "v", "--query-file", query, "-k", "\(k)", "--probes", "\(probes)", "--json")
    return try outcome.objects().map { object in
      try #require(object["hits"] as? [[String: Any]]).compactMap { ($0["id"] as? Int).map { $0 - 1 } }
    }
  }

  @Test func recallIsTheShareOfTrueNeighboursFound() throws {
    try build("ivfflat", "--lists", "16")
    let queries = Sample(count: 40, seed: 99).vectors
    try sandbox.write("queries.npy", Sample.npy(queries))
    for probes in [1, 3] {
      let shares = zip(queries, try found("queries.npy", k: 5, probes: probes)).map { query, rows in
        Double(Set(rows).intersection(sample.nearest(to: query, k: 5).map { ($0 - 1) / 10 }).count) / 5
      }
      let measured = try sandbox.succeed(
        "bench", "t.db", "--index", "v", "--query-file", "queries.npy", "-k", "5", "--probes", "\(probes)",
        "--rounds", "1", "--json")
      let object = try #require(try measured.objects().first)
      let recall = try #require(object["recall"] as? Double)
      #expect(abs(recall - shares.reduce(0, +) / 40) < 1e-9)
      #expect(recall < 1)
      #expect(object["value"] as? Int == probes)
    }
  }

  @Test func aRowIsNotItsOwnNeighbour() throws {
    try build("ivfflat", "--lists", "16")
    let hits = try found("vectors.npy", k: 2, probes: 1).enumerated().map { row, rows in
      let nearest = sample.nearest(to: sample.vectors[row], k: 1) { $0 != row }
      return rows.first { $0 != row } == (nearest[0] - 1) / 10 ? 1.0 : 0
    }
    let measured = try sandbox.succeed(
      "bench", "t.db", "--index", "v", "--sample", "1000", "-k", "1", "--probes", "1", "--rounds", "1", "--json")
    let recall = try #require(try measured.objects().first?["recall"] as? Double)
    #expect(abs(recall - hits.reduce(0, +) / 300) < 1e-9)
    #expect(recall < 0.95)
    // So there is nothing to recommend, and it says why.
    #expect(try measured.objects().first?["recommended"] as? Bool == false)
    #expect(try measured.objects().first?["not_reached"] as? [Double] == [0.95, 0.99])
    let text = try sandbox.succeed(
      "bench", "t.db", "--index", "v", "--sample", "1000", "-k", "1", "--probes", "1", "--rounds", "1"
    ).output
    #expect(text.contains("no recommendation for recall 0.95: no setting measured has it; the best is --probes 1 "))
    #expect(text.contains("leave out --probes 1 to measure others"))
  }

  @Test(arguments: [["hnsw", "--m", "6"], ["ivfflat", "--lists", "40"]]) func demoData(type: [String]) throws {
    let data = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(
      path: "../../../datasets/debian-packages/"
    ).standardized.path
    let built = try sandbox.start(
      ["build", "demo.db", "--index", "p", "--vectors", data + "/packages.npy", "--type"] + type
    ).wait()
    try #require(built.status == 0, "\(built.errors)")
    let outcome = try sandbox.succeed(
      "bench", "demo.db", "--index", "p", "--query-file", data + "/queries.npy", "--recall", "0.9", "--threads", "2",
      "--rounds", "2", "--json")
    let all = try outcome.objects()
    let isGraph = type[0] == "hnsw"
    let objects = all.filter { $0["setting"] as? String == (isGraph ? "ef_search" : "probes") }
    let targets = all.filter { $0["setting"] as? String == "target_recall" }
    #expect(objects.count + targets.count == all.count && targets.isEmpty != isGraph)
    func values(_ name: String) -> [Double] { objects.compactMap { $0[name] as? Double } }
    #expect(objects.count > 5)
    let (recalls, computed) = (values("recall"), values("distance_computations"))
    #expect(recalls.count == objects.count && recalls[0] < 0.9 && recalls[recalls.count - 1] > 0.999)
    #expect(zip(computed, computed.dropFirst()).allSatisfy { $0 < $1 })
    #expect(zip(values("value"), values("value").dropFirst()).allSatisfy { $0 < $1 })
    // Of those that have the recall, of whatever kind, the one with the least work.
    let recommended = all.filter { $0["recommended"] as? Bool ?? false }
    #expect(recommended.count == 1 && recommended.first?["recommended_for"] as? [Double] == [0.9])
    let work = all.filter { $0["recall"] as? Double ?? 0 >= 0.9 }.compactMap { $0["distance_computations"] as? Double }
    #expect(recommended.first?["distance_computations"] as? Double == work.min())
    // What was asked for was measured when the index was built, with other queries.
    #expect(targets.allSatisfy { ($0["recall"] as? Double ?? 0) >= ($0["value"] as? Double ?? 1) - 0.05 })
    #expect(
      objects.allSatisfy { $0["bytes_read"] as? Double ?? 0 > 40 * ($0["distance_computations"] as? Double ?? 1) })
    for object in all {
      let times = ["p50_us", "p95_us", "p99_us"].compactMap { object[$0] as? Double }
      #expect(times.count == 3 && times[0] > 0 && times == times.sorted())
      #expect(object["qps"] as? Double ?? 0 > 0)
      #expect(object["threads"] as? Int == 2)
    }
  }

  @Test func saysWhatItRecommends() throws {
    try build("hnsw")
    let table = try sandbox.succeed("bench", "t.db", "--index", "v", "--sample", "20", "--rounds", "1")
    let lines = table.output.split(separator: "\n").map(String.init)
    #expect(lines[0] == "v: hnsw, cosine, 8 dimensions, 300 rows")
    #expect(lines[1] == "20 queries (rows of the index), k = 10, one thread")
    #expect(lines[2].hasPrefix("ef_search  recall@10"))
    #expect(lines.contains { $0.hasPrefix("target_recall  recall@10") })
    #expect(lines.suffix(2).map { String($0.prefix(17)) } == ["for recall 0.95: ", "for recall 0.99: "])
    let one = try sandbox.succeed(
      "bench", "t.db", "--index", "v", "--sample", "20", "--rounds", "1", "--target-recall", "0.97", "--json")
    #expect(try one.objects().map { $0["value"] as? Double } == [0.97])

    let flat = try Sandbox()
    try flat.write("vectors.npy", sample.npy)
    try flat.succeed("build", "t.db", "--index", "v", "--vectors", "vectors.npy", "--type", "flat")
    let exact = try flat.succeed("bench", "t.db", "--index", "v", "--rounds", "1", "--sample", "9")
    #expect(exact.output.hasSuffix("a flat index is exact: there is nothing to set\n"))
    #expect(exact.output.contains("1.0000"))
  }

  @Test func refuses() throws {
    try build("ivfflat", "--lists", "4")
    try sandbox.write("queries.npy", Sample.npy([[1, 2]]))
    try sandbox.fail(saying: ["no index \"w\"", "has v"], "bench", "t.db", "--index", "w")
    try sandbox.fail(saying: ["no.db"], "bench", "no.db", "--index", "v")
    try sandbox.fail(
      saying: ["expected 8 dimensions, not 2"], "bench", "t.db", "--index", "v", "--query-file", "queries.npy")
    try sandbox.fail(
      saying: ["not for this index, which is ivfflat"], "bench", "t.db", "--index", "v", "--ef-search", "9")
    try sandbox.fail(2, saying: ["--recall"], "bench", "t.db", "--index", "v", "--recall", "1.5")
    try sandbox.fail(
      2, saying: ["together"], "bench", "t.db", "--index", "v", "--sample", "3", "--query-file", "queries.npy")
    try sandbox.fail(2, saying: ["--probes"], "bench", "t.db", "--index", "v", "--probes", "1", "--ef-search", "9")
    try sandbox.succeed("sql", "t.db", "CREATE VIRTUAL TABLE e USING vidx(dimensions = 3)")
    try sandbox.fail(saying: ["has no rows"], "bench", "t.db", "--index", "e")
  }
}
