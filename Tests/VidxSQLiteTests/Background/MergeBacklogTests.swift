import CSQLite
import Foundation
import Testing
import VidxIndexes
import VidxSegments

@testable import VidxSQLite

@Suite("Writers that are ahead of merges")
struct MergeBacklogTests {
  private let database: TestDatabase

  init() throws { database = try TestDatabase() }

  @Test func nobodyWaitsWhileThereIsRoom() {
    var work = MergeBacklog.Work(merging: 100, new: 100, worth: 1_000)
    #expect((0..<10).map { work.add(100, now: $0) } == Array(repeating: 0, count: 10))
    #expect(work.add(1, now: 20) == 0, "a thousandth too many is worth no wait")
  }

  @Test("Each row waits by the square of what is too much")
  func waitsGrow() {
    var work = MergeBacklog.Work(merging: 0, new: 0, worth: 1_000)
    _ = work.add(1_000, now: 0)
    _ = work.add(499, now: 0)
    #expect(work.add(1, now: 10_000_000) == 250)
    _ = work.add(499, now: 20_000_000)
    #expect(work.add(1, now: 30_000_000) == 1_000)
    _ = work.add(499, now: 40_000_000)
    #expect(work.add(1, now: 50_000_000) == 2_250)
  }

  @Test("Writers wait one behind the other")
  func waitsAddUp() {
    var work = MergeBacklog.Work(merging: 0, new: 0, worth: 1)
    _ = work.add(1_000, now: 0)
    var now = 20_000_000
    #expect((0..<5).map { _ in work.add(1, now: now) } == [4_000, 8_000, 12_000, 16_000, 16_000])
    now += 20_000
    #expect(work.add(1, now: now) == 4_000, "the others have waited")
  }

  @Test("No row waits longer than 4 ms, no commit longer than ten seconds")
  func waitsAreBounded() {
    var work = MergeBacklog.Work(merging: 0, new: 0, worth: 1)
    #expect(work.add(1_000, now: 0) == 4_000_000)
    #expect(work.add(1_000_000, now: 0) == 10_000_000)
    #expect(work.add(Int.max / 2, now: 0) == 10_000_000)
    #expect(work.add(1, now: 0) == 16_000, "of one's own rows, and some of others'")
  }

  @Test("A merge of many leaves room for a fourth of them")
  func roomGrowsWithTheMerge() {
    var work = MergeBacklog.Work(merging: 100_000, new: 100_000, worth: 1_000)
    #expect(work.add(25_000, now: 0) == 0)
    #expect(work.add(25_000, now: 0) > 0)
  }

  @Test("What was too much during one merge, and waits in the next, counts in that")
  func aMergeFollowsAnother() {
    func following(_ before: MergeBacklog.Work, new: Int) -> Int {
      var work = MergeBacklog.Work(merging: new, new: new, worth: 1_000, following: before)
      return work.add(1, now: 60_000_000)
    }
    var work = MergeBacklog.Work(merging: 0, new: 0, worth: 1_000)
    _ = work.add(4_000, now: 0)
    #expect(following(work, new: 4_000) == 4_000, "three thousand were too many")
    #expect((1_000...1_010).contains(following(work, new: 3_000)), "two thousand of them are still there")
    #expect(following(work, new: 2_000) == 0)
    #expect(following(work, new: 0) == 0, "another has merged them")
    work = MergeBacklog.Work(merging: 4_000, new: 4_000, worth: 1_000, following: work)
    #expect((1_000...1_010).contains(following(work, new: 4_000)), "each merge has taken a thousand in")
  }

  @Test func onlyWhatFollowsAtOnceCounts() throws {
    let link = LibraryLink()
    let connection = try open(link: link)
    try connection.execute("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2)")
    try merging(10) { try connection.transaction { try Self.insert(1...60, connection) } }
    #expect(owed(link) > 0)
    try connection.transaction { try Self.insert(61...100, connection) }
    #expect(owed(link) == 0, "nobody merges")
    try merging(10, new: 100) {
      try connection.transaction { try Self.insert(101...101, connection) }
      #expect(owed(link) > 1_000, "fifty were too many")
    }
    try merging(1_000) {
      try connection.transaction { try Self.insert(102...102, connection) }
      #expect(owed(link) == 0)
    }
    usleep(1_100_000)
    try merging(10, new: 100) {
      try connection.transaction { try Self.insert(103...103, connection) }
      #expect(owed(link) == 0)
    }
  }

  /// One that merges, for a test, as long as the body runs: of `worth` rows.
  private func merging<Result>(_ worth: Int, new: Int = 0, _ body: () throws -> Result) rethrows -> Result {
    try MergeBacklog.merging(path: database.path, index: "v", rows: (0, new), worth: worth, body)
  }

  private func open(
    mergesInBackground: Bool = false, link: LibraryLink = LibraryLink(), busyTimeout: Int32 = 10_000
  ) throws -> Connection {
    let connection = try Connection(path: database.path, busyTimeout: busyTimeout)
    let code = unsafe Extension.register(
      on: connection.handle, mergesInBackground: mergesInBackground, link: link)
    #expect(code == SQLITE_OK)
    return connection
  }

  /// Microseconds.
  private func owed(_ link: LibraryLink) -> Int { link.takeOwed().reduce(0) { $0 + $1.microseconds } }

  private static func insert(_ rows: ClosedRange<Int>, _ connection: Connection) throws {
    for row in rows { try connection.execute("INSERT INTO v(rowid, vector) VALUES (\(row), '[1, 2]')") }
  }

  @Test func rowsOfCommitsAreCounted() throws {
    let link = LibraryLink()
    let connection = try open(link: link)
    try connection.execute("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2)")
    try connection.transaction { try Self.insert(1...40, connection) }
    #expect(owed(link) == 0, "nobody merges")
    try merging(10) {
      try connection.transaction { try Self.insert(41...50, connection) }
      #expect(owed(link) == 0)
      try connection.transaction { try Self.insert(51...60, connection) }
      #expect((1...10_000).contains(owed(link)))
      try connection.execute("DELETE FROM v WHERE rowid <= 10")
      #expect((10_001...50_000).contains(owed(link)), "rows that go are changes, too")
      try connection.execute("INSERT INTO v(v) VALUES ('merge_after = 100')")
      #expect(owed(link) == 0, "a command is no row")
    }
    try connection.transaction { try Self.insert(61...100, connection) }
    #expect(owed(link) == 0, "the merge is over")
  }

  @Test func whatIsUndoneIsNotCounted() throws {
    let link = LibraryLink()
    let connection = try open(link: link)
    try connection.execute("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2)")
    try merging(10) {
      try connection.execute("BEGIN")
      try Self.insert(1...40, connection)
      try connection.execute("ROLLBACK")
      try connection.execute("BEGIN; INSERT INTO v(rowid, vector) VALUES (1, '[1, 2]'); SAVEPOINT one")
      try Self.insert(2...40, connection)
      try connection.execute("ROLLBACK TO one")
      try Self.insert(2...9, connection)
      try connection.execute("COMMIT")
      #expect(owed(link) == 0)
      try connection.execute("INSERT INTO v(rowid, vector) VALUES (10, '[1, 2]')")
      #expect(owed(link) == 0)
      try connection.transaction { try Self.insert(11...20, connection) }
      #expect((1...10_000).contains(owed(link)), "twenty have come, not more")
    }
  }

  @Test("Of two merges of one index that ends later which began later")
  func mergesMayOverlap() throws {
    let link = LibraryLink()
    let connection = try open(link: link)
    try connection.execute("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2)")
    let ended = Locked(false)
    let other = Locked<PlainThread?>(nil)
    merging(1_000) {
      let path = database.path
      let begun = Locked(false)
      let thread = PlainThread {
        MergeBacklog.merging(path: path, index: "v", rows: (0, 0), worth: 1) {
          begun.withLock { $0 = true }
          while !ended.withLock({ $0 }) { usleep(1_000) }
        }
      }
      other.withLock { $0 = thread }
      while !begun.withLock({ $0 }) { usleep(1_000) }
    }
    try connection.transaction { try Self.insert(1...10, connection) }
    #expect(owed(link) > 0)
    ended.withLock { $0 = true }
    other.withLock { $0 }?.join()
  }

  /// The commit of a thousand rows waits four seconds.
  @Test("Who waits has given back its locks", .timeLimit(.minutes(2)))
  func othersGoOn() throws {
    let connection = try open()
    try connection.execute("PRAGMA journal_mode = WAL")
    try connection.execute("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2)")
    let other = try open(busyTimeout: 0)
    let path = database.path
    let hasReturned = Locked(false)
    let failure = Locked<(any Error)?>(nil)
    try merging(1) {
      let writer = try #require(
        PlainThread {
          do { try Self.insertMany(path) } catch { failure.withLock { $0 = error } }
          hasReturned.withLock { $0 = true }
        })
      while try SQLSession.rows(other, "SELECT count(*) FROM v") == [[0]] {
        try Task.checkCancellation()
        if let error = failure.withLock({ $0 }) { throw error }
        usleep(1_000)
      }
      #expect(!hasReturned.withLock { $0 })
      try Self.insert(1_001...1_001, other)
      #expect(!hasReturned.withLock { $0 })
      writer.join()
    }
    #expect(try SQLSession.rows(other, "SELECT count(*) FROM v") == [[1_001]])
  }

  /// The commit of a thousand rows would wait four seconds.
  @Test("Who waits goes on when the merge has ended", .timeLimit(.minutes(2)))
  func waitsEndWithTheMerge() throws {
    let link = LibraryLink()
    let connection = try open(link: link)
    try connection.execute("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2)")
    let waits = try merging(1) {
      try connection.transaction { try Self.insert(1...1_000, connection) }
      let waits = link.takeOwed()
      #expect(waits.map(\.microseconds) == [4_000_000])
      #expect(waits.allSatisfy { (1...20_000).contains($0.next() ?? 0) })
      return waits
    }
    #expect(waits.allSatisfy { $0.next() == nil })
    merging(1) { #expect(waits.allSatisfy { $0.next() == nil }, "another merge is none of theirs") }
  }

  private static func insertMany(_ path: String) throws {
    let connection = try Connection(path: path, busyTimeout: 10_000)
    _ = unsafe Extension.register(on: connection.handle, mergesInBackground: true)
    try connection.transaction { try insert(1...1_000, connection) }
  }

  @Test("A merge that is four behind leaves the processor to nobody")
  func urgencyIsKnown() throws {
    let connection = try open()
    try connection.execute("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2)")
    try connection.transaction { try Self.insert(1...40, connection) }
    let store = try IndexStore.open(connection, schema: "main", table: "v")
    let few = MergePolicy(deltaRows: 11)
    let many = MergePolicy(deltaRows: 10)
    let plan = try #require(try store.prepareMerge(choosing: many))
    #expect(plan.isBehind(many) && !plan.isBehind(few))
  }
}
