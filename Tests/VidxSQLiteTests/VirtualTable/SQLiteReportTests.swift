import CSQLite
import Foundation
import Testing
import VidxSegments

@testable import VidxSQLite

/// The result codes by which a program tells a full disk from a damaged file.
@Suite struct SQLiteReportTests {
  private func report(_ code: Int32) -> SQLiteReport {
    SQLiteReport(
      StoreError.segment(index: "v", .io(operation: .write, code: code, path: "/data/app.db-vidx/v")), table: "v")
  }

  @Test func systemErrorsAreNoCorruption() {
    for (errno, code) in [
      (ENOSPC, SQLITE_FULL), (EDQUOT, SQLITE_FULL), (EFBIG, SQLITE_FULL), (EACCES, SQLITE_CANTOPEN),
      (EPERM, SQLITE_CANTOPEN), (EROFS, SQLITE_READONLY), (EIO, SQLITE_IOERR), (EMFILE, SQLITE_IOERR),
    ] {
      #expect(report(errno).code == code, "errno \(errno)")
      let bare = SQLiteReport(SegmentError.io(operation: .write, code: errno, path: "/data/v"), table: "v")
      #expect(bare.code == code, "errno \(errno)")
    }
    #expect(
      SQLiteReport(StoreError.segment(index: "v", .notFound(path: "/data/v")), table: "v").code == SQLITE_CANTOPEN)
    let truncated = SegmentError.truncated(expected: 9, found: 8, path: "/data/v")
    #expect(SQLiteReport(StoreError.segment(index: "v", truncated), table: "v").code == SQLITE_CORRUPT | 1 << 8)
  }

  @Test func messagesNameTheIndexOnce() {
    #expect(report(ENOSPC).message.hasPrefix("vidx index v: /data/app.db-vidx/v: write failed: "))
    let missing = SQLiteReport(StoreError.noIndex(schema: "main", table: "v"), table: "v")
    #expect(missing.message.hasPrefix("vidx table v: there is no vidx index v in main"))
  }

  /// A folder that cannot be made, through SQL.
  @Test func aBuildThatCannotWriteIsNoCorruption() throws {
    let session = try SQLSession(onDisk: true)
    let path = try #require(session.path)
    try session.run(
      "CREATE VIRTUAL TABLE v USING vidx(dimensions = 1, metric = l2); INSERT INTO v(vector) VALUES ('[1]')")
    #expect(FileManager.default.createFile(atPath: path + "-vidx", contents: Data()))
    let error = try session.error("INSERT INTO v(v) VALUES ('optimize')")
    #expect(error.code == SQLITE_IOERR && error.message.hasPrefix("vidx index v: "), "\(error)")
  }
}
