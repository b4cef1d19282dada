internal import CSQLite

/// The part of a database file's first page that every commit changes: page size and journal mode, the file change
/// counter, the size, the schema's cookie (bytes 16..<44 of https://www.sqlite.org/fileformat2.html, "The Database
/// Header"). As long as it stays as it was within a read transaction, what that transaction read is still all there
/// is: SQLite's pager asks the same of its own page cache.
///
/// Without a write-ahead log only: a commit to the log leaves the file alone. What tells commits in the log apart is
/// SQLite's private format, and asking SQLite takes a read transaction.
struct HeaderMark: Equatable, Sendable {
  private var words: (UInt64, UInt64, UInt64, UInt32)

  private static let offset: Int64 = 16
  private static let byteCount: Int32 = 28

  static func == (a: HeaderMark, b: HeaderMark) -> Bool {
    a.words.0 == b.words.0 && a.words.1 == b.words.1 && a.words.2 == b.words.2 && a.words.3 == b.words.3
  }

  /// Reads the mark through SQLite's own handle of the file: opening and closing another would drop its locks. Takes no
  /// lock. To compare with a mark that was kept, none is needed: the header differs from it before a later commit is
  /// done. A mark to keep is to be read inside a read transaction, whose lock keeps commits out: without it the header
  /// may be that of a commit which then fails, and the same change tried again writes the same header.
  /// - Returns: nil with a write-ahead log, without a file, and when the file cannot be read.
  /// - Complexity: one pread; none where the connection maps the file (`keepPagesAtHand`).
  init?(_ connection: Connection, schema: String) {
    var opened: UnsafeMutablePointer<sqlite3_file>?
    // Passing the string itself would copy it to the heap.
    let code = unsafe schema.withCString { name in
      unsafe sqlite3_file_control(connection.handle, name, SQLITE_FCNTL_FILE_POINTER, &opened)
    }
    guard code == SQLITE_OK, let file = unsafe opened, let methods = unsafe file.pointee.pMethods,
      let read = unsafe methods.pointee.xRead
    else { return nil }
    words = (0, 0, 0, 0)
    let status = unsafe withUnsafeMutableBytes(of: &words) { bytes in
      unsafe read(file, bytes.baseAddress, Self.byteCount, Self.offset)
    }
    // Bytes 18 and 19 of the file: 1 is a rollback journal, 2 a write-ahead log.
    let hasRollbackJournal = unsafe withUnsafeBytes(of: words) { unsafe $0[2] == 1 && $0[3] == 1 }
    guard status == SQLITE_OK, hasRollbackJournal else { return nil }
  }
}

/// A state of a database as one connection can see it from outside any transaction: while the mark is as it was when
/// something was read, reading it again would find the same.
///
/// The header tells what others have committed, and this connection too, unless it keeps its lock for good (`PRAGMA
/// locking_mode = EXCLUSIVE`), when it counts up once only: so its own changes are counted beside.
package struct CommitMark: Equatable, Sendable {
  private let header: HeaderMark
  private let changes: Int64

  /// The present mark, to compare with one that was kept; not to be kept itself, as `HeaderMark` says.
  /// - Returns: nil inside a transaction, while a statement reads, and where `HeaderMark` has none.
  /// - Complexity: as `HeaderMark`.
  package init?(_ connection: Connection, schema: String) {
    guard connection.isAutocommit, connection.isIdle(schema: schema),
      let header = HeaderMark(connection, schema: schema)
    else { return nil }
    self.header = header
    changes = connection.totalChanges
  }

  /// The mark to keep of the state that a statement is reading.
  /// - Returns: nil inside a transaction, unless a statement is on its row, and where `HeaderMark` has none.
  /// - Complexity: as `HeaderMark`.
  package init?(whileReading connection: Connection, schema: String) {
    guard connection.isAutocommit, connection.isReading(schema: schema),
      let header = HeaderMark(connection, schema: schema)
    else { return nil }
    self.header = header
    changes = connection.totalChanges
  }
}

extension Connection {
  /// No transaction is open, and so no page of an older state is held.
  func isIdle(schema: String) -> Bool {
    unsafe schema.withCString { unsafe sqlite3_txn_state(handle, $0) } == SQLITE_TXN_NONE
  }

  /// A read transaction is open, which holds its lock, and no write transaction.
  func isReading(schema: String) -> Bool {
    unsafe schema.withCString { unsafe sqlite3_txn_state(handle, $0) } == SQLITE_TXN_READ
  }
}
