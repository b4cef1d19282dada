import Foundation
import Testing

/// The extension in Python's sqlite3.
@Suite(.needsAPlainLibrary) struct PythonTests {
  private static let connect = """
    import sqlite3, struct
    def connect(path="test.db"):
      db = sqlite3.connect(path, isolation_level=None)
      db.enable_load_extension(True)
      db.load_extension(EXTENSION)
      db.enable_load_extension(False)
      return db
    def blob(*floats):
      return struct.pack("<%df" % len(floats), *floats)
    """

  private func run(_ script: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
    let outcome = try InstalledExtension().python("\(Self.connect)\n\(script)")
    #expect(outcome.status == 0, "\(outcome.errors)", sourceLocation: sourceLocation)
    return outcome.output
  }

  @Test func bindsBlobsAndReadsThemBack() throws {
    let output = try run(
      """
      db = connect()
      db.execute("CREATE VIRTUAL TABLE v USING vidx(dimensions=3)")
      db.execute("BEGIN")
      db.executemany("INSERT INTO v(rowid, vector) VALUES (?, ?)", [(i, blob(i, 1, 0)) for i in range(300)])
      db.execute("COMMIT")
      db.execute("INSERT INTO v(v) VALUES('optimize')")
      print([r[0] for r in db.execute("SELECT rowid FROM v WHERE vector MATCH ? AND k = ?", (blob(1, 1, 0), 3))])
      print(struct.unpack("<3f", db.execute("SELECT vector FROM v WHERE rowid = 0").fetchone()[0]))
      ids = ",".join(map(str, range(100, 200)))
      sql = f"SELECT rowid FROM v WHERE vector MATCH ? AND k = 1 AND rowid IN ({ids})"
      print(db.execute(sql, (blob(1, 1, 0),)).fetchone())
      db.close()
      """)
    #expect(output == "[1, 2, 3]\n(0.0, 1.0, 0.0)\n(100,)\n")
  }

  @Test func raisesItsErrors() throws {
    let output = try run(
      """
      db = connect(":memory:")
      db.execute("CREATE VIRTUAL TABLE v USING vidx(dimensions=3)")
      for sql, values in [("INSERT INTO v(rowid, vector) VALUES (1, ?)", (blob(1, 2),)),
          ("SELECT rowid FROM v WHERE vector MATCH ? AND k = -1", (blob(1, 2, 3),))]:
        try:
          db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
          print(type(error).__name__, error)
      db.execute("INSERT INTO v(rowid, vector) VALUES (1, ?)", (blob(1, 2, 3),))
      try:
        db.execute("INSERT INTO v(rowid, vector) VALUES (1, ?)", (blob(1, 2, 3),))
      except sqlite3.IntegrityError as error:
        print("IntegrityError", error)
      """)
    let lines = output.split(separator: "\n")
    #expect(lines.count == 3, "\(output)")
    #expect(lines.first?.hasPrefix("OperationalError vidx table v: row 1: expected 3 dimensions, not 2") ?? false)
    #expect(lines.dropFirst().first?.hasPrefix("OperationalError vidx table v: k must be between 0 and") ?? false)
    #expect(lines.last?.hasPrefix("IntegrityError vidx index v has a row 1 already") ?? false)
  }

  /// The library stays when a connection closes: its threads may still be there.
  @Test func connectionsComeAndGo() throws {
    let output = try run(
      """
      for i in range(30):
        db = connect()
        db.execute("CREATE VIRTUAL TABLE IF NOT EXISTS v USING vidx(dimensions=8, index=hnsw)")
        db.execute("BEGIN")
        for j in range(50):
          db.execute("INSERT INTO v(vector) VALUES (?)", (blob(*[(i * 50 + j) * (d + 3) % 17 for d in range(8)]),))
        db.execute("COMMIT")
        db.execute("INSERT INTO v(v) VALUES('optimize')")
        cursor = db.execute("SELECT rowid FROM v WHERE vector MATCH ? ORDER BY distance", (blob(*range(8)),))
        cursor.fetchone()
        # A statement that is not at its end, before or after its connection.
        if i % 2: cursor.close()
        db.close()
        del cursor
      print(connect().execute("SELECT count(*) FROM v").fetchone()[0])
      """)
    #expect(output == "1500\n")
  }

  @Test func threadsSearchOnConnectionsOfTheirOwn() throws {
    let output = try run(
      """
      import threading
      db = connect()
      db.execute("CREATE VIRTUAL TABLE v USING vidx(dimensions=4, metric=l2, index=flat)")
      db.execute("BEGIN")
      db.executemany("INSERT INTO v(rowid, vector) VALUES (?, ?)", [(i, blob(i, 0, 0, 0)) for i in range(1000)])
      db.execute("COMMIT")
      db.execute("INSERT INTO v(v) VALUES('optimize')")
      wrong = []
      def search(first):
        own = connect()
        for i in range(first, 1000, 37):
          found = own.execute("SELECT rowid FROM v WHERE vector MATCH ? AND k = 1", (blob(i, 0, 0, 0),)).fetchone()
          if found != (i,): wrong.append((i, found))
        own.close()
      threads = [threading.Thread(target=search, args=(i,)) for i in range(8)]
      for t in threads: t.start()
      for t in threads: t.join()
      print(wrong)
      """)
    #expect(output == "[]\n")
  }

  @Test func rollsBackWithTheTransaction() throws {
    let output = try run(
      """
      db = connect()
      db.isolation_level = ""
      db.execute("CREATE VIRTUAL TABLE v USING vidx(dimensions=2)")
      db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY)")
      db.commit()
      try:
        with db:
          db.execute("INSERT INTO t VALUES (1)")
          db.execute("INSERT INTO v(rowid, vector) VALUES (1, '[1,2]')")
          raise KeyError
      except KeyError:
        pass
      print(db.execute("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM v)").fetchone())
      with db:
        db.execute("INSERT INTO t VALUES (1)")
        db.execute("INSERT INTO v(rowid, vector) VALUES (1, '[1,2]')")
      print(connect().execute("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM v)").fetchone())
      """)
    #expect(output == "(0, 0)\n(1, 1)\n")
  }
}
