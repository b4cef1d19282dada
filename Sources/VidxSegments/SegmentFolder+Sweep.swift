/// What a sweep did.
package struct SweepResult: Sendable, Equatable {
  /// Names of the files removed.
  package var removed: [String] = []
  /// What kept it from removing others. Harmless to the database: such files only take space.
  package var failures: [SegmentError] = []
  /// Whether files are left that a reader of an older state may need.
  package var awaitsReaders = false

  package init(removed: [String] = [], failures: [SegmentError] = [], awaitsReaders: Bool = false) {
    self.removed = removed
    self.failures = failures
    self.awaitsReaders = awaitsReaders
  }
}

extension SegmentFolder {
  /// Removes the files that nobody needs: those of interrupted builds, and segments merged away.
  ///
  /// A file is locked from its creation to the commit that names it. So: lock first, then ask for the names; a file
  /// that could be locked and is not named by then never will be.
  ///
  /// - Parameter named: the files that committed manifests name, of **all** indexes of the database, read when it is
  ///   called (a new read transaction, outside any transaction of the caller): a segment that is missing from the
  ///   answer is lost.
  /// - Throws: what `named` throws; nothing more is removed then.
  package func sweep<Failure: Error>(
    keeping named: () throws(Failure) -> Set<String>
  ) throws(Failure) -> SweepResult {
    var result = SweepResult()
    var names: ArraySlice<String>
    do throws(SegmentError) {
      names = try list()[...]
    } catch {
      result.failures.append(error)
      return result
    }
    // In batches, to bound the descriptors held.
    while !names.isEmpty {
      try sweep(names.prefix(64), keeping: named, into: &result)
      names = names.dropFirst(64)
    }
    return result
  }

  private func sweep<Failure: Error>(
    _ names: ArraySlice<String>, keeping named: () throws(Failure) -> Set<String>, into result: inout SweepResult
  ) throws(Failure) {
    var locked: [(name: String, file: OpenFile)] = []
    for name in names {
      do throws(SegmentError) {
        if let file = try lockUnlessBusy(name) { locked.append((name, file)) }
      } catch {
        result.failures.append(error)
      }
    }
    if locked.isEmpty { return }
    let keep = try named()
    if locked.allSatisfy({ keep.contains($0.name) }) { return }
    do throws(SegmentError) {
      // With a rollback journal the commit that took the names away is the removal of a file: lost with the power, the
      // state before it would come back, and want these segments.
      try fileSystem.synchronizeDirectory(parentDirectory(of: path))
      try synchronizeJournal()
    } catch {
      return result.failures.append(error)
    }
    for (name, file) in locked where !keep.contains(name) {
      do throws(SegmentError) {
        if try removeIfPresent(file) { result.removed.append(name) }
      } catch {
        result.failures.append(error)
      }
    }
  }

  /// With `journal_mode = TRUNCATE` the commit is that the journal has become empty, which SQLite does not always
  /// synchronise.
  private func synchronizeJournal() throws(SegmentError) {
    guard path.hasSuffix(Self.suffix) else { return }
    let journal = path.dropLast(Self.suffix.count) + "-journal"
    do throws(SegmentError) {
      let file = try OpenFile(String(journal), for: .locking, fileSystem: fileSystem)
      try fileSystem.complete(.synchronize, file.path) { () throws(SystemCallError) in
        try fileSystem.synchronize(file.descriptor)
      }
    } catch .notFound {}
  }

  /// Those of some files that no writer holds: the transactions that were to name them have ended.
  package func withoutWriters(_ names: Set<String>) throws(SegmentError) -> Set<String> {
    var free: Set<String> = []
    for name in names where try lockUnlessBusy(name) != nil { free.insert(name) }
    return free
  }

  /// Opens and locks a file; nil when a writer holds it, or when it is gone.
  private func lockUnlessBusy(_ name: String) throws(SegmentError) -> OpenFile? {
    do throws(SegmentError) {
      let file = try OpenFile(path + "/" + name, for: .locking, fileSystem: fileSystem)
      return try file.lock() ? file : nil
    } catch .notFound {
      return nil
    }
  }

  /// Removes a file unless its name has gone or means another file by now. Returns whether it did.
  private func removeIfPresent(_ file: OpenFile) throws(SegmentError) -> Bool {
    let locked = try file.status()
    guard let present = try fileSystem.statusIfPresent(ofPath: file.path),
      present.device == locked.device, present.inode == locked.inode
    else { return false }
    try fileSystem.complete(.remove, file.path) { () throws(SystemCallError) in try fileSystem.remove(file.path) }
    return true
  }
}
