import CSQLite
import Testing
import VidxIndexes

@testable import VidxSQLite

/// Settings that are kept with an index: what they decide, and what goes before them.
struct MaintenanceSettingsTests {
  private let session: SQLSession

  init() throws {
    session = try SQLSession(onDisk: true)
    try session.run("CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2, index = flat)")
  }

  private func insert(_ rows: ClosedRange<Int>) throws {
    try session.run(
      """
      WITH RECURSIVE n(i) AS (SELECT \(rows.lowerBound) UNION ALL SELECT i + 1 FROM n WHERE i < \(rows.upperBound))
      INSERT INTO v(rowid, vector) SELECT i, '[' || i || ',' || (i * i % 31) || ']' FROM n
      """)
  }

  private func segments() throws -> [Int64] { try session.integers("SELECT entries FROM v_segments ORDER BY entries") }

  private func settings() throws -> [String: Int] {
    let store = try IndexStore.open(session.connection)
    return Dictionary(uniqueKeysWithValues: try store.maintenanceSettings().list.map { ($0.name, $0.value) })
  }

  @Test func sayWhenToMerge() throws {
    try session.run("INSERT INTO v(v) VALUES ('Merge_After = 5')")
    try insert(1...4)
    try session.run("INSERT INTO v(v) VALUES ('merge')")
    #expect(try segments() == [])
    try insert(5...5)
    try session.run("INSERT INTO v(v) VALUES ('merge')")
    #expect(try segments() == [5])
    // Said at the place itself.
    try insert(6...7)
    try session.run("INSERT INTO v(v) VALUES ('merge = 3')")
    #expect(try segments() == [5])
    try session.run("INSERT INTO v(v) VALUES ('merge = 2')")
    #expect(try segments() == [7])
    try session.run("INSERT INTO v(v) VALUES ('merge_after = auto')")
    try insert(8...30)
    try session.run("INSERT INTO v(v) VALUES ('merge')")
    #expect(try segments() == [7] && settings() == [:])
  }

  @Test func sayWhatBuildsMayTake() throws {
    let store = try IndexStore.open(session.connection)
    let bytes = store.buildMemory(threads: 1).bytes(rows: 1_300)
    try session.run("INSERT INTO v(v) VALUES ('memory = \(bytes / 1_024 + 1)K'), ('threads=1')")
    #expect(try settings() == ["memory": (bytes / 1_024 + 1) * 1_024, "threads": 1])
    try insert(1...2_600)
    try session.run("INSERT INTO v(v) VALUES ('optimize')")
    #expect(try segments() == [1_300, 1_300])
    try session.run("INSERT INTO v(v) VALUES ('rebuild')")
    #expect(try segments() == [1_300, 1_300])
    // What the caller says goes before it.
    try store.transaction { try store.optimize(options: BuildOptions(threads: 2, memory: 1 << 30)) }
    #expect(try segments() == [2_600])
    #expect(try store.completed(BuildOptions()).threads == 1)
    #expect(try store.completed(BuildOptions(threads: 3)).threads == 3)
  }

  @Test func areOfTheTransactionAndTheIndex() throws {
    try session.run("BEGIN; INSERT INTO v(v) VALUES ('threads = 2'); ROLLBACK")
    #expect(try settings() == [:])
    try session.run("INSERT INTO v(v) VALUES ('threads = 2')")
    try session.run("ALTER TABLE v RENAME TO w; ALTER TABLE w RENAME TO v")
    #expect(try settings() == ["threads": 2])
    try session.run(
      "DROP TABLE v; CREATE VIRTUAL TABLE v USING vidx(dimensions = 2, metric = l2, index = flat)")
    #expect(try settings() == [:])
  }

  @Test(arguments: [
    ("threads = 0", "threads cannot be '0': give a whole number from 1 to 1024, or auto"),
    ("threads = many", "threads cannot be 'many'"), ("merge_after = -1", "merge_after cannot be '-1'"),
    ("memory = 5", "memory cannot be '5': give a size from 16M on, such as 512M or 8G, or auto"),
    ("memory = 20M", "memory"), ("memory = 999999T", "memory cannot be '999999t'"),
    ("maintenance = on", "maintenance cannot be 'on': give background, or off"), ("maintenance = 1", "cannot be '1'"),
    ("thread = 2", "unknown command 'thread = 2' (did you mean 'threads"),
  ])
  func areRefused(_ command: String, _ message: String) throws {
    let error = try session.error("INSERT INTO v(v) VALUES ('\(command)')")
    #expect(error.message.contains(message), "\(error.message)")
    #expect(try settings() == [:])
  }

  @Test(arguments: ["4000000000", "'2'", "-1", "NULL", "1.5"])
  func areNotTakenForGranted(_ value: String) throws {
    try session.run("INSERT INTO v(v) VALUES ('threads = 2')")
    try session.run("UPDATE v_config SET value = \(value) WHERE key = 'threads'")
    try insert(1...3)
    let error = try session.error("INSERT INTO v(v) VALUES ('optimize')")
    #expect(error.code == SQLITE_CORRUPT && error.message.contains("threads"), "\(error.message)")
    let problems = try IndexStore.open(session.connection).integrityCheck()
    #expect(problems.count == 1 && problems[0].contains("(threads)"), "\(problems)")
    try session.run("INSERT INTO v(v) VALUES ('threads = auto')")
    try session.run("INSERT INTO v(v) VALUES ('optimize')")
    #expect(try segments() == [3])
  }
}
