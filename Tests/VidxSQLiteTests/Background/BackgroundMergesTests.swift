import CSQLite
import Foundation
import TestSupport
import Testing
import VidxIndexes

@testable import VidxSQLite

/// Merges that SQL does not ask for. Each test waits for what is bound to happen, and is ended by its time limit.
@Suite("Merges in the background", .timeLimit(.minutes(3)))
struct BackgroundMergesTests {
  private let database: TestDatabase
  private let vectors: [[Float]]

  init() throws {
    database = try TestDatabase()
    var random = SplitMix(seed: 5)
    vectors = (0..<600).map { _ in random.vector(Self.dimensions) }
  }

  private static let dimensions = 16
  private static let on = "INSERT INTO v(v) VALUES ('merge_after = 50'), ('maintenance = background')"

  /// As the extension is loaded into it.
  private func open(_ path: String? = nil, busyTimeout: Int32 = 10_000) throws -> Connection {
    let connection = try Connection(path: path ?? database.path, busyTimeout: busyTimeout)
    #expect(unsafe Extension.register(on: connection.handle, mergesInBackground: true) == SQLITE_OK)
    return connection
  }

  private func create(_ connection: Connection, name: String = "v", kind: String = "hnsw", _ settings: String? = on)
    throws
  {
    try connection.execute(
      "CREATE VIRTUAL TABLE \(name) USING vidx(dimensions = \(Self.dimensions), metric = l2, index = \(kind))")
    if let settings { try connection.execute(settings) }
  }

  private func insert(_ rows: Range<Int>, into table: String = "v", _ connection: Connection) throws {
    try connection.transaction {
      for row in rows { try insert(row, into: table, connection) }
    }
  }

  private func insert(_ row: Int, into table: String = "v", _ connection: Connection) throws {
    _ = try SQLSession.rows(
      connection, "INSERT INTO \(table)(rowid, vector) VALUES (?, ?)",
      [.integer(Int64(row + 1)), .vector(vectors[row % vectors.count])])
  }

  /// Rows of which a build takes seconds.
  private func insertMany(_ connection: Connection) throws {
    try connection.execute(
      """
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
      INSERT INTO v(rowid, vector) SELECT i, '[' || (i % 997) || ',' || (i % 89) || ',' || (i * 7919 % 10007) || ','
        || (i * 31 % 8209) || ',0,0,0,0,0,0,0,0,0,0,0,' || i || ']' FROM n
      """)
  }

  /// The database's files that this process has open.
  private func descriptors() throws -> [String] {
    #if os(Linux)
      let numbers = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
      // Of other tests' some are closed by now.
      let names = numbers.compactMap {
        try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
      }
      return names.filter { $0.hasPrefix(database.path) }
    #else
      return []
    #endif
  }

  private struct Report: Decodable {
    var running: Bool
    var stage: String?
    var merges: Int
    var error: String?
  }

  private func told(_ connection: Connection) throws -> Report {
    let cell = try #require(SQLSession.rows(connection, "SELECT vidx_maintenance()").first?.first)
    guard case .text(let text) = cell else { throw SQLSession.NotAnInteger(sql: "vidx_maintenance()", row: [cell]) }
    return try JSONDecoder().decode(Report.self, from: Data(text.utf8))
  }

  private func segments(_ connection: Connection, _ table: String = "v") throws -> [Int64] {
    try SQLSession.rows(connection, "SELECT entries FROM \(table)_segments ORDER BY entries").map { row in
      guard case .integer(let value) = row[0] else { throw SQLSession.NotAnInteger(sql: "", row: row) }
      return value
    }
  }

  private func until(_ condition: () throws -> Bool) throws {
    while try !condition() {
      try Task.checkCancellation()
      usleep(2_000)
    }
  }

  private func expectSound(_ connection: Connection, rows: Int) throws {
    #expect(try SQLSession.rows(connection, "SELECT count(*) FROM v") == [[.integer(Int64(rows))]])
    #expect(try IndexStore.open(connection, schema: "main", table: "v").integrityCheck(deep: true) == [])
  }

  private func nearest(_ query: [Float], among rows: Int) -> [SQLCell] {
    let scored = (0..<rows).map { row -> (distance: Double, id: Int64) in
      var sum = 0.0
      for (a, b) in zip(query, vectors[row]) { sum += Double(a - b) * Double(a - b) }
      return (sum, Int64(row + 1))
    }
    return scored.sorted { ($0.distance, $0.id) < ($1.distance, $1.id) }.prefix(5).map { SQLCell.integer($0.id) }
  }

  @Test(arguments: ["WAL", "DELETE"])
  func newRowsAreSettledWhileWritesGoOn(journal: String) throws {
    let connection = try open()
    try connection.execute("PRAGMA journal_mode = \(journal)")
    try create(connection)
    for start in stride(from: 0, to: 600, by: 20) {
      try insert(start..<start + 20, connection)
      let query = vectors[start]
      let found = try SQLSession.rows(
        connection, "SELECT rowid FROM v WHERE vector MATCH ? AND k = 5 AND exact = 1", [.vector(query)])
      #expect(found.map { $0[0] } == nearest(query, among: start + 20))
    }
    try until { try SQLSession.rows(connection, "SELECT count(*) < 50 FROM v_delta") == [[1]] }
    try until { try !told(connection).running }
    let report = try told(connection)
    #expect(report.merges > 0 && report.error == nil && report.stage == nil)
    #expect(try (1...4).contains(segments(connection).count))
    try expectSound(connection, rows: 600)
    // No reader was in the way of what the last merge has replaced.
    #expect(try database.segmentFiles().count == segments(connection).count)
  }

  @Test func isOffUntilItIsAskedFor() throws {
    let connection = try open()
    try create(connection, nil)
    try connection.execute("INSERT INTO v(v) VALUES ('merge_after = 50')")
    try insert(0..<600, connection)
    let before = try told(connection)
    #expect(!before.running && before.merges == 0)
    try connection.execute("INSERT INTO v(v) VALUES ('Maintenance = Background')")
    try until { try segments(connection) == [600] }
    for word in ["off", "auto"] {
      try connection.execute("INSERT INTO v(v) VALUES ('maintenance = \(word)')")
      #expect(try SQLSession.rows(connection, "SELECT * FROM v_config WHERE key = 'maintenance'") == [])
      try connection.execute("INSERT INTO v(v) VALUES ('maintenance = background')")
    }
  }

  @Test func theSettingIsKept() throws {
    do { try create(try open()) }
    let connection = try open()
    try insert(0..<100, connection)
    try until { try segments(connection) == [100] }
    // Of the index, not of a connection: the next to write to it merges.
    let other = try open()
    try insert(100..<200, other)
    try until { try segments(connection).reduce(0, +) == 200 }
    try until { try told(other).merges == 1 }
  }

  @Test func onlyWhatIsCommittedCounts() throws {
    let connection = try open()
    try create(connection)
    try until { try !told(connection).running }
    try connection.execute("BEGIN")
    for row in 0..<300 { try insert(row, connection) }
    let inside = try told(connection)
    #expect(!inside.running && inside.merges == 0)
    try connection.execute("ROLLBACK")
    let behind = try told(connection)
    #expect(!behind.running && behind.merges == 0)
    try insert(0..<300, connection)
    try until { try told(connection).merges == 1 }
    #expect(try segments(connection) == [300])
    try connection.execute("DELETE FROM v WHERE rowid <= 200")
    try until { try segments(connection) == [100] }
    try until { try !told(connection).running }
    try expectSound(connection, rows: 100)
  }

  @Test func readersKeepTheirState() throws {
    let connection = try open()
    try connection.execute("PRAGMA journal_mode = WAL")
    try create(connection)
    try insert(0..<100, connection)
    try until { try segments(connection) == [100] }
    let reader = try open()
    try reader.execute("BEGIN")
    #expect(try SQLSession.rows(reader, "SELECT count(*) FROM v") == [[100]])
    try insert(100..<400, connection)
    try until { try segments(connection) == [400] }
    try until { try !told(connection).running }
    let query = "SELECT rowid FROM v WHERE vector MATCH ? AND k = 5 AND exact = 1"
    let found = try SQLSession.rows(reader, query, [.vector(vectors[7])]).map { $0[0] }
    #expect(found == nearest(vectors[7], among: 100))
    #expect(try database.segmentFiles().count == 2)
    try reader.execute("COMMIT")
    // What it has kept goes with the next look.
    try connection.execute("INSERT INTO v(v) VALUES ('maintenance = background')")
    try until { try database.segmentFiles().count == 1 }
  }

  @Test func closingEndsIt() throws {
    do {
      let connection = try open()
      try create(connection, nil)
      try insertMany(connection)
      try connection.execute(Self.on)
      try until { try told(connection).stage != nil }
    }
    // The thread is gone by now, with its connection, and so is what it was building.
    #expect(try descriptors() == [])
    // What was inserted in bulk is there.
    #expect(try database.segmentFiles().count == 1)
    let connection = try Connection(path: database.path)
    #expect(try segments(connection) == [19_936])
    #expect(unsafe Extension.register(on: connection.handle) == SQLITE_OK)
    try expectSound(connection, rows: 20_000)
  }

  @Test func droppingTheIndexMeanwhileIsNoError() throws {
    let connection = try open()
    try create(connection, nil)
    try insertMany(connection)
    try connection.execute(Self.on)
    try until { try told(connection).stage != nil }
    try connection.execute("DROP TABLE v")
    try create(connection, nil)
    try until { try !told(connection).running }
    #expect(try segments(connection) == [])
    #expect(try database.segmentFiles() == [])
    try connection.execute("DROP TABLE v")
    let report = try told(connection)
    #expect(report.merges == 0 && report.error == nil, "\(report)")
  }

  @Test func waitsForAWriterThatTakesItsTime() throws {
    let (connection, writer) = (try open(), try open())
    try create(connection)
    try writer.execute(
      "BEGIN; INSERT INTO v(rowid, vector) SELECT 1, vector('[1\(String(repeating: ",0", count: 15))]')")
    try writer.execute("COMMIT")
    try until { try !told(connection).running && !told(writer).running }
    try connection.execute("PRAGMA journal_mode = WAL")
    try insert(1..<100, connection)
    try writer.execute("BEGIN IMMEDIATE")
    usleep(300_000)
    let merged = try told(connection).merges
    // It may have been quicker than the writer; if not, it has not given up.
    if merged == 0 { #expect(try told(connection).running) }
    try writer.execute("COMMIT")
    try until { try segments(connection).reduce(0, +) == 100 }
    #expect(try told(connection).error == nil)
  }

  @Test func whatKeepsItFromMergingIsTold() throws {
    let connection = try open()
    try create(connection)
    try insert(0..<100, connection)
    try until { try segments(connection) == [100] }
    try until { try !told(connection).running }
    for name in try database.segmentFiles() {
      try FileManager.default.removeItem(atPath: database.segments + "/" + name)
    }
    try create(
      connection, name: "w", "INSERT INTO w(w) VALUES ('merge_after = 50'), ('maintenance = background')")
    try until { try !told(connection).running }
    let other = try open()
    try insert(0..<100, into: "w", other)
    try until { try told(other).error != nil && !told(other).running }
    let report = try told(other)
    #expect(report.error?.contains("index v") == true && report.error?.contains(".seg") == true, "\(report)")
    // One index does not keep others from it.
    #expect(report.merges == 1)
    #expect(try segments(connection, "w") == [100])
    try connection.execute("DROP TABLE v")
    try insert(100..<200, into: "w", other)
    try until { try told(other).error == nil }
  }

  @Test func aWriteDoesNotFailForItsSettings() throws {
    let connection = try open()
    try create(connection, "INSERT INTO v(v) VALUES ('maintenance = background')")
    try connection.execute("UPDATE v_config SET value = 7 WHERE key = 'maintenance'")
    let other = try open()
    try insert(0..<3, other)
    #expect(try told(other).error?.contains("maintenance") == true)
    #expect(try SQLSession.rows(other, "SELECT count(*) FROM v") == [[3]])
  }

  @Test func ofSeveralConnectionsOneMerges() throws {
    let connections = try (0..<4).map { _ in try open() }
    try create(connections[0])
    for start in stride(from: 0, to: 600, by: 30) { try insert(start..<start + 30, connections[start / 30 % 4]) }
    try until { try SQLSession.rows(connections[0], "SELECT count(*) < 50 FROM v_delta") == [[1]] }
    try until { try connections.allSatisfy { try !told($0).running } }
    for connection in connections { #expect(try told(connection).error == nil) }
    try expectSound(connections[0], rows: 600)
  }

  /// While one merges, others ask; when it is done, they look.
  @Test func whoAskedMeanwhileLooksAfterwards() throws {
    let (first, second) = (try open(), try open())
    try create(first, nil)
    try insertMany(first)
    try first.execute(Self.on)
    try until { try told(first).stage != nil }
    try insert(50_000..<50_100, second)
    try until { try !told(second).running }
    #expect(try told(second).merges == 0 && told(first).running)
    try until { try told(second).merges == 1 }
    try until { try !told(first).running && !told(second).running }
    #expect(try segments(first) == [100, 20_000])
    #expect(try told(first).merges == 1 && told(first).error == nil && told(second).error == nil)
  }

  @Test func attachedDatabasesAreMergedWhereTheyAre() throws {
    let connection = try open()
    let path = database.folder + "/other.db"
    try connection.execute("ATTACH '\(path)' AS \"o'o\"")
    try connection.execute(
      "CREATE VIRTUAL TABLE \"o'o\".w USING vidx(dimensions = \(Self.dimensions), metric = l2, index = flat)")
    try connection.execute(
      "INSERT INTO \"o'o\".w(w) VALUES ('merge_after = 50'), ('maintenance = background')")
    try insert(0..<100, into: "\"o'o\".w", connection)
    try until { try segments(connection, "\"o'o\".w") == [100] }
    #expect(try database.segmentFiles() == [])
    try until { try told(connection).merges == 1 }
  }

  @Test func databasesWithoutAFileHaveNothingToMerge() throws {
    let connection = try open(":memory:")
    try create(connection)
    try insert(0..<200, connection)
    let report = try told(connection)
    #expect(!report.running && report.merges == 0 && report.error == nil)
  }

  /// Who opened the file so does not see the locks of another connection.
  @Test func whoLocksOtherwiseIsLeftAlone() throws {
    do { try create(try open()) }
    let connection = try Connection(
      path: "file:\(database.path)?nolock=1", flags: SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI)
    #expect(unsafe Extension.register(on: connection.handle, mergesInBackground: true) == SQLITE_OK)
    try insert(0..<200, connection)
    let report = try told(connection)
    #expect(!report.running && report.merges == 0 && report.error == nil)
  }

  @Test func whoKeepsTheFileToItselfIsLeftAlone() throws {
    let connection = try open()
    try connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    try create(connection)
    try insert(0..<200, connection)
    let report = try told(connection)
    #expect(!report.running && report.merges == 0 && report.error == nil)
    try connection.execute("PRAGMA locking_mode = NORMAL")
    try insert(200..<400, connection)
    try until { try segments(connection) == [400] }
  }

  @Test func isNoneOfThoseWhoDoItThemselves() throws {
    let connection = try Connection(path: database.path)
    #expect(unsafe Extension.register(on: connection.handle) == SQLITE_OK)
    try create(connection)
    try insert(0..<200, connection)
    #expect(try SQLSession.rows(connection, "SELECT vidx_maintenance()") == [[nil]])
    #expect(try segments(connection) == [])
  }
}
