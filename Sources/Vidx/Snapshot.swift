/// What can be done inside `VectorDatabase.snapshot`: reading one committed state. Valid until the body ends; not
/// Sendable.
public final class Snapshot {
  private let session: Session
  private var isOpen = true

  init(_ session: Session) { self.session = session }

  func end() { isOpen = false }

  private var opened: Session {
    precondition(isOpen, "a snapshot was used after its body ended: do the work inside the body")
    return session
  }

  /// Runs one statement that only reads.
  public func query(_ sql: String, _ parameters: [Value] = []) throws(VidxError) -> [Row] {
    try opened.query(sql, parameters)
  }

  /// The rows nearest to a query.
  public func search(
    _ index: String, near query: [Float], k: Int = 10, filter: RowFilter = .all,
    settings: SearchSettings = SearchSettings()
  ) throws(VidxError) -> SearchResult {
    try opened.search(index, near: query, k: k, filter: filter, settings: settings)
  }

  /// The vector of a row.
  /// - Throws: `.noSuchRow`.
  public func vector(id: Int64, in index: String) throws(VidxError) -> [Float] {
    try opened.vector(of: id, in: index)
  }
}
