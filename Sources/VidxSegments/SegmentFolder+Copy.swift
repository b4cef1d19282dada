#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

extension SegmentFolder {
  /// Bytes written between two questions whether to go on.
  private static let piece = 8 << 20

  /// Copies a segment into this folder, which is made when there is none, every byte of it checked. Durable, but for
  /// the name of a folder that is made here.
  ///
  /// Cost: two passes over the file.
  /// - Parameters:
  ///   - model: whose owner and permissions a new folder and the copies get: those of a database file.
  ///   - proceed: called between pieces with the bytes written since; throws to give up, which leaves nothing.
  /// - Returns: the copy, locked against sweeps until it is released.
  /// - Throws: what is wrong with the segment; `alreadyExists`, `io`; what `proceed` throws.
  package func copy(
    _ source: SegmentFile, named name: String, like model: FileStatus?, proceed: (Int) throws -> Void
  ) throws -> PublishedSegment {
    if let problem = source.check().first { throw problem }
    let target = try path(ofFile: name)
    let status = try create(like: model)
    guard try fileSystem.statusIfPresent(ofPath: target) == nil else { throw SegmentError.alreadyExists(path: target) }
    let copy = try TemporaryFile(path: target + Self.temporarySuffix, like: status, fileSystem: fileSystem)
    for start in stride(from: 0, to: source.byteCount, by: Self.piece) {
      let bytes = unsafe source.file.bytes(start..<min(start + Self.piece, source.byteCount))
      try unsafe fileSystem.writeAll(copy.descriptor, bytes, at: start, path: copy.path)
      try proceed(bytes.count)
    }
    try fileSystem.complete(.synchronize, copy.path) { () throws(SystemCallError) in
      try fileSystem.synchronize(copy.descriptor)
    }
    try copy.rename(to: target)
    try fileSystem.synchronizeDirectory(path)
    copy.keep()
    return PublishedSegment(copy, fileName: name, byteCount: source.byteCount)
  }

  /// Removes the folder if nothing is in it.
  package func removeIfEmpty() {
    // Full, or gone: either way there is nothing to do.
    try? fileSystem.removeDirectory(path)
  }
}

/// The file of a database to be, under a name of its own until it is complete. No connection may have it open when it
/// is made, published or discarded: closing a descriptor of it would drop SQLite's locks.
package struct PartialDatabase {
  /// What SQLite opens.
  package let path: String
  private let final: String
  private let fileSystem: any FileSystem

  /// Makes an empty file beside its final place.
  /// - Parameter model: whose owner and permissions it gets; nil for those of any new file.
  package init(
    of final: String, like model: FileStatus?, fileSystem: any FileSystem = POSIXFileSystem()
  ) throws(SegmentError) {
    let path = "\(final)-partial-\(SegmentIdentifier.random())"
    (self.path, self.final, self.fileSystem) = (path, final, fileSystem)
    let permissions = model.map { $0.permissions & 0o666 } ?? 0o666
    let descriptor = try fileSystem.complete(.create, path) { () throws(SystemCallError) in
      try fileSystem.open(path, for: .creating(permissions: permissions))
    }
    defer { fileSystem.close(descriptor) }
    if let model { try fileSystem.setAccess(of: descriptor, permissions: permissions, like: model, path: path) }
  }

  /// What is at a path, such as the database that is copied; nil when nothing is.
  package static func status(
    of path: String, fileSystem: any FileSystem = POSIXFileSystem()
  ) throws(SegmentError) -> FileStatus? {
    try fileSystem.statusIfPresent(ofPath: path)
  }

  /// Gives the file its final name, durably, with all names beside it.
  /// - Throws: `alreadyExists` when something has that name; the file is then as it was.
  package func publish() throws(SegmentError) {
    do throws(SegmentError) {
      // Unlike renaming, this replaces nothing.
      try fileSystem.complete(.link, final) { () throws(SystemCallError) in try fileSystem.link(path, as: final) }
    } catch .io(_, EEXIST, _) {
      throw .alreadyExists(path: final)
    }
    discard()
    try fileSystem.synchronizeDirectory(parentDirectory(of: final))
  }

  /// Removes the name it had meanwhile, and SQLite's journal of it. Should that fail, only space is taken.
  package func discard() {
    for suffix in ["", "-journal"] { try? fileSystem.remove(path + suffix) }
  }
}
