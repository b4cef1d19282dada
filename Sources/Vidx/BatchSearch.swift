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

  /// One result for each query, in their order. A writer that commits meanwhile may be seen by some queries and not by
  /// others.
  /// - Throws: the error of the query that comes first among those that failed.
  package func run(_ queries: [[Float]], threads: Int) throws(VidxError) -> [SearchResult] {
    let next = Atomic<Int>(0)
    let outcomes = Mutex<[Result<SearchResult, VidxError>?]>(Array(repeating: nil, count: queries.count))
    let failure = Mutex<VidxError?>(nil)
    DispatchQueue.concurrentPerform(iterations: min(threads, queries.count)) { _ in
      do throws(VidxError) {
        let session = try Session(path: path, mode: .read)
        while true {
          let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
          guard number < queries.count else { return }
          let outcome = Result { () throws(VidxError) in
            try session.search(index, near: queries[number], k: k, ids: ids, settings: settings)
          }
          outcomes.withLock { $0[number] = outcome }
        }
      } catch { failure.withLock { $0 = error } }
    }
    if let error = failure.withLock({ $0 }) { throw error }
    var results: [SearchResult] = []
    for outcome in outcomes.withLock({ $0 }) {
      guard let outcome else { preconditionFailure("a query was not run and no thread failed") }
      results.append(try outcome.get())
    }
    return results
  }
}
