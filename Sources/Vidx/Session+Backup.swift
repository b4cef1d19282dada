package import VidxIndexes
internal import VidxSQLite

extension Session {
  /// Copies the database and the files of its indexes, of one committed state, while others go on.
  ///
  /// - Parameters:
  ///   - path: where the copy goes; nothing may be there.
  ///   - proceed: told of bytes done and to do; throws to give up, which leaves nothing of the copy.
  /// - Returns: bytes copied.
  /// - Throws: `.alreadyExists`, `.storage`; `.corrupt` naming a damaged file: there is no copy of what is damaged.
  @discardableResult
  package func backup(
    to path: String, proceed: @escaping (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws(VidxError) -> Int {
    try wrappingErrors {
      try Backup.write(connection, to: path) { try proceed($0.done, $0.total) }
    }
  }

  /// Makes an index anew: from its table's column, which also repairs one whose files are missing or damaged; without
  /// one from the vectors it holds. The files it replaces wait for a sweep.
  package func rebuild(_ name: String, build: BuildOptions = BuildOptions()) throws(VidxError) {
    let store = try store(name)
    try wrappingErrors { try store.transaction { try store.rebuild(options: build) } }
  }
}
