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
