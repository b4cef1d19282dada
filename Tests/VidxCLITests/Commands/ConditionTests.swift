import Foundation
import Testing

/// What conditions of a search get that are wrong, and how answers and pages say what they are.
@Suite struct ConditionTests {
  let sandbox: Sandbox
  let sample = Sample(count: 60)

  init() throws {
    sandbox = try Sandbox()
    try sandbox.write("vectors.npy", sample.npy)
    try sandbox.write("rows.jsonl", sample.rows)
    try sandbox.succeed(
      "build", "t.db", "--index", "v", "--vectors", "vectors.npy", "--rows", "rows.jsonl", "--table", "things")
  }

  private func search(_ arguments: String...) throws -> Sandbox.Outcome {
    try sandbox.start(["search", "t.db", "--index", "v", "--like", "1", "--json"] + arguments).wait()
  }

  private func object(_ arguments: String...) throws -> [String: Any] {
    let outcome = try sandbox.start(["search", "t.db", "--index", "v", "--like", "1", "--json"] + arguments).wait()
    try #require(outcome.status == 0, "\(outcome.errors)")
    return try #require(try outcome.objects().first)
  }

  // MARK: Conditions that are wrong

  @Test(arguments: [
    ("colour = 'red'", "no such column: colour", "  colour = 'red'\n  ^\n"),
    ("size > 1 AND\n\tcolour = 'red'", "no such column: colour", "  \tcolour = 'red'\n  \t^\n"),
    ("size >", "syntax error", "  size >\n        ^\n"),
    ("size > 1 ANDD size < 5", "syntax error", "  size > 1 ANDD size < 5\n           ^\n"),
    ("'é' = name AND nam = 'x'", "no such column: nam", "  'é' = name AND nam = 'x'\n                 ^\n"),
    ("size = nofunction(1)", "no such function: nofunction", ""),
  ])
  func areShownWithACaret(condition: String, message: String, place: String) throws {
    let outcome = try search("--where", condition)
    #expect(outcome.status == 1)
    #expect(outcome.output == "")
    #expect(outcome.errors.hasPrefix("vidx: "))
    #expect(outcome.errors.contains(message), "\(outcome.errors)")
    #expect(outcome.errors.hasSuffix(place), "\(outcome.errors)")
  }

  @Test func areShownInTheirOwnSelect() throws {
    let outcome = try search("--ids-from", "SELECT id FROM thing")
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("no such table: thing"), "\(outcome.errors)")
  }

  @Test(arguments: [
    (["--ids-from", "DELETE FROM things RETURNING id"], "does not read rows"),
    (["--ids-from", "SELECT id FROM things; DELETE FROM things"], "more than one statement"),
    (["--ids-from", "PRAGMA user_version = 5"], "give a SELECT"),
    (["--where", "1); DELETE FROM things; --"], "more than one statement"),
    (["--where", "size > 1; DELETE FROM things"], "syntax error"),
  ])
  func thatModifyAreRefused(arguments: [String], message: String) throws {
    let before = try sandbox.contents()
    let outcome = try sandbox.start(["search", "t.db", "--index", "v", "--like", "1"] + arguments).wait()
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains(message), "\(outcome.errors)")
    #expect(try sandbox.contents() == before)
  }

  // MARK: Conditions that run for ever

  private static let endless =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0"

  @Test(arguments: [
    ["search", "t.db", "--index", "v", "--like", "1", "--ids-from", endless],
    ["search", "t.db", "--index", "v", "--like", "1", "--where", "id IN (\(endless))"],
    ["explain", "t.db", "--index", "v", "--like", "1", "--ids-from", endless],
    ["recall", "t.db", "--index", "v", "--ids-from", endless], ["sql", "t.db", endless],
  ])
  func areGivenUp(arguments: [String]) throws {
    let before = try sandbox.contents()
    let outcome = try sandbox.start(arguments + ["--timeout", "0.2"]).wait()
    #expect(outcome.status == 1)
    #expect(outcome.output == "")
    #expect(outcome.errors.hasPrefix("vidx: no answer within the time given; narrow"), "\(outcome.errors)")
    #expect(outcome.errors.split(separator: "\n").count == 1)
    #expect(try sandbox.contents() == before)
  }

  @Test func timeEnoughChangesNothing() throws {
    let query = ["search", "t.db", "--index", "v", "--like", "1", "--json"]
    #expect(try sandbox.start(query + ["--timeout", "60"]).wait().output == sandbox.start(query).wait().output)
    for value in ["0", "-1", "soon", "1e300"] {
      let outcome = try sandbox.start(query + ["--timeout", value]).wait()
      #expect(outcome.status == 2, "\(value)")
      #expect(outcome.errors.contains("--timeout"), "\(outcome.errors)")
    }
  }

  // MARK: What a filter yields

  @Test func idsWithoutAVectorAreCounted() throws {
    let all = try object("-k", "60")
    #expect(all["rows_yielded"] is NSNull)
    #expect(all["rows_scored"] as? Int == 60)
    #expect(all["distance_computations"] as? Int == 60)
    let some = try object("-k", "60", "--ids-from", "SELECT id FROM things WHERE size < 7 UNION ALL SELECT 5")
    #expect(some["rows_yielded"] as? Int == 8)
    #expect(some["rows_without_vector"] as? Int == 1)
    #expect(some["rows_scored"] as? Int == 7)
    #expect((some["hits"] as? [Any])?.count == 7)
    #expect(some["complete"] as? Bool == true)
    #expect(some["exact"] as? Bool == true)
  }

  @Test func duplicatesCountOnceAndNullsNever() throws {
    let twice = try object(
      "--ids-from",
      "SELECT id FROM things WHERE size < 3 UNION ALL SELECT id FROM things WHERE size < 5 UNION ALL "
        + "SELECT NULL")
    #expect(twice["rows_yielded"] as? Int == 5)
    #expect((twice["hits"] as? [Any])?.count == 5)
    let nulls = try object("--where", "CASE WHEN size < 4 THEN 1 END")
    #expect(nulls["rows_yielded"] as? Int == 4)
    let none = try object("--where", "name IS NULL")
    #expect(none["rows_yielded"] as? Int == 0)
    #expect((none["hits"] as? [Any])?.isEmpty == true)
    #expect(none["complete"] as? Bool == true)
  }

  // MARK: Several filters

  @Test func filtersCombine() throws {
    try sandbox.succeed(
      "build", "c.db", "--index", "v", "--vectors", "vectors.npy", "--rows", "rows.jsonl", "--table", "things",
      "--filter-columns", "category,size")
    func ids(_ arguments: [String]) throws -> [Int] {
      let outcome = try sandbox.start(["search", "c.db", "--index", "v", "--like", "1", "--json"] + arguments).wait()
      try #require(outcome.status == 0, "\(outcome.errors)")
      let hits = try #require(try outcome.objects().first?["hits"] as? [[String: Any]])
      return hits.compactMap { $0["id"] as? Int }
    }
    let expected = sample.nearest(to: sample.vectors[0], k: 10) { $0 % 3 == 0 && $0 >= 10 && $0 < 50 }
    for arguments in [
      ["--filter", "category = 'red' AND size BETWEEN 10 AND 49"],
      ["--filter", "category = \"red\"", "--filter", "size >= 10 AND SIZE < 50"],
      ["--filter", "category = 'red'", "--where", "size >= 10 AND size < 50"],
      ["--where", "category = 'red'", "--ids-from", "SELECT id FROM things WHERE size BETWEEN 10 AND 49"],
      ["--filter", "size < 50", "--where", "category = 'red'", "--ids-from", "SELECT id FROM things WHERE size > 9"],
    ] {
      #expect(try ids(arguments) == expected, "\(arguments)")
      #expect(try ids(arguments + ["--explain"]) == expected, "\(arguments)")
    }
    try sandbox.fail(
      saying: ["no filter column \"colour\"", "it has category, size"], "search", "c.db", "--index", "v", "--like", "1",
      "--filter", "colour = 1")
    try sandbox.fail(
      saying: ["has none"], "search", "t.db", "--index", "v", "--like", "1", "--filter", "category = 1")
    let text = try sandbox.succeed(
      "explain", "c.db", "--index", "v", "--like", "1", "--filter", "category = 'red'", "--where", "size > 9"
    ).output
    #expect(text.contains("filter: (category = 'red') AND (size > 9)"), "\(text)")
  }

  // MARK: Pages

  @Test(arguments: [[], ["--where", "size % 2 = 0"]])
  func pagesTileTheExactOrder(filter: [String]) throws {
    var ids: [Int] = []
    var after = "start"
    while true {
      let arguments = ["search", "t.db", "--index", "v", "--like", "1", "-k", "7", "--after", after]
      let page = try sandbox.start(arguments + filter + ["--json"]).wait()
      let hits = try #require(try page.objects().first?["hits"] as? [[String: Any]])
      ids += hits.compactMap { $0["id"] as? Int }
      // As a person reads it.
      let text = try sandbox.start(arguments + filter).wait().output
      let marker = "next page: --after "
      guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(marker) }) else { break }
      after = String(line.dropFirst(marker.count))
      try #require(ids.count <= 70)
    }
    #expect(ids == sample.nearest(to: sample.vectors[0], k: 60) { filter.isEmpty || $0 % 2 == 0 })
  }

  @Test(arguments: [
    (["--after", "0.5"], "DISTANCE,ROWID"), (["--after", "x,1"], "DISTANCE,ROWID"), (["--after", "nan,1"], "DISTANCE"),
    (["--after", "start", "--ef-search", "10"], "pages are exact"),
  ])
  func refusesACursorThatIsNone(arguments: [String], message: String) throws {
    let outcome = try sandbox.start(["search", "t.db", "--index", "v", "--like", "1"] + arguments).wait()
    #expect(outcome.status == 2)
    #expect(outcome.errors.contains(message), "\(outcome.errors)")
  }
}
