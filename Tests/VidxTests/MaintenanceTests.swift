import Foundation
import Testing

@testable import Vidx

@Suite("Maintenance without being asked")
struct MaintenanceTests {
  let directory: TemporaryDirectory
  let sample = SampleVectors(count: 600)

  init() throws { directory = try TemporaryDirectory() }

  private func database(_ maintenance: Maintenance) async throws -> VectorDatabase {
    let database = try await VectorDatabase(path: directory.file("app.db"), maintenance: maintenance)
    try await database.createIndex("v", options: IndexOptions(dimensions: 8, metric: .l2))
    return database
  }

  private func insert(_ rows: Range<Int>, _ database: VectorDatabase) async throws {
    let vectors = sample.vectors
    try await database.transaction { transaction in
      for row in rows { try transaction.insert(vectors[row], id: Int64(row + 1), into: "v") }
    }
  }

  /// Waits for what is bound to happen; a test that waits in vain is ended by its time limit.
  private func until(_ condition: () async throws -> Bool) async throws {
    while try await !condition() { try await Task.sleep(for: .milliseconds(5)) }
  }

  @Test(.timeLimit(.minutes(2)))
  func newRowsAreSettledWhileWritesGoOn() async throws {
    let database = try await database(.automatic(mergeAfter: 50))
    for start in stride(from: 0, to: 600, by: 20) {
      try await insert(start..<start + 20, database)
      let found = try await database.index("v").search(near: sample.vectors[start], k: 1)
      #expect(found.hits.map(\.id) == [Int64(start + 1)])
    }
    try await until { try await database.index("v").summary().deltaRows < 50 }
    let summary = try await database.index("v").summary()
    #expect(summary.rows == 600)
    #expect(!summary.segments.isEmpty && summary.segments.count <= 4)
    try await until { database.maintenanceReport.merges > 0 }
    #expect(database.maintenanceReport.lastError == nil)
    #expect(try await database.check() == [])
    let nearest = try await database.index("v").search(
      near: sample.vectors[5], k: 10, settings: SearchSettings(exact: true))
    #expect(nearest.hits.map(\.id) == sample.nearest(to: sample.vectors[5], k: 10))
  }

  @Test("What an index has set decides, unless the library is told", .timeLimit(.minutes(2)))
  func settingsOfTheIndexDecide() async throws {
    let database = try await database(.automatic)
    try await database.execute("INSERT INTO v(v) VALUES ('merge_after = 300')")
    try await database.execute("INSERT INTO v(v) VALUES ('threads = 2')")
    try await insert(0..<400, database)
    try await until { try await database.index("v").summary().deltaRows == 0 }
    let summary = try await database.index("v").summary()
    #expect(summary.rows == 400 && summary.settings == ["merge_after": 300, "threads": 2])
    _ = try await database.index("v").reindex(IndexChanges(type: .flat))
    #expect(try await database.index("v").summary().settings == summary.settings)
  }

  @Test(.timeLimit(.minutes(2)))
  func deletedRowsAreWrittenOut() async throws {
    let database = try await database(.automatic(mergeAfter: 100))
    try await insert(0..<400, database)
    try await until { try await database.index("v").summary().deltaRows == 0 }
    try await database.execute("DELETE FROM v WHERE rowid <= 300")
    try await until { try await database.index("v").summary().tombstones == 0 }
    let summary = try await database.index("v").summary()
    #expect(summary.rows == 100 && summary.segments.map(\.rows) == [100])
    // What it replaced goes when nobody reads it any more.
    try await until { directory.segments(of: "app.db").count == 1 }
  }

  /// Nothing is written after the reader has ended: the files go all the same.
  @Test("Replaced files go when the last reader of an older state has", .timeLimit(.minutes(2)), arguments: [1, 2, 3])
  func replacedFilesGoWhenTheirReaderDoes(way: Int) async throws {
    let database = try await database(.automatic(mergeAfter: 100))
    try await insert(0..<400, database)
    try await until { try await database.index("v").summary().deltaRows == 0 }
    let old = directory.segments(of: "app.db")
    let reader = try Session(path: directory.file("app.db"), mode: .readWrite, busyTimeout: 0)
    try reader.execute("BEGIN")
    #expect(try reader.query("SELECT count(*) AS n FROM v")[0]["n"] == 400)
    switch way {
    case 1:
      try await database.execute("DELETE FROM v WHERE rowid <= 300")
      try await until { try await database.index("v").summary().tombstones == 0 }
    case 2:
      try await database.execute("DELETE FROM v WHERE rowid <= 3")
      try await database.index("v").optimize()
    default: try await database.dropIndex("v")
    }
    // Several sweeps find the reader there.
    try await Task.sleep(for: .milliseconds(100))
    #expect(Set(directory.segments(of: "app.db")).isSuperset(of: old))
    try reader.execute("COMMIT")
    try await until { Set(directory.segments(of: "app.db")).isDisjoint(with: old) }
    #expect(database.maintenanceReport.lastError == nil)
  }

  @Test func anErrorIsTriedAgainForWritesThatCameMeanwhile() {
    let state = MaintenanceState(.automatic(mergeAfter: 400))
    #expect(state.request(1) && state.nextTurn())
    #expect(!state.request(1), "somebody is at it")
    #expect(state.note(merges: 0, error: VidxError(.storage, "full")) && state.nextTurn())
    #expect(!state.note(merges: 0, error: VidxError(.storage, "full")), "nothing came")
    #expect(state.request(1))
  }

  @Test func nothingIsMergedWhenItIsOff() async throws {
    let database = try await database(.off)
    try await insert(0..<600, database)
    let summary = try await database.index("v").summary()
    #expect(summary.deltaRows == 600 && summary.segments.isEmpty)
    #expect(database.maintenanceReport == MaintenanceReport())
  }

  @Test("A turn ends, however few rows are worth it", arguments: [1, 2, 3, 4])
  func everyTurnEnds(rows: Int) {
    let state = MaintenanceState(.automatic(mergeAfter: rows))
    #expect(state.request(1) && state.nextTurn() && !state.nextTurn())
    #expect(state.request(1) && state.nextTurn() && !state.nextTurn())
  }

  @Test(.timeLimit(.minutes(2)))
  func anIndexThatCannotBeMergedDoesNotKeepOthersFromIt() async throws {
    let database = try await database(.off)
    try await insert(0..<50, database)
    try await database.index("v").optimize()
    for name in directory.segments(of: "app.db") {
      try FileManager.default.removeItem(atPath: directory.file("app.db-vidx/" + name))
    }
    let other = try await VectorDatabase(path: directory.file("app.db"), maintenance: .automatic(mergeAfter: 20))
    let index = try await other.createIndex("w", options: IndexOptions(dimensions: 8, metric: .l2))
    let vectors = sample.vectors
    try await other.transaction { transaction in
      for row in 0..<50 { try transaction.insert(vectors[row], id: Int64(row + 1), into: "w") }
    }
    try await until { other.maintenanceReport.merges == 1 }
    #expect(try await index.summary().deltaRows == 0)
    try await until { other.maintenanceReport.lastError?.code == .corrupt }
  }

  @Test func littleIsNotWorthIt() {
    let state = MaintenanceState(.automatic(mergeAfter: 400))
    // From the start nothing is known, so the first write has a look.
    #expect(state.request(1) && state.nextTurn() && !state.nextTurn())
    #expect(!state.request(99))
    #expect(state.request(1))
    #expect(!state.request(1_000), "somebody is at it")
    #expect(state.nextTurn() && !state.nextTurn())
    #expect(state.request(100) && state.nextTurn())
    #expect(!state.note(merges: 0, error: VidxError(.storage, "full")), "it ends, and the next write begins again")
    #expect(state.request(1) && state.nextTurn() && state.note(merges: 1, error: nil) && !state.nextTurn())
    #expect(state.report == MaintenanceReport(merges: 1, lastError: nil))
    state.close()
    #expect(!state.request(1_000) && state.cancellation.isRequested)
  }
}
