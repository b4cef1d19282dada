import Foundation
import Testing

/// `vidx explain` and `vidx search --explain`.
@Suite struct ExplainTests {
  let sandbox: Sandbox

  init() throws {
    sandbox = try Sandbox()
    let sample = Sample(count: 900)
    try sandbox.write("vectors.npy", sample.npy)
    try sandbox.write("rows.jsonl", sample.rows)
    try sandbox.succeed(
      "build", "t.db", "--index", "v", "--vectors", "vectors.npy", "--rows", "rows.jsonl", "--table", "things")
    // Two rows that are not in a segment yet.
    try sandbox.succeed(
      "sql", "t.db",
      """
      INSERT INTO things(id, category) VALUES (20001, 'green'), (20002, 'red');
      INSERT INTO v(rowid, vector) VALUES (20001, '[1,0,0,0,0,0,0,0]'), (20002, '[0,1,0,0,0,0,0,0]');
      """)
  }

  private func explain(of index: String = "v", _ arguments: String...) throws -> [String: Any] {
    let outcome = try sandbox.start(["explain", "t.db", "--index", index, "--like", "1", "--json"] + arguments).wait()
    try #require(outcome.status == 0, "\(outcome.errors)")
    return try #require(try outcome.objects().first)
  }

  @Test func countsWhatPasses() throws {
    let object = try explain("--ids-from", "SELECT id FROM things WHERE category = 'red' UNION SELECT 5")
    let filter = try #require(object["filter"] as? [String: Any])
    #expect(filter["rows_yielded"] as? Int == 302)
    #expect(filter["rows_passing"] as? Int == 301)
    #expect(filter["rows_without_vector"] as? Int == 1)
    #expect(abs(try #require(filter["selectivity"] as? Double) - 301 / 902) < 1e-9)
    #expect(object["rows"] as? Int == 902)
    let segment = try #require((object["segments"] as? [[String: Any]])?.first)
    #expect(segment["rows"] as? Int == 900)
    #expect(segment["rows_passing"] as? Int == 300)
    let delta = try #require(object["delta"] as? [String: Any])
    #expect(delta["rows"] as? Int == 2)
    #expect(delta["rows_passing"] as? Int == 1)
    // The delta's row is scored by none of the segments.
    let scored = try #require(segment["rows_scored"] as? Int)
    #expect(object["rows_scored"] as? Int == scored + 1)
  }

  /// A condition on the table, and the same on filter columns.
  @Test func countsWhatPassesFilterColumns() throws {
    try sandbox.succeed(
      "sql", "t.db",
      """
      CREATE VIRTUAL TABLE c USING vidx(dimensions = 8, filter category, filter size);
      INSERT INTO c(rowid, vector, category, size) SELECT v.rowid, v.vector, t.category, t.size
        FROM v JOIN things t ON t.id = v.rowid WHERE v.rowid <= 9000;
      INSERT INTO c(c) VALUES ('optimize');
      INSERT INTO c(rowid, vector, category, size) SELECT v.rowid, v.vector, t.category, 1
        FROM v JOIN things t ON t.id = v.rowid WHERE v.rowid > 9000;
      """)
    for (condition, passing, inSegment) in [
      ("category = 'red'", 301, 300), ("category IN ('red', 'green') AND size < 300", 102, 100), ("size IS NULL", 0, 0),
    ] {
      let rows = try explain(of: "v", "--where", "id IN (SELECT rowid FROM c WHERE \(condition))")
      let columns = try explain(of: "c", "--ids-from", "SELECT rowid FROM c WHERE \(condition)")
      for object in [rows, columns] {
        let filter = try #require(object["filter"] as? [String: Any])
        #expect(filter["rows_yielded"] as? Int == passing, "\(condition)")
        #expect(filter["rows_passing"] as? Int == passing, "\(condition)")
        #expect(filter["rows_without_vector"] as? Int == 0)
        let segment = try #require((object["segments"] as? [[String: Any]])?.first)
        #expect(segment["rows"] as? Int == 900)
        #expect(segment["rows_passing"] as? Int == inSegment, "\(condition)")
        try expectEstimates(of: segment, passing: inSegment)
        #expect((object["delta"] as? [String: Any])?["rows_passing"] as? Int == passing - inSegment)
      }
    }
  }

  /// Estimates ascend; that of the exact plan is what it scores when it is taken.
  private func expectEstimates(of segment: [String: Any], passing: Int) throws {
    let estimates = try #require(segment["estimates"] as? [[String: Any]])
    #expect(estimates.isEmpty == (passing == 0))
    let times = estimates.compactMap { $0["microseconds"] as? Double }
    #expect(times == times.sorted() && times.allSatisfy { $0 > 0 })
    let scores = estimates.first { $0["plan"] as? String == "exact" }?["scores"] as? Double
    guard passing > 0 else { return }
    #expect(scores == Double(passing))
    #expect(segment["plan"] as? String == estimates.first?["plan"] as? String)
    if segment["plan"] as? String == "exact" { #expect(segment["rows_scored"] as? Int == passing) }
  }

  @Test(arguments: [
    (["--ef-search", "400"], "answered by graph, as the settings say"),
    (["--where", "category = 'red'"], "answered by exact: graph met too few rows that pass"),
  ])
  func saysWhatAPlanCameTo(extra: [String], answer: String) throws {
    let arguments = ["explain", "t.db", "--index", "v", "--like", "1", "--plan", "graph"] + extra
    let object = try #require(try sandbox.start(arguments + ["--json"]).wait().objects().first)
    let segment = try #require((object["segments"] as? [[String: Any]])?.first)
    let estimates = try #require(segment["estimates"] as? [[String: Any]])
    #expect(estimates.compactMap { $0["plan"] as? String } == ["exact", "graph"])
    #expect(answer.hasPrefix("answered by \(try #require(segment["plan"] as? String))"))
    let text = try sandbox.start(arguments).wait().output
    #expect(text.contains(answer), "\(text)")
  }

  @Test func heedsTheSettings() throws {
    let exact = try explain("--exact")
    #expect(exact["filter"] is NSNull)
    #expect(exact["exact"] as? Bool == true)
    let segment = try #require((exact["segments"] as? [[String: Any]])?.first)
    #expect(segment["plan"] as? String == "exact")
    #expect(segment["rows_scored"] as? Int == 900)
  }

  @Test func readsWell() throws {
    let text = try sandbox.succeed(
      "explain", "t.db", "--index", "v", "--like", "1", "--where", "category = 'red'", "--exact"
    ).output
    for words in [
      "filter: category = 'red'", "301 of 902 rows pass (33.37 %)", "900 rows, 300 pass (33.33 %)", "answered by exact",
      "not in a segment yet: 2, 1 pass", "answer: 10 rows of k = 10, exact, complete; plan: exact",
    ] {
      #expect(text.contains(words), "\(text)")
    }
    let search = try sandbox.succeed(
      "search", "t.db", "--index", "v", "--like", "1", "--explain", "-k", "2", "--within", "-1", "--exact"
    ).output
    #expect(search.contains("answer: 0 rows of k = 2, exact, complete"), "\(search)")
    let object = try #require(
      try sandbox.succeed("search", "t.db", "--index", "v", "--like", "1", "--explain", "--json").objects().first)
    let explanation = try #require(object["explain"] as? [String: Any])
    #expect(explanation["rows"] as? Int == 902)
  }

  /// Half of 3,000 rows pass, which SQLite has to look for: a search finds rows first and checks them, and explain says
  /// what it did, and what the same is with the filter's rows read.
  @Test func saysWhatWasChecked() throws {
    let sample = Sample(count: 3_000)
    try sandbox.write("many.npy", sample.npy)
    try sandbox.write("many.jsonl", sample.rows)
    try sandbox.succeed(
      "build", "t.db", "--index", "m", "--vectors", "many.npy", "--rows", "many.jsonl", "--table", "many")
    let filter = ["--where", "size % 2 = 0"]
    let object = try #require(
      try sandbox.start(["explain", "t.db", "--index", "m", "--like", "1", "--json"] + filter).wait().objects().first)
    #expect(object["plan"] as? String == "checked graph")
    let checked = try #require(object["rows_checked"] as? Int)
    #expect((10...200).contains(checked))
    #expect(object["rows_without_vector"] is NSNull)
    let came = try #require(object["filter"] as? [String: Any])
    #expect(came["rows_yielded"] as? Int == 1_500 && came["rows_passing"] as? Int == 1_500)
    let steps = try #require(came["steps"] as? [[String: Any]])
    #expect(steps.compactMap { $0["step"] as? String }.starts(with: ["read", "found", "checked"]), "\(steps)")
    #expect(steps[0]["finished"] as? Bool == false)
    let checks = steps.filter { $0["step"] as? String == "checked" }
    #expect(checks.compactMap { $0["rows"] as? Int }.reduce(0, +) == checked)
    #expect(checks.compactMap { $0["rows_passing"] as? Int }.reduce(0, +) == object["rows_yielded"] as? Int)
    let read = try #require(object["with_rows_read"] as? [String: Any])
    #expect(read["rows_yielded"] as? Int == 1_500 && read["rows_checked"] as? Int == 0)
    let segment = try #require((object["segments"] as? [[String: Any]])?.first)
    #expect(segment["rows_passing"] as? Int == 1_500)

    let arguments = ["--index", "m", "--like", "1"] + filter
    let text = try sandbox.start(["explain", "t.db"] + arguments).wait().output
    for words in [
      "filter: size % 2 = 0", "which is not the end", "nearest rows, not asking SQL, by graph", "of which",
      "plan: checked graph", "rows checked in", "with its rows read, as when it is asked again:",
      "1,500 of 3,000 rows pass (50.00 %)",
    ] {
      #expect(text.contains(words), "\(text)")
    }
    // The answer is that of the search itself.
    let plain = try sandbox.start(["search", "t.db", "--json"] + arguments).wait().objects().first
    let explained = try sandbox.start(["search", "t.db", "--json", "--explain"] + arguments).wait().objects().first
    for key in ["plan", "rows_checked", "rows_yielded", "distance_computations"] {
      #expect(plain?[key] as? NSObject == explained?[key] as? NSObject, "\(key)")
    }
    #expect(plain?["hits"] as? NSArray == explained?["hits"] as? NSArray)
  }

  @Test func saysOfIdsWithoutAVector() throws {
    let text = try sandbox.succeed(
      "search", "t.db", "--index", "v", "--like", "1", "--ids-from", "VALUES (1), (11), (5), (6)"
    ).output
    #expect(text.contains("2 rows"), "\(text)")
    #expect(text.contains("2 ids of the filter have no vector"), "\(text)")
  }
}
