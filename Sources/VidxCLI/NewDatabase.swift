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
      if !wasThere {
        // What cannot be removed was not made: the error that led here is the one to tell.
        for suffix in ["", "-wal", "-shm", "-journal"] { unsafe _ = unlink(path + suffix) }
        unsafe _ = rmdir(path + "-vidx")
      }
      throw error
    }
  }
}
