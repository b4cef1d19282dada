import Foundation
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

/// What a damaged index answers: an error that names the file, never rows that are wrong.
struct IndexStoreDamageTests {
  private func prepared(_ database: TestDatabase, rows: Int64 = 40) throws -> (Connection, String) {
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition())
    try store.addSegment(IndexStoreTransactionTests.rows(1...rows, seed: 1))
    return (connection, try #require(try database.segmentFiles().first))
  }

  private let request = StoreRequest(query: [1, 0, 0, 0, 0, 0, 0, 0], k: 3)

  @Test func aDatabaseMovedWithoutItsFolder() throws {
    let database = try TestDatabase()
    let (connection, file) = try prepared(database)
    try FileManager.default.removeItem(atPath: database.segments)
    let store = try IndexStore.open(connection)
    let path = database.segments + "/" + file
    let error = #expect(throws: StoreError.segment(index: "v", .notFound(path: path))) { try store.search(request) }
    #expect(error?.message.contains("move the folder") == true)
    // A rebuild has nothing to build from.
    #expect(error?.message.contains("otherwise drop it, make it again and write its rows again") == true)
    #expect(throws: StoreError.self) { try store.insert(rowID: 100, vector: request.query) }
    let problems = try store.integrityCheck()
    #expect(problems.count == 1 && problems[0].contains(path), "\(problems)")
  }

  /// One segment that cannot be read does not keep the others from telling what they hold.
  @Test func soundSegmentsAreListedBesideOneThatIsGone() throws {
    let database = try TestDatabase()
    let (connection, file) = try prepared(database)
    try IndexStore.open(connection).addSegment(IndexStoreTransactionTests.rows(41...60, seed: 2))
    let sound = try database.segmentFiles().filter { $0 != file }
    #expect(sound.count == 1)
    try FileManager.default.removeItem(atPath: database.segments + "/" + file)
    let listed = try IndexStore.open(connection).readableSegments()
    #expect(listed.map(\.file) == sound)
    #expect(listed.map(\.rows) == [20])
  }

  @Test func everyFlippedByteOfTheVectorsIsFound() throws {
    let database = try TestDatabase()
    let (_, file) = try prepared(database)
    let path = database.segments + "/" + file
    let sound = try Data(contentsOf: URL(fileURLWithPath: path))
    // One byte in each kilobyte: headers, sections, checksums, padding.
    for offset in stride(from: 100, to: sound.count, by: 1024) {
      var bytes = sound
      bytes[offset] ^= 0x10
      try FileManager.default.removeItem(atPath: path)
      try bytes.write(to: URL(fileURLWithPath: path))
      let store = try IndexStore.open(database.open())
      #expect(try !store.integrityCheck().isEmpty, "byte \(offset)")
    }
  }

  @Test func aFlippedByteIsRefusedBySearch() throws {
    let database = try TestDatabase()
    let (connection, file) = try prepared(database)
    try IndexStore.open(connection).add([99: request.query])
    let path = database.segments + "/" + file
    let opened = try SegmentFile(path: path)
    let vectors = try opened.section(.vectors, expecting: 40 * 16 * 4)
    let marker = unsafe Data(vectors.bytes.prefix(64))
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    let offset = try #require(bytes.range(of: marker)).lowerBound + 5
    bytes[offset] ^= 1
    try FileManager.default.removeItem(atPath: path)
    try bytes.write(to: URL(fileURLWithPath: path))

    let store = try IndexStore.open(database.open())
    let error = #expect(throws: StoreError.self) { try store.search(request) }
    guard case .segment(index: "v", .checksumMismatch(section: .vectors, block: 0, _, _, path: path)) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(throws: StoreError.self) { try store.optimizeOutsideTransaction(options: .serial) }
    #expect(try store.integrityCheck().contains { $0.contains(file) })
  }

  @Test func aSegmentOfAnotherIndexIsRefused() throws {
    let database = try TestDatabase()
    let (connection, file) = try prepared(database)
    let other = try IndexStore.make(connection, definition(9), table: "w")
    try connection.execute("INSERT INTO w_segments SELECT * FROM v_segments")
    let path = database.segments + "/" + file
    #expect(throws: StoreError.foreignSegment(index: "w", file: path, .dimensions)) { try other.rowCountAfresh() }
    let same = try IndexStore.make(connection, definition(), table: "x")
    try connection.execute("INSERT INTO x_segments SELECT id, file, entries + 1, bytes FROM v_segments")
    #expect(throws: StoreError.foreignSegment(index: "x", file: path, .entryCount)) { try same.rowCountAfresh() }
    #expect(try same.integrityCheck().count == 1)
  }

  @Test func aNameThatLeadsOutOfTheFolderIsRefused() throws {
    let database = try TestDatabase()
    let (connection, file) = try prepared(database)
    try connection.execute("UPDATE v_segments SET file = '../app.db-vidx/\(file)'")
    let store = try IndexStore.open(connection)
    #expect(throws: StoreError.segment(index: "v", .invalidFileName(name: "../app.db-vidx/\(file)"))) {
      try store.search(request)
    }
  }

  /// As BLOB and as TEXT the same name is two values to SQLite.
  @Test func aSegmentThatIsNamedTwice() throws {
    let database = try TestDatabase()
    let (connection, file) = try prepared(database)
    let store = try IndexStore.open(connection)
    #expect(try store.search(request).hits.count == 3)
    try connection.execute(
      """
      INSERT INTO v_segments SELECT id + 1, CAST(file AS BLOB), entries, bytes FROM v_segments;
      UPDATE v_config SET value = CAST(randomblob(24) || zeroblob(8) AS BLOB) WHERE key = 'revision'
      """)
    for store in [store, try IndexStore.open(connection)] {
      #expect(throws: StoreError.repeatedSegment(index: "v", file: file)) { try store.search(request) }
      #expect(try store.integrityCheck().count == 1)
    }
    try connection.execute("DELETE FROM v_segments WHERE typeof(file) = 'blob'")
    #expect(try IndexStore.open(connection).search(request).hits.count == 3)
  }

  /// A view may answer rows without end, a virtual table whatever its module likes.
  @Test(
    arguments: [
      "CREATE VIEW v_segments AS WITH c(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM c) SELECT id, 'a' AS file FROM c",
      "CREATE VIRTUAL TABLE v_segments USING fts5(id, file, entries, bytes)",
    ])
  func tablesOfOtherKindsAreNotRead(other: String) throws {
    let database = try TestDatabase()
    let (connection, _) = try prepared(database)
    try connection.execute("DROP TABLE v_segments; \(other)")
    #expect(throws: StoreError.noIndex(schema: "main", table: "v")) { try IndexStore.open(connection) }
    #expect(try IndexStore.namedFiles(connection, schema: "main") == [])
  }

  /// A counter at its end, which the next change would carry over it.
  @Test(arguments: ["ffffffffffffff7f", "0000000000000080", "ffffffffffffffff", "0000000000000040"])
  func aRevisionThatCannotBeCountedOn(stamp: String) throws {
    let database = try TestDatabase()
    let (connection, _) = try prepared(database)
    try connection.execute(
      "UPDATE v_config SET value = CAST(substr(value, 1, 24) || x'\(stamp)' AS BLOB) WHERE key = 'revision'")
    let store = try IndexStore.open(connection)
    let damage = StoreError.damagedDefinition(index: "v", key: "revision")
    #expect(throws: damage) { try store.insert(rowID: 100, vector: request.query) }
    #expect(throws: damage) { try store.integrityCheck() }
  }

  @Test(arguments: ["9223372036854775807", "-1", "'x'"])
  func aNewRowOfNoChange(stamp: String) throws {
    let database = try TestDatabase()
    let (connection, _) = try prepared(database)
    let store = try IndexStore.open(connection)
    try store.add([90: [Float](repeating: 1, count: 8)])
    try connection.execute("UPDATE v_delta SET stamp = \(stamp)")
    let problems = try store.integrityCheck()
    #expect(problems.count == 1 && problems[0].contains("row 90"), "\(problems)")
  }

  @Test func aTombstoneOutsideItsSegment() throws {
    let database = try TestDatabase()
    let (connection, file) = try prepared(database)
    try connection.execute("INSERT INTO v_tombstones VALUES (1, 40)")
    let store = try IndexStore.open(connection)
    #expect(throws: StoreError.damagedTombstone(index: "v", file: file, entry: 40)) { try store.search(request) }
    #expect(try store.integrityCheck().count == 1)
    try connection.execute("UPDATE v_tombstones SET segment = 7, entry = 0")
    #expect(throws: StoreError.self) { try IndexStore.open(connection).search(request) }
    #expect(try store.integrityCheck().count == 1)
  }

  @Test func aRowThatLivesTwice() throws {
    let database = try TestDatabase()
    let (connection, _) = try prepared(database)
    let store = try IndexStore.open(connection)
    try store.add([90: [Float](repeating: 1, count: 8)])
    try connection.execute("UPDATE v_delta SET id = 7")
    let problems = try store.integrityCheck()
    #expect(problems.count == 1 && problems[0].contains("row 7 ") && problems[0].contains("the delta"), "\(problems)")
  }

  @Test(arguments: ["x'00'", "zeroblob(31)", "x'0000c07f' || zeroblob(28)", "'text'"])
  func aDamagedRowOfTheDelta(blob: String) throws {
    let database = try TestDatabase()
    let (connection, _) = try prepared(database)
    let store = try IndexStore.open(connection)
    try store.add([90: [Float](repeating: 1, count: 8)])
    try connection.execute("UPDATE v_delta SET vector = CAST(\(blob) AS BLOB)")
    #expect(throws: StoreError.damagedDelta(index: "v", rowID: 90)) { try IndexStore.open(connection).search(request) }
    #expect(try store.integrityCheck().count == 1)
  }

  @Test func aNewerSchemaIsRefused() throws {
    let database = try TestDatabase()
    let (connection, _) = try prepared(database)
    try connection.execute("UPDATE v_config SET value = 4 WHERE key = 'version'")
    let error = #expect(throws: StoreError.newerSchema(index: "v", found: 4, supported: 3)) {
      try IndexStore.open(connection)
    }
    #expect(error?.message.contains("4") == true && error?.message.contains("3") == true)
  }

  @Test(
    arguments: [
      ("dimensions", "0"), ("dimensions", "'many'"), ("metric", "'hamming'"), ("index", "NULL"), ("m", "1"),
      ("version", "0"), ("ef_construction", "-1"), ("lists", "1e9"), ("seed", "'x'"),
    ])
  func aDamagedDefinitionIsRefused(key: String, value: String) throws {
    let database = try TestDatabase()
    let (connection, _) = try prepared(database)
    try connection.execute("UPDATE v_config SET value = \(value) WHERE key = '\(key)'")
    #expect(throws: StoreError.damagedDefinition(index: "v", key: key)) { try IndexStore.open(connection) }
    try connection.execute("DELETE FROM v_config WHERE key = '\(key)'")
    #expect(throws: StoreError.damagedDefinition(index: "v", key: key)) { try IndexStore.open(connection) }
  }

  @Test(arguments: ["x''", "zeroblob(31)", "NULL", "5"])
  func aDamagedRevisionIsRefused(value: String) throws {
    let database = try TestDatabase()
    let (connection, _) = try prepared(database)
    try connection.execute("UPDATE v_config SET value = \(value) WHERE key = 'revision'")
    let store = try IndexStore.open(connection)
    #expect(throws: StoreError.damagedDefinition(index: "v", key: "revision")) { try store.search(request) }
    #expect(throws: StoreError.damagedDefinition(index: "v", key: "revision")) {
      try store.insert(rowID: 1, vector: request.query)
    }
  }

  /// A disk that fills up under the database while the merge swaps.
  @Test func aFullDatabaseLeavesTheOldState() throws {
    let database = try TestDatabase()
    let (connection, _) = try prepared(database, rows: 40)
    let store = try IndexStore.open(connection)
    var rows = IndexStoreTransactionTests.rows(1...40, seed: 1)
    try store.transaction { try store.delete(rowID: 1) }
    rows[1] = nil
    let pages = try connection.prepare("PRAGMA page_count")
    #expect(try pages.step())
    try connection.execute("PRAGMA max_page_count = \(pages.int64(0))")
    pages.reset()
    let error = #expect(throws: SQLiteError.self) {
      try store.transaction {
        for rowID in Int64(100)...400 { try store.insert(rowID: rowID, vector: request.query) }
      }
    }
    #expect(error?.description.contains("disk space") == true)
    try expectAgreement(store, rows, seed: 1)
    #expect(try store.integrityCheck() == [])
  }

  /// A folder that cannot be written stands for a full disk: the build fails, the index stays.
  @Test func aBuildThatFailsLeavesTheOldState() throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition())
    try store.add(IndexStoreTransactionTests.rows(1...9, seed: 1))
    #expect(FileManager.default.createFile(atPath: database.segments, contents: Data()))
    #expect(throws: StoreError.self) { try store.optimizeOutsideTransaction(options: .serial) }
    try expectAgreement(store, IndexStoreTransactionTests.rows(1...9, seed: 1), seed: 1)
  }
}

extension IndexStore {
  /// Counts with no cache, whatever was changed behind the store's back.
  fileprivate func rowCountAfresh() throws -> Int {
    forgetCaches()
    return try rowCount()
  }
}
