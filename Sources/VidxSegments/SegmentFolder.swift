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
  /// - Throws: `invalidFileName` for what `fileName` cannot have made: the names come from the database, and a hostile
  ///   one must not lead out of the folder.
  package func path(ofFile name: String) throws(SegmentError) -> String {
    guard Self.isSegmentName(name) else { throw .invalidFileName(name: name) }
    return path + "/" + name
  }

  /// Whether a name could be one of `fileName`: ends in `.seg`, and has none but ASCII letters, digits and `_-%.`.
  private static func isSegmentName(_ name: some StringProtocol) -> Bool {
    name.utf8.count > segmentSuffix.utf8.count && name.hasSuffix(segmentSuffix)
      && name.utf8.allSatisfy { isPlain($0) || punctuation.contains($0) }
  }

  private static let punctuation: [UInt8] = Array("-%.".utf8)

  /// Makes sure that the folder exists, with the owner of the database file and its permissions: who may read the
  /// one may read the other. Not durable before a segment is published in it.
  /// - Parameter model: stands for the database file while there is none.
  /// - Returns: what its files are to be like: as open as the folder, where the database is, too.
  @discardableResult
  package func create(like model: FileStatus? = nil) throws(SegmentError) -> FileStatus {
    if var status = try fileSystem.statusIfPresent(ofPath: path) {
      // The database may have been closed to others since.
      if let database = try databaseStatus() { status.permissions &= Self.folderPermissions(database.permissions) }
      return status
    }
    let database = try databaseStatus() ?? model
    let permissions = database.map { Self.folderPermissions($0.permissions) } ?? 0o777
    do throws(SegmentError) {
      try fileSystem.complete(.makeDirectory, path) { () throws(SystemCallError) in
        try fileSystem.makeDirectory(path, permissions: permissions)
      }
      if let database {
        let folder = try OpenFile(path, for: .directory, fileSystem: fileSystem)
        try fileSystem.setAccess(of: folder.descriptor, permissions: permissions, like: database, path: path)
      }
    } catch .io(.makeDirectory, EEXIST, _) {
      // Another process was first, and gives it its permissions.
    }
    guard let status = try fileSystem.statusIfPresent(ofPath: path) else { throw .notFound(path: path) }
    return status
  }

  /// Status of the database file, nil when the folder is not named after one. Never opens it: closing a descriptor
  /// of it would drop SQLite's locks.
  private func databaseStatus() throws(SegmentError) -> FileStatus? {
    guard path.hasSuffix(Self.suffix) else { return nil }
    return try fileSystem.statusIfPresent(ofPath: String(path.dropLast(Self.suffix.count)))
  }

  /// Those of the file, and to enter for whoever may read.
  private static func folderPermissions(_ permissions: UInt32) -> UInt32 {
    permissions & 0o666 | (permissions & 0o444) >> 2
  }

  /// The segments and temporary files, sorted; empty when there is no folder. Files of other names are not ours.
  package func list() throws(SegmentError) -> [String] {
    let names: [String]
    do throws(SegmentError) {
      names = try fileSystem.complete(.list, path) { () throws(SystemCallError) in try fileSystem.list(path) }
    } catch .io(_, ENOENT, _) {
      return []
    }
    return names.filter { name in
      Self.isSegmentName(name)
        || name.hasSuffix(Self.temporarySuffix) && Self.isSegmentName(name.dropLast(Self.temporarySuffix.utf8.count))
    }.sorted()
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
    if isPlain(byte) { return String(UnicodeScalar(byte)) }
    return "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true
    default:
      false
    }
  }
}
