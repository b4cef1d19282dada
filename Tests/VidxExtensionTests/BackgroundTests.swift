import Foundation
import Testing

/// What the extension does beside its host, which may close, fork or exit meanwhile.
@Suite("In the background of a host", .needsAPlainLibrary, .timeLimit(.minutes(5))) struct BackgroundTests {
  private static let host = """
    import json, os, random, signal, sqlite3, struct, time
    def connect(path="test.db"):
      db = sqlite3.connect(path, isolation_level=None, timeout=30)
      db.enable_load_extension(True)
      db.load_extension(EXTENSION)
      return db
    def create(db, mergeAfter=50):
      db.execute("CREATE VIRTUAL TABLE v USING vidx(dimensions=16, metric=l2)")
      db.execute(f"INSERT INTO v(v) VALUES('merge_after = {mergeAfter}')")
      db.execute("INSERT INTO v(v) VALUES('maintenance = background')")
    chance = random.Random(3)
    def insert(db, count):
      db.execute("BEGIN")
      for _ in range(count):
        vector = struct.pack("<16f", *[chance.random() for _ in range(16)])
        db.execute("INSERT INTO v(vector) VALUES (?)", (vector,))
      db.execute("COMMIT")
    def report(db):
      return json.loads(db.execute("SELECT vidx_maintenance()").fetchone()[0])
    def until(condition):
      while not condition():
        time.sleep(0.002)
    def segments(db):
      return [n for n, in db.execute("SELECT entries FROM v_segments")]
    def sound(db):
      db.execute("INSERT INTO v(v) VALUES('integrity-check')")
      return db.execute("SELECT count(*) FROM v").fetchone()[0]
    """

  private func run(
    _ script: String, in library: InstalledExtension, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> String {
    let outcome = try library.python("\(Self.host)\n\(script)")
    #expect(outcome.status == 0, "\(outcome.errors)", sourceLocation: sourceLocation)
    return outcome.output
  }

  @Test func newRowsAreSettledWithoutBeingAsked() throws {
    let output = try run(
      """
      db = connect()
      create(db)
      for _ in range(30):
        insert(db, 20)
      until(lambda: db.execute("SELECT count(*) < 50 FROM v_delta").fetchone()[0])
      until(lambda: not report(db)["running"])
      print(sound(db), report(db)["merges"] > 0, report(db)["error"])
      """, in: InstalledExtension())
    #expect(output == "600 True None\n")
  }

  /// A build of seconds is under way.
  @Test(arguments: [
    "db.close()", "pass", "os._exit(0)", "sys.exit(0)", "del db", "os.kill(os.getpid(), signal.SIGINT)",
  ])
  func endsWithItsHost(ending: String) throws {
    let library = try InstalledExtension()
    let output = try run(
      """
      db = connect()
      create(db)
      db.execute("INSERT INTO v(v) VALUES('maintenance = off')")
      until(lambda: not report(db)["running"])
      insert(db, 20000)
      db.execute("INSERT INTO v(v) VALUES('maintenance = background')")
      until(lambda: report(db)["stage"])
      print(segments(db), flush=True)
      try:
        \(ending)
      except KeyboardInterrupt:
        pass
      """, in: library)
    // What was inserted in bulk, over which nothing is built.
    #expect(output == "[19936]\n")
    let after = try run(
      """
      db = connect()
      print(segments(db), sound(db))
      insert(db, 1)
      until(lambda: sum(segments(db)) >= 20000)
      print(len(segments(db)))
      """, in: library)
    #expect(after == "[19936] 20000\n1\n")
  }

  /// A child must not find locks of SQLite's held by a thread that it does not have.
  @Test func childrenOfForksCanUseSQLite() throws {
    let output = try run(
      """
      db = connect()
      create(db, 2)
      statuses = set()
      for i in range(60):
        insert(db, 3)
        child = os.fork()
        if child == 0:
          signal.alarm(60)
          own = connect(f"{i}.db")
          create(own, 2)
          insert(own, 3)
          if i % 20 == 0:
            until(lambda: segments(own))
          own.close()
          os._exit(0)
        statuses.add(os.waitpid(child, 0)[1])
      until(lambda: db.execute("SELECT count(*) < 2 FROM v_delta").fetchone()[0])
      print(statuses, sound(db), report(db)["error"])
      """, in: InstalledExtension())
    #expect(output == "{0} 180 None\n")
  }

  /// The thread is not there any more in a child, which closes what it has inherited.
  @Test func aChildDoesNotWaitForTheThreadOfItsParent() throws {
    let output = try run(
      """
      db = connect()
      create(db)
      db.execute("INSERT INTO v(v) VALUES('maintenance = off')")
      insert(db, 20000)
      db.execute("INSERT INTO v(v) VALUES('maintenance = background')")
      until(lambda: report(db)["stage"])
      child = os.fork()
      if child == 0:
        signal.alarm(60)
        db.close()
        os._exit(0)
      print(os.waitpid(child, 0)[1])
      until(lambda: not report(db)["running"])
      print(segments(db), report(db)["merges"], report(db)["error"])
      """, in: InstalledExtension())
    #expect(output == "0\n[20000] 1 None\n")
  }
}
