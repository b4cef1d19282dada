import Foundation
import TestSupport
import Testing
import VidxIndexes
import VidxSegments

@testable import VidxSQLite

extension Tag {
  /// Asserts a floor on recall against brute force.
  @Tag static var recall: Self
}

/// What pgvector's TAP tests put an index through (its test/t, by number), as behaviour in SQL. What they do to pages,
/// WAL replay and bit vectors has no counterpart here; 002 and 011 are SpaceTests.
@Suite("pgvector's scenarios", .tags(.recall)) struct PgvectorScenarioTests {
  private static let seed: UInt64 = 14

  /// Components from 0 to 1, as SQL's random() makes them there.
  private static func vector(_ dimensions: Int, _ random: inout SplitMix) -> [Float] {
    (0..<dimensions).map { _ in Float.random(in: 0..<1, using: &random) }
  }

  private static func insert(_ vectors: [[Float]], _ connection: Connection) throws {
    let statement = try connection.prepare("INSERT INTO v(vector) VALUES (?1)")
    try connection.transaction {
      for vector in vectors {
        try statement.bind(floats: vector, at: 1)
        try statement.run()
      }
    }
  }

  /// A table of random vectors, settled.
  private static func table(_ options: String, dimensions: Int, rows: Int) throws -> SQLSession {
    let session = try SQLSession(onDisk: true)
    try session.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF")
    try session.run("CREATE VIRTUAL TABLE v USING vidx(dimensions = \(dimensions), metric = l2, \(options))")
    var random = SplitMix(seed: seed)
    try insert((0..<rows).map { _ in vector(dimensions, &random) }, session.connection)
    try session.run("INSERT INTO v(v) VALUES ('optimize')")
    return session
  }

  // MARK: Recall after deletes (014; 026 of half-precision codes)

  /// The share of the 20 nearest that is found.
  private func recall(_ session: SQLSession, _ queries: [[Float]], ef: Int) throws -> Double {
    var found = 0
    for query in queries {
      let sql = "SELECT rowid FROM v WHERE vector MATCH ?1 AND k = 20"
      let nearest = try Set(session.integers("\(sql) AND exact = 1", .vector(query)))
      #expect(nearest.count == 20)
      found += try session.integers("\(sql) AND ef_search = \(ef)", .vector(query)).count { nearest.contains($0) }
    }
    return Double(found) / Double(20 * queries.count)
  }

  @Test("014, 026: recall after three quarters were deleted", arguments: ["f32", "f16"], ["optimize", "merge"])
  func deletes(codec: String, command: String) throws {
    let session = try Self.table(
      "index = hnsw, m = 4, ef_construction = 8, codec = \(codec)", dimensions: 3, rows: 10_000)
    try session.run("DELETE FROM v WHERE rowid > 2500")
    var random = SplitMix(seed: Self.seed + 1)
    let queries = (0..<20).map { _ in Self.vector(3, &random) }
    #expect(try recall(session, queries, ef: 20) >= 0.18)
    #expect(try recall(session, queries, ef: 100) >= 0.93)
    try session.run("INSERT INTO v(v) VALUES ('\(command)')")
    #expect(try session.integers("SELECT count(*) FROM v_tombstones") == [0], "a quarter of dead rows is worth a merge")
    #expect(try recall(session, queries, ef: 20) >= 0.95)
  }

  @Test("011: the last row is found when all others are deleted", arguments: ["flat", "ivfflat", "hnsw"])
  func allButOne(kind: String) throws {
    let session = try Self.table("index = \(kind)", dimensions: 3, rows: 2_000)
    try session.run("DELETE FROM v WHERE rowid <> 123")
    for settling in ["", "INSERT INTO v(v) VALUES ('optimize')"] {
      try session.run(settling)
      #expect(try session.integers("SELECT rowid FROM v WHERE vector MATCH '[0,0,0]' AND k = 10") == [123])
      #expect(
        try session.integers("SELECT rowid FROM v WHERE vector MATCH '[0,0,0]' ORDER BY distance LIMIT 10") == [123])
    }
  }

  // MARK: Duplicates (015)

  @Test("015: equal vectors are all found with ef_search = 1", arguments: [false, true])
  func duplicates(isSettled: Bool) throws {
    let session = try SQLSession(onDisk: true)
    try session.run("CREATE VIRTUAL TABLE v USING vidx(dimensions = 3, metric = l2)")
    try Self.insert([[Float]](repeating: [1, 1, 1], count: 20), session.connection)
    if isSettled { try session.run("INSERT INTO v(v) VALUES ('optimize')") }
    let match = "FROM v WHERE vector MATCH '[1,1,1]' AND ef_search = 1"
    #expect(try session.integers("SELECT rowid \(match) AND k = 10") == Array(1...10))
    #expect(try session.integers("SELECT count(*) FROM (SELECT rowid \(match) ORDER BY distance LIMIT 10)") == [10])
    // pgvector's scan ends after ten; here all twenty come.
    #expect(try session.integers("SELECT count(*) \(match)") == [20])
    try Self.together(5, session) { connection, _ in
      for _ in 0..<20 { try Self.insert([[1, 1, 1]], connection) }
    }
    #expect(try session.integers("SELECT count(*) \(match)") == [120])
    try session.run("INSERT INTO v(v) VALUES ('optimize'); INSERT INTO v(v) VALUES ('integrity-check')")
    #expect(try session.integers("SELECT count(*) \(match) AND k = 200") == [120])
  }

  // MARK: Many connections (007, 016, 046 to 048)

  /// Runs the body in as many threads, each with a connection of its own.
  private static func together(
    _ threads: Int, _ session: SQLSession, _ body: @escaping @Sendable (Connection, Int) throws -> Void
  ) throws {
    let path = try #require(session.path)
    Parallel.run(threads: threads) { thread in
      do {
        let connection = try SQLSession.connect(path)
        try connection.execute("PRAGMA synchronous = OFF")
        try body(connection, thread)
      } catch { Issue.record("thread \(thread): \(error)") }
    }
  }

  /// Merges beside the database until the others are done.
  private static func merge(_ connection: Connection, while isBusy: () -> Bool) throws {
    let store = try IndexStore.open(connection)
    repeat {
      try store.maintain(MergePolicy(deltaRows: 40), options: .serial)
      Thread.sleep(forTimeInterval: 0.001)
    } while isBusy()
  }

  @Test("007, 016: rows inserted by many connections at once, while others merge", arguments: ["ivfflat", "hnsw"])
  func inserts(kind: String) throws {
    let session = try Self.table("index = \(kind)", dimensions: 32, rows: 200)
    let writers = 5
    let done = Locked(0)
    try Self.together(writers + 1, session) { connection, thread in
      if thread == writers { return try Self.merge(connection) { done.withLock { $0 < writers } } }
      defer { done.withLock { $0 += 1 } }
      var random = SplitMix(seed: UInt64(thread) + 1)
      for _ in 0..<20 { try Self.insert((0..<10).map { _ in Self.vector(32, &random) }, connection) }
    }
    let expected = Int64(200 + writers * 20 * 10)
    #expect(try session.integers("SELECT count(*) FROM v") == [expected])
    let match = "FROM v WHERE vector MATCH (SELECT vector FROM v LIMIT 1)"
    // pgvector may lose three of a thousand.
    #expect(try session.integers("SELECT count(*) FROM (SELECT rowid \(match) ORDER BY distance)") == [expected])
    try session.run("INSERT INTO v(v) VALUES ('optimize'); INSERT INTO v(v) VALUES ('integrity-check')")
    #expect(try session.integers("SELECT count(*) FROM (SELECT rowid \(match) ORDER BY distance)") == [expected])
    // A row finds itself.
    let lost = try session.integers("SELECT rowid FROM v").filter { id in
      let itself = "(SELECT vector FROM v WHERE rowid = \(id))"
      return try session.integers("SELECT rowid FROM v WHERE vector MATCH \(itself) AND k = 1") != [id]
    }
    #expect(lost.count <= 3, "\(lost)")
  }

  @Test("046: searches while what was deleted is merged away")
  func scans() throws {
    let session = try Self.table("index = hnsw", dimensions: 3, rows: 1_000)
    try session.run("DELETE FROM v")
    let readers = 4
    let done = Locked(0)
    try Self.together(readers + 1, session) { connection, thread in
      if thread == readers { return try Self.merge(connection) { done.withLock { $0 < readers } } }
      defer { done.withLock { $0 += 1 } }
      for _ in 0..<100 {
        #expect(try SQLSession.rows(connection, "SELECT rowid FROM v WHERE vector MATCH '[0,0,0]' AND k = 10").isEmpty)
      }
    }
    #expect(try session.integers("SELECT count(*) FROM v_segments") == [0])
  }

  /// A search beside a count, in one transaction: neither half of a merge nor two states.
  private static func search(_ connection: Connection, _ query: [Float]) throws {
    try connection.execute("BEGIN")
    let rows = try SQLSession.rows(connection, "SELECT count(*) FROM v")
    let found = try SQLSession.rows(
      connection, "SELECT rowid FROM v WHERE vector MATCH ?1 AND k = 10", [.vector(query)])
    guard case .integer(let count) = rows[0][0] else { throw SQLSession.NotAnInteger(sql: "count", row: rows[0]) }
    #expect(found.count == min(10, Int(count)))
    try connection.execute("COMMIT")
  }

  @Test(
    "047, 048: inserts, deletes and searches while others merge",
    arguments: ["index = hnsw", "index = ivfflat, lists = 10"])
  func everything(options: String) throws {
    let session = try Self.table(options, dimensions: 3, rows: 1_000)
    let workers = 4
    let state = Locked((done: 0, balance: Int64(1_000)))
    try Self.together(workers + 1, session) { connection, thread in
      if thread == workers { return try Self.merge(connection) { state.withLock { $0.done < workers } } }
      defer { state.withLock { $0.done += 1 } }
      var random = SplitMix(seed: UInt64(thread) + 7)
      for _ in 0..<100 {
        let vector = Self.vector(3, &random)
        switch random.next() % 3 {
        case 0:
          try Self.insert([vector], connection)
          state.withLock { $0.balance += 1 }
        case 1:
          try connection.execute("DELETE FROM v WHERE rowid = (SELECT min(rowid) FROM v)")
          let changes = connection.changes
          state.withLock { $0.balance -= changes }
        default: try Self.search(connection, vector)
        }
      }
    }
    let expected = state.withLock { $0.balance }
    #expect(try session.integers("SELECT count(*) FROM v") == [expected])
    try session.run("INSERT INTO v(v) VALUES ('integrity-check'); INSERT INTO v(v) VALUES ('optimize')")
    #expect(
      try session.integers("SELECT count(*) FROM (SELECT rowid FROM v WHERE vector MATCH '[0,0,0]' ORDER BY distance)")
        == [expected])
  }
}
