import Foundation
import Testing

/// Embedding models by name: `--model`, and `vidx reindex`.
@Suite struct ModelCommandTests {
  let sandbox: Sandbox
  let sample = Sample(count: 120)
  /// Of another model: 3 dimensions.
  let other = Sample(count: 120, seed: 9).vectors.map { Array($0.prefix(3)) }

  init() throws {
    sandbox = try Sandbox()
    try sandbox.write("vectors.npy", sample.npy)
    try sandbox.write("rows.jsonl", sample.rows)
    try sandbox.write("other.npy", Sample.npy(other))
  }

  private func build(_ extra: String...) throws {
    let arguments = ["build", "t.db", "--index", "v", "--vectors", "vectors.npy", "--rows", "rows.jsonl"]
    let outcome = try sandbox.start(arguments + ["--table", "things"] + extra).wait()
    try #require(outcome.status == 0, "\(outcome.errors)")
  }

  private func info() throws -> [String: Any] {
    try #require(try sandbox.succeed("info", "t.db", "--index", "v", "--json").objects().first)
  }

  @Test func isShown() throws {
    try build("--model", "bge-small")
    #expect(try info()["model"] as? String == "bge-small")
    #expect(try sandbox.succeed("info", "t.db").output.contains("\n  model bge-small\n"))
    let explained = ["explain", "t.db", "--index", "v", "--like", "1"]
    #expect(try sandbox.start(explained).wait().output.hasPrefix("model: bge-small\n"))
    #expect(try sandbox.start(explained + ["--json"]).wait().objects()[0]["model"] as? String == "bge-small")
    try sandbox.succeed(
      "sql", "t.db", "CREATE TABLE embedded(id INTEGER PRIMARY KEY, e); INSERT INTO embedded VALUES (1, '[1,2]')")
    try sandbox.succeed("build", "t.db", "--index", "c", "--table", "embedded", "--column", "e", "--model", "m")
    #expect(try sandbox.succeed("info", "t.db", "--index", "c").output.contains("  model m\n"))
    try sandbox.fail(
      saying: ["name of the model is empty"], "build", "t.db", "--index", "w", "--vectors", "vectors.npy", "--model", ""
    )
  }

  @Test func namesNoneUnlessItIsGiven() throws {
    try build()
    #expect(try info()["model"] is NSNull)
    #expect(try !sandbox.succeed("info", "t.db").output.contains("model"))
    #expect(try !sandbox.succeed("explain", "t.db", "--index", "v", "--like", "1").output.contains("model"))
    try sandbox.fail(
      saying: ["index v names no model", "'x'", "vidx reindex --model"], "search", "t.db", "--index", "v", "--like",
      "1",
      "--model", "x")
  }

  @Test func everyQuestionIsHeldToIt() throws {
    try build("--model", "a")
    for command in ["search", "explain"] {
      let question = [command, "t.db", "--index", "v", "--like", "1", "--where", "size < 50"]
      for model in [["--model", "a"], []] {
        #expect(try sandbox.start(question + model).wait().status == 0)
      }
      let outcome = try sandbox.start(question + ["--model", "b"]).wait()
      #expect(outcome.status == 1 && outcome.output == "")
      #expect(outcome.errors.contains("index v is of model 'a', not of 'b'"), "\(outcome.errors)")
    }
    try sandbox.fail(
      saying: ["'a'", "'b'"], "search", "t.db", "--index", "v", "--query-file", "other.npy", "--model", "b")
    try sandbox.fail(
      saying: ["'a'", "'b'"], "bench", "t.db", "--index", "v", "--query-file", "vectors.npy", "--model", "b")
    try sandbox.fail(
      saying: ["'a'", "'b'"], "sql", "t.db",
      "INSERT INTO v(rowid, vector, model) VALUES (5, '[1,2,3,4,5,6,7,8]', 'b')")
  }

  @Test func changesAnIndexOver() throws {
    try build("--model", "a", "--type", "ivfflat", "--lists", "5")
    try sandbox.fail(
      saying: ["are of model 'a'; give vectors of 'b'"], "reindex", "t.db", "--index", "v", "--model", "b")
    // Ids of the rows are not positions.
    try sandbox.fail(
      saying: ["not numbered 1, 2, 3"], "reindex", "t.db", "--index", "v", "--model", "b", "--vectors", "other.npy")
    let done = try sandbox.succeed(
      "reindex", "t.db", "--index", "v", "--model", "b", "--vectors", "other.npy", "--rows", "rows.jsonl", "--json")
    let object = try #require(try done.objects().first)
    #expect(object["model"] as? String == "b" && object["rows"] as? Int == 120 && object["dimensions"] as? Int == 3)
    let info = try info()
    #expect(info["type"] as? String == "ivfflat" && info["lists"] as? Int == 5 && info["model"] as? String == "b")
    #expect(info["table"] as? String == "things")
    let query = "[\(other[17].map(String.init(describing:)).joined(separator: ","))]"
    let found = try sandbox.succeed(
      "search", "t.db", "--index", "v", "--vector", query, "-k", "3", "--exact", "--json", "--model", "b", "--where",
      "category = 'blue'")
    let hits = try #require(try found.objects()[0]["hits"] as? [[String: Any]])
    #expect(hits.first?["id"] as? Int == 171 && hits.first?["name"] as? String == "row 17")
    #expect(try sandbox.succeed("check", "t.db").output == "ok: 1 index\n")
    #expect(try FileManager.default.contentsOfDirectory(atPath: sandbox.file("t.db-vidx")).count == 1)
    #expect(
      try sandbox.succeed("reindex", "t.db", "--index", "v", "--type", "hnsw", "--m", "5").output
        .hasPrefix("v: 120 rows made anew, model b, 3 dimensions, in "))
    #expect(try self.info()["m"] as? Int == 5)
    try sandbox.succeed("reindex", "t.db", "--index", "v", "--ef-construction", "50")
    let last = try self.info()
    #expect(last["m"] as? Int == 5 && last["ef_construction"] as? Int == 50 && last["rows"] as? Int == 120)
  }

  /// Each of these says which row a vector is of.
  @Test(arguments: ["beside the vectors", "in a file of their own", "not at all"])
  func readsIds(place: String) throws {
    try sandbox.succeed("build", "t.db", "--index", "v", "--vectors", "vectors.npy", "--metric", "l2")
    let order = place == "not at all" ? Array(0..<120) : (0..<120).map { ($0 * 7) % 120 }
    let lines = order.map { row in
      let id = place == "beside the vectors" ? "\"id\": \(row + 1), " : ""
      return "{\(id)\"e\": \(other[row].map(Double.init))}\n"
    }
    try sandbox.write("new.jsonl", lines.joined())
    try sandbox.write("ids.csv", "ID,x\n" + order.map { "\($0 + 1),y\n" }.joined())
    var arguments = ["reindex", "t.db", "--index", "v", "--model", "b", "--vectors", "new.jsonl", "--field", "e"]
    if place == "in a file of their own" { arguments += ["--rows", "ids.csv"] }
    let outcome = try sandbox.start(arguments).wait()
    #expect(outcome.status == 0, "\(outcome.errors)")
    for row in [0, 17, 119] {
      let found = try sandbox.succeed(
        "sql", "t.db", "SELECT vector_text(vector) AS t FROM v WHERE rowid = \(row + 1)", "--json")
      let text = try #require(try found.objects()[0]["t"] as? String)
      #expect(try JSONDecoder().decode([Float].self, from: Data(text.utf8)) == other[row])
    }
  }

  @Test func followsAnotherColumn() throws {
    try sandbox.write("t.csv", "id,e,f\n1,\"[1,2]\",\"[1,2,3]\"\n2,\"[2,2]\",\"[0,1,0]\"\n")
    try sandbox.succeed("import", "t.db", "--rows", "t.csv", "--table", "t")
    try sandbox.succeed("build", "t.db", "--index", "v", "--table", "t", "--column", "e", "--model", "a")
    try sandbox.succeed("reindex", "t.db", "--index", "v", "--column", "f", "--model", "b", "--filter-columns", "id")
    let info = try info()
    #expect(info["column"] as? String == "f" && info["model"] as? String == "b" && info["dimensions"] as? Int == 3)
    #expect(info["filter_columns"] as? [String] == ["id"])
    try sandbox.succeed("sql", "t.db", "UPDATE t SET f = '[9,9,9]' WHERE id = 2")
    #expect(try sandbox.succeed("check", "t.db").output == "ok: 1 index\n")
  }

  @Test func refusesWhatDoesNotGoTogether() throws {
    try build("--model", "a")
    for (arguments, words) in [
      (["--vectors", "other.npy", "--column", "e"], "--vectors and --column together"),
      (["--rows", "rows.jsonl"], "--rows goes with vectors of a file"),
      (["--field", "e"], "--field goes with vectors of a file"),
      (["--lists", "4"], "--lists does not go with --type hnsw"),
      (["--type", "flat", "--m", "4"], "--m does not go with --type flat"),
    ] {
      let outcome = try sandbox.start(["reindex", "t.db", "--index", "v"] + arguments).wait()
      #expect(outcome.status == 2 && outcome.errors.contains(words), "\(outcome.errors)")
    }
    try sandbox.write("ids.csv", "name\n" + String(repeating: "x\n", count: 120))
    try sandbox.fail(
      saying: ["ids.csv has no column \"id\""], "reindex", "t.db", "--index", "v", "--model", "b", "--vectors",
      "other.npy", "--rows", "ids.csv")
    var broken = other
    broken[3][1] = .nan
    try sandbox.write("broken.npy", Sample.npy(broken))
    try sandbox.fail(
      saying: ["broken.npy, row 4"], "reindex", "t.db", "--index", "v", "--model", "b", "--vectors", "broken.npy",
      "--rows", "rows.jsonl")
    #expect(try info()["model"] as? String == "a")
  }
}
