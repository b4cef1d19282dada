import Vidx

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A database that a failing command made must not stay behind, empty.
enum NewDatabase {
  /// Runs the body; when it throws and the file was not there before, removes what SQLite made.
  static func undoingCreation<Result>(of path: String, _ body: () throws -> Result) throws -> Result {
    let wasThere = unsafe access(path, F_OK) == 0
    do { return try body() } catch {
      if !wasThere { removeIfEmpty(path) }
      throw error
    }
  }

  /// Another process may have filled the file meanwhile, or be about to: it is removed under the exclusive lock, and
  /// only when nothing is in it. What cannot be done is left: the error that led here is the one to tell.
  private static func removeIfEmpty(_ path: String) {
    guard let session = try? Session(path: path, mode: .readWrite, busyTimeout: 0),
      (try? session.execute("BEGIN EXCLUSIVE")) != nil,
      (try? session.query("SELECT 1 FROM sqlite_schema LIMIT 1"))?.isEmpty == true
    else { return }
    for suffix in ["", "-journal", "-wal", "-shm"] { unsafe _ = unlink(path + suffix) }
    // Goes only when it is empty.
    unsafe _ = rmdir(path + "-vidx")
  }
}
