extension SegmentFile {
  /// The opened segment of this process for a path: connections that open the same file get the same object, and so
  /// share its mapping and what has been verified of it. It lives as long as someone holds it.
  ///
  /// - Throws: as `init`.
  package static func shared(
    path: String, fileSystem: any FileSystem = POSIXFileSystem()
  ) throws(SegmentError) -> SegmentFile {
    let candidate = try SegmentCandidate(path: path, fileSystem: fileSystem)
    let key = RegistryKey(candidate.status, candidate.header.description.identifier)
    if let file = registry.withLock({ $0[key]?.file }) { return file }
    let file = try SegmentFile(candidate)
    return registry.withLock { entries in
      // Another thread may have opened it meanwhile.
      if let other = entries[key]?.file { return other }
      entries = entries.filter { $0.value.file != nil }
      entries[key] = RegistryEntry(file: file)
      return file
    }
  }

  private static let registry = Locked<[RegistryKey: RegistryEntry]>([:])
}

/// What makes two paths the same segment. Identifier and time of change tell a file from a later one that was given
/// the same inode, and from itself after someone has written to it.
private struct RegistryKey: Hashable {
  var device: UInt64
  var inode: UInt64
  var modificationTime: Int64
  var identifier: SegmentIdentifier

  init(_ status: FileStatus, _ identifier: SegmentIdentifier) {
    device = status.device
    inode = status.inode
    modificationTime = status.modificationTime
    self.identifier = identifier
  }
}

private struct RegistryEntry {
  weak var file: SegmentFile?
}
