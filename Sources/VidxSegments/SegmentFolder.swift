#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The folder of a database's segments, `<database>-vidx` beside it. Sendable; holds no state but the path.
package struct SegmentFolder: Sendable {
  package static let suffix = "-vidx"
  package static let segmentSuffix = ".seg"
  package static let temporarySuffix = ".tmp"

  package let path: String
  let fileSystem: any FileSystem

  /// - Parameter databasePath: of a database on disk; not empty, not `:memory:`.
  package init(databasePath: String, fileSystem: any FileSystem = POSIXFileSystem()) {
    self.init(path: databasePath + Self.suffix, fileSystem: fileSystem)
  }

  /// - Parameter path: of the folder itself.
  package init(path: String, fileSystem: any FileSystem = POSIXFileSystem()) {
    self.path = path
    self.fileSystem = fileSystem
  }

  /// Where a file of the folder is.
  ///
  /// - Throws: `invalidFileName` for anything that is not a plain name ending in `.seg`: the names come from the
  ///   database, and a hostile one must not lead out of the folder.
  package func path(ofFile name: String) throws(SegmentError) -> String {
    guard name.utf8.count > Self.segmentSuffix.utf8.count, name.hasSuffix(Self.segmentSuffix),
      !name.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == 0 })
    else { throw .invalidFileName(name: name) }
    return path + "/" + name
  }

  /// Makes sure that the folder exists, with the owner of the database file and its permissions: who may read the
  /// one may read the other.
  @discardableResult
  package func create() throws(SegmentError) -> FileStatus {
    if let status = try fileSystem.statusIfPresent(ofPath: path) { return status }
    let database =
      try path.hasSuffix(Self.suffix)
      ? fileSystem.statusIfPresent(ofPath: String(path.dropLast(Self.suffix.count))) : nil
    do throws(SegmentError) {
      try fileSystem.complete(.makeDirectory, path) { () throws(SystemCallError) in
        try fileSystem.makeDirectory(path, permissions: 0o777)
      }
    } catch .io(_, EEXIST, _) {
      // Another process was first, and gives it its permissions.
    }
    if let database { try follow(database) }
    try fileSystem.synchronizeDirectory(parentDirectory(of: path))
    guard let status = try fileSystem.statusIfPresent(ofPath: path) else { throw .notFound(path: path) }
    return status
  }

  private func follow(_ database: FileStatus) throws(SegmentError) {
    let directory = try OpenFile(path, for: .directory, fileSystem: fileSystem)
    let readable = database.permissions & 0o444
    try fileSystem.setAccess(
      of: directory.descriptor, permissions: database.permissions & 0o666 | readable >> 2, like: database, path: path)
  }

  /// The segments and leftover temporary files, sorted; empty when there is no folder.
  package func list() throws(SegmentError) -> [String] {
    let names: [String]
    do throws(SegmentError) {
      names = try fileSystem.complete(.list, path) { () throws(SystemCallError) in try fileSystem.list(path) }
    } catch .io(_, ENOENT, _) {
      return []
    }
    return names.filter { $0.hasSuffix(Self.segmentSuffix) || $0.hasSuffix(Self.segmentSuffix + Self.temporarySuffix) }
      .sorted()
  }

  /// Removes a segment that no manifest names any more. Who has it mapped keeps it; gone already is no error.
  package func remove(_ name: String) throws(SegmentError) {
    let file = try path(ofFile: name)
    do throws(SegmentError) {
      try fileSystem.complete(.remove, file) { () throws(SystemCallError) in try fileSystem.remove(file) }
    } catch .io(_, ENOENT, _) {
      return
    }
  }
}

extension SegmentFolder {
  /// Bytes of an index name that a file name shows at most; the rest is cut off.
  private static let maximumPrefix = 128

  /// The name of an index's segment: `<index>-<identifier>.seg`.
  ///
  /// The index name is there for people to read; the identifier alone makes the name unique. Bytes other than ASCII
  /// letters, digits and `_` are written `%XX`, so that no index name leads out of the folder or hides in it.
  package static func fileName(index: String, identifier: SegmentIdentifier) -> String {
    var prefix = ""
    for byte in index.utf8 {
      let piece = escaped(byte)
      if prefix.utf8.count + piece.utf8.count > maximumPrefix { break }
      prefix += piece
    }
    return "\(prefix)-\(identifier)\(segmentSuffix)"
  }

  private static func escaped(_ byte: UInt8) -> String {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      String(UnicodeScalar(byte))
    default:
      "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }
  }
}
