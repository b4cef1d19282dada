import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

/// What one connection sees of its own changes, and another connection of them.
struct IndexStoreTransactionTests {
  static func rows(_ range: ClosedRange<Int64>, seed: UInt64) -> [Int64: [Float]] {
    var random = SplitMix(seed: seed)
    return Dictionary(uniqueKeysWithValues: range.map { ($0, random.vector(8)) })
  }

  /// The store is not told of the rollback, as another store on the same connection is not.
  @Test(arguments: [false, true])
  func aRollbackIsSeen(isTold: Bool) throws {
    let database = try TestDatabase()
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition())
    var rows = Self.rows(1...20, seed: 1)
    try store.addSegment(rows)
    let more = Self.rows(21...30, seed: 2)
    try store.add(more)
    rows.merge(more) { $1 }
    try expectAgreement(store, rows, seed: 1)

    try connection.execute("BEGIN")
    for (rowID, vector) in Self.rows(15...35, seed: 3).sorted(by: { $0.key < $1.key }) {
      try store.insert(rowID: rowID, vector: vector, onConflict: .replace)
    }
    try store.delete(rowID: 1)
    try store.delete(rowID: 22)
    var changed = rows
    changed.merge(Self.rows(15...35, seed: 3)) { $1 }
    changed[1] = nil
    changed[22] = nil
    try expectAgreement(store, changed, seed: 2, "inside the transaction")
    try connection.execute("ROLLBACK")
    if isTold { store.rollback() }
    try expectAgreement(store, rows, seed: 3, "rolled back")
    #expect(try store.integrityCheck() == [])
  }

  /// The stamps of a transaction that was rolled back are given again to other rows: no cache may mix them up.
  @Test func aStampIsGivenTwiceAfterARollback() throws {
    let database = try TestDatabase()
    let connection = try database.open()
    let other = try database.open()
    let store = try IndexStore.make(connection, definition())
    let writer = try IndexStore.open(other)
    let vectors = Self.rows(1...10, seed: 1)
    try store.add([1: try #require(vectors[1])])
    try connection.execute("BEGIN IMMEDIATE")
    try store.insert(rowID: 2, vector: #require(vectors[2]))
    try expectAgreement(store, vectors.filter { $0.key <= 2 }, seed: 1)
    try connection.execute("ROLLBACK")
    try writer.add([3: try #require(vectors[3])])
    try expectAgreement(store, vectors.filter { [1, 3].contains($0.key) }, seed: 2)
  }

  @Test(arguments: [false, true])
  func aSavepointIsUndone(isTold: Bool) throws {
    let database = try TestDatabase()
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition())
    var rows = Self.rows(1...20, seed: 1)
    try store.addSegment(rows)
    try connection.execute("BEGIN")
    try store.insert(rowID: 50, vector: [1, 2, 3, 4, 5, 6, 7, 8])
    rows[50] = [1, 2, 3, 4, 5, 6, 7, 8]
    try expectAgreement(store, rows, seed: 1)
    try connection.execute("SAVEPOINT a")
    try store.delete(rowID: 50)
    try store.delete(rowID: 3)
    try store.insert(rowID: 51, vector: [8, 7, 6, 5, 4, 3, 2, 1])
    try store.optimize(options: .serial)
    var inside = rows
    inside[50] = nil
    inside[3] = nil
    inside[51] = [8, 7, 6, 5, 4, 3, 2, 1]
    try expectAgreement(store, inside, seed: 2)
    try connection.execute("ROLLBACK TO a")
    if isTold { store.rollbackTo(0) }
    try expectAgreement(store, rows, seed: 3)
    try connection.execute("COMMIT")
    store.commit()
    try expectAgreement(store, rows, seed: 4)
    #expect(try store.integrityCheck() == [])
  }

  @Test(arguments: ["DELETE", "WAL"])
  func anotherConnectionSeesCommits(journalMode: String) throws {
    let database = try TestDatabase()
    let first = try database.open()
    try first.execute("PRAGMA journal_mode = \(journalMode)")
    let store = try IndexStore.make(first, definition())
    let reader = try IndexStore.open(database.open())
    var rows = Self.rows(1...20, seed: 1)
    try store.addSegment(rows)
    try expectAgreement(reader, rows, seed: 1, "a segment")
    let cached = try #require(reader.settled?.views.first?.index)
    for (rowID, vector) in Self.rows(21...40, seed: 2) {
      try store.add([rowID: vector])
      rows[rowID] = vector
    }
    try expectAgreement(reader, rows, seed: 2, "appended")
    let cache = try #require(reader.delta?.cache)
    try store.transaction { try store.insert(rowID: 25, vector: [Float](repeating: 1, count: 8), onConflict: .replace) }
    rows[25] = [Float](repeating: 1, count: 8)
    try expectAgreement(reader, rows, seed: 3, "replaced in the delta")
    #expect(reader.delta?.cache === cache, "rows that were added or replaced are read, no others")
    try store.transaction {
      try store.delete(rowID: 30)
      try store.delete(rowID: 5)
    }
    rows[30] = nil
    rows[5] = nil
    try expectAgreement(reader, rows, seed: 4, "deleted")
    #expect(reader.settled?.views.first?.index === cached, "the file stays open")
    try store.optimizeOutsideTransaction(options: .serial)
    try expectAgreement(reader, rows, seed: 5, "merged")
    #expect(reader.settled?.views.count == 1 && reader.delta?.cache.count == 0)
  }

  @Test func aReaderKeepsItsSnapshot() throws {
    let database = try TestDatabase()
    let first = try database.open()
    try first.execute("PRAGMA journal_mode = WAL")
    let store = try IndexStore.make(first, definition())
    let rows = Self.rows(1...20, seed: 1)
    try store.addSegment(rows)
    let second = try database.open()
    let reader = try IndexStore.open(second)
    try second.execute("BEGIN")
    // The snapshot begins with the first read of a table; no segment has been opened yet.
    #expect(try second.prepare("SELECT count(*) FROM v_segments").step())
    try store.add(Self.rows(21...25, seed: 2))
    try store.transaction { try store.delete(rowID: 1) }
    try store.optimizeOutsideTransaction(options: .serial)
    #expect(try database.segmentFiles().count == 2, "the old segment is kept for the reader")
    try expectAgreement(reader, rows, seed: 1, "the reader's snapshot")
    try second.execute("COMMIT")
    try store.sweep()
    #expect(try database.segmentFiles().count == 1)
    var later = rows.merging(Self.rows(21...25, seed: 2)) { $1 }
    later[1] = nil
    try expectAgreement(reader, later, seed: 2)
  }

  @Test func twoStoresOfOneConnectionAgree() throws {
    let database = try TestDatabase()
    let connection = try database.open()
    let a = try IndexStore.make(connection, definition())
    let b = try IndexStore.open(connection)
    var rows = Self.rows(1...10, seed: 1)
    try a.addSegment(rows)
    try expectAgreement(b, rows, seed: 1)
    try connection.execute("BEGIN")
    for i in Int64(11)...20 {
      let writer = i % 2 == 0 ? a : b
      rows[i] = [Float](repeating: Float(i), count: 7) + [1]
      try writer.insert(rowID: i, vector: #require(rows[i]))
      try writer.delete(rowID: i - 10)
      rows[i - 10] = nil
      try expectAgreement(a, rows, seed: UInt64(i))
      try expectAgreement(b, rows, seed: UInt64(i))
    }
    try connection.execute("COMMIT")
    a.commit()
    b.commit()
    try expectAgreement(b, rows, seed: 30)
  }

  @Test func segmentsOfARolledBackTransactionAreRemoved() throws {
    let database = try TestDatabase()
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition())
    try store.addSegment(Self.rows(1...20, seed: 1))
    let before = try database.segmentFiles()
    struct Doom: Error {}
    #expect(throws: Doom.self) {
      try store.transaction {
        try store.load(ArraySource(rowIDs: [99], vectors: [Float](repeating: 1, count: 8), dimensions: 8))
        #expect(try database.segmentFiles().count == 2)
        throw Doom()
      }
    }
    #expect(try database.segmentFiles() == before)
  }

  @Test func ownChangesGoIntoTheCache() throws {
    let database = try TestDatabase()
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition())
    let request = StoreRequest(query: [Float](repeating: 1, count: 8), k: 100)
    try store.add(Self.rows(1...20, seed: 1))
    #expect(try store.search(request).hits.count == 20)
    let cache = try #require(store.delta?.cache)
    try store.add(Self.rows(21...30, seed: 2))
    try store.transaction { try store.delete(rowID: 4) }
    #expect(try store.search(request).hits.count == 29)
    #expect(store.delta?.cache === cache)
  }
}
