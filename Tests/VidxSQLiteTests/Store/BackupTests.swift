import Foundation
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

@Suite("Backups")
struct BackupTests {
  let database: TestDatabase
  let connection: Connection
  let store: IndexStore
  var copy: String { database.folder + "/copy.db" }

  init() throws {
    database = try TestDatabase()
    connection = try database.open()
    try connection.execute("PRAGMA journal_mode = WAL")
    store = try IndexStore.make(connection, definition(4, metric: .l2, kind: .hnsw))
    // Of each kind: rows of two segments, one deleted, one in the delta.
    try store.addSegment([1: [1, 0, 0, 0], 2: [2, 0, 0, 0]])
    try store.addSegment([3: [3, 0, 0, 0], 4: [4, 0, 0, 0]])
    try store.transaction { _ = try store.delete(rowID: 2) }
    try store.add([9: [9, 0, 0, 0]])
  }

  private struct Stop: Error {}

  private func rows(of path: String) throws -> [Int64] {
    let store = try IndexStore.open(Connection(path: path))
    #expect(try store.integrityCheck(deep: true) == [])
    return try store.search(StoreRequest(query: [0, 0, 0, 0], k: 20, parameters: SearchParameters(exact: true))).hits
      .map(\.rowID)
  }

  private var left: [String] {
    get throws {
      try FileManager.default.subpathsOfDirectory(atPath: database.folder).filter { $0.hasPrefix("copy.db") }.sorted()
    }
  }

  @Test func holdsWhatTheDatabaseHolds() throws {
    let bytes = try Backup.write(connection, to: copy)
    let segments = try FileManager.default.contentsOfDirectory(atPath: copy + "-vidx").sorted()
    #expect(segments == (try database.segmentFiles()))
    #expect(bytes > 2 * 4096)
    #expect(try rows(of: copy) == [1, 3, 4, 9])
    // They are two databases.
    try store.add([5: [5, 0, 0, 0]])
    #expect(try rows(of: copy) == [1, 3, 4, 9])
    #expect(try rows(of: database.path) == [1, 3, 4, 5, 9])
  }

  @Test("Commits, merges and sweeps of others while it runs do not change it")
  func isOfOneState() throws {
    let other = try database.open()
    let writer = try IndexStore.open(other)
    var calls = 0
    try Backup.write(connection, to: copy) { progress in
      calls += 1
      #expect(progress.done <= progress.total)
      if calls == 1 {
        try writer.add([100: [7, 7, 7, 7]])
        try writer.optimizeOutsideTransaction(options: .serial)
      } else {
        try writer.add([Int64(100 + calls): [7, 7, 7, 7]])
      }
    }
    #expect(calls >= 3)
    #expect(try rows(of: copy) == [1, 3, 4, 9])
    #expect(try rows(of: database.path).count == 4 + calls)
  }

  @Test func leavesNothingWhenGivenUp() throws {
    for after in 1...3 {
      var calls = 0
      #expect(throws: Stop.self) {
        try Backup.write(connection, to: copy) { _ in
          calls += 1
          if calls == after { throw Stop() }
        }
      }
      #expect(try left == [])
    }
    try Backup.write(connection, to: copy)
    #expect(try rows(of: copy) == [1, 3, 4, 9])
  }

  @Test func replacesNothing() throws {
    try Backup.write(connection, to: copy)
    #expect(throws: BackupError.exists(path: copy)) { try Backup.write(connection, to: copy) }
    try FileManager.default.removeItem(atPath: copy)
    // A new database beside old segments would be a riddle.
    #expect(throws: BackupError.exists(path: copy + "-vidx")) { try Backup.write(connection, to: copy) }
    #expect(throws: BackupError.exists(path: database.path)) { try Backup.write(connection, to: database.path) }
    #expect(try rows(of: database.path) == [1, 3, 4, 9])
  }

  @Test("Of what is damaged there is no copy")
  func refusesDamage() throws {
    let name = try #require(try database.segmentFiles().last)
    let path = database.segments + "/" + name
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: URL(fileURLWithPath: path))
    #expect(throws: SegmentError.self) { try Backup.write(connection, to: copy) }
    #expect(try left == [])
  }

  /// A copy of what only its owner may read is for nobody else either.
  @Test func keepsPermissions() throws {
    let manager = FileManager.default
    try manager.setAttributes([.posixPermissions: 0o640], ofItemAtPath: database.path)
    try Backup.write(connection, to: copy)
    func permissions(_ path: String) throws -> Int? {
      try manager.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }
    #expect(try permissions(copy) == 0o640)
    #expect(try permissions(copy + "-vidx") == 0o750)
    for name in try manager.contentsOfDirectory(atPath: copy + "-vidx") {
      #expect(try permissions(copy + "-vidx/" + name) == 0o640)
    }
  }

  @Test("A database that somebody begins there meanwhile is not replaced", arguments: ["", "-wal"])
  func replacesNothingThatComesMeanwhile(suffix: String) throws {
    #expect(throws: BackupError.exists(path: copy + suffix)) {
      try Backup.write(connection, to: copy) { _ in
        try Data("theirs".utf8).write(to: URL(fileURLWithPath: copy + suffix))
      }
    }
    #expect(try left == ["copy.db" + suffix])
    #expect(try Data(contentsOf: URL(fileURLWithPath: copy + suffix)) == Data("theirs".utf8))
  }

  @Test func refusesATransaction() throws {
    #expect(throws: BackupError.insideTransaction) {
      try connection.transaction { _ = try Backup.write(connection, to: copy) }
    }
  }
}
