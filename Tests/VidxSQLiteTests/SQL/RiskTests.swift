import CSQLite
import Testing
import VidxIndexes

@testable import VidxSQLite

/// What SQLite lets views and triggers of an untrusted schema call (https://www.sqlite.org/c3ref/c_deterministic.html).
@Suite struct RiskTests {
  // SQLITE_DETERMINISTIC, SQLITE_DIRECTONLY, SQLITE_INNOCUOUS.
  private static let (deterministic, direct, innocuous): (Int64, Int64, Int64) = (0x800, 0x80000, 0x200000)

  /// Functions of their arguments are harmless; what tells of the connection is kept from views and triggers.
  @Test func everyFunctionSaysWhatItIs() throws {
    let session = try SQLSession()
    let own = ScalarFunctions.all.map(\.name) + [SearchLogFunction.name]
    let list = own.map { quoted(literal: $0) }.joined(separator: ", ")
    let rows = try session.rows("SELECT DISTINCT name, flags FROM pragma_function_list WHERE name IN (\(list))")
    #expect(Set(rows.map { "\($0[0])" }) == Set(own.map { "'\($0)'" }))
    for row in rows {
      guard case .integer(let flags) = row[1] else { throw SQLSession.NotAnInteger(sql: "flags", row: row) }
      if [SearchLogFunction.name, MaintenanceFunction.name].contains(where: { row[0] == .text($0) }) {
        #expect(flags & Self.direct != 0 && flags & (Self.innocuous | Self.deterministic) == 0)
      } else {
        #expect(flags & Self.innocuous != 0 && flags & Self.deterministic != 0 && flags & Self.direct == 0, "\(row)")
      }
    }
  }

  @Test(arguments: ["vidx_last_search", "vidx_maintenance"])
  func viewsAndTriggersLearnNothingOfOtherSearches(function: String) throws {
    let session = try SQLSession()
    try session.run(
      """
      CREATE TABLE t(id INTEGER PRIMARY KEY, told TEXT);
      CREATE VIEW told AS SELECT \(function)() AS it;
      CREATE TRIGGER tells AFTER INSERT ON t BEGIN UPDATE t SET told = \(function)(); END
      """)
    #expect(try session.error("SELECT * FROM told").message.contains("unsafe use of \(function)"))
    #expect(try session.error("INSERT INTO t(id) VALUES (1)").message.contains("unsafe use of \(function)"))
    #expect(try session.column("SELECT \(function)()") == [.null])
  }

  /// On connections of ours nothing reaches beyond the database, whether a schema is trusted or not.
  @Test func noCodeIsLoaded() throws {
    let session = try SQLSession()
    #expect(try session.error("SELECT load_extension('x')").message == "not authorized")
    try session.run("CREATE VIEW loads AS SELECT load_extension('x'); CREATE VIEW sizes AS SELECT name FROM dbstat")
    #expect(try session.error("SELECT * FROM loads").message.contains("unsafe use of load_extension"))
    #expect(try session.error("SELECT * FROM sizes").message.contains("unsafe use of virtual table \"dbstat\""))
    #expect(try session.error("SELECT readfile('/etc/passwd')").message.contains("no such function"))
    #expect(try session.error("SELECT writefile('x', 'y')").message.contains("no such function"))
  }

  /// What limits of SQL are: each is refused with its numbers, before anything is allocated for it.
  @Test(
    arguments: [
      ("k = 9223372036854775807", "k must be between 0 and 2147483647"), ("k = -1", "k must be between"),
      ("k = 1 AND ef_search = 9223372036854775807", "ef_search must be between 1 and 100000"),
      ("k = 1 AND probes = 9223372036854775807", "probes must be between 1 and 65536"),
      ("k = 1 AND target_recall = 1e308", "target_recall must be above 0 and at most 1"),
      ("k = 1e300", "k must be a whole number"),
    ])
  func limitsOfASearch(terms: String, words: String) throws {
    let session = try SQLSession()
    try session.run("CREATE VIRTUAL TABLE v USING vidx(dimensions = 1); INSERT INTO v(vector) VALUES ('[1]')")
    let error = try session.error("SELECT rowid FROM v WHERE vector MATCH '[1]' AND \(terms)")
    #expect(error.message.contains(words), "\(error)")
    // The largest k allowed takes no more than there are rows.
    #expect(try session.integers("SELECT rowid FROM v WHERE vector MATCH '[1]' AND k = 2147483647") == [1])
  }
}
