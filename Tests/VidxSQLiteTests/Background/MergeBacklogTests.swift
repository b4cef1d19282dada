import CSQLite
import Foundation
import Testing
import VidxIndexes

@testable import VidxSQLite

@Suite("Writers that are ahead of merges")
struct MergeBacklogTests {
  private let database: TestDatabase

  init() throws { database = try TestDatabase() }

  @Test func nobodyWaitsWhileThereIsRoom() {
    var work = MergeBacklog.Work(merging: 100, worth: 1_000)
    #expect((0..<10).map { _ in work.add(100) } == Array(repeating: 0, count: 10))
    #expect(work.add(1) == 0, "a thousandth too many is worth no wait")
  }

  @Test("Each row waits by the square of what is too much")
  func waitsGrow() {
    var work = MergeBacklog.Work(merging: 0, worth: 1_000)
    _ = work.add(1_999)
    #expect(work.add(1) == 250)
    _ = work.add(999)
    #expect(work.add(1) == 1_000)
  }

  @Test("No row waits longer than 20 ms, no commit longer than a second")
  func waitsAreBounded() {
    var work = MergeBacklog.Work(merging: 0, worth: 1)
    _ = work.add(1_000)
    #expect(work.add(1) == 20_000)
    #expect(work.add(1_000) == 1_000_000)
    #expect(work.add(Int.max / 2) == 1_000_000)
  }

  @Test("A merge of many leaves room for a fourth of them")
  func roomGrowsWithTheMerge() {
    var work = MergeBacklog.Work(merging: 100_000, worth: 1_000)
    #expect(work.add(25_000) == 0)
    #expect(work.add(25_000) > 0)
  }

  /// One that merges, for a test, as long as the body runs: of `worth` rows.
  private func merging(_ worth: Int, _ body: () throws -> Void) rethrows {
    try MergeBacklog.merging(path: database.path, index: "v", rows: 0, worth: worth, body)
  }

  private func open(mergesInBackground: Bool, busyTimeout: Int32 = 10_000) throws -> Connection {
    let connection = try Connection(path: database.path, busyTimeout: busyTimeout)
    let code = unsafe Extension.register(on: connection.handle, mergesInBackground: mergesInBackground)
    #expect(code == SQLITE_OK)
    return connection
  }

  private func insert(_ rows: ClosedRange<Int>, _ connection: Connection) throws {
    try connection.transaction {
      for row in rows { try connection.execute("INSERT INTO v(rowid, vector) VALUES (\(row), '[1, 2]')") }
    }
  }

  /// What the writers of a connection that waits elsewhere owe by now.
  private func owed() throws -> Int {
    let connection = try Connection(path: database.path)
    return MergeBacklog.takeOwed(path: try #require(connection.filename(schema: "main")))
  }

  @Test func rowsOfCommitsAreCounted() throws {
    let connection = try open(mergesInBackground: false)
    try connection.execute("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2)")
    try connection.execute("CREATE TABLE others(id INTEGER PRIMARY KEY)")
    try insert(1...40, connection)
    #expect(try owed() == 0, "nobody merges")
    try merging(10) {
      try insert(41...50, connection)
      #expect(try owed() == 0)
      try insert(51...60, connection)
      #expect(try owed() == 10 * 250)
      try connection.execute("DELETE FROM v WHERE rowid <= 10")
      #expect(try owed() == 10 * 1_000, "rows that go are changes, too")
    }
    try insert(61...100, connection)
    #expect(try owed() == 0, "the merge is over")
  }

  @Test func whatIsUndoneIsNotCounted() throws {
    let connection = try open(mergesInBackground: false)
    try connection.execute("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2)")
    try merging(10) {
      try connection.execute("BEGIN")
      for row in 1...40 { try connection.execute("INSERT INTO v(rowid, vector) VALUES (\(row), '[1, 2]')") }
      try connection.execute("ROLLBACK")
      try connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i FROM n")
      try insert(1...10, connection)
      #expect(try owed() == 0)
    }
  }

  @Test("Who waits has given back its locks", .timeLimit(.minutes(1)))
  func othersGoOn() throws {
    let connection = try open(mergesInBackground: true)
    try connection.execute("PRAGMA journal_mode = WAL")
    try connection.execute("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2)")
    let other = try open(mergesInBackground: false, busyTimeout: 0)
    let path = database.path
    try merging(1) {
      let writer = try #require(
        PlainThread {
          // Waits for a second behind its commit.
          try? MergeBacklogTests.insertMany(path)
        })
      while try SQLSession.rows(other, "SELECT count(*) FROM v") == [[0]] {
        try Task.checkCancellation()
        usleep(1_000)
      }
      try insert(1_001...1_001, other)
      writer.join()
    }
    #expect(try SQLSession.rows(other, "SELECT count(*) FROM v") == [[101]])
  }

  private static func insertMany(_ path: String) throws {
    let connection = try Connection(path: path, busyTimeout: 10_000)
    _ = unsafe Extension.register(on: connection.handle, mergesInBackground: true)
    try connection.transaction {
      for row in 1...100 { try connection.execute("INSERT INTO v(rowid, vector) VALUES (\(row), '[1, 2]')") }
    }
  }

  @Test("A merge that is four behind leaves the processor to nobody")
  func urgencyIsKnown() throws {
    let connection = try open(mergesInBackground: false)
    try connection.execute("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2)")
    try insert(1...40, connection)
    let store = try IndexStore.open(connection, schema: "main", table: "v")
    let few = MergePolicy(deltaRows: 11)
    let many = MergePolicy(deltaRows: 10)
    let plan = try #require(try store.prepareMerge(choosing: many))
    #expect(plan.isBehind(many) && !plan.isBehind(few))
  }
}
