import Foundation
import Synchronization
import Testing
import VidxIndexes
import VidxSQLite

@testable import Vidx

/// Bulk loading: all or nothing, files included.
@Suite struct SessionBuildTests {
  let directory: TemporaryDirectory
  let sample = SampleVectors(count: 200)

  init() throws { directory = try TemporaryDirectory() }

  struct Rows: RowSource {
    let name = "rows"
    let columns: [RowColumn]
    let values: [[Value]]
    var position = 0

    init(_ columns: [RowColumn], _ values: [[Value]]) { (self.columns, self.values) = (columns, values) }

    var count: Int { values.count }
    var place: String { "row \(position)" }

    mutating func next() -> [Value]? {
      guard position < values.count else { return nil }
      defer { position += 1 }
      return values[position]
    }
  }

  static let idAndSize = [RowColumn(name: "ID", type: "INTEGER"), RowColumn(name: "size", type: "REAL")]

  func session() throws -> Session { try Session(path: directory.file("t.db"), mode: .create) }

  @Test func loadsRowsWithTheirVectors() throws {
    let session = try session()
    let rows = Rows(Self.idAndSize, (0..<200).map { [.integer(Int64(1000 - $0)), .real(Double($0))] })
    let count = try session.build(
      "v", IndexOptions(dimensions: 8, metric: .l2), vectors: sample, rows: rows, table: "things", build: BuildOptions()
    )
    #expect(count == 200)
    #expect(try session.vector(of: 1000, in: "v") == sample.vectors[0])
    let result = try session.search("v", near: sample.vectors[4], k: 1, filter: .where("size < 10"))
    #expect(result.hits.map(\.id) == [996])
    #expect(try session.summary(of: "v").deltaRows == 0)
    #expect(try session.primaryKey(of: "things") == "ID")
    #expect(try session.rowLookup(for: "v", columns: nil)?.values(of: 996) == [.real(4)])
    #expect(try session.rowLookup(for: "v", columns: nil)?.values(of: 1) == nil)
    #expect(try session.problems(of: "v") == [])
  }

  @Test func numbersRowsWithoutAnIntegerID() throws {
    let session = try session()
    let columns = [RowColumn(name: "id", type: "TEXT")]
    let ids = try session.importRows(
      Rows(columns, [[.text("a")], [.text("b")]]), into: "words", build: BuildOptions())
    #expect(ids == [1, 2])
    #expect(try session.query("SELECT row_id, id FROM words WHERE row_id = 2")[0].values == [.integer(2), .text("b")])
  }

  @Test func aBadVectorUndoesEverything() throws {
    let session = try session()
    var bad = sample
    bad = SampleVectors(replacing: 150, with: .nan, in: sample)
    let rows = Rows(Self.idAndSize, (0..<200).map { [.integer(Int64($0)), .null] })
    for _ in 0..<2 {
      let error = try #require(throws: VidxError.self) {
        try session.build(
          "v", IndexOptions(dimensions: 8), vectors: bad, rows: rows, table: "things", build: BuildOptions())
      }
      #expect(error.code == .badVector)
      #expect(error.message.contains("row 151"), "\(error.message)")
      #expect(try session.query("SELECT * FROM sqlite_schema").isEmpty)
      #expect(directory.segments(of: "t.db").isEmpty)
    }
    _ = try session.build("v", IndexOptions(dimensions: 8), vectors: sample, build: BuildOptions())
    #expect(try session.summary(of: "v").rows == 200)
  }

  @Test(arguments: ["files", "column"]) func cancellingUndoesEverything(source: String) throws {
    let session = try session()
    let large = SampleVectors(count: 3_000)
    try session.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, e BLOB)")
    if source == "column" {
      try session.transaction {
        for vector in large.vectors { try session.execute("INSERT INTO docs(e) VALUES (?)", [.vector(vector)]) }
      }
    }
    let asked = Atomic<Int>(0)
    // Late enough for the build to have begun, before it can be over.
    let build = BuildOptions(threads: 1, isCancelled: { asked.wrappingAdd(1, ordering: .relaxed).newValue > 2 })
    let error = try #require(throws: VidxError.self) {
      if source == "column" {
        _ = try session.build("v", column: "e", ofTable: "docs", metric: .l2, type: .hnsw(), build: build)
      } else {
        _ = try session.build("v", IndexOptions(dimensions: 8), vectors: large, build: build)
      }
    }
    #expect(error.code == .cancelled, "\(error.message)")
    #expect(asked.load(ordering: .relaxed) > 2)
    #expect(try session.query("SELECT name FROM sqlite_schema").map { $0.values[0] } == [.text("docs")])
    #expect(directory.segments(of: "t.db").isEmpty)
  }

  @Test func countsMustAgree() throws {
    let session = try session()
    let rows = Rows(Self.idAndSize, [[.integer(1), .null]])
    let error = try #require(throws: VidxError.self) {
      try session.build(
        "v", IndexOptions(dimensions: 8), vectors: sample, rows: rows, table: "t", build: BuildOptions())
    }
    #expect(error.code == .badRows)
    #expect(error.message.contains("rows has 1 rows and sample has 200 vectors"))
  }

  @Test func reportsProgress() throws {
    let session = try session()
    let stages = Mutex<Set<String>>([])
    let build = BuildOptions(progress: { report in
      _ = stages.withLock { $0.insert(report.stage.rawValue) }
      #expect(report.done <= report.total)
    })
    _ = try session.build("v", IndexOptions(dimensions: 8), vectors: SampleVectors(count: 5_000), build: build)
    #expect(stages.withLock { $0 }.contains("linking"))
  }

  @Test func searchesOnThreads() throws {
    let session = try session()
    _ = try session.build(
      "v", IndexOptions(dimensions: 8, metric: .l2, type: .flat), vectors: sample, build: BuildOptions())
    func search(_ queries: [[Float]]) throws(VidxError) -> [SearchResult] {
      try session.search("v", nearEach: queries, k: 2, filter: .ids(Array(1...100)), threads: 3)
    }
    let results = try search(sample.vectors)
    #expect(results.map { $0.hits.map(\.id) } == sample.vectors.map { sample.nearest(to: $0, k: 2) { $0 <= 100 } })
    let error = try #require(throws: VidxError.self) {
      try search(sample.vectors + [[1]])
    }
    #expect(error.code == .badVector)
  }

  /// One query or many: a batch heeds every setting, as a single search does.
  @Test func batchesHeedTheRecallAskedFor() throws {
    let session = try session()
    let sample = SampleVectors(count: 3_000)
    let options = IndexOptions(dimensions: 8, metric: .l2, type: .hnsw(m: 16, efConstruction: 64), codec: .f32)
    _ = try session.build("v", options, vectors: sample, build: BuildOptions())
    let queries = SampleVectors(count: 20, seed: 5).vectors
    func search(_ settings: SearchSettings) throws(VidxError) -> [SearchResult] {
      try session.search("v", nearEach: queries, k: 10, settings: settings, threads: 2)
    }
    func work(_ results: [SearchResult]) -> Int { results.reduce(0) { $0 + $1.counters.distanceComputations } }
    let usual = try search(SearchSettings())
    #expect(usual.allSatisfy { $0.plan == "graph" && !$0.isExact })
    for settings in [SearchSettings(targetRecall: 1), SearchSettings(exact: true)] {
      let results = try search(settings)
      #expect(results.allSatisfy { $0.plan == "exact" && $0.isExact })
      #expect(results.map { $0.hits.map(\.id) } == queries.map { sample.nearest(to: $0, k: 10) })
      let one = try session.search("v", nearEach: [queries[0]], k: 10, settings: settings)
      #expect(one.map(\.isExact) == [true])
      #expect(try session.search("v", near: queries[0], k: 10, settings: settings).isExact)
    }
    let quick = SearchSettings(targetRecall: 0.5)
    let results = try search(quick)
    #expect(work(results) < work(usual))
    for (query, result) in zip(queries, results) {
      #expect(try session.search("v", near: query, k: 10, settings: quick) == result)
    }
  }

  @Test func plansAreHeeded() throws {
    let session = try session()
    let sample = SampleVectors(count: 5_000)
    let options = IndexOptions(dimensions: 8, metric: .l2, type: .hnsw(m: 16, efConstruction: 64))
    _ = try session.build("v", options, vectors: sample, build: BuildOptions())
    let queries = SampleVectors(count: 20, seed: 5).vectors
    for filter in [RowFilter.all, .ids(Array(1...2_500))] {
      for plan in SearchPlan.allCases {
        let settings = SearchSettings(plan: plan)
        let results = try session.search("v", nearEach: queries, k: 10, filter: filter, settings: settings, threads: 2)
        let name = filter == .all || plan == .exact ? plan.rawValue : "filtered \(plan.rawValue)"
        #expect(results.allSatisfy { $0.plan == name && $0.hits.count == 10 }, "\(plan)")
        for (query, result) in zip(queries, results) {
          let one = try session.search("v", near: query, k: 10, filter: filter, settings: settings)
          #expect(one.hits == result.hits && one.plan == result.plan)
        }
      }
    }
    _ = try session.build("f", IndexOptions(dimensions: 8, type: .flat), vectors: sample, build: BuildOptions())
    let error = try #require(throws: VidxError.self) {
      try session.search("f", near: queries[0], k: 1, settings: SearchSettings(plan: .graph))
    }
    #expect(error.code == .badOption)
    #expect(error.message == "plan cannot be graph: an index of type flat has only exact")
  }

  /// What is explained, and a batch of searches, among rows that a filter of each form lets pass.
  @Test func everyFilterIsResolvedOnce() throws {
    let session = try session()
    try session.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, vector BLOB, half INTEGER)")
    try session.execute(
      """
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
      INSERT INTO t SELECT i, vector('[' || i || ',' || (i * i % 31) || ']'), i % 2 FROM n
      """)
    try session.createIndex(
      "v",
      IndexOptions(
        dimensions: 2, metric: .l2, type: .flat, content: .column("vector", ofTable: "t"), filterColumns: ["half"]))
    try session.optimize("v")
    let filters: [RowFilter] = [
      .where("half = ?", parameters: [.integer(1)]), .idsFrom("SELECT id FROM t WHERE half = 1"),
      .ids((0..<200).reversed().map { $0 * 2 + 1 }), .columns([ColumnCondition("half", .equals(.integer(1)))]),
    ]
    let query: [Float] = [17, 4]
    let expected = try session.search("v", near: query, k: 5, filter: filters[0]).hits
    for filter in filters {
      try session.snapshot {
        let rows = try session.resolve(filter, index: "v")
        let part = try #require(
          try session.explain("v", near: query, k: 5, among: rows, settings: SearchSettings()).segments.first)
        #expect(part.rows == 400 && part.passing == 200, "\(filter)")
        #expect(part.estimates.map(\.scores) == [200] && part.counters.rowsScored == 200, "\(filter)")
      }
      let one = try session.search("v", near: query, k: 5, filter: filter)
      #expect(one.hits == expected && one.rowsYielded == 200 && one.rowsWithoutVector == 0, "\(filter)")
      let batch = try session.search("v", nearEach: [query, query], k: 5, filter: filter)
      #expect(batch.map(\.hits) == [expected, expected])
      #expect(batch.map(\.filter?.rowsYielded) == [200, 200], "\(filter)")
      // SQL that nothing has been committed since is not run again.
      #expect(batch[0].filter?.isCached == filter.isInSQL)
    }
  }

  @Test func searchesOnThreadsSeeOneState() throws {
    let path = directory.file("t.db")
    let writer = try Session(path: path, mode: .create, newHasWriteAheadLog: true)
    _ = try writer.build(
      "v", IndexOptions(dimensions: 8, metric: .l2, type: .flat), vectors: sample, build: BuildOptions())
    let reader = try Session(path: path, mode: .read)
    try reader.snapshot {
      #expect(try reader.summary(of: "v").rows == 200)
      try writer.execute("DELETE FROM v WHERE rowid <= 100")
      let results = try reader.search("v", nearEach: sample.vectors, k: 1, threads: 3)
      #expect(results.map { $0.hits[0].id } == Array(1...200))
      try writer.dropIndex("v")
      #expect(try reader.search("v", nearEach: sample.vectors, k: 1, threads: 3) == results)
    }
  }
}

extension SampleVectors {
  init(replacing row: Int, with component: Float, in other: SampleVectors) {
    var vectors = other.vectors
    vectors[row][3] = component
    self.init(vectors: vectors)
  }
}
