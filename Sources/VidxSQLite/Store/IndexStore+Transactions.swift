import VidxSegments

/// What the virtual table, or whoever else begins and ends transactions, has to tell.
///
/// The caches know from the revision whether they still hold, also when nobody tells; a rollback only gives back memory
/// early. What matters is the end: it settles the fate of segments published in the transaction.
extension IndexStore {
  /// Tells nothing: SQLite may connect to the table anew in the middle of a transaction, and begin once more.
  package func begin() {}

  /// A savepoint is about to be opened.
  package func savepoint(_ depth: Int32) throws {
    try flush()
    unseen.savepoint(depth)
  }

  package func release(_ depth: Int32) {}

  package func rollbackTo(_ depth: Int32) {
    // All of them are younger than any savepoint.
    forgetPending()
    forgetUncommitted()
    unseen.rollbackTo(depth)
  }

  /// The transaction is about to be committed.
  package func sync() throws { try flush() }

  /// The transaction is committed: files published in it are named in the manifest, or garbage that a sweep may take.
  package func commit() {
    for file in unsettledFiles { file.release() }
    unsettledFiles = []
    replacing = [:]
    forgetPending()
  }

  /// The transaction is rolled back: nothing names the files published in it.
  package func rollback() {
    replacing = [:]
    unseen.rollback()
    forgetPending()
    for file in unsettledFiles {
      do throws(SegmentError) {
        try file.discard()
      } catch {
        // Garbage that only takes space: the next sweep tries again.
        file.release()
      }
    }
    unsettledFiles = []
    forgetUncommitted()
  }

  /// Runs the body in a transaction, with `commit` or `rollback` after it.
  @discardableResult
  package func transaction<Result>(_ body: () throws -> Result) throws -> Result {
    let isOutermost = connection.isAutocommit
    do {
      let result = try connection.transaction(body)
      if isOutermost { commit() }
      return result
    } catch {
      if isOutermost { rollback() } else { rollbackTo(0) }
      throw error
    }
  }

  private func forgetPending() {
    pending = nil
    isHalfWritten = false
    inserts = 0
    transactions += 1
  }

  private func forgetUncommitted() {
    if delta?.isUncommitted ?? false { delta = nil }
  }
}
