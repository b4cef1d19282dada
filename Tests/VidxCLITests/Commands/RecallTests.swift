import Foundation
import Testing

/// `vidx recall`.
@Suite struct RecallTests {
  let sandbox: Sandbox

  init() throws {
    sandbox = try Sandbox()
    let sample = Sample(count: 1_500)
    try sandbox.write("vectors.npy", sample.npy)
    try sandbox.write("rows.jsonl", sample.rows)
  }

  private func build(_ type: String...) throws {
    let arguments = ["build", "t.db", "--index", "v", "--vectors", "vectors.npy", "--rows", "rows.jsonl"]
    let outcome = try sandbox.start(arguments + ["--table", "things"] + type).wait()
    try #require(outcome.status == 0, "\(outcome.errors)")
  }

  private func recall(_ arguments: String...) throws -> [[String: Any]] {
    let outcome = try sandbox.start(["recall", "t.db", "--index", "v", "--json"] + arguments).wait()
    try #require(outcome.status == 0, "\(outcome.errors)")
    return try outcome.objects()
  }

  @Test func measuresMadeUpFilters() throws {
    try build("--type", "ivfflat", "--lists", "30")
    let found = try recall("--sample", "40", "-k", "5")
    // 1 % of 1,500 rows is more than 5, and 0.1 % is not.
    #expect(
      found.compactMap { $0["filter"] as? String } == [
        "none", "uniform 50 %", "uniform 10 %", "uniform 1 %", "near, 1.0 %", "far, 1.0 %",
      ])
    for one in found {
      let recall = try #require(one["recall"] as? Double)
      #expect(recall > 0 && recall <= 1, "\(one)")
      #expect(one["sample"] as? Int == 40)
      let plans = try #require(one["plans"] as? [String: Int])
      #expect(plans.values.reduce(0, +) == 40)
      #expect(try #require(one["distance_computations"] as? Double) > 0)
    }
    let (near, far) = (found[4], found[5])
    #expect(try #require(near["near_share"] as? Double) > #require(far["near_share"] as? Double))
    // The same once more: drawn by the seed.
    #expect(try recall("--sample", "40", "-k", "5") as NSArray == found as NSArray)
  }

  /// The recall it tells of a setting is that of searches with this setting.
  @Test func findsTheSmallestSetting() throws {
    // So many that the reach of lists is measured.
    let sample = Sample(count: 3_000)
    try sandbox.write("vectors.npy", sample.npy)
    try sandbox.write("rows.jsonl", sample.rows)
    try build("--type", "ivfflat", "--lists", "30")
    let found = try recall("--sample", "60", "-k", "5", "--recall", "0.99")
    // By default the square root of 30 are probed, which finds less.
    #expect(try #require(found.first?["recall"] as? Double) < 0.99)
    for one in found where one["exact"] as? Bool != true {
      let reaching = try #require((one["reaching"] as? [[String: Any]])?.first)
      #expect(reaching["setting"] as? String == "target_recall", "\(one)")
      #expect((0.9...0.995).contains(try #require(reaching["value"] as? Double)))
    }
  }

  @Test func measuresOneFilter() throws {
    try build("--type", "flat")
    let found = try recall("--where", "category = 'red'", "--sample", "20")
    // As it is answered the first time, and with its rows read.
    #expect(found.compactMap { $0["filter"] as? String } == ["none", "category = 'red'", "category = 'red'"])
    #expect(found[1]["rows_yielded"] as? Double == 500 && found[2]["rows_yielded"] as? Double == 500)
    #expect(found.allSatisfy { $0["recall"] as? Double == 1 && $0["exact"] as? Bool == true })
    let text = try sandbox.succeed("recall", "t.db", "--index", "v", "--sample", "20").output
    #expect(text.contains("exact anyway"))
  }

  /// A filter that a search answers by checking is measured so, and with its rows read.
  @Test func measuresAnswersAsUsersGetThem() throws {
    try build("--m", "4", "--ef-construction", "8")
    let found = try recall("--where", "size % 2 = 0", "--sample", "30", "-k", "3")
    #expect(found.compactMap { $0["filter"] as? String } == ["none", "size % 2 = 0", "size % 2 = 0"])
    #expect(found.map { $0["asked"] as? String } == [nil, "first", "again"])
    let (first, again) = (found[1], found[2])
    let plans = try #require(first["plans"] as? [String: Int])
    #expect(plans.values.reduce(0, +) == 30, "\(plans)")
    #expect(try #require(first["rows_checked"] as? Double) > 3 && again["rows_checked"] as? Double == 0)
    for one in [first, again] {
      #expect(one["rows_yielded"] as? Double == 750)
      #expect(try #require(one["recall"] as? Double) > 0.5)
    }
    let text = try sandbox.succeed("recall", "t.db", "--index", "v", "--sample", "20", "--where", "size % 2 = 0").output
    #expect(text.contains("first time: size % 2 = 0") && text.contains("asked again"), "\(text)")
  }

  @Test func saysWhatIsWrong() throws {
    try build("--type", "flat")
    try sandbox.fail(saying: ["no row passes"], "recall", "t.db", "--index", "v", "--where", "size < 0")
    try sandbox.fail(saying: ["no index \"w\""], "recall", "t.db", "--index", "w")
    try sandbox.fail(2, saying: ["did you mean --sample?"], "recall", "t.db", "--index", "v", "--sampel", "20")
    try sandbox.fail(2, saying: ["did you mean recall?"], "recal", "t.db")
  }
}
