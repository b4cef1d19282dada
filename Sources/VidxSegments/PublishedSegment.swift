/// A segment that has its name but is not in the database yet. Its lock keeps sweeps away until `release`.
///
/// Call `release` after the commit of the transaction that names the file, or `discard` when that failed. Dropping the
/// object releases. Sendable.
package final class PublishedSegment: Sendable {
  package let path: String
  package let fileName: String
  package let byteCount: Int
  private let file: Locked<TemporaryFile>

  init(_ file: TemporaryFile, fileName: String, byteCount: Int) {
    path = file.path
    self.fileName = fileName
    self.byteCount = byteCount
    self.file = Locked(file)
  }

  /// Gives up the lock. Idempotent.
  package func release() { file.withLock { $0.close() } }

  /// Removes the file, then gives up the lock. For a segment that no committed transaction names.
  package func discard() throws(SegmentError) {
    try file.withLock { file throws(SegmentError) in
      try file.remove()
      file.close()
    }
  }
}
