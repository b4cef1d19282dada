import Foundation
import Testing

/// What bad input gets: one line that names the thing and the remedy, exit code 1 (2 for wrong usage), nothing changed.
@Suite struct BadInputTests {
  let sandbox: Sandbox
  let sample = Sample(count: 40)

  init() throws {
    sandbox = try Sandbox()
    try sandbox.write("vectors.npy", sample.npy)
    try sandbox.write("rows.jsonl", sample.rows)
  }

  func build() throws {
    try sandbox.succeed(
      "build", "t.db", "--index", "v", "--vectors", "vectors.npy", "--rows", "rows.jsonl", "--table", "things")
  }

  /// Both into a new database, which must not appear, and into one that is there, which must not change.
  func failToBuild(saying words: [String], _ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation)
    throws
  {
    for database in ["new.db", "t.db"] {
      let before = try sandbox.contents()
      let outcome = try sandbox.start(["build", database, "--index", "w"] + arguments).wait()
      #expect(outcome.status == 1, "\(outcome.errors)", sourceLocation: sourceLocation)
      #expect(outcome.errors.hasPrefix("vidx: ") && outcome.errors.split(separator: "\n").count == 1)
      for word in words {
        #expect(outcome.errors.contains(word), "\(outcome.errors)", sourceLocation: sourceLocation)
      }
      #expect(try sandbox.contents() == before, "files changed", sourceLocation: sourceLocation)
    }
  }

  // MARK: Vectors

  @Test func wrongDimensionsNameTheRow() throws {
    try build()
    try sandbox.write("d.jsonl", "{\"vector\": [1, 2]}\n{\"vector\": [1, 2]}\n{\"vector\": [1, 2, 3]}\n")
    try failToBuild(saying: ["d.jsonl, line 3: 3 dimensions, 2 in the rows before"], "--vectors", "d.jsonl")
    try sandbox.write("d.fvecs", Data([1, 0, 0, 0, 0, 0, 128, 63, 2, 0, 0, 0, 0, 0, 128, 63]))
    try failToBuild(saying: ["d.fvecs, row 2: 2 dimensions, 1 in"], "--vectors", "d.fvecs")
    try sandbox.fail(saying: ["8", "2"], "search", "t.db", "--index", "v", "--vector", "[1, 2]")
    try sandbox.fail(saying: ["8", "2"], "sql", "t.db", "INSERT INTO v(rowid, vector) VALUES (5, '[1,2]')")
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity]) func notANumberNamesTheRow(bad: Float) throws {
    try build()
    var vectors = sample.vectors
    vectors[6][3] = bad
    try sandbox.write("bad.npy", Sample.npy(vectors))
    try failToBuild(saying: ["bad.npy, row 7: "], "--vectors", "bad.npy")
    try failToBuild(
      saying: ["bad.npy, row 7: "], "--vectors", "bad.npy", "--rows", "rows.jsonl", "--table", "others")
    try sandbox.fail(saying: ["NaN"], "search", "t.db", "--index", "v", "--query-file", "bad.npy", "--row", "6")
  }

  @Test func zeroVectorsAreKeptAndNeverNeighbours() throws {
    var vectors = sample.vectors
    vectors[6] = Array(repeating: 0, count: 8)
    try sandbox.write("zero.npy", Sample.npy(vectors))
    try sandbox.succeed("build", "z.db", "--index", "v", "--vectors", "zero.npy")
    let found = try sandbox.succeed("search", "z.db", "--index", "v", "--like", "1", "-k", "40", "--json")
    let hits = try #require(try found.objects()[0]["hits"] as? [[String: Any]]).compactMap { $0["id"] as? Int }
    #expect(Set(hits) == Set(1...40).subtracting([7]))
    let stored = try sandbox.succeed("sql", "z.db", "SELECT vector FROM v WHERE rowid = 7", "--json")
    #expect(stored.output == "{\"vector\": \"\(String(repeating: "00", count: 32))\"}\n")
    try sandbox.fail(saying: ["zero"], "search", "z.db", "--index", "v", "--query-file", "zero.npy", "--row", "6")
  }

  @Test func badFilesOfVectors() throws {
    try build()
    try sandbox.write("empty.npy", Data())
    try failToBuild(saying: ["empty.npy: ", "at least one row"], "--vectors", "empty.npy")
    try sandbox.write("cut.npy", sample.npy.dropLast(5))
    try failToBuild(saying: ["cut.npy: truncated: ", "save the file again"], "--vectors", "cut.npy")
    try sandbox.write("f8.npy", Sample.npy(sample.vectors, type: "<f8"))
    try failToBuild(saying: ["f8.npy: ", "'<f8'", "astype('<f4')"], "--vectors", "f8.npy")
    try sandbox.write("big.npy", Sample.npy(sample.vectors, type: ">f4"))
    try failToBuild(saying: ["big.npy: ", "big-endian"], "--vectors", "big.npy")
    try sandbox.write("fortran.npy", Sample.npy(sample.vectors, fortran: true))
    try failToBuild(saying: ["fortran.npy: ", "numpy.ascontiguousarray"], "--vectors", "fortran.npy")
    try sandbox.write("flat.npy", Sample.npy(sample.vectors, shape: "(320,)"))
    try failToBuild(saying: ["flat.npy: ", "reshape"], "--vectors", "flat.npy")
    try failToBuild(saying: ["none.npy: ", "No such file"], "--vectors", "none.npy")
    try failToBuild(saying: ["v.parquet: ", ".npy, .fvecs, .bvecs, .jsonl"], "--vectors", "v.parquet")
  }

  @Test func jsonWithHoles() throws {
    try build()
    try sandbox.write("holes.jsonl", "{\"vector\": [1]}\n{\"id\": 2}\n{\"vector\": [3]}\n")
    try failToBuild(saying: ["holes.jsonl, line 2: no field \"vector\""], "--vectors", "holes.jsonl")
    try sandbox.write("blank.jsonl", "{\"vector\": [1]}\n\n{\"vector\": [3]}\n")
    try failToBuild(saying: ["blank.jsonl, line 2: an empty line"], "--vectors", "blank.jsonl")
    let rows = sample.rows.replacingOccurrences(of: "{\"id\": 51, ", with: "{")
    try sandbox.write("noid.jsonl", rows)
    try failToBuild(
      saying: ["noid.jsonl, line 6: no id"], "--vectors", "vectors.npy", "--rows", "noid.jsonl", "--table", "others")
  }

  // MARK: Rows

  @Test func countsMustAgree() throws {
    try build()
    try sandbox.write("short.jsonl", Sample(count: 39).rows)
    try failToBuild(
      saying: ["short.jsonl has 39 rows", "vectors.npy has 40 vectors"], "--vectors", "vectors.npy", "--rows",
      "short.jsonl", "--table", "others")
  }

  @Test func idsMustBeDistinct() throws {
    try build()
    try sandbox.write("twice.jsonl", sample.rows.replacingOccurrences(of: "\"id\": 51,", with: "\"id\": 41,"))
    try failToBuild(
      saying: ["twice.jsonl, line 6: id 41 is that of a row before", "an id of its own"], "--vectors", "vectors.npy",
      "--rows", "twice.jsonl", "--table",
      "others")
  }

  /// Numbers that cannot be keys must not give way to a count from 1.
  @Test(arguments: ["9223372036854775808", "51.5", "51.0", "1e30"]) func idsMustBeWhole(id: String) throws {
    try build()
    try sandbox.write("odd.jsonl", sample.rows.replacingOccurrences(of: "\"id\": 51,", with: "\"id\": \(id),"))
    let words = ["odd.jsonl, line 6: \"id\" is not a whole number of 64 bits", "another name"]
    try failToBuild(saying: words, "--vectors", "vectors.npy", "--rows", "odd.jsonl", "--table", "others")
    try sandbox.fail(saying: words, "import", "t.db", "--rows", "odd.jsonl", "--table", "others")
  }

  @Test(arguments: [("\\u0000x", "NUL"), ("", "has no name")]) func namesSQLCannotWrite(
    name: String, words: String
  ) throws {
    try build()
    try sandbox.write(
      "names.jsonl", sample.rows.replacingOccurrences(of: "\"name\": \"row 7\"", with: "\"\(name)\": 7"))
    try failToBuild(
      saying: ["names.jsonl, line 8: ", words, "name"], "--vectors", "vectors.npy", "--rows", "names.jsonl",
      "--table", "others")
  }

  @Test func namesMustBeFree() throws {
    try build()
    try sandbox.fail(
      saying: ["\"v\" exists already", "choose another"], "build", "t.db", "--index", "v", "--vectors", "vectors.npy")
    try failOnTable(saying: ["\"things\" exists already"], "things")
    try sandbox.fail(saying: ["\"things\" exists"], "import", "t.db", "--rows", "rows.jsonl", "--table", "things")
  }

  func failOnTable(saying words: [String], _ table: String) throws {
    try sandbox.fail(
      saying: words, "build", "t.db", "--index", "w", "--vectors", "vectors.npy", "--rows", "rows.jsonl", "--table",
      table)
  }

  @Test func tablesNeedAnIntegerPrimaryKey() throws {
    try build()
    try sandbox.succeed(
      "sql", "t.db",
      "CREATE TABLE loose(e TEXT); INSERT INTO loose VALUES ('[1,2]'); "
        + "CREATE TABLE named(id TEXT PRIMARY KEY, e TEXT); INSERT INTO named VALUES ('a', '[1,2]')")
    for table in ["loose", "named"] {
      try sandbox.fail(
        saying: ["\"\(table)\" has no INTEGER PRIMARY KEY", "VACUUM"], "build", "t.db", "--index", "w", "--table",
        table, "--column", "e")
    }
    try sandbox.fail(
      saying: ["no table \"absent\""], "build", "t.db", "--index", "w", "--table", "absent", "--column", "e")
    try sandbox.fail(
      saying: ["no column \"e\"", "category"], "build", "t.db", "--index", "w", "--table", "things", "--column", "e")
    try sandbox.fail(
      saying: ["holds numbers"], "build", "t.db", "--index", "w", "--table", "things", "--column", "size")
  }

  @Test func contentThatIsNoVectorNamesTheRow() throws {
    try build()
    try sandbox.succeed(
      "sql", "t.db",
      "CREATE TABLE docs(id INTEGER PRIMARY KEY, e TEXT); INSERT INTO docs VALUES (4, '[1,2]'), "
        + "(9, '[1,2,3]')")
    try sandbox.fail(
      saying: ["row 9 of docs"], "build", "t.db", "--index", "w", "--table", "docs", "--column", "e")
  }

  // MARK: Usage

  @Test(arguments: ["-1", "0", "99999999999999999999", "1000001", "ten", "1.5"]) func absurdK(k: String) throws {
    try build()
    try sandbox.fail(
      2, saying: ["-k \(k): a whole number from 1 to"], "search", "t.db", "--index", "v", "--like", "1", "-k", k)
  }

  @Test func wrongUsage() throws {
    try build()
    let search = ["search", "t.db", "--index", "v"]
    let cases: [([String], [String])] = [
      (["search", "t.db", "--indx", "v"], ["unknown option --indx; did you mean --index?"]),
      (["serach", "t.db"], ["unknown command serach; did you mean search?"]),
      (search, ["no query: give one of --vector"]),
      (search + ["--like", "1", "--vector", "[1]"], ["--vector and --like together"]),
      (search + ["--like", "one"], ["a row id"]),
      (search + ["--like", "1", "--row", "2"], ["--row picks a row of --query-file"]),
      (search + ["--vector", "[1,"], ["--vector"]),
      (search + ["--like", "1", "--filter", "size ~ 3"], ["--filter size ~ 3", "joined by AND"]),
      (search + ["--like", "1", "--within", "near"], ["a number expected"]),
      (search + ["--like", "1", "--ef-search", "0"], ["--ef-search 0"]),
      (["search", "--index", "v"], ["DB is missing"]),
      (["search", "t.db", "--like", "1"], ["--index is missing: give --index NAME"]),
      (["build", "t.db", "--index", "w"], ["no vectors: give --vectors FILE"]),
      (["build", "t.db", "--index", "w", "--vectors", "vectors.npy", "--metric", "cosin"], ["did you mean cosine?"]),
      (["build", "t.db", "--index", "w", "--vectors", "vectors.npy", "--rows", "rows.jsonl"], ["--table NAME"]),
      (["build", "t.db", "--index", "w", "--vectors", "vectors.npy", "--table", "x"], ["--rows FILE"]),
      (
        ["build", "t.db", "--index", "w", "--vectors", "vectors.npy", "--type", "flat", "--m", "8"],
        ["--m does not go with --type flat"]
      ),
      (["build", "t.db", "--index", "w", "--vectors", "vectors.npy", "--m", "1"], ["--m 1: a whole number from 2"]),
      (["sql", "t.db", "SELECT 1", "--param", "x"], ["NAME=VALUE expected"]),
      (["sql", "t.db"], ["SQL is missing"]),
      (["info", "t.db", "extra"], ["one argument too many"]),
      (
        ["build", ":memory:", "--index", "w", "--vectors", "vectors.npy"],
        ["\":memory:\" is not a file", "give a file"]
      ),
      (["build", "", "--index", "w", "--vectors", "vectors.npy"], ["\"\" is not a file", "give a file"]),
      (["import", ":memory:", "--rows", "rows.jsonl", "--table", "x"], ["give a file"]),
      (["info", ""], ["give a file"]),
    ]
    for (arguments, words) in cases {
      let before = try sandbox.contents()
      let outcome = try sandbox.start(arguments).wait()
      #expect(outcome.status == 2, "\(arguments): \(outcome.errors)")
      #expect(outcome.output == "")
      for word in words { #expect(outcome.errors.contains(word), "\(arguments): \(outcome.errors)") }
      #expect(try sandbox.contents() == before)
    }
  }

  @Test func conditionsAreReadOnlySelects() throws {
    try build()
    func fail(_ words: [String], _ option: String, _ sql: String) throws {
      try sandbox.fail(saying: words, "search", "t.db", "--index", "v", "--like", "1", option, sql)
    }
    try fail(["more than one statement"], "--where", "1); DELETE FROM things WHERE (1")
    try fail(["more than one statement"], "--ids-from", "SELECT id FROM things; SELECT 1")
    try fail(["does not read rows"], "--ids-from", "DELETE FROM things")
    try fail(["does not read rows"], "--ids-from", "DELETE FROM things RETURNING id")
    try fail(["where a row id was expected"], "--ids-from", "SELECT name FROM things")
  }

  @Test func namesOfThingsThatAreNotThere() throws {
    try build()
    try sandbox.fail(saying: ["no index \"w\"", "the database has v"], "search", "t.db", "--index", "w", "--like", "1")
    try sandbox.fail(saying: ["no row 2"], "search", "t.db", "--index", "v", "--like", "2")
    try sandbox.fail(
      saying: ["vectors.npy has no row 40", "40 rows"], "search", "t.db", "--index", "v", "--query-file", "vectors.npy",
      "--row", "40")
    try sandbox.fail(
      saying: ["no column \"nme\"", "name"], "search", "t.db", "--index", "v", "--like", "1", "--columns", "nme")
    try sandbox.fail(saying: ["parameter :q has no value"], "sql", "t.db", "SELECT :q")
    try sandbox.fail(saying: ["no such table: absent"], "sql", "t.db", "SELECT * FROM absent")
    try sandbox.succeed("build", "bare.db", "--index", "v", "--vectors", "vectors.npy")
    try sandbox.fail(
      saying: ["without a table of rows", "--ids-from"],
      "search", "bare.db", "--index", "v", "--like", "1", "--where", "size > 1")
  }

  // MARK: Databases

  @Test func databasesThatAreNone() throws {
    try build()
    try sandbox.write("text.db", String(repeating: "this is not a database\n", count: 100))
    for arguments in [
      ["search", "text.db", "--index", "v", "--like", "1"], ["info", "text.db"], ["check", "text.db"],
      ["sql", "text.db", "SELECT 1"], ["optimize", "text.db"],
      ["build", "text.db", "--index", "v", "--vectors", "vectors.npy"],
      ["import", "text.db", "--rows", "rows.jsonl", "--table", "t"],
    ] {
      let before = try sandbox.contents()
      let outcome = try sandbox.start(arguments).wait()
      #expect(outcome.status == 1)
      #expect(
        outcome.errors.contains("text.db: the file is not an SQLite database; check the path"), "\(outcome.errors)")
      #expect(try sandbox.contents() == before)
    }
    try sandbox.fail(saying: ["none.db: No such file"], "search", "none.db", "--index", "v", "--like", "1")
    try sandbox.fail(saying: ["none/x.db"], "build", "none/x.db", "--index", "v", "--vectors", "vectors.npy")
  }

  /// The superuser may write anywhere, so the tool runs as nobody when the tests run as root.
  @Test(.enabled(if: geteuid() != 0 || FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")))
  func noPermission() throws {
    try build()
    let manager = FileManager.default
    try manager.setAttributes([.posixPermissions: 0o555], ofItemAtPath: sandbox.path)
    try manager.setAttributes([.posixPermissions: 0o444], ofItemAtPath: sandbox.file("t.db"))
    defer { try? manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: sandbox.path) }
    let before = manager.contents(atPath: sandbox.file("t.db"))
    // The output of the process goes where it may.
    let output = try Sandbox()
    func runAsNobody(_ arguments: [String]) throws -> Sandbox.Outcome {
      if geteuid() != 0 { return try output.start(arguments).wait() }
      let prefix = ["--reuid=65534", "--regid=65534", "--clear-groups", Sandbox.toolPath]
      return try output.start(prefix + arguments, program: "/usr/bin/setpriv").wait()
    }
    let write = try runAsNobody(
      ["build", sandbox.file("t.db"), "--index", "w", "--vectors", sandbox.file("vectors.npy")])
    #expect(write.status == 1)
    #expect(write.errors.contains("permissions"), "\(write.errors)")
    let create = try runAsNobody(
      ["build", sandbox.file("n.db"), "--index", "w", "--vectors", sandbox.file("vectors.npy")])
    #expect(create.status == 1)
    #expect(create.errors.contains("n.db: unable to open database file"), "\(create.errors)")
    #expect(manager.contents(atPath: sandbox.file("t.db")) == before)
    // Reading needs no more than permission to read.
    let read = try runAsNobody(["search", sandbox.file("t.db"), "--index", "v", "--like", "1", "-k", "1"])
    #expect(read.status == 0, "\(read.errors)")
    #expect(try runAsNobody(["check", sandbox.file("t.db")]).output == "ok: 1 index\n")
    #expect(!manager.fileExists(atPath: sandbox.file("n.db")))
  }

  func segment() throws -> String {
    let names = try FileManager.default.contentsOfDirectory(atPath: sandbox.file("t.db-vidx"))
    return try #require(names.first { $0.hasSuffix(".seg") })
  }

  @Test func missingSegment() throws {
    try build()
    let name = try segment()
    try FileManager.default.removeItem(atPath: sandbox.file("t.db-vidx/\(name)"))
    try sandbox.fail(saying: [name], "search", "t.db", "--index", "v", "--like", "1")
    let check = try sandbox.run("check", "t.db")
    #expect(check.status == 1)
    #expect(check.output.contains(name), "\(check.output)")
  }

  @Test func flippedByte() throws {
    try build()
    let name = try segment()
    let path = "t.db-vidx/\(name)"
    let good = try Data(contentsOf: URL(fileURLWithPath: sandbox.file(path)))
    var searchesRefused = 0
    // A byte of the vectors, one of each further page, one of the header.
    for offset in [8, 4096 + 5] + stride(from: 4096 + 128, to: good.count, by: 4096) {
      var bad = good
      bad[offset] ^= 0x40
      try sandbox.write(path, bad)
      let check = try sandbox.run("check", "t.db")
      let isPadding = check.status == 0
      if !isPadding {
        #expect(check.status == 1)
        #expect(check.output.contains(name), "byte \(offset): \(check.output)")
        #expect(!check.output.contains("Run `vidx check`"), "it was run: \(check.output)")
      }
      let search = try sandbox.run("search", "t.db", "--index", "v", "--like", "1", "--json", "-k", "40")
      if search.status != 0 {
        searchesRefused += 1
        #expect(search.errors.contains(name), "byte \(offset): \(search.errors)")
        #expect(search.output == "")
      }
    }
    #expect(searchesRefused > 0)
  }

  @Test func movedWithoutItsFolder() throws {
    try build()
    let before = try Data(contentsOf: URL(fileURLWithPath: sandbox.file("t.db")))
    try FileManager.default.createDirectory(atPath: sandbox.file("elsewhere"), withIntermediateDirectories: true)
    try sandbox.write("elsewhere/t.db", before)
    try sandbox.fail(
      saying: ["elsewhere/t.db-vidx"], "search", "elsewhere/t.db", "--index", "v", "--like", "1")
    let check = try sandbox.run("check", "elsewhere/t.db")
    #expect(check.status == 1)
    #expect(check.output.contains("elsewhere/t.db-vidx"), "\(check.output)")
  }

  /// A file system that takes no more than 64 blocks of a file stands for a full disk.
  @Test func diskFull() throws {
    try build()
    let large = Sample(count: 5_000)
    try sandbox.write("large.npy", large.npy)
    let before = try sandbox.contents()
    for database in ["t.db", "new.db"] {
      let script = "ulimit -f 64; exec \"$0\" build \(database) --index w --vectors large.npy --type flat"
      let outcome = try sandbox.start(["-c", script, Sandbox.toolPath], program: "/bin/sh").wait()
      #expect(outcome.status == 1, "\(outcome.errors)")
      #expect(outcome.errors.contains("\(database)-vidx/w-"), "\(outcome.errors)")
      #expect(outcome.errors.contains("File too large"), "\(outcome.errors)")
      #expect(try sandbox.contents() == before)
    }
    #expect(try sandbox.succeed("check", "t.db").output == "ok: 1 index\n")
  }

  // MARK: Processes

  @Test func twoProcessesWrite() throws {
    try build()
    let running = try (0..<4).map { number in
      try sandbox.start(["import", "t.db", "--rows", "rows.jsonl", "--table", "copy\(number)"])
    }
    for process in running {
      let outcome = try process.wait()
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
    let count = try sandbox.succeed(
      "sql", "t.db",
      "SELECT sum(n) AS n FROM (SELECT count(*) AS n FROM copy0 UNION ALL SELECT count(*) FROM copy1 "
        + "UNION ALL SELECT count(*) FROM copy2 UNION ALL SELECT count(*) FROM copy3)", "--json")
    #expect(count.output == "{\"n\": 160}\n")
    #expect(try sandbox.succeed("check", "t.db").output == "ok: 1 index\n")
  }

  /// A build that fails must not take away the database that another made in the meantime.
  @Test func builtByTwoAtOnce() throws {
    let running = try (0..<4).map { _ in
      try sandbox.start(["build", "new.db", "--index", "v", "--vectors", "vectors.npy"])
    }
    let outcomes = try running.map { try $0.wait() }
    #expect(outcomes.filter { $0.status == 0 }.count == 1, "\(outcomes)")
    for outcome in outcomes where outcome.status != 0 { #expect(outcome.errors.contains("\"v\" exists already")) }
    #expect(try sandbox.succeed("check", "new.db").output == "ok: 1 index\n")
  }

  /// Interrupts a build as soon as its segment is being written or its table filled: nothing of it may be visible.
  @Test(arguments: [true, false]) func interruptedBuild(intoNewDatabase isNew: Bool) throws {
    try build()
    let large = Sample(count: 20_000)
    try sandbox.write("large.npy", large.npy)
    try sandbox.write("large.jsonl", large.rows)
    let before = try sandbox.contents()
    let database = isNew ? "new.db" : "t.db"
    let running = try sandbox.start([
      "build", database, "--index", "w", "--vectors", "large.npy", "--rows", "large.jsonl", "--table", "others",
      "--ef-construction", "4000", "--m", "200", "--threads", "1",
    ])
    while running.process.isRunning, try sandbox.contents().count == before.count, isNew {
      usleep(5_000)
    }
    // Not a task's sleep: other tests block the threads that tasks wake up on.
    usleep(300_000)
    guard running.process.isRunning else {
      Issue.record("the build was over too soon to be interrupted: \(try running.wait())")
      return
    }
    kill(running.process.processIdentifier, SIGINT)
    let outcome = try running.wait()
    #expect(outcome.status == 1)
    #expect(outcome.errors == "vidx: cancelled; nothing was changed\n", "\(outcome.errors)")
    #expect(try sandbox.contents() == before)
    if !isNew { #expect(try sandbox.succeed("check", "t.db").output == "ok: 1 index\n") }
  }
}
