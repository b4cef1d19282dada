import Synchronization
import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

/// Merges with other connections at work between the snapshot and the swap.
struct IndexStoreMergeTests {
  static let kinds = IndexKindCase.all

  /// Segment rows 1...60 in two segments, 41...60 in the younger; delta rows 61...80.
  private func prepared(
    _ database: TestDatabase, _ kind: IndexKindCase, mode: String = "WAL"
  ) throws -> (IndexStore, [Int64: [Float]]) {
    let connection = try database.open()
    try connection.execute("PRAGMA journal_mode = \(mode)")
    let store = try IndexStore.make(connection, definition(kind: kind.kind))
    let first = IndexStoreTransactionTests.rows(1...40, seed: 1)
    let second = IndexStoreTransactionTests.rows(41...60, seed: 2)
    let delta = IndexStoreTransactionTests.rows(61...80, seed: 3)
    try store.addSegment(first)
    try store.addSegment(second)
    try store.add(delta)
    return (store, first.merging(second) { $1 }.merging(delta) { $1 })
  }

  @Test(arguments: kinds)
  func changesMeanwhileAreCarriedOver(_ kind: IndexKindCase) throws {
    let database = try TestDatabase()
    var (store, rows) = try prepared(database, kind)
    try store.transaction { try store.delete(rowID: 7) }
    rows[7] = nil
    let writer = try IndexStore.open(database.open())
    let plan = try #require(try store.prepareMerge())
    #expect(plan.rowCount == rows.count)

    var random = SplitMix(seed: 11)
    let new = Dictionary(uniqueKeysWithValues: [2, 42, 62, 64, 90, 91].map { (Int64($0), random.vector(8)) })
    try writer.transaction {
      try writer.delete(rowID: 1)  // a row of the larger segment
      try writer.delete(rowID: 41)  // of the smaller
      try writer.delete(rowID: 61)  // of the delta
      try writer.update(rowID: 2, to: 2, vector: new[2])
      try writer.update(rowID: 42, to: 42, vector: new[42])
      try writer.update(rowID: 62, to: 62, vector: new[62])
      try writer.update(rowID: 63, to: 263)  // a row of the delta gets another row id
      try writer.update(rowID: 3, to: 203)  // and one of a segment
      try writer.delete(rowID: 64)
      try writer.insert(rowID: 64, vector: #require(new[64]))  // gone and there again
      try writer.insert(rowID: 90, vector: #require(new[90]))
      try writer.insert(rowID: 7, vector: #require(new[91]))  // dead in the snapshot, alive again
    }
    for rowID in [1, 41, 61] as [Int64] { rows[rowID] = nil }
    for rowID in [2, 42, 62, 64, 90] as [Int64] { rows[rowID] = new[rowID] }
    rows[263] = rows.removeValue(forKey: 63)
    rows[203] = rows.removeValue(forKey: 3)
    rows[7] = new[91]
    let loaded = IndexStoreTransactionTests.rows(300...310, seed: 5)
    try writer.addSegment(loaded)
    rows.merge(loaded) { $1 }

    let published = try store.buildMerge(plan, options: .serial)
    try expectAgreement(writer, rows, seed: 1, "before the swap")
    try store.transaction { try store.commitMerge(plan, published) }
    for segment in published { segment.release() }
    try expectAgreement(store, rows, seed: 2, "the one that merged")
    try expectAgreement(writer, rows, seed: 3, "the other one")
    #expect(try store.integrityCheck(deep: true) == [])
    #expect(store.settled?.views.count == 2, "the merged segment and the one that was loaded meanwhile")
    try store.optimizeOutsideTransaction(options: .serial)
    try expectAgreement(store, rows, seed: 4, "merged again")
    #expect(store.settled?.views.count == 1 && store.delta?.cache.count == 0)
    #expect(try database.segmentFiles().count == 1)
  }

  /// Rows 1...200 in a segment, 201...210 in another, 211...230 in the delta.
  private func ofThreeParts(_ database: TestDatabase, _ kind: IndexKindCase) throws -> (IndexStore, [Int64: [Float]]) {
    let connection = try database.open()
    try connection.execute("PRAGMA journal_mode = WAL")
    let store = try IndexStore.make(connection, definition(kind: kind.kind))
    let large = IndexStoreTransactionTests.rows(1...200, seed: 1)
    let small = IndexStoreTransactionTests.rows(201...210, seed: 2)
    let delta = IndexStoreTransactionTests.rows(211...230, seed: 3)
    try store.addSegment(large)
    try store.addSegment(small)
    try store.add(delta)
    return (store, large.merging(small) { $1 }.merging(delta) { $1 })
  }

  /// Another index under the same name begins to count its changes anew: what was merged of the old one is none of it.
  @Test(arguments: [8, 4])
  func anotherIndexOfTheNameIsNotMergedInto(dimensions: Int) throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition())
    try store.add(IndexStoreTransactionTests.rows(1...9, seed: 1))
    let plan = try #require(try store.prepareMerge())
    let published = try store.buildMerge(plan, options: .serial)

    let connection = try database.open()
    try connection.transaction {
      try IndexStore.open(connection).destroy()
      _ = try IndexStore.create(connection, schema: "main", table: "v", definition: definition(dimensions))
    }
    let other = try IndexStore.open(connection)
    let rows = [Int64(3): [Float](repeating: 1, count: dimensions), 4: [Float](repeating: 2, count: dimensions)]
    try other.add(rows)

    #expect(throws: StoreError.overtaken(index: "v")) {
      try store.transaction { try store.commitMerge(plan, published) }
    }
    for segment in published { segment.release() }
    try expectAgreement(other, rows, seed: 2)
    #expect(try other.integrityCheck(deep: true) == [])
    try other.sweep()
    #expect(try database.segmentFiles() == [])
  }

  /// Of two segments a policy merges the small one with the delta; changes of all three meanwhile, and of what is in
  /// none of them.
  @Test(arguments: kinds)
  func changesMeanwhileAreCarriedOverWhenAPartIsMerged(_ kind: IndexKindCase) throws {
    let database = try TestDatabase()
    let (store, all) = try ofThreeParts(database, kind)
    var rows = all
    try store.transaction {
      for rowID in [5, 201, 211] as [Int64] { try store.delete(rowID: rowID) }
    }
    for rowID in [5, 201, 211] as [Int64] { rows[rowID] = nil }
    let writer = try IndexStore.open(database.open())
    #expect(try store.prepareMerge(choosing: MergePolicy(deltaRows: 100)) == nil)
    let plan = try #require(try store.prepareMerge(choosing: MergePolicy(deltaRows: 10)))
    #expect(plan.parts.count == 1 && plan.rowCount == 9 + 19)

    var random = SplitMix(seed: 21)
    let new = Dictionary(uniqueKeysWithValues: [7, 203, 213, 5, 202, 300].map { (Int64($0), random.vector(8)) })
    try writer.transaction {
      for rowID in [6, 202, 212] as [Int64] { try writer.delete(rowID: rowID) }
      for rowID in [7, 203, 213] as [Int64] { try writer.update(rowID: rowID, to: rowID, vector: new[rowID]) }
      // Dead in the segment that stays, in the one that is merged, and never there.
      for rowID in [5, 202, 300] as [Int64] { try writer.insert(rowID: rowID, vector: #require(new[rowID])) }
    }
    for rowID in [6, 202, 212] as [Int64] { rows[rowID] = nil }
    rows.merge(new) { $1 }
    let published = try store.buildMerge(plan, options: .serial)
    try store.transaction { try store.commitMerge(plan, published) }
    for segment in published { segment.release() }
    try expectAgreement(store, rows, seed: 1, "the one that merged")
    try expectAgreement(writer, rows, seed: 2, "the other one")
    #expect(try store.integrityCheck(deep: true) == [])
    #expect(store.settled?.views.count == 2)
    #expect(try store.maintain(MergePolicy(deltaRows: 1), options: .serial))
    try expectAgreement(writer, rows, seed: 3, "merged again")
    #expect(try store.integrityCheck(deep: true) == [] && store.deltaCount() == 0)
  }

  /// While all is merged, another process merges what is new: what took longer is kept, and its copies of them are
  /// dead.
  @Test(arguments: kinds)
  func aMergeOfNewRowsDoesNotUndoALongerOne(_ kind: IndexKindCase) throws {
    let database = try TestDatabase()
    let (store, all) = try ofThreeParts(database, kind)
    var rows = all
    let other = try IndexStore.open(database.open())
    let plan = try #require(try store.prepareMerge())
    #expect(plan.parts.count == 2 && plan.isWhole)

    func change(_ seed: UInt64, deleting dead: [Int64], replacing others: [Int64]) throws {
      var random = SplitMix(seed: seed)
      try other.transaction {
        for rowID in dead { try other.delete(rowID: rowID) }
        for rowID in others {
          let vector = random.vector(8)
          try other.update(rowID: rowID, to: rowID, vector: vector)
          rows[rowID] = vector
        }
      }
      for rowID in dead { rows[rowID] = nil }
    }
    try change(4, deleting: [1, 201, 211], replacing: [2, 202, 212])
    #expect(try other.maintain(MergePolicy(deltaRows: 10), options: .serial))
    #expect(try other.deltaCount() == 0 && other.settled?.views.count == 2, "the small one and the delta are one now")
    try change(5, deleting: [3, 203, 213], replacing: [4, 2, 204, 214])

    let published = try store.buildMerge(plan, options: .serial)
    try store.transaction { try store.commitMerge(plan, published) }
    for segment in published { segment.release() }
    try expectAgreement(store, rows, seed: 1, "the one that merged")
    try expectAgreement(other, rows, seed: 2, "the other one")
    #expect(try store.integrityCheck(deep: true) == [])
    #expect(store.settled?.views.count == 2)
    try other.optimizeOutsideTransaction(options: .serial)
    try expectAgreement(store, rows, seed: 3, "merged again")
    #expect(try store.integrityCheck(deep: true) == [] && database.segmentFiles().count == 1)
  }

  /// Whoever asks for everything to be merged gets that, though another process is first.
  @Test func whatAnotherMergesFirstIsPlannedAgain() throws {
    let database = try TestDatabase()
    let (store, rows) = try prepared(database, .init(kind: .flat))
    let path = database.path
    let merges = Mutex(0)
    let options = BuildOptions(
      threads: 1,
      progress: { _ in
        let isFirst = merges.withLock { merges in
          merges += 1
          return merges == 1
        }
        guard isFirst else { return }
        #expect(throws: Never.self) {
          try IndexStore.open(Connection(path: path)).optimizeOutsideTransaction(options: .serial)
        }
      })
    try store.optimizeOutsideTransaction(options: options)
    #expect(merges.withLock { $0 } > 0)
    try expectAgreement(store, rows, seed: 1)
    #expect(try database.segmentFiles().count == 1 && store.integrityCheck() == [])
  }

  @Test func theLargestSegmentIsGrown() throws {
    let database = try TestDatabase()
    let (store, _) = try prepared(database, .init(kind: .hnsw))
    let plan = try #require(try store.prepareMerge())
    #expect(plan.base?.index.entryCount == 40)
    #expect(plan.source.rowIDs.sorted() == Array(41...80))
  }

  @Test func thereIsNothingToMergeTwice() throws {
    let database = try TestDatabase()
    let (store, _) = try prepared(database, .init(kind: .flat))
    try store.optimizeOutsideTransaction(options: .serial)
    let files = try database.segmentFiles()
    #expect(try store.prepareMerge() == nil)
    try store.optimizeOutsideTransaction(options: .serial)
    #expect(try database.segmentFiles() == files)
  }

  @Test func twoMergesOfTheSameSegmentsDoNotMix() throws {
    let database = try TestDatabase()
    let (store, rows) = try prepared(database, .init(kind: .flat))
    let other = try IndexStore.open(database.open())
    let plan = try #require(try store.prepareMerge())
    let published = try store.buildMerge(plan, options: .serial)
    try other.optimizeOutsideTransaction(options: .serial)
    #expect(throws: StoreError.overtaken(index: "v")) {
      try store.transaction { try store.commitMerge(plan, published) }
    }
    for segment in published { segment.release() }
    try expectAgreement(store, rows, seed: 1)
    try store.sweep()
    #expect(try database.segmentFiles().count == 1)
    #expect(try store.integrityCheck() == [])
  }

  /// A writer who changes all new rows while they are merged is no other merge.
  @Test func rowsThatAllChangeMeanwhileAreNoOtherMerge() throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition())
    try store.add(IndexStoreTransactionTests.rows(1...9, seed: 1))
    let plan = try #require(try store.prepareMerge())
    let published = try store.buildMerge(plan, options: .serial)
    let writer = try IndexStore.open(database.open())
    let rows = IndexStoreTransactionTests.rows(1...9, seed: 2)
    try writer.transaction {
      for (rowID, vector) in rows { try writer.update(rowID: rowID, to: rowID, vector: vector) }
    }
    try store.transaction { try store.commitMerge(plan, published) }
    for segment in published { segment.release() }
    try expectAgreement(store, rows, seed: 3)
    try store.optimizeOutsideTransaction(options: .serial)
    try expectAgreement(writer, rows, seed: 4)
    #expect(try store.integrityCheck(deep: true) == [] && database.segmentFiles().count == 1)
  }

  @Test func mergingTheLastRowAwayLeavesNoSegment() throws {
    let database = try TestDatabase()
    let (store, rows) = try prepared(database, .init(kind: .ivfflat))
    try store.transaction { for rowID in rows.keys { try store.delete(rowID: rowID) } }
    try store.optimizeOutsideTransaction(options: .serial)
    try expectAgreement(store, [:], seed: 1)
    #expect(try database.segmentFiles() == [])
  }

  @Test func aMergeInsideATransactionIsRefusedOutside() throws {
    let database = try TestDatabase()
    let (store, _) = try prepared(database, .init(kind: .flat))
    try store.connection.execute("BEGIN")
    #expect(throws: StoreError.insideTransaction(index: "v")) { try store.optimizeOutsideTransaction() }
    try store.connection.execute("ROLLBACK")
  }

  @Test func aCancelledMergeChangesNothing() throws {
    let database = try TestDatabase()
    let (store, rows) = try prepared(database, .init(kind: .hnsw))
    let before = try database.segmentFiles()
    #expect(throws: BuildError.cancelled) {
      try store.optimizeOutsideTransaction(options: BuildOptions(threads: 1, isCancelled: { true }))
    }
    #expect(try database.segmentFiles() == before)
    try expectAgreement(store, rows, seed: 1)
  }

  /// Someone else holds the write lock when the merge wants to swap, for longer than the busy timeout.
  @Test func aBusyDatabaseLeavesTheOldState() throws {
    let database = try TestDatabase()
    let (store, rows) = try prepared(database, .init(kind: .flat))
    let connection = try database.open(busyTimeout: 1)
    let impatient = try IndexStore.open(connection)
    try store.connection.execute("BEGIN IMMEDIATE")
    let error = #expect(throws: SQLiteError.self) { try impatient.optimizeOutsideTransaction(options: .serial) }
    #expect(error?.isBusy == true)
    try store.connection.execute("ROLLBACK")
    try expectAgreement(impatient, rows, seed: 1)
    try store.sweep()
    #expect(try database.segmentFiles().count == 2)
  }

  @Test(arguments: kinds)
  func rebuildKeepsTheRows(_ kind: IndexKindCase) throws {
    let database = try TestDatabase()
    var (store, rows) = try prepared(database, kind)
    try store.transaction { for rowID in Int64(1)...10 { try store.delete(rowID: rowID) } }
    for rowID in Int64(1)...10 { rows[rowID] = nil }
    try store.transaction { try store.rebuild(options: .serial) }
    try expectAgreement(store, rows, seed: 1)
    #expect(store.settled?.views.count == 1 && store.settled?.views.first?.hasTombstones == false)
  }
}

/// A kind of index as a test's argument.
struct IndexKindCase: Sendable, CustomTestStringConvertible {
  var kind: IndexKind
  var testDescription: String { kind.name }
  static let all = IndexKind.allCases.map(IndexKindCase.init)
}
