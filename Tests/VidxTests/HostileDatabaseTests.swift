import Foundation
import Testing
import VidxIndexes
import VidxSQLite

@testable import Vidx

/// Databases that come from somebody, in the library.
@Suite struct HostileDatabaseTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func session() throws -> Session { try Session(path: directory.file("t.db"), mode: .create) }

  /// Counts that add up to more than a number holds.
  @Test func countsOfTheManifestMayBeAnything() throws {
    let session = try session()
    _ = try session.build(
      "v", IndexOptions(dimensions: 8, metric: .l2), vectors: SampleVectors(count: 20), build: BuildOptions())
    _ = try session.query("SELECT count(*) FROM v")
    for (entries, bytes) in [(Int64.max, Int64.max), (.min, .min), (-1, -1)] {
      try session.execute("DELETE FROM v_segments WHERE id > 1")
      try session.execute("UPDATE v_segments SET entries = ?, bytes = ?", [.integer(entries), .integer(bytes)])
      try session.execute(
        "INSERT INTO v_segments SELECT id + 1, 'other-1.seg', entries, bytes FROM v_segments")
      let summary = try session.summary(of: "v")
      #expect(summary.segments.count == 2 && summary.segments.allSatisfy { $0.rows >= 0 && $0.bytes >= 0 })
      #expect(try !session.problems(of: "v").isEmpty)
    }
  }

  /// Names of indexes and tables that end a name in SQL and go on.
  @Test func namesAreNotSQL() throws {
    let session = try session()
    try session.execute("CREATE TABLE victim(a)")
    for mark in ["\"\u{301}", "'\u{301}", "'\u{200D}) ; DROP TABLE victim; --", "\" ; DROP TABLE victim; --"] {
      let (index, table) = ("i" + mark, "t" + mark)
      let name = "\"" + table.unicodeScalars.map { $0 == "\"" ? "\"\"" : String($0) }.joined() + "\""
      try session.execute("CREATE TABLE \(name)(id INTEGER PRIMARY KEY, e BLOB)")
      try session.execute("INSERT INTO \(name) VALUES (1, vector('[1,0]')), (2, vector('[0,1]'))")
      let rows = try session.build(
        index, column: "e", ofTable: table, metric: .l2, type: .flat, filterColumns: [], build: BuildOptions())
      #expect(rows == 2)
      #expect(try session.search(index, near: [1, 0], k: 1, filter: .where("id > 1")).hits.map(\.id) == [2])
      #expect(try session.rowLookup(for: index, columns: ["e"])?.values(of: 2)?.count == 1)
      try session.optimize(index)
      #expect(try session.problems(of: index) == [])
      try session.dropIndex(index)
    }
    #expect(try session.query("SELECT * FROM victim").isEmpty)
  }

  @Test func indexesWhoseNamesLookTheSame() throws {
    let session = try session()
    let names = ["caf\u{E9}", "cafe\u{301}"]
    for (name, count) in zip(names, [3, 5]) {
      let vectors = SampleVectors(count: count)
      _ = try session.build(name, IndexOptions(dimensions: 8, metric: .l2), vectors: vectors, build: BuildOptions())
    }
    for _ in 0..<2 {
      #expect(try names.map { try session.summary(of: $0).rows } == [3, 5])
      let query = [Float](repeating: 0, count: 8)
      #expect(try names.map { try session.search($0, near: query, k: 9).hits.count } == [3, 5])
    }
  }

  /// A condition from somebody reads, and does nothing else: not even while it is compiled.
  @Test(arguments: ["PRAGMA query_only = 0", "ATTACH 'other.db' AS other", "VACUUM INTO 'copy.db'", "BEGIN"])
  func filtersOnlyRead(text: String) throws {
    let session = try session()
    _ = try session.build(
      "v", IndexOptions(dimensions: 8, metric: .l2), vectors: SampleVectors(count: 20), build: BuildOptions())
    let reader = try Session(path: directory.file("t.db"), mode: .read)
    let error = #expect(throws: VidxError.self) {
      try reader.search("v", near: [Float](repeating: 0, count: 8), k: 1, filter: .idsFrom(text))
    }
    #expect(error?.code == .badCondition)
    #expect(try reader.query("PRAGMA query_only").map { $0.values } == [[.integer(1)]])
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).allSatisfy { $0.hasPrefix("t.db") })
  }
}
