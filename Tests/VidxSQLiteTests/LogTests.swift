import Foundation
import TestSupport
import Testing
import VidxIndexes
import VidxSegments

@testable import VidxSQLite

/// A write-ahead log that has grown large is emptied behind merges.
@Suite("The write-ahead log", .timeLimit(.minutes(2)))
struct LogTests {
  private let database: TestDatabase
  private let writer: Connection

  init() throws {
    database = try TestDatabase()
    writer = try database.open()
    try writer.execute("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(x)")
  }

  private var logBytes: Int {
    get throws {
      let attributes = try FileManager.default.attributesOfItem(atPath: database.path + "-wal")
      return try #require(attributes[.size] as? Int)
    }
  }

  private func write(bytes: Int) throws {
    try writer.execute("INSERT INTO t VALUES (zeroblob(\(bytes)))")
  }

  @Test func isEmptiedWhenItIsLarge() throws {
    try write(bytes: 100_000)
    let before = try logBytes
    try writer.emptyLog(schema: "main", largerThan: before)
    #expect(try logBytes == before)
    try writer.emptyLog(schema: "main", largerThan: before - 1)
    #expect(try logBytes == 0)
    #expect(try SQLSession.rows(writer, "SELECT length(x) FROM t") == [[100_000]])
  }

  @Test func isKeptForAReaderOfAnOlderState() throws {
    let reader = try database.open()
    try reader.execute("BEGIN")
    #expect(try SQLSession.rows(reader, "SELECT count(*) FROM t") == [[0]])
    try write(bytes: 100_000)
    let before = try logBytes
    try writer.emptyLog(schema: "main", largerThan: 1)
    #expect(try logBytes == before)
    #expect(try SQLSession.rows(reader, "SELECT count(*) FROM t") == [[0]])
    try reader.execute("COMMIT")
    try writer.emptyLog(schema: "main", largerThan: 1)
    #expect(try logBytes == 0)
  }

  /// SQLite itself would never begin it anew here.
  @Test func isEmptiedThoughThereIsAlwaysAReader() throws {
    try writer.execute("PRAGMA wal_autocheckpoint = 100")
    let isDone = Locked(false)
    let path = database.path
    let overlapping = (0..<2).map { _ in
      PlainThread {
        guard let reader = try? Connection(path: path) else { return }
        while !isDone.withLock({ $0 }) {
          // One begins while the other reads.
          _ = try? reader.execute("BEGIN; SELECT count(*) FROM t")
          usleep(3_000)
          _ = try? reader.execute("COMMIT")
        }
      }
    }
    defer {
      isDone.withLock { $0 = true }
      for thread in overlapping { thread?.join() }
    }
    for _ in 0..<10 { try write(bytes: 100_000) }
    while try logBytes > 0 {
      try Task.checkCancellation()
      try writer.emptyLog(schema: "main", largerThan: 1)
    }
    #expect(try SQLSession.rows(writer, "SELECT count(*) FROM t") == [[10]])
  }

  @Test func isEmptiedBehindMerges() throws {
    let store = try writer.transaction {
      try IndexStore.create(writer, schema: "main", table: "v", definition: definition())
    }
    var random = SplitMix(seed: 3)
    try store.transaction { for _ in 0..<50 { try store.insert(rowID: nil, vector: random.vector(8)) } }
    try write(bytes: Connection.largeLog)
    #expect(try logBytes > Connection.largeLog)
    try store.optimizeOutsideTransaction()
    #expect(try logBytes == 0)
    try store.transaction { for _ in 0..<50 { try store.insert(rowID: nil, vector: random.vector(8)) } }
    try write(bytes: Connection.largeLog)
    #expect(try store.maintain(MergePolicy(deltaRows: 10)))
    #expect(try logBytes == 0)
  }
}
