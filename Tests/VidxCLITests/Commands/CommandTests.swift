import Foundation
import Testing

/// Every command, as users run it.
@Suite struct CommandTests {
  let sandbox: Sandbox
  let sample = Sample(count: 300)

  init() throws {
    sandbox = try Sandbox()
    try sandbox.write("vectors.npy", sample.npy)
    try sandbox.write("rows.jsonl", sample.rows)
  }

  func build(_ extra: String...) throws {
    let arguments = ["build", "t.db", "--index", "v", "--vectors", "vectors.npy", "--rows", "rows.jsonl"]
    let outcome = try sandbox.start(arguments + ["--table", "things"] + extra).wait()
    try #require(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output.hasPrefix("built v over 300 rows"))
  }

  func ids(_ outcome: Sandbox.Outcome, line: Int = 0) throws -> [Int] {
    let hits = try #require(try outcome.objects()[line]["hits"] as? [[String: Any]])
    return hits.compactMap { $0["id"] as? Int }
  }

  @Test(arguments: [["--type", "flat"], ["--type", "ivfflat", "--lists", "4"], ["--type", "hnsw", "--m", "8"]])
  func buildsAndSearches(type: [String]) throws {
    let arguments = ["build", "t.db", "--index", "v", "--vectors", "vectors.npy", "--rows", "rows.jsonl"]
    let outcome = try sandbox.start(arguments + ["--table", "things"] + type).wait()
    try #require(outcome.status == 0, "\(outcome.errors)")
    let query = sample.vectors[17].map(String.init(describing:)).joined(separator: ",")
    let found = try sandbox.succeed(
      "search", "t.db", "--index", "v", "--vector", "[\(query)]", "-k", "5", "--json", "--ef-search", "300",
      "--probes", "4")
    let object = try #require(try found.objects().first)
    #expect(object["query"] as? Int == 0)
    #expect(object["complete"] as? Bool == true)
    #expect(object["exact"] is Bool)
    #expect(object["plan"] is String)
    let hits = try #require(object["hits"] as? [[String: Any]])
    #expect(hits.compactMap { $0["id"] as? Int } == sample.nearest(to: sample.vectors[17], k: 5))
    #expect(hits.first?["name"] as? String == "row 17")
    #expect(hits.first?["size"] as? Int == 17)
    #expect(found.output.hasPrefix("{\"query\": 0, \"plan\": \""))
  }

  @Test func filters() throws {
    try build()
    let expected = sample.nearest(to: sample.vectors[5], k: 4) { $0 % 3 == 0 }
    let byWhere = try sandbox.succeed(
      "search", "t.db", "--index", "v", "--query-file", "vectors.npy", "--row", "5", "-k", "4", "--json", "--where",
      "category = 'red' -- a comment")
    #expect(try ids(byWhere) == expected)
    let byIDs = try sandbox.succeed(
      "search", "t.db", "--index", "v", "--query-file", "vectors.npy", "--row", "5", "-k", "4", "--json", "--ids-from",
      "SELECT id FROM things WHERE size % 3 = 0 ORDER BY size DESC")
    #expect(try ids(byIDs) == expected)
    let none = try sandbox.succeed("search", "t.db", "--index", "v", "--like", "1", "--json", "--where", "0")
    #expect(try ids(none) == [])
    let few = try sandbox.succeed("search", "t.db", "--index", "v", "--like", "1", "--json", "--where", "size < 3")
    #expect(try ids(few).sorted() == [1, 11, 21])
  }

  @Test func findsLikeARowAndWithinADistance() throws {
    try build()
    let like = try sandbox.succeed("search", "t.db", "--index", "v", "--like", "41", "-k", "3", "--json")
    #expect(try ids(like).first == 41)
    let hits = try #require(try like.objects()[0]["hits"] as? [[String: Any]])
    let second = try #require(hits[1]["distance"] as? Double)
    let within = try sandbox.succeed(
      "search", "t.db", "--index", "v", "--like", "41", "-k", "300", "--within", "\(second + 1e-6)", "--json")
    #expect(try ids(within) == Array(try ids(like).prefix(2)))
  }

  @Test(arguments: ["1", "3"]) func answersManyQueriesInOrder(threads: String) throws {
    try build("--type", "flat")
    let found = try sandbox.succeed(
      "search", "t.db", "--index", "v", "--query-file", "vectors.npy", "-k", "2", "--json", "--threads", threads)
    let objects = try found.objects()
    #expect(objects.count == 300)
    for (number, object) in objects.enumerated() {
      #expect(object["query"] as? Int == number)
      #expect(try ids(found, line: number) == sample.nearest(to: sample.vectors[number], k: 2))
    }
  }

  @Test func searchesExactly() throws {
    let large = Sample(count: 2_000)
    try sandbox.write("large.npy", large.npy)
    try sandbox.succeed(
      "build", "l.db", "--index", "v", "--vectors", "large.npy", "--type", "hnsw", "--codec", "f32")
    try sandbox.succeed("build", "l.db", "--index", "f", "--vectors", "large.npy", "--type", "flat")
    func search(_ extra: [String]) throws -> Sandbox.Outcome {
      let arguments = ["search", "l.db", "--index", "v", "--query-file", "large.npy", "--row", "3", "--json"]
      let outcome = try sandbox.start(arguments + extra).wait()
      try #require(outcome.status == 0, "\(outcome.errors)")
      return outcome
    }
    let usual = try #require(try search([]).objects().first)
    #expect(usual["plan"] as? String == "graph")
    #expect(usual["exact"] as? Bool == false)
    // Without a table, rows are numbered from 1.
    let expected = large.nearest(to: large.vectors[3], k: 10).map { ($0 - 1) / 10 + 1 }
    for extra in [["--target-recall", "1"], ["--exact"]] {
      let outcome = try search(extra)
      let object = try #require(try outcome.objects().first)
      #expect(object["plan"] as? String == "exact", "\(extra)")
      #expect(object["exact"] as? Bool == true, "\(extra)")
      #expect(try ids(outcome) == expected, "\(extra)")
    }
    try sandbox.fail(
      2, saying: ["--exact and --ef-search together"], "search", "l.db", "--index", "v", "--like", "1", "--exact",
      "--ef-search", "9")
    for plan in ["exact", "graph"] {
      #expect(try search(["--plan", plan]).objects().first?["plan"] as? String == plan)
    }
    try sandbox.fail(
      saying: ["plan cannot be lists: an index of type flat has only exact"], "search", "l.db", "--index", "f",
      "--like", "1", "--plan", "lists")
    try sandbox.fail(
      2, saying: ["--plan grph: one of exact, graph, lists expected; did you mean graph?"], "search", "l.db", "--index",
      "v", "--like", "1", "--plan", "grph")
    try sandbox.fail(
      2, saying: ["--exact and --plan together"], "search", "l.db", "--index", "v", "--like", "1", "--exact", "--plan",
      "exact")
    try sandbox.fail(
      saying: ["target_recall is 1.5"], "search", "l.db", "--index", "v", "--like", "1", "--target-recall", "1.5")
  }

  @Test func printsATable() throws {
    try build()
    let found = try sandbox.succeed(
      "search", "t.db", "--index", "v", "--like", "41", "-k", "2", "--columns", "size,name")
    let lines = found.output.split(separator: "\n")
    #expect(lines.count == 5)
    #expect(lines[0].split(separator: " ") == ["id", "distance", "size", "name"])
    #expect(lines[2].split(separator: " ") == ["41", "0.0000", "4", "row", "4"])
    #expect(lines[4].hasPrefix("(2 rows, ") && lines[4].contains("; plan: "))
  }

  @Test func readsOtherFormats() throws {
    let jsonl = sample.vectors.enumerated().map { number, vector in
      "{\"id\": \(number + 1), \"embedding\": [\(vector.map(String.init(describing:)).joined(separator: ", "))]}\n"
    }.joined()
    try sandbox.write("all.jsonl", jsonl)
    try sandbox.succeed(
      "build", "j.db", "--index", "v", "--vectors", "all.jsonl", "--field", "embedding", "--rows", "all.jsonl",
      "--table", "t", "--metric", "l2")
    let columns = try sandbox.succeed("sql", "j.db", "SELECT name FROM pragma_table_info('t')", "--json")
    #expect(columns.output == "{\"name\": \"id\"}\n")
    let like = try sandbox.succeed("search", "j.db", "--index", "v", "--like", "5", "-k", "1", "--json")
    #expect(try ids(like) == [5])

    var fvecs = Data()
    for vector in sample.vectors {
      fvecs.append(contentsOf: [8, 0, 0, 0])
      for component in vector {
        fvecs.append(contentsOf: (0..<4).map { UInt8(truncatingIfNeeded: component.bitPattern >> (8 * UInt32($0))) })
      }
    }
    try sandbox.write("all.fvecs", fvecs)
    try sandbox.succeed("build", "f.db", "--index", "v", "--vectors", "all.fvecs", "--json")
    let first = try sandbox.succeed("search", "f.db", "--index", "v", "--like", "1", "-k", "1", "--json")
    #expect(try ids(first) == [1])
  }

  @Test func indexesAColumnOfATable() throws {
    try sandbox.write(
      "docs.csv", "id,body,embedding\n7,one,\"[1, 0]\"\n8,two,\"[0, 1]\"\n9,none,\n10,three,\"[1, 1]\"\n")
    try sandbox.succeed("import", "c.db", "--rows", "docs.csv", "--table", "docs")
    let built = try sandbox.succeed(
      "build", "c.db", "--index", "v", "--table", "docs", "--column", "embedding", "--metric", "l2", "--json")
    #expect(try built.objects()[0]["rows"] as? Int == 3)
    let found = try sandbox.succeed("search", "c.db", "--index", "v", "--vector", "[1, 0.1]", "--json")
    #expect(try ids(found) == [7, 10, 8])
    let hits = try #require(try found.objects()[0]["hits"] as? [[String: Any]])
    #expect(hits[0].keys.sorted() == ["body", "distance", "id"])
    // The index follows the table.
    try sandbox.succeed(
      "sql", "c.db", "UPDATE docs SET embedding = '[1, 0.1]' WHERE id = 9; DELETE FROM docs WHERE id = 7")
    #expect(
      try ids(try sandbox.succeed("search", "c.db", "--index", "v", "--vector", "[1, 0.1]", "--json")) == [9, 10, 8])
  }

  @Test func runsSQL() throws {
    try build("--type", "flat")
    let found = try sandbox.succeed(
      "sql", "t.db",
      "SELECT t.name, v.distance FROM v JOIN things t ON t.id = v.rowid WHERE v.vector MATCH :q AND t.category = :c "
        + "ORDER BY v.distance LIMIT 3",
      "--param", "q=@vectors.npy[5]", "--param", "c=red", "--json")
    let expected = sample.nearest(to: sample.vectors[5], k: 3) { $0 % 3 == 0 }.map { "row \(($0 - 1) / 10)" }
    #expect(try found.objects().compactMap { $0["name"] as? String } == expected)
    let table = try sandbox.succeed("sql", "t.db", "SELECT count(*) AS n FROM things; SELECT 'x' AS y")
    #expect(table.output == "n\n---\n300\ny\n-\nx\n".replacingOccurrences(of: "n\n---", with: "n\n---"))
    let unused = try sandbox.run("sql", "t.db", "SELECT 1", "--param", "q=1")
    #expect(unused.status == 0)
    #expect(unused.errors.contains("--param q is not used"))
  }

  @Test func tellsAndMergesAndChecks() throws {
    try build()
    try sandbox.succeed(
      "sql", "t.db",
      "INSERT INTO things(id) VALUES (5000); INSERT INTO v(rowid, vector) VALUES (5000, '[1,2,3,4,5,6,7,8]'); "
        + "DELETE FROM v WHERE rowid IN (1, 11)")
    let before = try #require(try sandbox.succeed("info", "t.db", "--json").objects().first)
    #expect(before["index"] as? String == "v")
    #expect(before["type"] as? String == "hnsw")
    #expect(before["metric"] as? String == "cosine")
    #expect(before["dimensions"] as? Int == 8)
    #expect(before["codec"] as? String == "auto")
    let segment = try #require((before["segments"] as? [[String: Any]])?.first)
    // Too few rows to choose by: what 8 floats take with their padding.
    #expect(segment["codec"] as? String == "f32" && segment["code_bytes"] as? Int == 64)
    #expect(before["table"] as? String == "things")
    #expect(before["rows"] as? Int == 299)
    #expect(before["delta_rows"] as? Int == 1)
    #expect(before["tombstones"] as? Int == 2)
    #expect((before["segments"] as? [[String: Any]])?.first?["rows"] as? Int == 300)

    let merged = try sandbox.succeed("optimize", "t.db")
    #expect(merged.output.hasPrefix("v: 299 rows in 1 segment, in "))
    let after = try #require(try sandbox.succeed("info", "t.db", "--json").objects().first)
    #expect(after["rows"] as? Int == 299)
    #expect(after["delta_rows"] as? Int == 0)
    #expect(after["tombstones"] as? Int == 0)
    #expect(try sandbox.succeed("info", "t.db").output.contains("v: hnsw (m 16, ef_construction 128), cosine, 8 dim"))
    #expect(try sandbox.succeed("check", "t.db").output == "ok: 1 index\n")
    #expect(
      try ids(try sandbox.succeed("search", "t.db", "--index", "v", "--like", "5000", "-k", "1", "--json")) == [5000])
  }

  @Test func tellsFilterColumnsAndPartition() throws {
    try build()
    try sandbox.succeed(
      "sql", "t.db",
      "CREATE VIRTUAL TABLE w USING vidx(dimensions = 2, filter section, partition tenant, filter \"a size\")")
    let info = try #require(try sandbox.succeed("info", "t.db", "--index", "w", "--json").objects().first)
    #expect(info["filter_columns"] as? [String] == ["section", "a size"])
    #expect(info["partition"] as? String == "tenant")
    let text = try sandbox.succeed("info", "t.db", "--index", "w").output
    #expect(text.contains("\n  filter columns section, a size; partition tenant\n"), "\(text)")
    let plain = try #require(try sandbox.succeed("info", "t.db", "--index", "v", "--json").objects().first)
    #expect(plain["filter_columns"] as? [String] == [] && plain["partition"] == nil)
    #expect(try !sandbox.succeed("info", "t.db", "--index", "v").output.contains("filter"))
  }

  @Test func tellsTheCodecsOfSoundSegmentsBesideOneThatIsGone() throws {
    try build()
    try sandbox.succeed(
      "sql", "t.db", "INSERT INTO v_segments(file, entries, bytes) VALUES ('v-0123456789abcdef.vidx', 5, 4096)")
    let info = try #require(try sandbox.succeed("info", "t.db", "--json").objects().first)
    let segments = try #require(info["segments"] as? [[String: Any]])
    #expect(segments.map { $0["rows"] as? Int } == [300, 5])
    #expect(segments.map { $0["codec"] as? String } == ["f32", nil])
  }

  @Test func checksTheIndexAgainstItsTable() throws {
    try build()
    try sandbox.succeed("sql", "t.db", "DELETE FROM things WHERE id IN (21, 31)")
    let check = try sandbox.run("check", "t.db", "--json")
    #expect(check.status == 1)
    let report = try #require(try check.objects().first)
    #expect(report["ok"] as? Bool == false)
    let problem = try #require((report["problems"] as? [[String: Any]])?.first)
    #expect(problem["index"] as? String == "v")
    let text = try #require(problem["problem"] as? String)
    #expect(text.hasPrefix("2 rows of the index are not in table things, the first is 21"))
    // Such a row is still found; it has no columns.
    let found = try sandbox.succeed("search", "t.db", "--index", "v", "--like", "21", "-k", "1", "--json")
    let hits = try #require(try found.objects()[0]["hits"] as? [[String: Any]])
    #expect(hits.map { $0.keys.sorted() } == [["distance", "id"]])
    try sandbox.succeed("sql", "t.db", "DELETE FROM v WHERE rowid IN (21, 31)")
    #expect(try sandbox.succeed("check", "t.db").output == "ok: 1 index\n")
  }

  @Test func removesFilesThatNoIndexNames() throws {
    try build()
    try sandbox.write("t.db-vidx/v-00112233445566778899aabbccddeeff.seg.tmp", "of a build that was killed")
    func files() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: sandbox.file("t.db-vidx")) }
    #expect(try files().count == 2)
    let first = try #require(try sandbox.succeed("optimize", "t.db", "--json").objects().first)
    #expect(first["files_removed"] as? Int == 1)
    let index = try #require((first["indexes"] as? [[String: Any]])?.first)
    #expect(index["index"] as? String == "v")
    #expect(index["rows"] as? Int == 300)
    #expect(index["segments"] as? Int == 1)
    #expect(index["seconds"] is Double)
    #expect(try files().count == 1)

    try sandbox.succeed("sql", "t.db", "DROP TABLE v")
    #expect(try files().count == 1)
    #expect(try sandbox.succeed("optimize", "t.db").output == "removed 1 file no longer needed\n")
    #expect(try files() == [])
    #expect(try sandbox.succeed("optimize", "t.db", "--json").output == "{\"indexes\": [], \"files_removed\": 0}\n")
    #expect(
      try sandbox.succeed("check", "t.db", "--json").output
        == "{\"ok\": true, \"indexes\": 0, \"unfinished\": [], \"problems\": []}\n")
  }

  @Test func warnsOfAnInstructionSetThatIsNotHere() throws {
    try build("--type", "flat")
    func warning(_ isa: String) throws -> String {
      let outcome = try sandbox.start(["VIDX_ISA=\(isa)", Sandbox.toolPath, "info", "t.db"], program: "/usr/bin/env")
        .wait()
      #expect(outcome.status == 0)
      return outcome.errors
    }
    let text = try warning("sse9")
    #expect(text.hasPrefix("vidx: VIDX_ISA=sse9 is not known here; using "), "\(text)")
    #expect(text.contains("(known: scalar"), "\(text)")
    #expect(try warning("scalar") == "")
    #expect(try warning("") == "")
  }

  @Test func importsRows() throws {
    try sandbox.write("more.csv", "name,score\nA,1.5\nB,\n")
    let outcome = try sandbox.succeed("import", "n.db", "--rows", "more.csv", "--table", "more")
    #expect(outcome.output == "imported 2 rows into more\n")
    let rows = try sandbox.succeed("sql", "n.db", "SELECT * FROM more", "--json")
    #expect(
      rows.output == "{\"id\": 1, \"name\": \"A\", \"score\": 1.5}\n{\"id\": 2, \"name\": \"B\", \"score\": null}\n")
  }

  @Test func helps() throws {
    #expect(try sandbox.succeed("--version").output.hasPrefix("vidx "))
    #expect(try sandbox.succeed("--help").output.contains("usage: vidx COMMAND"))
    for command in ["build", "import", "search", "sql", "info", "check", "optimize"] {
      #expect(try sandbox.succeed(command, "--help").output.hasPrefix("vidx \(command): "))
    }
    #expect(try sandbox.succeed("search", "--help").output.contains("\n  --exact "))
    let bench = try sandbox.succeed("bench", "--help").output
    #expect(!bench.contains("--row N") && !bench.contains("all processors"))
    let rows = try sandbox.succeed("import", "--help").output
    #expect(!rows.contains("in the order of the vectors"))
    let bare = try sandbox.run()
    #expect(bare.status == 2)
    #expect(bare.errors.contains("usage: vidx COMMAND"))
  }

  @Test func saysWhatABuildTakes() throws {
    let told = try sandbox.succeed("build", "t.db", "--index", "v", "--vectors", "vectors.npy", "--estimate", "--json")
    let estimate = try #require(try told.objects().first)
    #expect(estimate["rows"] as? Int == 300 && estimate["segments"] as? Int == 1)
    #expect(try #require(estimate["memory_bytes"] as? Int) > 300 * 8 * 4)
    #expect(try sandbox.contents()["t.db"] == nil)
    try build("--memory", "1G")
    let column = try sandbox.succeed(
      "build", "t.db", "--index", "w", "--vectors", "vectors.npy", "--estimate", "--memory", "64m", "--threads", "1")
    #expect(column.output.hasPrefix("300 rows, 1 segment: at most 24."))
    try sandbox.succeed("optimize", "t.db", "--memory", "512MiB")
    try sandbox.succeed("rebuild", "t.db", "--index", "v", "--memory", "0.5g")
    try sandbox.succeed("reindex", "t.db", "--index", "v", "--metric", "l2", "--memory", "512M")
    try sandbox.fail(
      1, saying: ["memory", "MiB or more"], "reindex", "t.db", "--index", "v", "--metric", "ip", "--memory", "1M")
    for size in ["8", "G", "-1G", "1P", "0M", ""] {
      try sandbox.fail(2, saying: ["--memory", "8G"], "optimize", "t.db", "--memory=\(size)")
    }
  }
}
