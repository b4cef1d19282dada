import Foundation
import Testing
import Vidx

/// Searches of a session that follow one another: while nothing is committed they ask the file's header only, and what
/// another process commits they see at once.
@Suite struct RepeatedSearchTests {
  let sandbox: Sandbox
  let sample = Sample(count: 300)

  init() throws {
    sandbox = try Sandbox()
    try sandbox.write("vectors.npy", sample.npy)
    try sandbox.succeed("build", "t.db", "--index", "v", "--vectors", "vectors.npy", "--type", "flat")
  }

  private func nearest(_ session: Session) throws -> Int64? {
    try session.search("v", near: [9, 9, 9, 9, 9, 9, 9, 9], k: 1).hits.first?.id
  }

  private static let insert = "INSERT OR REPLACE INTO v(rowid, vector) VALUES "

  @Test(arguments: ["delete", "wal"])
  func aCommitOfAnotherProcessIsSeen(journal: String) throws {
    try sandbox.succeed("sql", "t.db", "PRAGMA journal_mode = \(journal)")
    let session = try Session(path: sandbox.file("t.db"), mode: .read)
    let first = try nearest(session)
    #expect(try nearest(session) == first)
    for id in [7000, 7001, 7002] {
      try sandbox.succeed("sql", "t.db", Self.insert + "(\(id), '[9,9,9,9,9,9,9,\(id % 10 + 9)]')")
      #expect(try nearest(session) == 7000)
      #expect(try session.vector(of: Int64(id), in: "v").last == Float(id % 10 + 9))
    }
    try sandbox.succeed("optimize", "t.db")
    #expect(try nearest(session) == 7000)
    try sandbox.succeed("sql", "t.db", "DELETE FROM v WHERE rowid IN (7000, 7001)")
    #expect(try nearest(session) == 7002)
    try sandbox.succeed("sql", "t.db", "DROP TABLE v; CREATE VIRTUAL TABLE v USING vidx(dimensions = 8, metric = l2)")
    #expect(try nearest(session) == nil)
  }

  /// Who locks the file keeps new transactions out, but not a search of what is known to be the last commit.
  @Test func noTransactionIsNeededWhileNothingIsCommitted() throws {
    let reader = try Session(path: sandbox.file("t.db"), mode: .read, busyTimeout: 0)
    let first = try nearest(reader)
    let writer = try Session(path: sandbox.file("t.db"), mode: .readWrite)
    try writer.execute("BEGIN EXCLUSIVE")
    #expect(try nearest(reader) == first)
    try writer.execute(Self.insert + "(7000, '[9,9,9,9,9,9,9,9]')")
    #expect(try nearest(reader) == first)
    #expect(throws: VidxError.self) { try reader.query("SELECT count(*) FROM v_delta") }
    try writer.execute("COMMIT")
    #expect(try nearest(reader) == 7000)
  }

  /// The connection's own changes: committed, undone, and with a lock that is kept, when the header tells nothing.
  @Test(arguments: ["NORMAL", "EXCLUSIVE"]) func ownChangesAreSeen(locking: String) throws {
    let session = try Session(path: sandbox.file("t.db"), mode: .readWrite)
    _ = try session.query("PRAGMA locking_mode = \(locking)")
    let first = try nearest(session)
    for id in [Int64(7000), 7001, 7002] {
      _ = try session.upsert([9, 9, 9, 9, 9, 9, 9, 9], id: id, into: "v")
      #expect(try nearest(session) == id)
      try session.execute("BEGIN")
      #expect(try session.delete(id: id, from: "v"))
      #expect(try nearest(session) == first)
      try session.execute("ROLLBACK")
      #expect(try nearest(session) == id)
      #expect(try session.delete(id: id, from: "v"))
      #expect(try nearest(session) == first)
    }
  }

  /// A commit may fail when the header is written already. Once that is undone, the same change tried again writes the
  /// same header, which must not be taken for one that was read: neither for the rows nor for the schema.
  @Test(arguments: [false, true]) func aCommitThatFailedDoesNotHideTheNext(renames: Bool) throws {
    let reader = try Session(path: sandbox.file("t.db"), mode: .read)
    let first = try nearest(reader)
    let change = renames ? "ALTER TABLE v RENAME TO w" : Self.insert + "(7000, '[9,9,9,9,9,9,9,9]')"
    let failed = try commit(change)
    // So a process leaves the file that is killed before it removes the journal: whoever reads next undoes the commit.
    try sandbox.write("t.db-journal", failed.journal)
    #expect(try nearest(reader) == first)
    #expect(!FileManager.default.fileExists(atPath: sandbox.file("t.db-journal")))
    #expect(try commit(change).header == failed.header)
    if renames {
      let error = #expect(throws: VidxError.self) { try nearest(reader) }
      #expect(error?.code == .noSuchIndex)
    } else {
      #expect(try nearest(reader) == 7000)
    }
  }

  /// Commits a change; returns the journal of that, complete, and the bytes of the header that commits change.
  private func commit(_ change: String) throws -> (journal: Data, header: Data) {
    let writer = try Session(path: sandbox.file("t.db"), mode: .readWrite)
    // Otherwise the journal is not valid before the commit syncs it.
    try writer.execute("PRAGMA synchronous = OFF")
    try writer.execute("BEGIN IMMEDIATE")
    try writer.execute(change)
    // The journal gets the first page now, and not only when the commit counts up.
    try writer.execute("PRAGMA user_version = 1")
    let journal = try Data(contentsOf: URL(fileURLWithPath: sandbox.file("t.db-journal")))
    try writer.execute("COMMIT")
    let file = try Data(contentsOf: URL(fileURLWithPath: sandbox.file("t.db")))
    return (journal, Data(file[16..<44]))
  }

  /// In a transaction every search sees the same state, that of its first reading.
  @Test func aSnapshotIsOneState() throws {
    let session = try Session(path: sandbox.file("t.db"), mode: .read)
    let first = try nearest(session)
    try session.snapshot {
      #expect(try nearest(session) == first)
      let writer = try Session(path: sandbox.file("t.db"), mode: .readWrite, busyTimeout: 0)
      // The search in the snapshot holds its read transaction: with a rollback journal nobody commits meanwhile.
      #expect(throws: VidxError.self) { try writer.upsert([9, 9, 9, 9, 9, 9, 9, 9], id: 7000, into: "v") }
      #expect(try nearest(session) == first)
    }
  }
}
