import CVidxKernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The system's own calls.
package struct POSIXFileSystem: FileSystem {
  package init() {}

  package func open(_ path: String, for access: FileAccess) throws(SystemCallError) -> Int32 {
    switch access {
    case .reading:
      // O_NONBLOCK so that a FIFO in a segment's place is refused and not waited for; it changes nothing for files.
      try checked(openFile(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK))
    case .locking:
      try checked(openFile(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK))
    case .creating(let permissions):
      try checked(
        openFile(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode_t(truncatingIfNeeded: permissions)))
    case .directory:
      try checked(openFile(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
    }
  }

  package func close(_ file: Int32) {
    // Not again after EINTR: Linux has closed the descriptor then, and another thread may own its number.
    _ = closeFile(file)
  }

  package func status(of file: Int32) throws(SystemCallError) -> FileStatus {
    var buffer = stat()
    try checked(unsafe fstat(file, &buffer))
    return FileStatus(buffer)
  }

  package func status(ofPath path: String) throws(SystemCallError) -> FileStatus {
    var buffer = stat()
    try checked(unsafe stat(path, &buffer))
    return FileStatus(buffer)
  }

  package func setPermissions(of file: Int32, to permissions: UInt32) throws(SystemCallError) {
    try checked(fchmod(file, mode_t(truncatingIfNeeded: permissions)))
  }

  package func setOwner(of file: Int32, to owner: UInt32, group: UInt32) throws(SystemCallError) {
    try checked(fchown(file, owner, group))
  }

  package func read(
    _ file: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(SystemCallError) -> Int {
    try checked(unsafe pread(file, buffer.baseAddress, buffer.count, off_t(offset)))
  }

  package func write(
    _ file: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int
  ) throws(SystemCallError) -> Int {
    try checked(unsafe pwrite(file, bytes.baseAddress, bytes.count, off_t(offset)))
  }

  package func synchronize(_ file: Int32) throws(SystemCallError) {
    #if canImport(Darwin)
      // fsync leaves data in the drive's cache there; file systems that do not know F_FULLFSYNC get fsync.
      if fcntl(file, F_FULLFSYNC) == 0 { return }
    #endif
    try checked(fsync(file))
  }

  package func beginWriting(_ file: Int32, _ range: Range<Int>) {
    vidx_begin_writing(file, Int64(range.lowerBound), Int64(range.count))
  }

  package func rename(_ source: String, to target: String) throws(SystemCallError) {
    try checked(renameFile(source, target))
  }

  package func link(_ path: String, as name: String) throws(SystemCallError) {
    try checked(linkFile(path, name))
  }

  package func remove(_ path: String) throws(SystemCallError) {
    try checked(unsafe unlink(path))
  }

  package func removeDirectory(_ path: String) throws(SystemCallError) {
    try checked(unsafe rmdir(path))
  }

  package func makeDirectory(_ path: String, permissions: UInt32) throws(SystemCallError) {
    try checked(unsafe mkdir(path, mode_t(truncatingIfNeeded: permissions)))
  }

  package func list(_ path: String) throws(SystemCallError) -> [String] {
    guard let directory = unsafe opendir(path) else { throw SystemCallError(code: errno) }
    defer { unsafe _ = closedir(directory) }
    var names: [String] = []
    while true {
      // readdir tells the end from an error by errno only.
      errno = 0
      guard let entry = unsafe readdir(directory) else {
        if errno != 0 { throw SystemCallError(code: errno) }
        return names
      }
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
        unsafe String(cString: UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self))
      }
      if name != "." && name != ".." { names.append(name) }
    }
  }

  package func lock(_ file: Int32, waiting: Bool) throws(SystemCallError) -> Bool {
    #if canImport(Darwin)
      let command: Int32 = waiting ? 91 : 90  // F_OFD_SETLKW, F_OFD_SETLK
    #else
      let command: Int32 = waiting ? 38 : 37  // F_OFD_SETLKW, F_OFD_SETLK
    #endif
    var request = flock()
    request.l_type = Int16(F_WRLCK)
    request.l_whence = Int16(SEEK_SET)
    if unsafe fcntl(file, command, &request) == 0 { return true }
    if errno == EAGAIN || errno == EACCES { return false }
    throw SystemCallError(code: errno)
  }

  package func map(_ file: Int32, byteCount: Int) throws(SystemCallError) -> UnsafeRawBufferPointer {
    let address = unsafe mmap(nil, byteCount, PROT_READ, MAP_SHARED, file, 0)
    guard let address = unsafe address, unsafe address != MAP_FAILED else { throw SystemCallError(code: errno) }
    return unsafe UnsafeRawBufferPointer(start: address, count: byteCount)
  }

  package func unmap(_ bytes: UnsafeRawBufferPointer) {
    unsafe _ = munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
  }

  package func advise(_ bytes: UnsafeRawBufferPointer, _ advice: MemoryAdvice) {
    guard let start = bytes.baseAddress, bytes.count > 0 else { return }
    // madvise wants the start of a page, and pages are larger than a section's alignment on some machines.
    let lead = Int(bitPattern: start) % Int(sysconf(Int32(_SC_PAGESIZE)))
    let flag =
      switch advice {
      case .random: MADV_RANDOM
      case .sequential: MADV_SEQUENTIAL
      case .willNeed: MADV_WILLNEED
      }
    unsafe _ = madvise(UnsafeMutableRawPointer(mutating: start - lead), bytes.count + lead, Int32(flag))
  }
}

/// The result of a call that returns -1 and sets errno when it fails.
@discardableResult
private func checked<Value: FixedWidthInteger>(_ result: Value) throws(SystemCallError) -> Value {
  guard result != -1 else { throw SystemCallError(code: errno) }
  return result
}

// The methods above hide the functions of the same name.
private func openFile(_ path: String, _ flags: Int32, _ mode: mode_t = 0) -> Int32 { unsafe open(path, flags, mode) }
private func closeFile(_ file: Int32) -> Int32 { close(file) }
private func linkFile(_ path: String, _ name: String) -> Int32 { unsafe link(path, name) }
private func renameFile(_ source: String, _ target: String) -> Int32 { unsafe rename(source, target) }

extension FileStatus {
  fileprivate init(_ buffer: stat) {
    #if canImport(Darwin)
      let modified = buffer.st_mtimespec
    #else
      let modified = buffer.st_mtim
    #endif
    self.init(
      device: UInt64(truncatingIfNeeded: buffer.st_dev),
      inode: UInt64(truncatingIfNeeded: buffer.st_ino),
      byteCount: Int(buffer.st_size),
      permissions: UInt32(buffer.st_mode) & 0o7777,
      owner: UInt32(buffer.st_uid),
      group: UInt32(buffer.st_gid),
      linkCount: Int(buffer.st_nlink),
      modificationTime: Int64(modified.tv_sec) &* 1_000_000_000 &+ Int64(modified.tv_nsec),
      isRegularFile: UInt32(buffer.st_mode) & UInt32(S_IFMT) == UInt32(S_IFREG)
    )
  }
}
