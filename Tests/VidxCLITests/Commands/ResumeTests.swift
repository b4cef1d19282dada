import Foundation
import Testing

/// `vidx build --resume`, as users run it. What kills leave of it: Tests/ReliabilityTests/test_resumed.py.
@Suite struct ResumeTests {
  let sandbox: Sandbox

  init() throws { sandbox = try Sandbox() }

  private func arguments(_ vectors: String, _ more: String...) throws -> [String] {
    let build = ["build", "t.db", "--index", "v", "--vectors", vectors, "--type", "flat", "--threads", "1"]
    let estimate = try #require(try sandbox.start(build + ["--estimate", "--json"]).wait().objects().first)
    let bytes = try #require(estimate["memory_bytes"] as? Int)
    let fixed = 24 << 20
    let memory = fixed + (bytes - fixed) / 2_600 * 1_000
    return build + ["--memory", "\(memory / 1_024 + 1)K"] + more
  }

  @Test func saysHowFarItIs() throws {
    var vectors = Sample(count: 2_600).vectors
    vectors[2_000][3] = .nan
    try sandbox.write("bad.npy", Sample.npy(vectors))
    let command = try arguments("bad.npy", "--resume")
    for _ in 0..<2 {
      let outcome = try sandbox.start(command).wait()
      #expect(outcome.status == 1 && outcome.errors.hasPrefix("vidx: bad.npy, row 2001: "), "\(outcome.errors)")
    }
    let line = "unfinished: 1,733 of 2,600 rows of bad.npy; go on with vidx build --resume\n"
    #expect(try sandbox.succeed("info", "t.db").output.contains("1,733 rows\n  segment "))
    #expect(try sandbox.succeed("info", "t.db").output.contains("  " + line))
    #expect(try sandbox.succeed("check", "t.db").output == "v: \(line)ok: 1 index\n")
    let unfinished = try #require(
      try sandbox.succeed("info", "t.db", "--json").objects()[0]["unfinished"] as? [String: Any])
    #expect(unfinished["rows"] as? Int == 1_733 && unfinished["of"] as? Int == 2_600)
    #expect(unfinished["source"] as? String == "bad.npy")
    #expect(try sandbox.succeed("check", "t.db", "--json").output.contains("\"unfinished\": [\"v\"]"))
    #expect(try sandbox.succeed("search", "t.db", "--index", "v", "--like", "1733", "-k", "1").output.contains("1733"))

    // One line each, and nothing is changed.
    try sandbox.write("good.npy", Sample(count: 2_600).npy)
    for (refused, words) in [
      (try arguments("bad.npy"), ["is unfinished", "--resume", "DROP TABLE \"v\""]),
      (try arguments("good.npy", "--resume"), ["begun of 2600 vectors in bad.npy", "give the files", "DROP TABLE"]),
      (try arguments("bad.npy", "--resume", "--metric", "l2"), ["begun with metric = cosine", "metric = l2"]),
    ] {
      let before = try sandbox.contents()
      let outcome = try sandbox.start(refused).wait()
      #expect(outcome.status == 1 && outcome.errors.split(separator: "\n").count == 1)
      for word in words { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
      #expect(try sandbox.contents() == before)
    }

    try sandbox.succeed("sql", "t.db", "DROP TABLE \"v\"")
    let built = try sandbox.start(arguments("good.npy", "--resume")).wait()
    #expect(built.status == 0 && built.output.hasPrefix("built v over 2,600 rows"), "\(built.errors)")
    #expect(try sandbox.succeed("check", "t.db").output == "ok: 1 index\n")
    #expect(try sandbox.succeed("info", "t.db", "--json").objects()[0]["unfinished"] == nil)
    let files = try FileManager.default.contentsOfDirectory(atPath: sandbox.file("t.db-vidx"))
    #expect(files.count == 3, "\(files)")
  }

  /// Vectors of two fields of one file would be those of two models.
  @Test func anotherFieldIsAnotherSource() throws {
    let sample = Sample(count: 2_600).vectors
    let lines = sample.enumerated().map { row, vector in
      let one = row == 2_000 ? "\"none\"" : "\(vector)"
      return "{\"one\": \(one), \"other\": \(vector.map { -$0 })}"
    }
    try sandbox.write("rows.jsonl", lines.joined(separator: "\n") + "\n")
    try sandbox.write("good.npy", Sample(count: 2_600).npy)
    let memory = try arguments("good.npy")
    let index = try #require(memory.firstIndex(of: "good.npy"))
    func command(_ field: String) -> [String] {
      var words = memory + ["--resume", "--field", field]
      words[index] = "rows.jsonl"
      return words
    }
    let begun = try sandbox.start(command("one")).wait()
    #expect(begun.status == 1 && begun.errors.contains("2001"), "\(begun.errors)")
    #expect(try sandbox.succeed("check", "t.db").output.contains("unfinished"))
    let other = try sandbox.start(command("other")).wait()
    #expect(other.status == 1 && other.errors.contains("these are others"), "\(other.errors)")
    try sandbox.succeed("sql", "t.db", "UPDATE v_config SET value = 'x' WHERE key = 'unfinished'")
    let check = try sandbox.start(["check", "t.db"]).wait()
    #expect(check.status == 1 && check.output.contains("unfinished"), "\(check.output)")
  }

  @Test func showsSettingsOfMaintenance() throws {
    try sandbox.write("vectors.npy", Sample(count: 300).npy)
    try sandbox.succeed("build", "t.db", "--index", "v", "--vectors", "vectors.npy", "--type", "flat")
    try sandbox.succeed("sql", "t.db", "INSERT INTO v(v) VALUES ('merge_after = 5000'), ('memory = 1G')")
    #expect(try sandbox.succeed("info", "t.db").output.contains("\n  settings: memory 1.0 GiB, merge_after 5,000\n"))
    let info = try sandbox.succeed("info", "t.db", "--json").objects()[0]
    #expect(info["settings"] as? [String: Int] == ["memory": 1 << 30, "merge_after": 5_000])
  }
}
