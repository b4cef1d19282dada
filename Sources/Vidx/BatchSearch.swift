internal import Dispatch
internal import Synchronization
internal import VidxSQLite

/// Many queries of one index on several threads, each with a connection of its own.
package struct BatchSearch: Sendable {
  package let path: String
  package let index: String
  package let k: Int
  /// Row ids that may be neighbours, ascending and distinct; nil for all.
  package let ids: [Int64]?
  package let settings: SearchSettings

  package init(path: String, index: String, k: Int, ids: [Int64]?, settings: SearchSettings) {
    self.path = path
    self.index = index
    self.k = k
    self.ids = ids
    self.settings = settings
  }

  /// One result for each query, in their order, all of the state of the index that the session sees.
  ///
  /// A thread that finds another state, because a writer has committed meanwhile, leaves its queries to the session.
  /// - Throws: the error of the query that comes first among those that failed.
  package func run(_ queries: [[Float]], threads: Int, session: Session) throws(VidxError) -> [SearchResult] {
    try session.snapshot {
      let state = try session.state(of: index)
      let outcomes = try searchOnThreads(queries, threads: threads, state: state)
      return try zip(queries, outcomes).map { query, outcome in
        try outcome?.get() ?? session.search(index, near: query, k: k, ids: ids, settings: settings)
      }
    }
  }

  /// - Returns: nil for queries that are left.
  private func searchOnThreads(
    _ queries: [[Float]], threads: Int, state: Value
  ) throws(VidxError) -> [Result<SearchResult, VidxError>?] {
    let next = Atomic<Int>(0)
    let outcomes = Mutex<[Result<SearchResult, VidxError>?]>(Array(repeating: nil, count: queries.count))
    let failure = Mutex<VidxError?>(nil)
    DispatchQueue.concurrentPerform(iterations: min(threads, queries.count)) { _ in
      do throws(VidxError) {
        let session = try Session(path: path, mode: .read)
        try session.snapshot {
          // An index that is gone by now has no state.
          guard (try? session.state(of: index)) == state else { return }
          while true {
            let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
            guard number < queries.count else { return }
            let outcome = Result { () throws(VidxError) in
              try session.search(index, near: queries[number], k: k, ids: ids, settings: settings)
            }
            outcomes.withLock { $0[number] = outcome }
          }
        }
      } catch { failure.withLock { $0 = error } }
    }
    if let error = failure.withLock({ $0 }) { throw error }
    return outcomes.withLock { $0 }
  }
}

extension Session {
  /// What differs between any two states of an index: the store's revision, which every change draws anew.
  fileprivate func state(of index: String) throws(VidxError) -> Value {
    _ = try store(index)
    let rows = try query("SELECT value FROM \(shadow(index, "config")) WHERE key = 'revision'")
    guard let state = rows.first?.values[0] else {
      throw VidxError(.corrupt, "index \"\(index)\" has no revision; restore a backup")
    }
    return state
  }
}
