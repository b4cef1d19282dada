#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A regular file open for reading at any offset. Sendable: positioned reads share no cursor.
///
/// Reads, not a mapping: the pages of a 60 GB file then never count as this process's memory, and a file that is cut
/// short under our feet is an error, not a SIGBUS.
final class InputFile: Sendable {
  let path: String
  let byteCount: Int
  private let descriptor: Int32

  init(path: String) throws(FileError) {
    // O_NONBLOCK so that a FIFO is refused and not waited for; it changes nothing for files.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw FileError(path: path, reason: .system(operation: "open", errno: errno)) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
      let number = errno
      close(descriptor)
      throw FileError(path: path, reason: .system(operation: "examine", errno: number))
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      let number = status.st_mode & S_IFMT == S_IFDIR ? EISDIR : ESPIPE
      throw FileError(path: path, reason: .system(operation: "read at any offset", errno: number))
    }
    self.path = path
    self.descriptor = descriptor
    byteCount = Int(status.st_size)
  }

  deinit { close(descriptor) }

  /// Fills `bytes` from `offset`; throws when the file ends before.
  func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) {
    let filled = try unsafe readAvailable(into: bytes, at: offset)
    guard filled == bytes.count else { throw FileError(path: path, reason: .changed) }
  }

  /// Reads up to `bytes.count` bytes from `offset`; fewer only at the end of the file.
  func readAvailable(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
    var filled = 0
    while filled < bytes.count {
      let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[filled...])
      let got = unsafe pread(descriptor, rest.baseAddress, rest.count, off_t(offset + filled))
      if got == 0 { break }
      if got < 0 {
        if errno == EINTR { continue }
        throw FileError(path: path, reason: .system(operation: "read", errno: errno))
      }
      filled += got
    }
    return filled
  }

  /// Bytes `range` of the file, which must exist.
  func bytes(_ range: Range<Int>) throws(FileError) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: range.count)
    var failure: FileError?
    unsafe result.withUnsafeMutableBytes { buffer in
      do throws(FileError) { try unsafe read(into: buffer, at: range.lowerBound) } catch { failure = error }
    }
    if let failure { throw failure }
    return result
  }
}
