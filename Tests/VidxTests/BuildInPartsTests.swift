import Foundation
import Synchronization
import Testing
import VidxIndexes
import VidxSQLite
import VidxSegments

@testable import Vidx

/// Builds whose parts are committed: interrupted anywhere, they go on, and come to what a build in one comes to.
@Suite("Builds in parts") struct BuildInPartsTests {
  typealias Rows = SessionBuildTests.Rows

  private let directory: TemporaryDirectory
  private static let count = 2_600
  private let sample = SampleVectors(count: count)

  init() throws { directory = try TemporaryDirectory() }

  private func open(_ name: String = "t.db") throws -> Session {
    try Session(path: directory.file(name), mode: .create)
  }

  private static let columns = [RowColumn(name: "id", type: "INTEGER"), RowColumn(name: "half", type: "INTEGER")]

  /// Ids are not in the order of the vectors.
  private var rows: Rows {
    Rows(Self.columns, (0..<Self.count).map { [.integer(Int64(10_000 - $0)), .integer(Int64($0 % 2))] })
  }

  private func options(_ type: IndexType = .flat, metric: Metric = .l2) -> IndexOptions {
    IndexOptions(dimensions: 8, metric: metric, type: type, filterColumns: ["half"])
  }

  /// Memory for parts of so many rows.
  private func build(
    _ options: IndexOptions, rows: Int = 1_000, progress: @escaping @Sendable (BuildProgress) -> Void = { _ in },
    isCancelled: @escaping @Sendable () -> Bool = { false }
  ) -> BuildOptions {
    let memory = BuildMemory(options.definition.configuration, filterColumns: 1, threads: 1)
    return BuildOptions(
      threads: 1, memory: memory.bytes(rows: rows), progress: progress, isCancelled: isCancelled)
  }

  private func run(_ session: Session, _ options: IndexOptions, _ build: BuildOptions) throws -> Int {
    try session.buildInParts("v", options, vectors: sample, rows: rows, table: "things", build: build)
  }

  /// The index agrees with the vectors of the first `done` rows, and says how many that are.
  private func expectAgreement(_ session: Session, done: Int, sourceLocation: SourceLocation = #_sourceLocation) throws
  {
    #expect(try session.problems(of: "v") == [], sourceLocation: sourceLocation)
    let summary = try session.summary(of: "v")
    #expect(summary.rows == done, sourceLocation: sourceLocation)
    #expect(
      summary.unfinished.map { [$0.rows, $0.total] } == (done == Self.count ? nil : [done, Self.count]),
      sourceLocation: sourceLocation)
    #expect(try session.query("SELECT count(*) FROM things")[0].values == [.integer(Int64(Self.count))])
    if done == 0 { return }
    for row in [0, done / 2, done - 1] {
      let filter = RowFilter.columns([ColumnCondition("half", .equals(.integer(Int64(row % 2))))])
      let hits = try session.search(
        "v", near: sample.vectors[row], k: 3, filter: filter, settings: SearchSettings(exact: true)
      ).hits
      let expected = sample.nearest(to: sample.vectors[row], k: 3) {
        $0 <= Int64(done) && ($0 - 1) % 2 == Int64(row % 2)
      }
      #expect(hits.map(\.id) == expected.map { 10_001 - $0 }, sourceLocation: sourceLocation)
    }
  }

  @Test(
    "Cancelled at any moment, it goes on to what a build in one is", arguments: [IndexType.flat, .ivfflat(lists: 4)])
  func goesOn(type: IndexType) throws {
    let options = options(type)
    let one = try open("one.db")
    _ = try one.build("v", options, vectors: sample, rows: rows, table: "things", build: build(options))
    let expected = try one.summary(of: "v").segments.map(\.rows)
    #expect(expected == [866, 867, 867])

    var (stops, limit, isDone, states) = (0, 1, false, Set<Int>())
    while !isDone {
      let name = "t\(stops).db"
      if let error = try stop(name, options, after: limit) {
        let session = try open(name)
        let unfinished = try session.unfinishedBuild(of: "v")
        states.insert(unfinished?.done ?? -1)
        #expect(error.message.contains(unfinished.map { "\($0.done) of 2600 rows are done" } ?? "nothing was changed"))
        if let unfinished {
          try expectAgreement(session, done: unfinished.done)
        } else {
          #expect(try session.query("SELECT * FROM sqlite_schema").isEmpty)
        }
        #expect(try run(session, options, build(options)) == Self.count)
      } else {
        isDone = true
      }
      let session = try open(name)
      try expectAgreement(session, done: Self.count)
      #expect(try session.summary(of: "v").segments.map(\.rows) == expected)
      #expect(directory.segments(of: name).count == 3)
      (stops, limit) = (stops + 1, limit + 1 + limit / 8)
    }
    // Before the rows were there, and after each part.
    #expect(states == [-1, 0, 866, 1_733] && stops > 10, "\(states), \(stops) stops")
  }

  /// Cancels a build when it asks for the `limit`th time.
  /// - Returns: how it ended; nil when it did not ask as often.
  private func stop(_ name: String, _ options: IndexOptions, after limit: Int) throws -> VidxError? {
    let asked = Atomic<Int>(0)
    let cancelling = build(
      options, isCancelled: { asked.wrappingAdd(1, ordering: .relaxed).newValue >= limit })
    do {
      _ = try run(open(name), options, cancelling)
      return nil
    } catch let error as VidxError {
      #expect(error.code == .cancelled)
      return error
    }
  }

  /// A database in which `parts` of three are done.
  private func begun(parts: Int, _ options: IndexOptions, _ name: String = "t.db") throws -> Session {
    let done = Atomic<Bool>(false)
    let stopping = build(
      options, progress: { if $0.part > parts { done.store(true, ordering: .relaxed) } },
      isCancelled: { done.load(ordering: .relaxed) })
    #expect(throws: VidxError.self) { try run(open(name), options, stopping) }
    let session = try open(name)
    #expect(try session.unfinishedBuild(of: "v")?.parts == parts)
    return session
  }

  @Test("Progress is of the whole, and memory may be another")
  func progress() throws {
    let options = options()
    let session = try begun(parts: 1, options)
    let seen = Locked<Set<[Int]>>([])
    let rest = build(options, rows: 1_734) { progress in
      seen.withLock { _ = $0.insert([progress.part, progress.parts]) }
    }
    #expect(try run(session, options, rest) == Self.count)
    #expect(seen.withLock { $0 } == [[1, 1], [2, 2]])
    #expect(try session.summary(of: "v").segments.map(\.rows) == [866, 1_734])
  }

  @Test("Other files, other options, and no word of going on are refused, and say what to do")
  func refuses() throws {
    let options = options()
    let session = try begun(parts: 1, options)
    func expect(_ code: VidxError.Code, _ words: [String], _ body: () throws -> Void) throws {
      let error = try #require(throws: VidxError.self) { try body() }
      #expect(error.code == code)
      for word in words + ["DROP TABLE \"v\"; DROP TABLE \"things\""] {
        #expect(error.message.contains(word), "\(error.message)")
      }
    }
    var other = Source(vectors: sample, fingerprint: "another")
    try expect(.badOption, ["was begun of 2600 vectors in sample and of rows for table things", "give the files"]) {
      _ = try session.buildInParts("v", options, vectors: other, rows: rows, table: "things", build: build(options))
    }
    try expect(.badOption, ["give the files"]) {
      _ = try session.buildInParts("v", options, vectors: sample, rows: rows, table: "other", build: build(options))
    }
    try expect(.badOption, ["begun with metric = l2, and this is with metric = cosine; give the options"]) {
      _ = try run(session, self.options(metric: .cosine), build(options))
    }
    var named = options
    named.model = "m"
    try expect(.badOption, ["begun without these, and this is with model = 'm'; give the options"]) {
      _ = try run(session, named, build(options))
    }
    for again in [true, false] {
      try expect(.alreadyExists, ["unfinished, with 866 of 2600 rows of sample", "--resume"]) {
        if again {
          _ = try session.build("v", options, vectors: sample, build: build(options))
        } else {
          try session.createIndex("v", options)
        }
      }
    }
    try expect(.badRows, ["unfinished"]) { try session.reindex("v") }
    try expectAgreement(session, done: 866)

    // What was said does help.
    try session.execute("DROP TABLE v")
    try session.execute("DROP TABLE things")
    other.fingerprint = ""
    #expect(
      try session.buildInParts("v", options, vectors: other, rows: rows, table: "things", build: build(options))
        == Self.count)
    try expectAgreement(session, done: Self.count)
    let error = try #require(throws: VidxError.self) { try run(session, options, build(options)) }
    #expect(error.code == .alreadyExists && error.message.contains("exists already"))
  }

  private struct Source: VectorBlocks {
    var vectors: SampleVectors
    var fingerprint: String

    var name: String { "sample" }
    var count: Int { vectors.count }
    var dimensions: Int { vectors.dimensions }

    func read(rows: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) {
      unsafe vectors.read(rows: rows, into: destination)
    }
  }

  @Test("Writes and merges between two runs stay")
  func writesBetween() throws {
    let options = options()
    let session = try begun(parts: 1, options)
    // Row i has id 10,001 - i: of the first part rows 2 and 3, of a later one rows 1,500 and 1,501.
    try session.execute("DELETE FROM v WHERE rowid IN (9999, 9998)")
    try session.execute("DELETE FROM things WHERE id IN (9999, 9998, 8501)")
    try session.execute("UPDATE things SET half = 7 WHERE id = 8500")
    try session.execute("INSERT INTO v(rowid, vector) VALUES (1, zeroblob(32))")
    try session.optimize("v")
    #expect(try session.summary(of: "v").segments.map(\.rows) == [865])
    #expect(try session.summary(of: "v").unfinished?.rows == 866)

    #expect(try run(session, options, build(options)) == Self.count - 2)
    let seven = RowFilter.columns([ColumnCondition("half", .equals(.integer(7)))])
    #expect(try session.search("v", near: sample.vectors[0], k: 9, filter: seven).hits.map(\.id) == [8_500])
    #expect(try session.query("SELECT count(*) FROM v WHERE rowid IN (9999, 9998, 8501)")[0].values == [.integer(0)])
    try session.execute("DELETE FROM v WHERE rowid = 1")
    #expect(try session.problems(of: "v") == [])
    #expect(try session.summary(of: "v").unfinished == nil)
  }

  @Test("A row that somebody has put in the place of a later one is named, and nothing is lost")
  func takenRows() throws {
    let options = options()
    let session = try begun(parts: 1, options)
    try session.execute("INSERT INTO v(rowid, vector) VALUES (7777, zeroblob(32))")
    let error = try #require(throws: VidxError.self) { try run(session, options, build(options)) }
    #expect(error.code == .constraint && error.message.contains("7777"), "\(error.message)")
    #expect(try session.unfinishedBuild(of: "v")?.parts == 2)
    try session.execute("DELETE FROM v WHERE rowid = 7777")
    #expect(try run(session, options, build(options)) == Self.count)
    try expectAgreement(session, done: Self.count)
  }

  @Test("A vector that cannot be taken is named by its place in the file, in one build and in parts")
  func badVectors() throws {
    let bad = SampleVectors(replacing: 2_000, with: .infinity, in: sample)
    let options = options()
    let session = try open()
    for parts in [false, true] {
      let error = try #require(throws: VidxError.self) {
        if parts {
          try session.buildInParts("v", options, vectors: bad, rows: rows, table: "things", build: build(options))
        } else {
          try session.build("v", options, vectors: bad, rows: rows, table: "things", build: build(options))
        }
      }
      #expect(error.code == .badVector && error.message.hasPrefix("row 2001: "), "\(error.message)")
    }
    #expect(try session.unfinishedBuild(of: "v")?.parts == 2)
  }

  @Test("What is stored of a build may be anything")
  func damagedNotes() throws {
    let session = try begun(parts: 1, options())
    let notes = ["", "1", "9223372036854775807\t9223372036854775806\t1\t\t\tx", "5\t7\t1\t\t\tx", "5\t1\t1\t?\t\tx"]
    for note in notes {
      try session.execute("UPDATE v_config SET value = ? WHERE key = 'unfinished'", [.text(note)])
      let error = try #require(throws: VidxError.self) { try run(session, options(), build(options())) }
      #expect(error.code == .corrupt && error.message.contains("unfinished"), "\(error.message)")
      let problems = try session.problems(of: "v")
      #expect(problems.count == 1 && problems[0].contains("unfinished"), "\(problems)")
    }
  }
}

/// The same over a column of a table, which is written to all the time.
@Suite("Builds of columns in parts") struct BuildOfColumnsInPartsTests {
  private let directory: TemporaryDirectory
  private let session: Session

  init() throws {
    directory = try TemporaryDirectory()
    session = try Session(path: directory.file("t.db"), mode: .create, newHasWriteAheadLog: true)
    try session.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, half INTEGER, v BLOB)")
    try session.execute(
      """
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
      INSERT INTO docs SELECT i * 2, i % 2, CASE WHEN i % 10 > 0 THEN vector('[' || i || ',' || (i * i % 31) || ']') END
      FROM n
      """)
  }

  private func run(stoppingAfter parts: Int = .max, metric: Metric = .l2) throws -> Int {
    let memory = BuildMemory(
      IndexConfiguration(dimensions: 2, metric: .l2, kind: .flat), filterColumns: 1, threads: 1)
    let isDone = Atomic<Bool>(false)
    return try session.buildInParts(
      "w", column: "v", ofTable: "docs", metric: metric, type: .flat, filterColumns: ["half"],
      build: BuildOptions(
        threads: 1, memory: memory.bytes(rows: 1_000),
        progress: { if $0.part > parts { isDone.store(true, ordering: .relaxed) } },
        isCancelled: { isDone.load(ordering: .relaxed) }))
  }

  private func expectAgreement() throws {
    #expect(try session.problems(of: "w") == [])
    let rows = try session.query("SELECT count(*), sum(half) FROM docs WHERE v IS NOT NULL")[0].values
    #expect(try session.query("SELECT count(*), sum(half) FROM w")[0].values == rows)
  }

  @Test func goesOnBesideWrites() throws {
    let error = try #require(throws: VidxError.self) { try run(stoppingAfter: 1) }
    #expect(error.message.contains("900 of 2700 rows are done"), "\(error.message)")
    #expect(try session.problems(of: "w") == [])
    // Up to row 2,000; of the first part, of a later one, new ones before and behind, with and without a vector.
    for statement in [
      "DELETE FROM docs WHERE id IN (2, 4000, 4002)", "UPDATE docs SET half = half + 1 WHERE id IN (4, 4004, 4006)",
      "UPDATE docs SET v = vector('[1,1]') WHERE id IN (6, 20, 4008, 4020)",
      "UPDATE docs SET v = NULL WHERE id IN (8, 4012)",
      "INSERT INTO docs VALUES (1, 5, vector('[3,3]')), (5001, 5, vector('[4,4]')), (9001, 5, vector('[5,5]'))",
      "UPDATE docs SET id = 5003 WHERE id = 12", "UPDATE docs SET id = 13 WHERE id = 4014",
      "DELETE FROM docs WHERE id = 4004",
    ] {
      try session.execute(statement)
      #expect(try session.problems(of: "w") == [], "\(statement)")
    }
    #expect(throws: VidxError.self) { try run(stoppingAfter: 2) }
    #expect(try session.problems(of: "w") == [])
    #expect(try session.unfinishedBuild(of: "w")?.parts == 2)
    try session.execute("UPDATE docs SET half = 9 WHERE id IN (3000, 5400)")
    try session.optimize("w")
    let error2 = try #require(throws: VidxError.self) { try run(metric: .cosine) }
    #expect(error2.code == .badOption && error2.message.contains("DROP TABLE \"w\""), "\(error2.message)")
    _ = try run()
    try expectAgreement()
    #expect(try session.unfinishedBuild(of: "w") == nil)
    #expect(throws: VidxError.self) { try run() }
  }

  /// Its rows would be those of two tables.
  @Test func aTableMadeAnewIsNotGoneOnWith() throws {
    #expect(throws: VidxError.self) { try run(stoppingAfter: 1) }
    try session.execute("ALTER TABLE docs RENAME TO old")
    try session.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, half INTEGER, v BLOB)")
    try session.execute("INSERT INTO docs SELECT id, half, v FROM old")
    try session.execute("DROP TABLE old")
    let error = try #require(throws: VidxError.self) { try run() }
    #expect(error.code == .badRows && error.message.contains("vidx rebuild"), "\(error.message)")
    try session.rebuild("w")
    try expectAgreement()
  }

  @Test("Made anew, it is finished", arguments: ["rebuild", "reindex"])
  func madeAnew(_ way: String) throws {
    #expect(throws: VidxError.self) { try run(stoppingAfter: 1) }
    if way == "rebuild" { try session.rebuild("w") } else { try session.reindex("w") }
    #expect(try session.unfinishedBuild(of: "w") == nil)
    try expectAgreement()
  }

  @Test("Few rows are built as ever")
  func fewRows() throws {
    try session.execute("DELETE FROM docs WHERE id > 1000")
    #expect(try run() == 450)
    #expect(try session.summary(of: "w").deltaRows == 450)
  }
}
