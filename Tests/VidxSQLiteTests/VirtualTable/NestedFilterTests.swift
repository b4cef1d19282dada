import CSQLite
import Foundation
import Testing
import VidxSQLite

/// Filters whose texts ask virtual tables.
@Suite("Filters that ask virtual tables") struct NestedFilterTests {
  private func make() throws -> SQLSession {
    let session = try SQLSession(onDisk: true)
    try session.run(
      """
      CREATE TABLE rows(id INTEGER PRIMARY KEY, e BLOB, a INTEGER);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
      INSERT INTO rows SELECT i, vector(json_array(i)), i % 10 FROM n;
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 1, metric = l2, index = flat, content = rows, column = e)
      """)
    return session
  }

  private let search = "SELECT rowid FROM v WHERE vector MATCH '[0]' AND k = 3 AND filter = ?"

  private func isCached(_ session: SQLSession) throws -> Bool? {
    let row = try #require(try session.rows("SELECT vidx_last_search()").first)
    guard case .text(let text) = row[0] else { return nil }
    let report = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
    return report?["filter_cached"] as? Bool
  }

  @Test("The rows of a filter are not kept where it runs another")
  func kept() throws {
    let session = try make()
    let inner = "SELECT rowid FROM v WHERE vector MATCH '[0]' AND k = 20"
    for (text, isKept) in [
      ("id IN (\(inner))", true), ("id IN (\(inner) AND filter = 'abs(random()) >= 0')", false),
      ("id IN (\(inner) AND v.filter IN ('1'))", false),
    ] {
      for _ in 0..<4 { #expect(try session.integers(search, .text(text)) == [1, 2, 3], "\(text)") }
      #expect(try isCached(session) == isKept, "\(text)")
    }
  }

  @Test("The rows of an open index's filter are not kept where it runs another")
  func readers() throws {
    let session = try make()
    let connection = try SQLSession.connect(#require(session.path))
    let store = try IndexStore.open(connection)
    let inner = "SELECT rowid FROM v WHERE vector MATCH '[0]' AND k = 20"
    #expect(try store.rowIDs(FilterText(.condition, "id IN (\(inner))")).isPure)
    #expect(try !store.rowIDs(FilterText(.condition, "id IN (\(inner) AND filter = 'abs(random()) >= 0')")).isPure)
  }

  @Test("A text that fails is run once")
  func failing() throws {
    final class Calls { var count = 0 }
    let session = try make()
    let calls = Calls()
    let context = unsafe Unmanaged.passUnretained(calls).toOpaque()
    unsafe _ = sqlite3_create_function_v2(
      session.connection.handle, "fails", 0, SQLITE_UTF8, context,
      { context, _, _ in
        guard let calls = unsafe sqlite3_user_data(context) else { return }
        unsafe Unmanaged<Calls>.fromOpaque(calls).takeUnretainedValue().count += 1
        unsafe sqlite3_result_error(context, "it fails", -1)
      }, nil, nil, nil)
    let nested = "id IN (SELECT rowid FROM v WHERE vector MATCH '[0]' AND k = 3 AND filter = 'fails() = 1')"
    for (i, text) in ["fails() = 1", nested].enumerated() {
      for round in 1...2 {
        #expect(try session.error(search, .text(text)).message.contains("it fails"))
        #expect(calls.count == 2 * i + round, "\(text)")
      }
    }
    withExtendedLifetime(calls) {}
  }

  @Test("A table of rows that has another name by now is found")
  func renamed() throws {
    let session = try make()
    for name in ["rows", "others"] {
      if name != "rows" { try session.run("ALTER TABLE rows RENAME TO \(name)") }
      for _ in 0..<3 { #expect(try session.integers(search, "a = 3") == [3, 13, 23]) }
    }
  }

  @Test("Virtual tables that reach beyond the database are refused")
  func refused() throws {
    let session = try make()
    try session.run(
      """
      CREATE VIEW sizes AS SELECT pageno FROM dbstat;
      CREATE VIEW leak AS \(search.replacing("?", with: "'SELECT pageno FROM dbstat'"))
      """)
    for sql in ["SELECT * FROM leak", search.replacing("?", with: "'id IN (SELECT pageno FROM DBSTAT)'")] {
      #expect(try session.error(sql).message.contains("the condition reads dbstat, a virtual table"), "\(sql)")
    }
    for text in ["id IN (SELECT value FROM json_each('[1, 2]'))", "id IN (SELECT cid FROM pragma_table_info('rows'))"] {
      #expect(try session.integers(search, .text(text)) == [1, 2], "\(text)")
    }
  }
}
