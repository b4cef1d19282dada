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

  private func explain(_ arguments: String...) throws -> [String: Any] {
    let outcome = try sandbox.start(["explain", "t.db", "--index", "v", "--like", "1", "--json"] + arguments).wait()
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

  @Test func saysOfIdsWithoutAVector() throws {
    let text = try sandbox.succeed(
      "search", "t.db", "--index", "v", "--like", "1", "--ids-from", "VALUES (1), (11), (5), (6)"
    ).output
    #expect(text.contains("2 rows"), "\(text)")
    #expect(text.contains("2 ids of the filter have no vector"), "\(text)")
  }
}
