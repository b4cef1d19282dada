/// errno of a failed system call.
package struct SystemCallError: Error, Equatable, Sendable {
  package let code: Int32

  package init(code: Int32) { self.code = code }
}

/// What a file is opened for.
package enum FileAccess: Sendable, Equatable {
  /// An existing file, to be read and mapped. Follows no symbolic link, which may lead out of the folder.
  case reading
  /// An existing file, to be locked: a write lock needs a descriptor open for writing. Follows no symbolic link.
  case locking
  /// A file that must not exist yet, to be written. The permission bits are subject to the umask.
  case creating(permissions: UInt32)
  /// A directory, to be synchronised.
  case directory
}

/// The parts of `struct stat` that segments need.
package struct FileStatus: Sendable, Equatable {
  package var device: UInt64
  package var inode: UInt64
  package var byteCount: Int
  /// The lower twelve bits of st_mode.
  package var permissions: UInt32
  package var owner: UInt32
  package var group: UInt32
  /// 0 once the file has been removed while open.
  package var linkCount: Int
  /// Since 1970, in nanoseconds.
  package var modificationTime: Int64
  package var isRegularFile: Bool
}

/// What a range of mapped memory will be used for.
package enum MemoryAdvice: Sendable, Equatable {
  /// Single pages here and there: do not read ahead.
  case random
  /// From start to end: read far ahead.
  case sequential
  /// All of it soon: begin reading now.
  case willNeed
}

/// The one seam for system calls: each requirement is one call, made once, with no retry.
///
/// What callers need on top (retry after a signal, continue a short write, name the file in the error) is in
/// `FileSystem+Complete.swift`, above the seam, so that tests can break every single call.
package protocol FileSystem: Sendable {
  func open(_ path: String, for access: FileAccess) throws(SystemCallError) -> Int32
  /// Reports nothing: data matter only after `synchronize`, which reports everything.
  func close(_ file: Int32)
  func status(of file: Int32) throws(SystemCallError) -> FileStatus
  func status(ofPath path: String) throws(SystemCallError) -> FileStatus
  func setPermissions(of file: Int32, to permissions: UInt32) throws(SystemCallError)
  func setOwner(of file: Int32, to owner: UInt32, group: UInt32) throws(SystemCallError)
  /// Returns how many bytes were read, 0 at the end of the file.
  func read(_ file: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(SystemCallError) -> Int
  /// Returns how many bytes were written; fewer than asked is no error.
  func write(_ file: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemCallError) -> Int
  /// A hint that these bytes will be synchronised: begin writing them out, and do not wait.
  func beginWriting(_ file: Int32, _ range: Range<Int>)
  /// Until contents (of a directory: names) are on the device.
  func synchronize(_ file: Int32) throws(SystemCallError)
  func rename(_ source: String, to target: String) throws(SystemCallError)
  /// Gives a file one more name, which must not be there yet.
  func link(_ path: String, as name: String) throws(SystemCallError)
  func remove(_ path: String) throws(SystemCallError)
  /// Only an empty one.
  func removeDirectory(_ path: String) throws(SystemCallError)
  func makeDirectory(_ path: String, permissions: UInt32) throws(SystemCallError)
  /// The names in a directory, without `.` and `..`, in no order.
  func list(_ path: String) throws(SystemCallError) -> [String]
  /// An exclusive lock of the whole file, owned by the open file description: it ends when that is closed, however
  /// the process ends, and excludes other descriptions of the same process too.
  /// Returns false when another holds one and `waiting` is false.
  func lock(_ file: Int32, waiting: Bool) throws(SystemCallError) -> Bool
  /// Maps a whole file, read only, shared. `byteCount` is not 0.
  func map(_ file: Int32, byteCount: Int) throws(SystemCallError) -> UnsafeRawBufferPointer
  func unmap(_ bytes: UnsafeRawBufferPointer)
  /// A hint: what the kernel does not like changes speed only, so nothing is reported.
  func advise(_ bytes: UnsafeRawBufferPointer, _ advice: MemoryAdvice)
}

extension FileSystem {
  package func beginWriting(_ file: Int32, _ range: Range<Int>) {}
}
