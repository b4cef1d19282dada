import Foundation
import Synchronization
import Testing
import VidxIndexes
import VidxSQLite
import VidxSegments

@testable import Vidx

/// An index made anew in its own place: all of it in one transaction.
@Suite struct ReindexTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  func session(_ mode: Session.Mode = .create) throws -> Session {
    try Session(path: directory.file("t.db"), mode: mode, newHasWriteAheadLog: true)
  }

  /// Rows 1 to `count` with values of two filter columns, some of them not in a segment yet and some gone.
  func ownVectors(_ session: Session, _ sample: SampleVectors, model: String? = "a") throws {
    let model = model.map { ", model = '\($0)'" } ?? ""
    try session.execute(
      """
      CREATE VIRTUAL TABLE "V one" USING vidx(dimensions = 8, metric = l2, m = 6, ef_construction = 30, seed = 77,
        partition tenant, codec = int8, filter "a size"\(model))
      """)
    try session.transaction {
      for (i, vector) in sample.vectors.enumerated() {
        try session.execute(
          "INSERT INTO \"V one\"(rowid, vector, tenant, \"a size\") VALUES (?, ?, ?, ?)",
          [.integer(Int64(i + 1)), .vector(vector), .integer(Int64(i % 3)), .text("s\(i % 5)")])
        if i == 30 { try session.execute("INSERT INTO \"V one\"(\"V one\") VALUES ('optimize')") }
      }
      try session.execute("INSERT INTO \"V one\"(rowid, vector) VALUES (900, zeroblob(32)), (901, zeroblob(32))")
      try session.execute("DELETE FROM \"V one\" WHERE rowid >= 900")
    }
  }

  func definition(_ session: Session, _ index: String = "V one") throws -> IndexDefinition {
    try session.store(index).definition
  }

  func ids(_ session: Session, near query: [Float], k: Int = 5, where condition: String = "1") throws -> [Int64] {
    try session.query(
      "SELECT rowid FROM \"V one\" WHERE vector MATCH ? AND k = \(k) AND exact = 1 AND \(condition)", [.vector(query)]
    ).map { row in
      if case .integer(let id) = row.values[0] { id } else { -1 }
    }
  }

  @Test(arguments: [true, false]) func vectorsOfAnotherModelTakeTheirRowsPlaces(areMany: Bool) throws {
    let session = try session()
    let (old, new) = (SampleVectors(count: 60), SampleVectors(count: 60, dimensions: 5, seed: 3))
    try ownVectors(session, old)
    var expected = try definition(session)
    expected.model = "b"
    expected.configuration.dimensions = 5
    // In any order, as their ids say.
    let order = (0..<60).map { ($0 * 7) % 60 }
    let shuffled = SampleVectors(vectors: order.map { new.vectors[$0] })
    let ids = areMany ? order.map { Int64($0 + 1) } : nil
    let source = ReindexSource.vectors(areMany ? shuffled : new, ids: ids)
    // Names of tables do not depend on case.
    #expect(try session.reindex("v ONE", source, IndexChanges(model: "b")) == 60)
    #expect(try definition(session) == expected)
    #expect(try session.query("SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL%'")[0]["name"] == "V one")
    #expect(try session.summary(of: "V one").deltaRows == 0)
    let query = new.vectors[7]
    #expect(try self.ids(session, near: query) == new.nearest(to: query, k: 5))
    // Values stay with their rows.
    #expect(
      try self.ids(session, near: query, where: "tenant = 1") == new.nearest(to: query, k: 5) { ($0 - 1) % 3 == 1 })
    #expect(try session.query("SELECT \"a size\" FROM \"V one\" WHERE rowid = 14")[0].values == ["s3"])
    #expect(try session.problems(of: "V one") == [])
    #expect(try session.databaseProblems() == [])
    #expect(try session.sweep() == [])
    #expect(directory.segments(of: "t.db").count == 1)
  }

  @Test func heldVectorsMakeAnotherKind() throws {
    let session = try session()
    let sample = SampleVectors(count: 60)
    try ownVectors(session, sample, model: nil)
    let changes = IndexChanges(
      model: "a", metric: .cosine, type: .ivfflat(lists: 3), codec: .f32, filterColumns: ["a SIZE", "tenant"])
    #expect(try session.reindex("V one", .held, changes) == 60)
    var expected = IndexDefinition(
      configuration: IndexConfiguration(
        dimensions: 8, metric: .cosine, kind: .ivfflat, lists: 3, codec: .fixed(.f32), seed: 77),
      filterColumns: [FilterColumn("a SIZE"), FilterColumn("tenant", isPartition: true)], model: "a")
    #expect(try definition(session) == expected)
    for row in try session.query("SELECT rowid, vector_text(vector), tenant, \"a size\" FROM \"V one\"") {
      guard case .integer(let id) = row.values[0], case .text(let vector) = row.values[1] else { throw NotARow() }
      let found = try VectorLiteral.parse(vector)
      #expect(zip(found, sample.vectors[Int(id) - 1]).allSatisfy { abs($0 - $1) < 1e-6 })
      #expect(row.values[2...] == [.integer((id - 1) % 3), .text("s\((id - 1) % 5)")])
    }
    // The same model again, and back, with nothing else said.
    #expect(try session.reindex("V one", .held, IndexChanges(model: "a", filterColumns: [])) == 60)
    expected.filterColumns = []
    #expect(try definition(session) == expected)
  }

  struct NotARow: Error {}

  @Test func theNamedTableOfRowsStays() throws {
    let session = try session()
    try session.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, stars INTEGER)")
    try session.execute("INSERT INTO docs VALUES (1, 5), (2, 1)")
    try session.createIndex("v", IndexOptions(dimensions: 2, rowTable: "docs"))
    for id in [1, 2] as [Int64] { _ = try session.insert([1, Float(id)], id: id, into: "v") }
    // What others have made of the index is theirs.
    try session.execute("CREATE VIEW best AS SELECT rowid, model FROM v")
    try session.execute("CREATE TRIGGER gone AFTER DELETE ON docs BEGIN DELETE FROM v WHERE rowid = old.id; END")
    try session.reindex("v", .vectors(RowVectors([1: [3], 2: [4]]), ids: [1, 2]), IndexChanges(model: "tiny"))
    let found = try session.search("v", near: [4], k: 2, filter: .where("stars > 2"))
    #expect(found.hits.map(\.id) == [1])
    try session.execute("DELETE FROM docs WHERE id = 1")
    #expect(try session.query("SELECT * FROM best").map(\.values) == [[2, "tiny"]])
    #expect(try session.problems(of: "v") == [])
  }

  /// An index on a table follows another column from then on.
  @Test(arguments: [9, 1_200]) func anotherColumnIsFollowed(count: Int) throws {
    let session = try session()
    try session.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, kind TEXT, e BLOB, f BLOB)")
    try session.execute(
      """
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(count))
      INSERT INTO t SELECT i, 'k' || (i % 2), vector('[' || i || ',0]'), json_array(i, 0, 1) FROM n
      """)
    try session.createIndex(
      "v",
      IndexOptions(
        dimensions: 2, metric: .l2, type: .flat, content: .column("e", ofTable: "t"), filterColumns: ["kind"],
        model: "a"))
    try session.execute("ALTER TABLE t RENAME TO docs")
    try vidxErrorOfSession(.wrongModel, "are of model 'a'") {
      try session.reindex("v", .held, IndexChanges(model: "b"))
    }
    try vidxErrorOfSession(.badRows, "no column \"g\"") {
      try session.reindex("v", .column("g"), IndexChanges(model: "b"))
    }
    try vidxErrorOfSession(.badOption, "follows column e of table docs") {
      try session.reindex("v", .vectors(RowVectors([1: [1]]), ids: [1]), IndexChanges(model: "b"))
    }
    #expect(try session.reindex("v", .column("f"), IndexChanges(model: "b")) == count)
    let options = try session.summary(of: "v").options
    #expect(options.content == .column("f", ofTable: "docs") && options.dimensions == 3 && options.model == "b")
    try session.execute("UPDATE docs SET f = '[500, 0, 9]' WHERE id = 3")
    try session.execute("UPDATE docs SET e = NULL WHERE id = 4")
    try session.execute("INSERT INTO docs VALUES (5000, 'k1', NULL, '[501, 0, 9]')")
    let found = try session.search(
      "v", near: [500, 0, 9], k: 2, filter: .columns([ColumnCondition("kind", .equals("k1"))]),
      settings: SearchSettings(model: "b"))
    #expect(found.hits.map(\.id) == [3, 5000])
    #expect(try session.problems(of: "v") == [])
    // Named explicitly the same column is one, too: it may have been filled anew.
    #expect(try session.reindex("v", .column("f"), IndexChanges(model: "c")) == count + 1)
    #expect(try session.model(of: "v") == "c")
  }

  func vidxErrorOfSession(
    _ code: VidxError.Code, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Int
  ) throws {
    let error = try #require(throws: VidxError.self, sourceLocation: sourceLocation) { _ = try body() }
    #expect(error.code == code, "\(error.code): \(error.message)", sourceLocation: sourceLocation)
    for word in words { #expect(error.message.contains(word), "\(error.message)", sourceLocation: sourceLocation) }
  }

  @Test func whatDoesNotFitIsRefused() throws {
    let session = try session()
    let sample = SampleVectors(count: 60)
    try ownVectors(session, sample)
    let before = try session.summary(of: "V one")
    let files = directory.segments(of: "t.db")
    let ids = Array(Int64(1)...60)
    let few = SampleVectors(vectors: Array(sample.vectors.prefix(59)))
    let bad = SampleVectors(replacing: 3, with: .nan, in: sample)
    let b = IndexChanges(model: "b")
    func refuses(
      _ code: VidxError.Code, _ words: String, _ source: ReindexSource, _ changes: IndexChanges = b,
      sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
      try vidxErrorOfSession(code, words, sourceLocation: sourceLocation) {
        try session.reindex("V one", source, changes)
      }
      #expect(try session.summary(of: "V one") == before, sourceLocation: sourceLocation)
      #expect(directory.segments(of: "t.db") == files, sourceLocation: sourceLocation)
    }
    try refuses(.wrongModel, "are of model 'a'; give vectors of 'b'", .held)
    try refuses(.badRows, "sample has 59 vectors and index \"V one\" 60 rows", .vectors(few, ids: nil))
    try refuses(.badRows, "there are 60 ids and 59 vectors", .vectors(few, ids: ids))
    try refuses(.badRows, "no vector for row 60 of index", .vectors(few, ids: Array(ids.prefix(59))))
    try refuses(.badRows, "more than one vector for row 2", .vectors(sample, ids: Array(ids.prefix(59)) + [2]))
    try refuses(
      .badRows, "vectors for rows 61, 70, which", .vectors(SampleVectors(count: 62), ids: ids + [61, 70]))
    try refuses(.badVector, "row 4", .vectors(bad, ids: ids))
    try refuses(.badOption, "follows no table", .column("e"))
    try refuses(.badOption, "name of the model", .held, IndexChanges(model: ""))
    try refuses(.badOption, "m must be between", .held, IndexChanges(type: .hnsw(m: 1)))
    try refuses(.badOption, "int8", .held, IndexChanges(metric: .l1))
    try refuses(.badOption, "no filter column \"colour\"", .held, IndexChanges(filterColumns: ["colour"]))
    try vidxErrorOfSession(.noSuchIndex, "has V one") { try session.reindex("w", .held, b) }
    try session.execute("BEGIN")
    try vidxErrorOfSession(.other, "transaction is open") { try session.reindex("V one", .held) }
    try session.execute("ROLLBACK")
    // Row ids with gaps do not say which vector is whose.
    try session.execute("DELETE FROM \"V one\" WHERE rowid = 5")
    try vidxErrorOfSession(.badRows, "not numbered 1, 2, 3, ... (they are 1 to 60)") {
      try session.reindex("V one", .vectors(few, ids: nil), b)
    }
    #expect(try session.problems(of: "V one") == [])
  }

  @Test func cancellingLeavesTheOldOne() throws {
    let session = try session()
    let large = SampleVectors(count: 3_000)
    _ = try session.build("v", IndexOptions(dimensions: 8, metric: .l2), vectors: large, build: BuildOptions())
    let (before, files) = (try session.summary(of: "v"), directory.segments(of: "t.db"))
    let asked = Atomic<Int>(0)
    let build = BuildOptions(threads: 1, isCancelled: { asked.wrappingAdd(1, ordering: .relaxed).newValue > 2 })
    try vidxErrorOfSession(.cancelled, "nothing was changed") {
      try session.reindex("v", .held, IndexChanges(model: "b", metric: .cosine), build: build)
    }
    #expect(asked.load(ordering: .relaxed) > 2)
    #expect(try session.summary(of: "v") == before)
    #expect(directory.segments(of: "t.db") == files)
    #expect(try session.search("v", near: large.vectors[5], k: 1).hits.map(\.id) == [6])
  }

  /// Readers that began before go on with what they see, and those that begin see the new index at once.
  @Test func readersSeeOneIndexOrTheOther() throws {
    let writer = try session()
    let (old, new) = (SampleVectors(count: 200), SampleVectors(count: 200, dimensions: 3, seed: 4))
    _ = try writer.build("v", IndexOptions(dimensions: 8, metric: .l2, model: "a"), vectors: old, build: BuildOptions())
    let (reader, open) = (try session(.read), try IndexReader(path: directory.file("t.db"), name: "v"))
    let fixed = try open.snapshot()
    let (a, b) = (SearchSettings(exact: true, model: "a"), SearchSettings(exact: true, model: "b"))
    try reader.snapshot {
      #expect(
        try reader.search("v", near: old.vectors[0], k: 3, settings: a).hits.map(\.id)
          == old.nearest(to: old.vectors[0], k: 3))
      try writer.reindex("v", .vectors(new, ids: nil), IndexChanges(model: "b"))
      #expect(try writer.sweep() == [])
      for vector in old.vectors {
        #expect(try reader.search("v", near: vector, k: 2, settings: a).hits.map(\.id) == old.nearest(to: vector, k: 2))
      }
      try vidxErrorOfSession(.wrongModel, "'a'") {
        try reader.search("v", near: new.vectors[0], k: 1, settings: b).hits.count
      }
    }
    #expect(
      try reader.search("v", near: new.vectors[9], k: 4, settings: b).hits.map(\.id)
        == new.nearest(to: new.vectors[9], k: 4))
    try vidxErrorOfSession(.wrongModel, "'b'") {
      try reader.search("v", near: old.vectors[0], k: 1, settings: a).hits.count
    }
    #expect(try open.snapshot().model == "b" && open.snapshot().configuration.dimensions == 3)
    #expect(fixed.model == "a" && fixed.rowCount == 200)
    #expect(try writer.sweep() == [])
    #expect(directory.segments(of: "t.db").count == 1)
  }

  /// A merge of the old index that is under way when the new one takes its place comes to nothing.
  @Test func aMergeThatWasUnderWayIsGivenUp() throws {
    let (one, other) = (try session(), try session())
    let (old, new) = (SampleVectors(count: 40), SampleVectors(count: 40, seed: 4))
    try one.createIndex("v", IndexOptions(dimensions: 8, metric: .l2, model: "a"))
    try one.transaction {
      for (i, vector) in old.vectors.enumerated() { _ = try one.insert(vector, id: Int64(i + 1), into: "v") }
    }
    let store = try other.store("v")
    let plan = try #require(try store.prepareMerge())
    let published = try store.buildMerge(plan)
    try one.reindex("v", .vectors(new, ids: nil), IndexChanges(model: "b"))
    _ = try one.insert([9, 9, 9, 9, 9, 9, 9, 9], id: 41, model: "b", into: "v")
    #expect(throws: StoreError.overtaken(index: "v")) {
      try store.transaction { try store.commitMerge(plan, published) }
    }
    for segment in published { segment.release() }
    #expect(
      try one.search("v", near: new.vectors[3], k: 3, settings: SearchSettings(exact: true)).hits.map(\.id)
        == new.nearest(to: new.vectors[3], k: 3))
    #expect(try one.problems(of: "v") == [])
    #expect(try one.summary(of: "v").rows == 41)
  }

  @Test(arguments: ["t.db", ":memory:"]) func theLibraryChangesAnIndexOver(name: String) async throws {
    let path = name == ":memory:" ? name : directory.file(name)
    let database = try await VectorDatabase(path: path)
    let index = try await database.createIndex("v", options: IndexOptions(dimensions: 2, metric: .l2, model: "a"))
    for id in [3, 5] as [Int64] { try await index.insert([Float(id), 0], id: id) }
    #expect(try await index.reindex(IndexChanges(model: "b"), vectors: .rows([3: [0, 0, 3], 5: [0, 0, 5]])) == 2)
    let found = try await index.search(near: [0, 0, 4.5], settings: SearchSettings(model: "b"))
    #expect(found.hits.map(\.id) == [5, 3])
    #expect(try await index.reindex(IndexChanges(type: .flat)) == 2)
    #expect(try await index.summary().options == IndexOptions(dimensions: 3, metric: .l2, type: .flat, model: "b"))
    try await vidxError(.wrongModel, saying: "'b'") { try await index.reindex(IndexChanges(model: "c")) }
    try await vidxError(.badVector, saying: "row 5 has 1 dimensions and that of row 3 2") {
      try await index.reindex(IndexChanges(model: "c"), vectors: .rows([3: [1, 2], 5: [1]]))
    }
    try await vidxError(.badRows, saying: "no vector for row 5") {
      try await index.reindex(IndexChanges(model: "c"), vectors: .rows([3: [1, 2]]))
    }
    #expect(try await index.vector(id: 5) == [0, 0, 5])
    #expect(try await database.check() == [])
  }

  @Test func anEmptyIndexCanChangeOver() async throws {
    let database = try await VectorDatabase(path: directory.file("t.db"))
    let index = try await database.createIndex("v", options: IndexOptions(dimensions: 2, model: "a"))
    #expect(try await index.reindex(IndexChanges(model: "b"), vectors: .rows([:])) == 0)
    #expect(try await index.summary().options.model == "b")
    try await index.insert([1, 2], model: "b")
    #expect(try await index.summary().rows == 1)
  }
}
