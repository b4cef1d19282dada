#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

// System calls as the rest of the target uses them: completed, and failing with the file's name.
extension FileSystem {
  /// Makes a system call again as long as a signal interrupts it, and names operation and file in its error.
  func complete<Result>(
    _ operation: FileOperation, _ path: String, _ call: () throws(SystemCallError) -> Result
  ) throws(SegmentError) -> Result {
    while true {
      do {
        return try call()
      } catch {
        guard error.code == EINTR else {
          throw SegmentError.io(operation: operation, code: error.code, path: path)
        }
      }
    }
  }

  /// Status of what a path names, or nil when it names nothing.
  func statusIfPresent(ofPath path: String) throws(SegmentError) -> FileStatus? {
    do {
      return try complete(.status, path) { () throws(SystemCallError) in try status(ofPath: path) }
    } catch .io(_, ENOENT, _) {
      return nil
    }
  }

  /// Writes all the bytes, however many calls it takes.
  func writeAll(
    _ file: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int, path: String
  ) throws(SegmentError) {
    var done = 0
    while done < bytes.count {
      let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
      let position = offset + done
      let written = try complete(.write, path) { () throws(SystemCallError) in
        try unsafe write(file, rest, at: position)
      }
      // POSIX leaves open what 0 means for a regular file; going on could go on for ever.
      guard written > 0 else { throw .io(operation: .write, code: EIO, path: path) }
      done += written
    }
  }

  /// Reads until the buffer is full or the file ends; returns how many bytes it read.
  func readAll(
    _ file: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int, path: String
  ) throws(SegmentError) -> Int {
    var done = 0
    while done < buffer.count {
      let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      let position = offset + done
      let count = try complete(.read, path) { () throws(SystemCallError) in
        try unsafe read(file, into: rest, at: position)
      }
      if count == 0 { break }
      done += count
    }
    return done
  }

  /// Makes the names in a directory durable.
  func synchronizeDirectory(_ path: String) throws(SegmentError) {
    let directory = try OpenFile(path, for: .directory, fileSystem: self)
    try complete(.synchronize, path) { () throws(SystemCallError) in try synchronize(directory.descriptor) }
  }

  /// Gives a new file or folder the permissions it is to have, whatever the umask; for root also the owner.
  func setAccess(
    of file: Int32, permissions: UInt32, like model: FileStatus, path: String
  ) throws(SegmentError) {
    try complete(.setPermissions, path) { () throws(SystemCallError) in
      try setPermissions(of: file, to: permissions)
    }
    guard geteuid() == 0 else { return }
    let current = try complete(.status, path) { () throws(SystemCallError) in try status(of: file) }
    guard current.owner != model.owner || current.group != model.group else { return }
    do {
      try complete(.setOwner, path) { () throws(SystemCallError) in
        try setOwner(of: file, to: model.owner, group: model.group)
      }
    } catch .io(_, EPERM, _) {
      // A file system or container that knows no owners: then there is nothing to follow.
    }
  }
}

/// The directory part of a path, for `synchronizeDirectory`.
func parentDirectory(of path: String) -> String {
  guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}
