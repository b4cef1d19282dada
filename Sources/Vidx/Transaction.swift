/// What can be done inside `VectorDatabase.transaction`. Valid until the body ends; not Sendable.
public final class Transaction {
  private let session: Session
  private var isOpen = true

  init(_ session: Session) { self.session = session }

  func end() { isOpen = false }

  private var opened: Session {
    precondition(isOpen, "a transaction was used after its body ended: do the work inside the body")
    return session
  }

  /// Runs one statement; returns how many rows it changed.
  @discardableResult
  public func execute(_ sql: String, _ parameters: [Value] = []) throws(VidxError) -> Int {
    try opened.execute(sql, parameters)
  }

  /// Runs one statement and returns the rows it answers; it sees what this transaction has written.
  public func query(_ sql: String, _ parameters: [Value] = []) throws(VidxError) -> [Row] {
    try opened.query(sql, parameters)
  }

  /// Adds a row to an index.
  ///
  /// - Parameters:
  ///   - id: nil for one more than the largest.
  ///   - values: those of filter columns, by name; NULL for the others.
  ///   - model: the embedding model that the vector is of; nil checks nothing.
  /// - Returns: the row id.
  /// - Throws: `.constraint` when the row is there already, `.badVector`; `.wrongModel` when the index names another
  ///   model, or none.
  @discardableResult
  public func insert(
    _ vector: [Float], id: Int64? = nil, values: [String: Value] = [:], model: String? = nil, into index: String
  ) throws(VidxError) -> Int64 {
    try opened.insert(vector, id: id, values: values, model: model, into: index)
  }

  /// Adds a row to an index, or replaces its vector and values.
  public func upsert(
    _ vector: [Float], id: Int64, values: [String: Value] = [:], model: String? = nil, into index: String
  ) throws(VidxError) {
    try opened.upsert(vector, id: id, values: values, model: model, into: index)
  }

  /// Takes a row out of an index.
  /// - Returns: whether it was there.
  @discardableResult
  public func delete(id: Int64, from index: String) throws(VidxError) -> Bool {
    try opened.delete(id: id, from: index)
  }

  /// The rows nearest to a query, those that this transaction has written among them.
  public func search(
    _ index: String, near query: [Float], k: Int = 10, filter: RowFilter = .all,
    settings: SearchSettings = SearchSettings()
  ) throws(VidxError) -> SearchResult {
    try opened.search(index, near: query, k: k, filter: filter, settings: settings)
  }
}
