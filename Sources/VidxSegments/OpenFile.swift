#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Owner of the descriptor of an existing file or directory, for one thread: closed with this object.
final class OpenFile {
  let descriptor: Int32
  let path: String
  let fileSystem: any FileSystem

  /// - Throws: `notFound`, `io`.
  init(_ path: String, for access: FileAccess, fileSystem: any FileSystem) throws(SegmentError) {
    do {
      descriptor = try fileSystem.complete(.open, path) { () throws(SystemCallError) in
        try fileSystem.open(path, for: access)
      }
    } catch .io(_, ENOENT, _) {
      throw .notFound(path: path)
    } catch .io(let operation, ELOOP, let path) {
      // A symbolic link in a segment's place: vidx makes none.
      throw access == .reading ? .notASegment(path: path) : .io(operation: operation, code: ELOOP, path: path)
    }
    self.path = path
    self.fileSystem = fileSystem
  }

  deinit { fileSystem.close(descriptor) }

  func status() throws(SegmentError) -> FileStatus {
    try fileSystem.complete(.status, path) { () throws(SystemCallError) in try fileSystem.status(of: descriptor) }
  }

  /// Returns false when another holds the lock.
  func lock() throws(SegmentError) -> Bool {
    try fileSystem.complete(.lock, path) { () throws(SystemCallError) in
      try fileSystem.lock(descriptor, waiting: false)
    }
  }
}
