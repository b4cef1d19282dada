import CSQLite
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

/// What ends a statement ends a search, too, in the middle of its work.
@Suite struct SearchStopTests {
  private static let rowCount = 20_000

  /// In memory nothing is ever settled: all is compared.
  private func fill(onDisk: Bool = false) throws -> SQLSession {
    let session = try SQLSession(onDisk: onDisk)
    try session.run(
      """
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 1, metric = l2, index = flat);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(Self.rowCount))
      INSERT INTO v(rowid, vector) SELECT i, '[' || i || ']' FROM n
      """)
    if onDisk { try session.run("INSERT INTO v(v) VALUES ('optimize')") }
    return session
  }

  /// Sees the statement by which a search finds out whether it is to end, and calls sqlite3_interrupt as if somebody
  /// did so at that very moment.
  private final class Probes {
    var count = 0
    var isEnding = false

    @unsafe func watch(_ database: OpaquePointer) {
      let code = unsafe sqlite3_trace_v2(
        database, UInt32(SQLITE_TRACE_STMT),
        { _, context, statement, text in
          guard let context = unsafe context, let text = unsafe text, let statement = unsafe statement else { return 0 }
          let sql = unsafe String(cString: text.assumingMemoryBound(to: CChar.self))
          if !sql.hasSuffix("SELECT 1") { return 0 }
          let probes = unsafe Unmanaged<Probes>.fromOpaque(context).takeUnretainedValue()
          probes.count += 1
          if probes.isEnding { unsafe sqlite3_interrupt(sqlite3_db_handle(OpaquePointer(statement))) }
          return 0
        }, Unmanaged.passUnretained(self).toOpaque())
      #expect(code == SQLITE_OK)
    }
  }

  @Test(
    arguments: [
      "vector MATCH '[5]' AND k = 3", "vector MATCH '[5]' AND exact = 1 ORDER BY distance",
      "vector MATCH '[5]' AND k = 3 AND after_distance = 1.0 AND after_rowid = 4",
      "vector MATCH '[5]' AND k = 3 AND rowid > 5",
    ], [false, true])
  func endsWithItsStatement(terms: String, onDisk: Bool) throws {
    let session = try fill(onDisk: onDisk)
    let search = "SELECT rowid FROM v WHERE \(terms)"
    let probes = Probes()
    unsafe probes.watch(session.connection.handle)
    let expected = try session.integers(search + " LIMIT 3")
    #expect(expected.count == 3)
    // Once in some thousand rows.
    #expect((1...5).contains(probes.count), "\(probes.count)")
    probes.isEnding = true
    let statement = try session.connection.prepare(search)
    let error = #expect(throws: SQLiteError.self) { _ = try statement.step() }
    #expect(error?.isInterrupt == true && error?.message == "interrupted", "\(String(describing: error))")
    probes.isEnding = false
    #expect(try session.integers(search + " LIMIT 3") == expected)
    withExtendedLifetime(probes) {}
  }

  @Test func endsWithTheWorkOfItsConnection() throws {
    let database = try TestDatabase()
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition(1, metric: .l2, kind: .flat))
    try store.add(Dictionary(uniqueKeysWithValues: (1...Int64(Self.rowCount)).map { ($0, [Float($0)]) }))
    let request = StoreRequest(query: [5], k: 3)
    let expected = try store.search(request).hits
    var asked = 0
    let error = #expect(throws: StoreError.self) {
      try connection.cancelling(when: {
        asked += 1
        return asked > 1
      }) { try store.search(request) }
    }
    #expect(error == .segment(index: "v", .stopped) && asked == 2)
    let batch = StoreBatch(queries: Array(repeating: [5], count: 9), k: 3, threads: 2)
    let other = #expect(throws: StoreError.self) {
      try connection.cancelling(when: { true }) { try store.search(batch) }
    }
    #expect(other == .segment(index: "v", .stopped))
    // A signal that came before a search began does not end it.
    connection.interrupt()
    #expect(try store.search(request).hits == expected)
    #expect(try store.search(batch).map(\.hits) == Array(repeating: expected, count: 9))
  }

  @Test func tellsOfItAsOfAnInterrupt() {
    let report = SQLiteReport(StoreError.segment(index: "v", .stopped), table: "v")
    #expect(report.code == SQLITE_INTERRUPT && report.message == "interrupted")
  }
}
