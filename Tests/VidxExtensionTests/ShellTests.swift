import Foundation
import Testing

/// The extension in the stock sqlite3 shell.
@Suite(.needsAPlainLibrary) struct ShellTests {
  @Test(arguments: ["libvidx.so", "vidx.so", "anything.so"])
  func loadsUnderAnyName(_ name: String) throws {
    let library = try InstalledExtension()
    let file = library.folder.appendingPathComponent(name)
    if file != library.file { try FileManager.default.copyItem(at: library.file, to: file) }
    let outcome = try HostProgram.run(
      HostProgram.shell, [":memory:"], input: ".load \(file.path)\nSELECT vidx_version() LIKE '%.%.%';",
      in: library.folder)
    #expect(outcome.output == "1\n", "\(outcome.errors)")
  }

  @Test(arguments: ["flat", "hnsw", "ivfflat"])
  func buildsSearchesAndFindsAgain(_ kind: String) throws {
    let library = try InstalledExtension()
    let built = try library.shell(
      """
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 3, metric = l2, index = \(kind));
      CREATE TABLE items(id INTEGER PRIMARY KEY, odd);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
        INSERT INTO v(rowid, vector) SELECT i, json_array(i, i % 7, 0) FROM n;
      INSERT INTO items SELECT rowid, rowid % 2 FROM v;
      INSERT INTO v(v) VALUES ('optimize');
      INSERT INTO v(v) VALUES ('integrity-check');
      INSERT INTO v(rowid, vector) VALUES (1000, '[250.5, 5, 0]');
      DELETE FROM v WHERE rowid = 250;
      """)
    #expect(built.status == 0 && built.output.isEmpty, "\(built.errors)")
    #expect(FileManager.default.fileExists(atPath: library.folder.appendingPathComponent("test.db-vidx").path))
    let found = try library.shell(
      """
      SELECT rowid, distance FROM v WHERE vector MATCH '[250.5, 5, 0]' AND k = 1 AND ef_search = 200 AND probes = 100;
      SELECT count(*), max(rowid % 2 = 0) FROM v WHERE vector MATCH '[250, 5, 0]' AND k = 9
        AND rowid IN (SELECT id FROM items WHERE odd);
      SELECT v.rowid FROM v JOIN items ON items.id = v.rowid WHERE vector MATCH '[9.1, 2, 0]' AND NOT odd
        ORDER BY distance LIMIT 1;
      SELECT count(*) FROM v;
      """)
    #expect(found.output == "1000|0.0\n9|0\n10\n500\n", "\(found.errors)")
    #expect(found.status == 0)
  }

  @Test func reportsErrorsAsTheShellDoes() throws {
    let library = try InstalledExtension()
    let outcome = try library.shell("CREATE VIRTUAL TABLE v USING vidx(dimensions = 3, metrik = l2);")
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("unknown option 'metrik' (did you mean 'metric'?)"), "\(outcome.errors)")
    let query = try library.shell(
      "CREATE VIRTUAL TABLE v USING vidx(dimensions = 3); SELECT * FROM v WHERE vector MATCH '[1]' AND k = 1;")
    #expect(query.errors.contains("expected 3 dimensions, not 1"), "\(query.errors)")
    #expect(query.status == 1)
  }

  /// SQLite's own defence: the tables of an index can be written through the index only.
  @Test func worksOnADefensiveConnection() throws {
    let outcome = try InstalledExtension().shell(
      """
      .dbconfig defensive on
      PRAGMA trusted_schema = OFF;
      CREATE TABLE t(id INTEGER PRIMARY KEY, e BLOB);
      CREATE VIRTUAL TABLE v USING vidx(dimensions = 1, metric = l2, index = flat, content = t, column = e);
      INSERT INTO t VALUES (1, vector('[1]')), (2, vector('[2]'));
      INSERT INTO v(v) VALUES ('optimize');
      DELETE FROM t WHERE id = 1;
      INSERT INTO v(v) VALUES ('rebuild');
      ALTER TABLE v RENAME TO w;
      SELECT rowid FROM w WHERE vector MATCH '[0]' AND k = 9;
      UPDATE w_segments SET file = 'x';
      """)
    #expect(outcome.output.hasSuffix("on\n2\n"), "\(outcome.output)")
    #expect(outcome.errors.contains("table w_segments may not be modified"), "\(outcome.errors)")
  }

  /// Two shells that write in turns, a third that reads meanwhile.
  @Test func processesShareADatabase() throws {
    let library = try InstalledExtension()
    _ = try library.shell("PRAGMA journal_mode = wal; CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2);")
    for i in 1...4 {
      let outcome = try library.shell(
        """
        INSERT INTO v(rowid, vector) VALUES (\(i), '[\(i),0]');
        \(i % 2 == 0 ? "INSERT INTO v(v) VALUES ('optimize');" : "")
        SELECT group_concat(rowid) FROM (SELECT rowid FROM v WHERE vector MATCH '[0,0]' AND k = 9);
        """)
      #expect(outcome.output == (1...i).map(String.init).joined(separator: ",") + "\n", "\(outcome.errors)")
    }
  }
}
