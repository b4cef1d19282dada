import CSQLite
import Foundation
import Testing
import VidxIndexes

@testable import VidxSQLite

/// Rows of transactions that insert many: kept in memory, and written as a segment.
@Suite("Inserts in bulk") struct BulkInsertTests {
  private static let dimensions = 256
  /// As many as make a segment: a MiB of vectors, behind those that are inserted one by one.
  private static let rows = 1_100

  private func session(_ kind: String = "hnsw", columns: String = "") throws -> SQLSession {
    let session = try SQLSession(onDisk: true)
    try session.run(
      "CREATE VIRTUAL TABLE v USING vidx(dimensions = \(Self.dimensions), metric = l2, index = \(kind)\(columns))")
    try session.run("CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT)")
    return session
  }

  private func vector(_ number: Int) -> [Float] {
    (0..<Self.dimensions).map { $0 == 0 ? Float(number) : Float((number &* 7919 &+ $0) % 13) / 64 }
  }

  private func insert(_ rows: some Sequence<Int>, into session: SQLSession, verb: String = "INSERT") throws {
    for row in rows {
      _ = try session.rows("\(verb) INTO v(rowid, vector) VALUES (?, ?)", .integer(Int64(row)), .vector(vector(row)))
    }
  }

  private func integer(_ connection: Connection, _ sql: String, _ parameters: SQLCell...) throws -> Int64? {
    guard case .integer(let value)? = try SQLSession.rows(connection, sql, parameters).first?.first else { return nil }
    return value
  }

  private func integer(_ session: SQLSession, _ sql: String) throws -> Int64? { try integer(session.connection, sql) }

  private func nearest(_ connection: Connection, to number: Int) throws -> Int64? {
    try integer(connection, "SELECT rowid FROM v WHERE vector MATCH ? AND k = 1", .vector(vector(number)))
  }

  private func nearest(_ session: SQLSession, to number: Int) throws -> Int64? {
    try nearest(session.connection, to: number)
  }

  private func another(_ session: SQLSession) throws -> Connection { try SQLSession.connect(session.path ?? "") }

  private func segments(_ session: SQLSession) throws -> Int64? {
    try integer(session, "SELECT count(*) FROM v_segments")
  }

  @Test("They are one segment and a few rows of the delta, and each is there", arguments: ["hnsw", "ivfflat", "flat"])
  func writesASegment(kind: String) throws {
    let session = try session(kind)
    let other = try another(session)
    try session.run("BEGIN")
    try insert(1...Self.rows, into: session)
    #expect(try segments(session) == 0)
    #expect(try integer(session, "SELECT count(*) FROM v_delta") == 64)
    try session.run("COMMIT")
    #expect(try segments(session) == 1)
    #expect(try integer(session, "SELECT count(*) FROM v_delta") == 64)
    for session in [session.connection, other] {
      #expect(try integer(session, "SELECT count(*) FROM v") == Int64(Self.rows))
      for row in [1, 64, 65, 500, Self.rows] { #expect(try nearest(session, to: row) == Int64(row)) }
    }
    try session.run("INSERT INTO v(v) VALUES ('integrity-check')")
    // They are built as rows of the delta are.
    try session.run("INSERT INTO v(v) VALUES ('merge = 1000')")
    #expect(try segments(session) == 1)
    #expect(try integer(session, "SELECT count(*) FROM v_delta") == (kind == "flat" ? 64 : 0))
    #expect(try nearest(other, to: 700) == 700)
    try session.run("INSERT INTO v(v) VALUES ('optimize')")
    #expect(try integer(session, "SELECT count(*) FROM v_delta") == 0)
    #expect(try nearest(other, to: 700) == 700)
  }

  @Test("Whoever reads in the transaction has them; nobody else has, before it ends")
  func areSeenByTheirTransaction() throws {
    let session = try session()
    let other = try another(session)
    try session.run("BEGIN")
    try insert(1...100, into: session)
    #expect(try integer(session, "SELECT count(*) FROM v") == 100)
    #expect(try nearest(session, to: 90) == 90)
    try insert(101...2_400, into: session)
    #expect(try nearest(session, to: 2_400) == 2_400)
    #expect(try integer(other, "SELECT count(*) FROM v") == 0)
    try insert(2_401...2_500, into: session)
    #expect(try integer(session, "SELECT max(rowid) FROM v WHERE rowid > 2000") == 2_500)
    try session.run("DELETE FROM v WHERE rowid IN (70, 2000, 2450)")
    try session.run("UPDATE v SET rowid = 9000 WHERE rowid = 2001")
    try session.run("COMMIT")
    for session in [session.connection, other] {
      #expect(try integer(session, "SELECT count(*) FROM v") == 2_497)
      #expect(try nearest(session, to: 2_001) == 9_000)
      #expect(try nearest(session, to: 2_450) != 2_450)
    }
    try session.run("INSERT INTO v(v) VALUES ('integrity-check')")
  }

  @Test func rollingBackLeavesNothing() throws {
    let session = try session()
    try insert([7], into: session)
    try session.run("BEGIN")
    try insert(100...(100 + Self.rows), into: session)
    #expect(try nearest(session, to: 500) == 500)
    #expect(try segments(session) == 1)
    try insert(5_000...5_200, into: session)
    try session.run("ROLLBACK")
    #expect(try integer(session, "SELECT count(*) FROM v") == 1)
    #expect(try segments(session) == 0)
    let files = try FileManager.default.contentsOfDirectory(atPath: (session.path ?? "") + "-vidx")
    #expect(files.filter { !$0.hasPrefix(".") && !$0.hasSuffix(".lock") } == [])
    try session.run("INSERT INTO v(v) VALUES ('integrity-check')")
  }

  @Test("Rows are as old as they were said to be when savepoints come between them")
  func savepoints() throws {
    let session = try session()
    try session.run("BEGIN")
    try insert(1...200, into: session)
    try session.run("SAVEPOINT a")
    try insert(201...400, into: session)
    try session.run("SAVEPOINT b")
    try insert(401...600, into: session)
    try session.run("ROLLBACK TO b")
    try insert(601...700, into: session)
    // Fails at its last row, which undoes the others of its statement and no more.
    #expect(throws: SQLiteError.self) {
      try session.run(
        """
        WITH RECURSIVE n(i) AS (SELECT 701 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
        INSERT INTO v(rowid, vector) SELECT CASE i WHEN 900 THEN 1 ELSE i END, vector FROM n, (SELECT vector FROM v WHERE rowid = 1)
        """)
    }
    #expect(try integer(session, "SELECT count(*) FROM v") == 500)
    try session.run("RELEASE a")
    try insert(901...1_000, into: session)
    try session.run("COMMIT")
    #expect(try integer(session, "SELECT count(*) FROM v") == 600)
    #expect(try integer(session, "SELECT count(*) FROM v WHERE rowid BETWEEN 401 AND 600") == 0)
    #expect(try integer(session, "SELECT count(*) FROM v WHERE rowid BETWEEN 701 AND 900") == 0)
    try session.run("BEGIN")
    try insert(2_001...2_200, into: session)
    try session.run("SAVEPOINT c")
    try insert(2_201...2_300, into: session)
    #expect(try nearest(session, to: 2_290) == 2_290)
    try session.run("ROLLBACK TO c")
    try session.run("COMMIT")
    #expect(try integer(session, "SELECT count(*) FROM v WHERE rowid > 2000") == 200)
  }

  @Test("A row id that is taken is refused, left or replaced, wherever its row is")
  func conflicts() throws {
    let session = try session()
    try insert(1...10, into: session)
    try session.run("BEGIN")
    try insert(1_001...1_200, into: session)
    for taken in [5, 1_001, 1_150] {
      let error = #expect(throws: SQLiteError.self) { try insert([taken], into: session) }
      #expect(error.map { $0.code & 0xFF } == SQLITE_CONSTRAINT)
      try insert([taken], into: session, verb: "INSERT OR IGNORE")
      try insert(2_000 + taken...2_100 + taken, into: session)
      _ = try session.rows(
        "INSERT OR REPLACE INTO v(rowid, vector) VALUES (?, ?)", .integer(Int64(taken)), .vector(vector(50_000 + taken))
      )
    }
    try session.run("COMMIT")
    #expect(try integer(session, "SELECT count(*) FROM v") == 10 + 200 + 303)
    for taken in [5, 1_001, 1_150] { #expect(try nearest(session, to: 50_000 + taken) == Int64(taken)) }
    try session.run("INSERT INTO v(v) VALUES ('integrity-check')")
  }

  @Test("Row ids go on from the highest, and SQLite's last one is the statement's")
  func rowIDs() throws {
    let session = try session()
    try session.run("BEGIN")
    try insert(-200 ... -101, into: session)
    for number in 0..<200 {
      _ = try session.rows("INSERT INTO v(vector) VALUES (?)", .vector(vector(number)))
      #expect(session.connection.lastInsertRowID == Int64(number + 1))
    }
    try insert([10_000], into: session)
    _ = try session.rows("INSERT INTO v(vector) VALUES (?)", .vector(vector(3)))
    #expect(session.connection.lastInsertRowID == 10_001)
    try session.run("INSERT INTO notes VALUES (77, 'of the host')")
    try session.run("COMMIT")
    #expect(session.connection.lastInsertRowID == 77)
    #expect(try integer(session, "SELECT count(*) FROM v WHERE rowid BETWEEN 1 AND 200") == 200)
    try session.run("BEGIN")
    try insert(20_000...20_100, into: session)
    _ = try session.rows("INSERT INTO v(rowid, vector) VALUES (9223372036854775807, ?)", .vector(vector(1)))
    // As for tables of SQLite's own, this undoes the transaction.
    let error = #expect(throws: SQLiteError.self) {
      _ = try session.rows("INSERT INTO v(vector) VALUES (?)", .vector(vector(2)))
    }
    #expect(error?.code == SQLITE_FULL)
    #expect(session.connection.isAutocommit)
    #expect(try integer(session, "SELECT count(*) FROM v WHERE rowid > 10001") == 0)
  }

  @Test func filterColumnsComeAlong() throws {
    let session = try session("hnsw", columns: ", filter tag, filter size")
    try session.run("BEGIN")
    for row in 1...Self.rows + 64 {
      _ = try session.rows(
        "INSERT INTO v(rowid, vector, tag, size) VALUES (?, ?, ?, ?)", .integer(Int64(row)), .vector(vector(row)),
        .text(row % 100 == 0 ? "rare" : "often"), .integer(Int64(row)))
    }
    try session.run("COMMIT")
    #expect(try segments(session) == 1)
    let found = try session.rows(
      "SELECT rowid FROM v WHERE vector MATCH ? AND k = 3 AND tag = 'rare' AND size > 250", .vector(vector(1)))
    #expect(found.map { $0[0] } == [.integer(300), .integer(400), .integer(500)])
  }

  @Test func renamingAndDroppingInTheirTransaction() throws {
    let session = try session()
    try session.run("BEGIN")
    try insert(1...100, into: session)
    try session.run("ALTER TABLE v RENAME TO w")
    try session.run("COMMIT")
    #expect(try integer(session, "SELECT count(*) FROM w") == 100)
    try session.run("BEGIN")
    _ = try session.rows("INSERT INTO w(rowid, vector) VALUES (500, ?)", .vector(vector(1)))
    try session.run("DROP TABLE w")
    try session.run("COMMIT")
    #expect(throws: SQLiteError.self) { try session.run("SELECT * FROM w") }
  }

  @Test("An error while they are written undoes the transaction, or keeps them")
  func errorsLoseNothing() throws {
    let session = try session()
    try insert([1], into: session)
    try session.run("BEGIN")
    try insert(100...400, into: session)
    try session.run("PRAGMA query_only = 1")
    #expect(throws: SQLiteError.self) { try nearest(session, to: 1) }
    try session.run("PRAGMA query_only = 0")
    #expect(try nearest(session, to: 350) == 350)
    try session.run("COMMIT")
    #expect(try integer(session, "SELECT count(*) FROM v") == 302)
  }

  @Test("SQLite may connect to the table anew in the middle of a transaction")
  func connectingAnewKeepsThem() throws {
    let session = try session()
    try session.run("BEGIN")
    try insert(1...300, into: session)
    try session.run("PRAGMA writable_schema = RESET")
    try session.run("EXPLAIN QUERY PLAN SELECT rowid FROM v WHERE rowid = 1")
    try insert([301], into: session)
    try session.run("PRAGMA writable_schema = RESET")
    try session.run("DELETE FROM v WHERE rowid = 5")
    try session.run("COMMIT")
    #expect(try integer(session, "SELECT count(*) FROM v") == 300)
    #expect(try nearest(session, to: 200) == 200)
  }

  /// Ends statements at one of SQLite's looks whether to go on.
  private final class Interruption {
    private var looksLeft: Int
    init(after looks: Int) { looksLeft = looks }

    func begin(_ connection: Connection) {
      unsafe sqlite3_progress_handler(
        connection.handle, 1,
        { context in
          guard let context = unsafe context else { return 0 }
          let own = unsafe Unmanaged<Interruption>.fromOpaque(context).takeUnretainedValue()
          own.looksLeft -= 1
          return own.looksLeft < 0 ? 1 : 0
        }, Unmanaged.passUnretained(self).toOpaque())
    }

    func end(_ connection: Connection) { unsafe sqlite3_progress_handler(connection.handle, 0, nil, nil) }
  }

  @Test("A search that is cancelled while it writes them leaves all of them, or none", arguments: [300, 1_300])
  func interruptions(rows: Int) throws {
    let session = try session()
    var (ended, broken) = (0, 0)
    for looks in stride(from: 0, to: rows == 300 ? 4_000 : 160, by: rows == 300 ? 113 : 3) {
      try session.run("BEGIN")
      try insert(1...rows, into: session)
      let interruption = Interruption(after: looks)
      interruption.begin(session.connection)
      do { _ = try nearest(session, to: 7) } catch { ended += 1 }
      interruption.end(session.connection)
      do {
        try session.run("COMMIT")
        #expect(try integer(session, "SELECT count(*) FROM v") == Int64(rows), "\(looks)")
      } catch {
        broken += 1
        if !session.connection.isAutocommit { try session.run("ROLLBACK") }
        #expect(try integer(session, "SELECT count(*) FROM v") == 0, "\(looks)")
      }
      try session.run("INSERT INTO v(v) VALUES ('integrity-check')")
      try session.run("DELETE FROM v")
    }
    #expect(ended > 10)
    #expect(broken > 0 && broken < ended)
  }

  @Test("What SQLite's last INSERT gave is the host's, whatever writes them")
  func lastRowIDs() throws {
    let session = try session()
    try session.run("BEGIN")
    for write in ["SELECT count(*) FROM (SELECT rowid FROM v LIMIT 1)", "SAVEPOINT s", "UPDATE notes SET text = ''"] {
      for rows in [100_000..<100_300, 200_000..<201_300] {
        try session.run("DELETE FROM v")
        try insert(rows, into: session)
        try session.run("INSERT OR REPLACE INTO notes VALUES (50, 'of the host')")
        _ = try session.rows(write)
        #expect(session.connection.lastInsertRowID == 50, "\(write)")
      }
    }
    try session.run("DELETE FROM v")
    try insert(1_001...2_300, into: session)
    try session.run("INSERT OR REPLACE INTO notes VALUES (51, 'of the host')")
    _ = try session.rows("INSERT INTO v(rowid, vector) SELECT last_insert_rowid(), ?", .vector(vector(51)))
    try session.run("COMMIT")
    #expect(try nearest(session, to: 51) == 51)
  }

  @Test("The file of an index that a savepoint brings back is not swept")
  func droppedAndBack() throws {
    let session = try session()
    try session.run("PRAGMA journal_mode = WAL")
    try session.run("BEGIN")
    try insert(1...Self.rows, into: session)
    try session.run("SAVEPOINT s")
    try session.run("DROP TABLE v")
    try session.run("ROLLBACK TO s")
    let other = try Connection(path: session.path ?? "", busyTimeout: 0)
    _ = try? IndexStore.sweep(other, schema: "main")
    try session.run("COMMIT")
    #expect(try integer(session, "SELECT count(*) FROM v") == Int64(Self.rows))
    #expect(try nearest(session, to: 900) == 900)
  }

  @Test func textsCount() {
    var rows = PendingRows(dimensions: 2, columnCount: 1, highestBeside: 0)
    rows.append(1, StoredRow(vector: [1, 2], values: [.text(Array(repeating: 97, count: 10_000))]))
    rows.append(2, StoredRow(vector: [1, 2], values: [.null]))
    #expect(rows.byteCount == 10_000 + 2 * (8 + 64))
  }
}
