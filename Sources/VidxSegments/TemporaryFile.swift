#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A locked file that disappears with this object unless it is kept.
///
/// The lock, held from birth to the commit that names the segment, tells a sweep that the file is no garbage.
final class TemporaryFile {
  let descriptor: Int32
  let fileSystem: any FileSystem
  private(set) var path: String
  private var isTemporary = true
  private var isOpen = true

  /// Creates and locks the file.
  ///
  /// - Parameter model: whose permissions (without those to execute) and owner the file gets.
  init(path: String, like model: FileStatus, fileSystem: any FileSystem) throws(SegmentError) {
    let permissions = model.permissions & 0o666
    self.path = path
    self.fileSystem = fileSystem
    descriptor = try Self.createLocked(path, permissions: permissions, fileSystem: fileSystem)
    // From here on deinit cleans up when something throws.
    try fileSystem.setAccess(of: descriptor, permissions: permissions, like: model, path: path)
  }

  deinit {
    // Nobody is left to be told when this fails; the next sweep removes the file.
    if isTemporary { try? fileSystem.remove(path) }
    if isOpen { fileSystem.close(descriptor) }
  }

  private static func createLocked(
    _ path: String, permissions: UInt32, fileSystem: any FileSystem
  ) throws(SegmentError) -> Int32 {
    while true {
      let descriptor = try create(path, permissions: permissions, fileSystem: fileSystem)
      do throws(SegmentError) {
        _ = try fileSystem.complete(.lock, path) { () throws(SystemCallError) in
          try fileSystem.lock(descriptor, waiting: true)
        }
        let status = try fileSystem.complete(.status, path) { () throws(SystemCallError) in
          try fileSystem.status(of: descriptor)
        }
        // A sweep may have locked the new file first, and removed it: then there is no name left to write under.
        if status.linkCount > 0 { return descriptor }
        fileSystem.close(descriptor)
      } catch {
        try? fileSystem.remove(path)
        fileSystem.close(descriptor)
        throw error
      }
    }
  }

  private static func create(
    _ path: String, permissions: UInt32, fileSystem: any FileSystem
  ) throws(SegmentError) -> Int32 {
    do throws(SegmentError) {
      return try fileSystem.complete(.create, path) { () throws(SystemCallError) in
        try fileSystem.open(path, for: .creating(permissions: permissions))
      }
    } catch .io(_, EEXIST, _) {
      throw .alreadyExists(path: path)
    }
  }

  /// Gives the file its final name. It stays locked, and temporary.
  func rename(to finalPath: String) throws(SegmentError) {
    try fileSystem.complete(.rename, path) { () throws(SystemCallError) in
      try fileSystem.rename(path, to: finalPath)
    }
    path = finalPath
  }

  /// From now on the file outlives this object.
  func keep() { isTemporary = false }

  /// Removes the file under the name it has.
  func remove() throws(SegmentError) {
    try fileSystem.complete(.remove, path) { () throws(SystemCallError) in try fileSystem.remove(path) }
    isTemporary = false
  }

  /// Gives up lock and descriptor.
  func close() {
    guard isOpen else { return }
    isOpen = false
    fileSystem.close(descriptor)
  }
}
