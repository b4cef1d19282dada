import Foundation
import Testing

@testable import Vidx

/// Each refusal: its code, what it says, and that nothing changed.
@Suite struct VidxErrorTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  func open() async throws -> VectorDatabase { try await VectorDatabase(path: directory.file("t.db")) }

  @Test func databasesThatCannotBeOpened() async throws {
    try "this is no database, but a text that is long enough\n".write(
      toFile: directory.file("text.db"), atomically: true, encoding: .utf8)
    try await vidxError(.notADatabase, saying: "text.db", "not an SQLite database") {
      _ = try await VectorDatabase(path: directory.file("text.db"))
    }
    try await vidxError(.cannotOpen, saying: "none/t.db", "check that the folder exists") {
      _ = try await VectorDatabase(path: directory.file("none/t.db"))
    }
    try await vidxError(.cannotOpen, saying: "No such file") {
      _ = try Session(path: directory.file("none.db"), mode: .read)
    }
  }

  @Test func optionsOutOfRange() async throws {
    let database = try await open()
    for (options, words) in [
      (IndexOptions(dimensions: 0), "dimensions is 0"),
      (IndexOptions(dimensions: 8, type: .hnsw(m: 1)), "m is 1"),
      (IndexOptions(dimensions: 8, type: .hnsw(efConstruction: 1)), "ef_construction is 1"),
      (IndexOptions(dimensions: 8, type: .ivfflat(lists: -1)), "lists is -1"),
    ] {
      try await vidxError(.badOption, saying: words, "give a number from") {
        try await database.createIndex("v", options: options)
      }
    }
    try await vidxError(.badOption, saying: "name is empty") {
      try await database.createIndex("", options: IndexOptions(dimensions: 2))
    }
    #expect(try await database.query("SELECT * FROM sqlite_schema").isEmpty)
  }

  @Test func searchesThatMakeNoSense() async throws {
    let database = try await open()
    let index = try await database.createIndex("v", options: IndexOptions(dimensions: 2))
    try await index.insert([1, 0], id: 1)
    for k in [0, -1, 1_000_001, Int.max, Int.min] {
      try await vidxError(.badOption, saying: "k is \(k)") { _ = try await index.search(near: [1, 0], k: k) }
    }
    for settings in [
      SearchSettings(within: .nan), SearchSettings(efSearch: 0), SearchSettings(probes: 0),
      SearchSettings(efSearch: 1_000_000),
    ] {
      try await vidxError(.badOption) { _ = try await index.search(near: [1, 0], settings: settings) }
    }
    try await vidxError(.badVector, saying: "3", "2") { _ = try await index.search(near: [1, 0, 0]) }
    try await vidxError(.badVector) { _ = try await index.search(near: []) }
    try await vidxError(.badVector, saying: "NaN") { _ = try await index.search(near: [1, .nan]) }
    try await vidxError(.badVector, saying: "zero") { _ = try await index.search(near: [0, 0]) }
    try await vidxError(.badCondition, saying: "without a table of rows") {
      _ = try await index.search(near: [1, 0], where: "1")
    }
  }

  @Test func conditionsThatAreNone() async throws {
    let database = try await open()
    try await database.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, size INTEGER)")
    let index = try await database.createIndex("v", options: IndexOptions(dimensions: 2, rowTable: "t"))
    try await index.insert([1, 0], id: 1)
    try await vidxError(.badCondition, saying: "no such column: colour", "correct the SQL") {
      _ = try await index.search(near: [1, 0], where: "colour = 1")
    }
    try await vidxError(.badCondition, saying: "more than one statement") {
      _ = try await index.search(near: [1, 0], where: "1); DELETE FROM t WHERE (1")
    }
    try await vidxError(.badOption, saying: "1 parameters; 0 values") {
      _ = try await index.search(near: [1, 0], where: "size = ?")
    }
    try await vidxError(.badCondition, saying: "does not read rows") {
      _ = try await index.search(near: [1, 0], filter: .idsFrom("DELETE FROM t"))
    }
    try await vidxError(.readOnly, saying: "the statement writes", "execute") {
      _ = try await database.query("INSERT INTO t VALUES (1, 1) RETURNING id")
    }
    #expect(try await database.query("SELECT * FROM t").isEmpty)
  }

  @Test func vectorsThatAreNone() async throws {
    let database = try await open()
    let index = try await database.createIndex("v", options: IndexOptions(dimensions: 2))
    try await vidxError(.badVector, saying: "3 dimensions", "2") { try await index.insert([1, 2, 3]) }
    try await vidxError(.badVector, saying: "component 1", "NaN") { try await index.insert([1, .infinity]) }
    try await vidxError(.badVector, saying: "component 0") { try await index.upsert([.nan, 1], id: 4) }
    #expect(try await index.summary().rows == 0)
    // Zero is a vector, but has no direction: it is kept and is nobody's neighbour.
    try await index.insert([0, 0], id: 9)
    try await index.insert([1, 1], id: 10)
    #expect(try await index.vector(id: 9) == [0, 0])
    #expect(try await index.search(near: [1, 0]).hits.map(\.id) == [10])
  }

  @Test func namesThatAreTakenOrMissing() async throws {
    let database = try await open()
    try await database.createIndex("v", options: IndexOptions(dimensions: 2))
    try await vidxError(.alreadyExists, saying: "\"V\" exists already") {
      try await database.createIndex("V", options: IndexOptions(dimensions: 2))
    }
    try await vidxError(.noSuchIndex, saying: "no index \"w\"", "has v") { _ = try await database.index("w") }
    try await vidxError(.noSuchIndex) { try await database.dropIndex("w") }
    try await vidxError(.badRows, saying: "no table \"absent\"") {
      try await database.createIndex("w", options: IndexOptions(dimensions: 2, rowTable: "absent"))
    }
    #expect(try await database.indexes().map(\.name) == ["v"])
  }

  @Test func tablesWithoutAnIntegerPrimaryKey() async throws {
    let database = try await open()
    try await database.execute("CREATE TABLE loose(e BLOB)")
    try await database.execute("CREATE TABLE worded(id TEXT PRIMARY KEY, e BLOB)")
    try await database.execute("CREATE TABLE pair(a INTEGER, b INTEGER, e BLOB, PRIMARY KEY (a, b))")
    for table in ["loose", "worded", "pair"] {
      try await vidxError(.badRows, saying: "\"\(table)\" has no INTEGER PRIMARY KEY", "VACUUM") {
        try await database.createIndex("v", options: IndexOptions(dimensions: 2, rowTable: table))
      }
      await #expect(throws: VidxError.self) {
        try await database.createIndex(
          "v", options: IndexOptions(dimensions: 2, content: .column("e", ofTable: table)))
      }
    }
    #expect(try await database.indexes().isEmpty)
  }

  @Test func statementsThatFail() async throws {
    let database = try await open()
    try await vidxError(.sql, saying: "no such table: absent") { _ = try await database.query("SELECT * FROM absent") }
    try await vidxError(.sql, saying: "more than one statement") {
      try await database.execute("CREATE TABLE a(x); CREATE TABLE b(x)")
    }
    try await vidxError(.badOption, saying: "1 parameters; 2 values") {
      _ = try await database.query("SELECT ?", [1, 2])
    }
    #expect(try await database.query("SELECT 1 AS a -- and no more; really\n; /* ; */ ;")[0]["a"] == 1)
    #expect(try await database.query("SELECT * FROM sqlite_schema").isEmpty)
  }

  @Test func aLockedDatabaseIsBusy() async throws {
    let database = try await VectorDatabase(path: directory.file("t.db"), busyTimeout: 50)
    let other = try Session(path: directory.file("t.db"), mode: .readWrite)
    try other.execute("BEGIN IMMEDIATE")
    try await vidxError(.busy, saying: "another process is writing") {
      try await database.execute("CREATE TABLE t(x)")
    }
    try other.execute("COMMIT")
    try await database.execute("CREATE TABLE t(x)")
  }

  @Test func missingAndDamagedFilesAreNamed() async throws {
    let database = try await open()
    let sample = SampleVectors(count: 50)
    let index = try await database.createIndex("v", options: IndexOptions(dimensions: 8, metric: .l2))
    try await database.transaction { transaction in
      for vector in sample.vectors { try transaction.insert(vector, into: "v") }
    }
    try await index.optimize()
    let name = try #require(directory.segments(of: "t.db").first)
    let path = directory.file("t.db-vidx/" + name)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    bytes[4096 + 64] ^= 1
    try bytes.write(to: URL(fileURLWithPath: path))
    let again = try await open()
    try await vidxError(.corrupt, saying: name) { _ = try await again.index("v").search(near: sample.vectors[0]) }
    #expect(try await again.check().contains { $0.contains(name) })
    try FileManager.default.removeItem(atPath: path)
    let third = try await open()
    try await vidxError(.corrupt, saying: name) { _ = try await third.index("v").search(near: sample.vectors[0]) }
    #expect(try await third.check().contains { $0.contains(name) })
  }
}
