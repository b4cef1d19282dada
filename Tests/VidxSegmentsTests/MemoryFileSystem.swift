import Foundation

@testable import VidxSegments

/// One file at any path, for reading only: thousands of damaged variants without a disk.
@safe
final class MemoryFileSystem: FileSystem, @unchecked Sendable {
  private let bytes: UnsafeMutableRawBufferPointer

  init(_ bytes: some Collection<UInt8>) {
    unsafe self.bytes = .allocate(byteCount: bytes.count, alignment: 4096)
    unsafe self.bytes.copyBytes(from: bytes)
  }

  deinit { unsafe bytes.deallocate() }

  func open(_ path: String, for access: FileAccess) throws(SystemCallError) -> Int32 {
    guard access == .reading else { throw SystemCallError(code: EROFS) }
    return 3
  }

  func close(_ file: Int32) {}

  func status(of file: Int32) throws(SystemCallError) -> FileStatus {
    FileStatus(
      device: 0, inode: 0, byteCount: unsafe bytes.count, permissions: 0o644, owner: 0, group: 0, linkCount: 1,
      modificationTime: 0, isRegularFile: true)
  }

  func read(
    _ file: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(SystemCallError) -> Int {
    let count = unsafe min(buffer.count, bytes.count - offset)
    unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
    return count
  }

  func map(_ file: Int32, byteCount: Int) throws(SystemCallError) -> UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(rebasing: bytes[..<byteCount])
  }

  func unmap(_ bytes: UnsafeRawBufferPointer) {}
  func advise(_ bytes: UnsafeRawBufferPointer, _ advice: MemoryAdvice) {}

  func status(ofPath path: String) throws(SystemCallError) -> FileStatus { throw SystemCallError(code: ENOSYS) }
  func setPermissions(of file: Int32, to permissions: UInt32) throws(SystemCallError) { try refuse() }
  func setOwner(of file: Int32, to owner: UInt32, group: UInt32) throws(SystemCallError) { try refuse() }
  func write(_ file: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemCallError) -> Int {
    throw SystemCallError(code: EROFS)
  }
  func synchronize(_ file: Int32) throws(SystemCallError) { try refuse() }
  func rename(_ source: String, to target: String) throws(SystemCallError) { try refuse() }
  func link(_ path: String, as name: String) throws(SystemCallError) { try refuse() }
  func removeDirectory(_ path: String) throws(SystemCallError) { try refuse() }
  func remove(_ path: String) throws(SystemCallError) { try refuse() }
  func makeDirectory(_ path: String, permissions: UInt32) throws(SystemCallError) { try refuse() }
  func list(_ path: String) throws(SystemCallError) -> [String] { throw SystemCallError(code: ENOSYS) }
  func lock(_ file: Int32, waiting: Bool) throws(SystemCallError) -> Bool { throw SystemCallError(code: ENOSYS) }

  private func refuse() throws(SystemCallError) { throw SystemCallError(code: EROFS) }
}
