import CSQLite
import Foundation
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

/// Which files a sweep takes, and which it leaves.
struct IndexStoreSweepTests {
  private func rows(_ ranges: ClosedRange<Int64>...) -> [Int64: [Float]] {
    ranges.reduce(into: [:]) { rows, range in
      rows.merge(IndexStoreTransactionTests.rows(range, seed: 1)) { _, new in new }
    }
  }

  @Test(arguments: ["DELETE", "WAL"])
  func mergedSegmentsGo(journalMode: String) throws {
    let database = try TestDatabase()
    let connection = try database.open()
    try connection.execute("PRAGMA journal_mode = \(journalMode)")
    let store = try IndexStore.make(connection, definition())
    let other = try IndexStore.make(connection, definition(), table: "other_index")
    try store.addSegment(rows(1...5))
    try store.addSegment(rows(6...9))
    try other.addSegment(rows(1...3))
    let old = try database.segmentFiles()
    #expect(old.count == 3)
    try store.optimizeOutsideTransaction(options: .serial)
    let new = try database.segmentFiles()
    #expect(new.count == 2)
    #expect(Set(new).intersection(old).allSatisfy { $0.hasPrefix("other_index-") })
    try expectAgreement(other, rows(1...3), seed: 1)
  }

  @Test func garbageGoesAndForeignFilesStay() throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition())
    try store.addSegment(rows(1...5))
    let named = try database.segmentFiles()
    let segment = try #require(named.first)
    try FileManager.default.copyItem(
      atPath: database.segments + "/" + segment, toPath: database.segments + "/v-crashed.seg")
    for name in ["v-half.seg.tmp", "notes.txt"] {
      #expect(FileManager.default.createFile(atPath: database.segments + "/" + name, contents: Data([1])))
    }
    let result = try store.sweep()
    #expect(Set(result.removed) == ["v-crashed.seg", "v-half.seg.tmp"])
    #expect(try database.segmentFiles() == (named + ["notes.txt"]).sorted())
  }

  @Test func aFileThatIsBeingPublishedStays() throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition())
    let published = try store.build(
      ArraySource(rowIDs: [1], vectors: [Float](repeating: 1, count: 8), dimensions: 8), options: .serial)
    try IndexStore.open(database.open()).sweep()
    #expect(try database.segmentFiles() == [published.fileName])
    try store.transaction { try store.adopt(published) }
    try IndexStore.open(database.open()).sweep()
    #expect(try database.segmentFiles() == [published.fileName])
    #expect(try store.rowCount() == 1)
  }

  @Test func aSweepInsideATransactionIsRefused() throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition())
    try store.connection.execute("BEGIN")
    #expect(throws: StoreError.insideTransaction(index: "v")) { try store.sweep() }
    try store.connection.execute("COMMIT")
  }

  private func optimize(_ store: IndexStore) throws {
    try store.transaction { try store.optimize(options: .serial) }
  }

  /// Inside statements, where nothing can be checkpointed, another connection shows that no reader needs a file.
  @Test(arguments: ["WAL", "DELETE"])
  func maintenanceInsideStatementsRemovesWhatWasReplaced(journalMode: String) throws {
    let database = try TestDatabase()
    let connection = try database.open()
    try connection.execute("PRAGMA journal_mode = \(journalMode)")
    let store = try IndexStore.make(connection, definition())
    try store.addSegment(rows(1...5))
    let first = try database.segmentFiles()
    try store.add(rows(6...9))
    try optimize(store)
    #expect(try database.segmentFiles().count == 2, "it was needed until the transaction had ended")
    try optimize(store)
    #expect(try database.segmentFiles().count == 1)
    #expect(try Set(database.segmentFiles()).isDisjoint(with: first))
    let retired = try connection.prepare("SELECT count(*) FROM v_config WHERE key LIKE 'retired:%'")
    #expect(try retired.step() && retired.int64(0) == 1)
    retired.reset()
    try store.add(rows(10...11))
    try optimize(store)
    #expect(try retired.step() && retired.int64(0) == 1, "a file that is gone is forgotten")
    retired.reset()

    try connection.execute("BEGIN")
    try store.add(rows(12...13))
    try store.optimize(options: .serial)
    let all = try database.segmentFiles()
    try store.optimize(options: .serial)
    #expect(try database.segmentFiles() == all, "the transaction that has replaced it may be rolled back")
    try connection.execute("ROLLBACK")
    store.rollback()
    try expectAgreement(IndexStore.open(connection), rows(1...5, 6...9, 10...11), seed: 1)
  }

  @Test func maintenanceInsideStatementsKeepsWhatAReaderMayNeed() throws {
    let database = try TestDatabase()
    let connection = try database.open()
    try connection.execute("PRAGMA journal_mode = WAL")
    let store = try IndexStore.make(connection, definition())
    try store.addSegment(rows(1...5))
    let reader = try database.open()
    try reader.execute("BEGIN; SELECT * FROM v_segments")
    try store.add(rows(6...9))
    try optimize(store)
    try connection.execute("UPDATE v_config SET value = value - 3601 WHERE key LIKE 'retired:%'")
    try optimize(store)
    #expect(try database.segmentFiles().count == 2, "however old it is")
    try expectAgreement(IndexStore.open(reader), rows(1...5), seed: 1)
    try reader.execute("COMMIT")
    try optimize(store)
    #expect(try database.segmentFiles().count == 1)
  }

  /// Where there can be no other connection, a file has to be old.
  @Test func maintenanceInsideStatementsRemovesWhatIsLongRetired() throws {
    let database = try TestDatabase()
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition())
    try store.addSegment(rows(1...5))
    try connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    try store.add(rows(6...9))
    try optimize(store)
    try store.optimize(options: .serial)
    #expect(try database.segmentFiles().count == 2, "retired a moment ago")
    try connection.execute("UPDATE v_config SET value = value - 3601 WHERE key LIKE 'retired:%'")
    try connection.execute("BEGIN")
    try store.optimize(options: .serial)
    #expect(try database.segmentFiles().count == 2, "the transaction may have retired it itself")
    try connection.execute("ROLLBACK")
    store.rollback()
    try store.optimize(options: .serial)
    #expect(try database.segmentFiles().count == 1)
    try expectAgreement(store, rows(1...5, 6...9), seed: 1)
  }

  /// An error says nothing about readers: the files stay for the next sweep, however old they are.
  @Test func anErrorOfTheOtherConnectionIsNoProof() throws {
    let database = try TestDatabase()
    let connection = try database.open()
    try connection.execute("PRAGMA journal_mode = WAL")
    let store = try IndexStore.make(connection, definition())
    try store.addSegment(rows(1...5))
    let reader = try database.open()
    try reader.execute("BEGIN; SELECT * FROM v_segments")
    try store.add(rows(6...9))
    try optimize(store)
    try connection.execute("UPDATE v_config SET value = value - 3601 WHERE key LIKE 'retired:%'")
    // For a moment it cannot be opened, as when there are no more descriptors.
    let hidden = database.path + ".hidden"
    try FileManager.default.moveItem(atPath: database.path, toPath: hidden)
    try store.optimize(options: .serial)
    try FileManager.default.moveItem(atPath: hidden, toPath: database.path)
    #expect(try database.segmentFiles().count == 2)
    try expectAgreement(IndexStore.open(reader), rows(1...5), seed: 1)
    try reader.execute("COMMIT")
    try store.optimize(options: .serial)
    #expect(try database.segmentFiles().count == 1)
    try expectAgreement(store, rows(1...5, 6...9), seed: 1)
  }

  /// An authorizer may let nobody ask how the file is locked: the other connection meets the lock, if there is one.
  @Test func sweepsUnderAnAuthorizerThatAllowsNoPragma() throws {
    let database = try TestDatabase()
    let connection = try database.open()
    try connection.execute("PRAGMA journal_mode = WAL")
    let store = try IndexStore.make(connection, definition())
    try store.addSegment(rows(1...5))
    unsafe sqlite3_set_authorizer(
      connection.handle, { _, action, _, _, _, _ in action == SQLITE_PRAGMA ? SQLITE_DENY : SQLITE_OK }, nil)
    defer { unsafe sqlite3_set_authorizer(connection.handle, nil, nil) }
    for last in 6...8 {
      try store.add(rows(Int64(last)...Int64(last)))
      try store.optimize(options: .serial)
    }
    // The latest, and the one before it, which goes with the next.
    #expect(try database.segmentFiles().count == 2)
  }

  /// Whoever asks the other connection at such a moment learns nothing.
  @Test func aLockOfAMomentIsNoProof() throws {
    let database = try TestDatabase()
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition())
    try store.addSegment(rows(1...5))
    try store.add(rows(6...9))
    try optimize(store)
    try connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    try connection.execute("UPDATE v_config SET value = value - 3601 WHERE key LIKE 'retired:%'")
    // The lock is kept until the next transaction ends, which is that of the reading statement.
    try connection.execute("PRAGMA locking_mode = NORMAL")
    let reading = try connection.prepare("SELECT * FROM v_config")
    #expect(try reading.step())
    #expect(throws: SQLiteError.self) { try database.open(busyTimeout: 0).execute("SELECT * FROM v_config") }
    try store.optimize(options: .serial)
    #expect(try database.segmentFiles().count == 2)
    reading.reset()
    try store.optimize(options: .serial)
    #expect(try database.segmentFiles().count == 1)
    try expectAgreement(store, rows(1...5, 6...9), seed: 1)
  }

  /// Another connection, opened by the name alone, would not see the host's locks: it would take the journal that the
  /// host is writing for one that a crash has left, and roll it back.
  @Test("The host's way of locking is not met with another", arguments: ["nolock=1", "vfs=unix-dotfile"])
  func otherLocks(parameter: String) throws {
    let database = try TestDatabase()
    let connection = try Connection(
      path: "file:\(database.path)?\(parameter)", flags: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI)
    try connection.execute("PRAGMA cache_size = 5; CREATE TABLE docs(id INTEGER PRIMARY KEY, text)")
    let store = try IndexStore.make(connection, definition())
    try store.addSegment(rows(1...5))
    try store.add(rows(6...9))
    try optimize(store)
    let files = try database.segmentFiles()
    #expect(files.count == 2)
    try connection.execute("BEGIN")
    try connection.execute(
      """
      WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3000)
      INSERT INTO docs SELECT i, hex(randomblob(200)) FROM c
      """)
    try store.optimize(options: .serial)
    try connection.execute("COMMIT")
    store.commit()
    #expect(try database.segmentFiles() == files, "nothing says that they are not needed")
    let check = try connection.prepare("PRAGMA integrity_check")
    #expect(try check.step() && check.text(0) == "ok")
    try expectAgreement(store, rows(1...5, 6...9), seed: 1)
  }

  @Test func theFilesOfADroppedIndexGo() throws {
    let database = try TestDatabase()
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition())
    try store.addSegment(rows(1...5))
    try connection.execute("BEGIN")
    try store.destroy()
    try connection.execute("ROLLBACK")
    try expectAgreement(IndexStore.open(connection), rows(1...5), seed: 1)
    try connection.transaction { try store.destroy() }
    #expect(throws: StoreError.noIndex(schema: "main", table: "v")) { try IndexStore.open(connection) }
    try IndexStore.sweep(connection, schema: "main")
    #expect(try database.segmentFiles() == [])
    let tables = try connection.prepare("SELECT count(*) FROM sqlite_master")
    #expect(try tables.step())
    #expect(tables.int64(0) == 0)
  }

  /// A name too many keeps a file, one too few loses it: whatever looks like a manifest counts.
  @Test func everythingLikeAManifestIsRead() throws {
    let database = try TestDatabase()
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition())
    try store.addSegment(rows(1...5))
    #expect(try IndexStore.namedFiles(connection, schema: "main") == Set(database.segmentFiles()))
    try connection.execute("CREATE TABLE \"odd _segments\"(file)")
    try connection.execute("INSERT INTO \"odd _segments\" VALUES ('x.seg')")
    try connection.execute("CREATE TABLE plain_segments(a)")
    #expect(try IndexStore.namedFiles(connection, schema: "main") == Set(database.segmentFiles() + ["x.seg"]))
  }
}
