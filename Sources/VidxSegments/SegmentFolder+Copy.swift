extension SegmentFolder {
  /// Bytes written between two questions whether to go on.
  private static let piece = 8 << 20

  /// Copies a segment into another folder under its name, every byte of it checked; durable, but for the name of a
  /// folder that is made here (`synchronize`).
  ///
  /// Cost: two passes over the file.
  /// - Parameter proceed: called between pieces with the bytes written since; throws to give up, which leaves nothing.
  /// - Throws: what is wrong with the file; `alreadyExists`, `io`; what `proceed` throws.
  package func copy(_ name: String, to other: SegmentFolder, proceed: (Int) throws -> Void) throws {
    let source = try SegmentFile(path: path(ofFile: name), fileSystem: fileSystem)
    if let problem = source.check().first { throw problem }
    let target = try other.path(ofFile: name)
    let status = try other.create()
    guard try other.fileSystem.statusIfPresent(ofPath: target) == nil else {
      throw SegmentError.alreadyExists(path: target)
    }
    let copy = try TemporaryFile(path: target + Self.temporarySuffix, like: status, fileSystem: other.fileSystem)
    for start in stride(from: 0, to: source.byteCount, by: Self.piece) {
      let bytes = unsafe source.file.bytes(start..<min(start + Self.piece, source.byteCount))
      try unsafe other.fileSystem.writeAll(copy.descriptor, bytes, at: start, path: copy.path)
      try proceed(bytes.count)
    }
    try other.fileSystem.complete(.synchronize, copy.path) { () throws(SystemCallError) in
      try other.fileSystem.synchronize(copy.descriptor)
    }
    try copy.rename(to: target)
    try other.fileSystem.synchronizeDirectory(other.path)
    copy.keep()
  }

  /// Gives a file beside the folder another name, for good: it and all names in its directory are durable afterwards.
  ///
  /// For a database that no connection has open.
  package func publishDatabase(_ partial: String, as path: String) throws(SegmentError) {
    try fileSystem.complete(.rename, partial) { () throws(SystemCallError) in
      try fileSystem.rename(partial, to: path)
    }
    try fileSystem.synchronizeDirectory(parentDirectory(of: path))
  }

  /// Whether there is a file at a path beside the folder.
  package func isTaken(_ path: String) throws(SegmentError) -> Bool {
    try fileSystem.statusIfPresent(ofPath: path) != nil
  }

  /// Removes a file beside the folder; gone already is no error.
  package func removeBeside(_ path: String) throws(SegmentError) {
    guard try isTaken(path) else { return }
    try fileSystem.complete(.remove, path) { () throws(SystemCallError) in try fileSystem.remove(path) }
  }
}
