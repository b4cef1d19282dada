internal import VidxIndexes

/// One index of a database. Sendable; a handle, nothing is kept open by it.
public struct VectorIndex: Sendable {
  public let name: String
  private let database: VectorDatabase

  init(name: String, database: VectorDatabase) {
    self.name = name
    self.database = database
  }

  // MARK: Searching

  /// The k rows nearest to a query, among those for which a condition holds.
  ///
  /// ```swift
  /// let nearest = try await index.search(near: [1, 0, 0], k: 2)
  /// let good = try await index.search(near: [1, 0, 0], k: 2, where: "stars >= ?", [4])
  /// let close = try await index.search(near: [1, 0, 0], k: 2, settings: SearchSettings(within: 0.5))
  /// print(nearest.hits.count, good.hits.count, close.hits.count)
  /// ```
  ///
  /// - Parameters:
  ///   - query: as many components as the index has dimensions.
  ///   - k: at least 1.
  ///   - condition: SQL over the index's table of rows; nil for all rows.
  ///   - parameters: values of the condition's `?`, in order.
  /// - Returns: fewer than k hits only when fewer rows pass.
  /// - Throws: `.badVector`, `.badOption`, `.wrongModel`, `.badCondition` with SQLite's words, `.corrupt` naming the
  ///   file.
  public func search(
    near query: [Float], k: Int = 10, where condition: String? = nil, _ parameters: [Value] = [],
    settings: SearchSettings = SearchSettings()
  ) async throws(VidxError) -> SearchResult {
    let filter = condition.map { RowFilter.where($0, parameters: parameters) } ?? .all
    return try await search(near: query, k: k, filter: filter, settings: settings)
  }

  /// The k rows nearest to a query, among those that pass a filter.
  public func search(
    near query: [Float], k: Int = 10, filter: RowFilter, settings: SearchSettings = SearchSettings()
  ) async throws(VidxError) -> SearchResult {
    let name = name
    return try await database.read { session in
      try session.search(name, near: query, k: k, filter: filter, settings: settings)
    }
  }

  /// Many searches over one snapshot of the database, the filter evaluated once. Where vectors are scanned, they are
  /// read once for many queries, which makes it several times as fast as one search after the other.
  ///
  /// - Parameter threads: to search on.
  /// - Returns: one result for each query, in their order, the same as its own search gives.
  public func search(
    nearEach queries: [[Float]], k: Int = 10, filter: RowFilter = .all, settings: SearchSettings = SearchSettings(),
    threads: Int = 1
  ) async throws(VidxError) -> [SearchResult] {
    let name = name
    return try await database.read { session in
      try session.search(name, nearEach: queries, k: k, filter: filter, settings: settings, threads: threads)
    }
  }

  /// The vector of a row.
  /// - Throws: `.noSuchRow`.
  public func vector(id: Int64) async throws(VidxError) -> [Float] {
    let name = name
    return try await database.read { session in try session.vector(of: id, in: name) }
  }

  // MARK: Writing

  /// Adds a row, in a transaction of its own. For many, and for rows with their vectors, see
  /// `VectorDatabase.transaction`.
  ///
  /// ```swift
  /// let id = try await index.insert([0.3, 0.3, 0.9])
  /// try await index.upsert([0.3, 0.4, 0.8], id: id)
  /// let wasThere = try await index.delete(id: id)
  /// print(id, wasThere)
  /// ```
  ///
  /// - Parameters:
  ///   - id: nil for one more than the largest.
  ///   - values: those of filter columns, by name; NULL for the others.
  ///   - model: the embedding model that the vector is of; nil checks nothing.
  /// - Returns: the row id.
  /// - Throws: `.wrongModel` when the index names another model, or none.
  @discardableResult
  public func insert(
    _ vector: [Float], id: Int64? = nil, values: [String: Value] = [:], model: String? = nil
  ) async throws(VidxError) -> Int64 {
    let name = name
    return try await database.write { session, _ in
      try session.insert(vector, id: id, values: values, model: model, into: name)
    }
  }

  /// Adds a row, or replaces its vector and values.
  public func upsert(
    _ vector: [Float], id: Int64, values: [String: Value] = [:], model: String? = nil
  ) async throws(VidxError) {
    let name = name
    try await database.write { session, _ in
      try session.upsert(vector, id: id, values: values, model: model, into: name)
    }
  }

  /// Takes a row out of the index.
  /// - Returns: whether it was there.
  @discardableResult
  public func delete(id: Int64) async throws(VidxError) -> Bool {
    let name = name
    return try await database.write { session, _ in try session.delete(id: id, from: name) }
  }

  // MARK: Care

  /// Merges new and deleted rows into the index's files. Searches and writes go on meanwhile; cancelling the task
  /// leaves everything as it was.
  public func optimize() async throws(VidxError) {
    let name = name
    try await database.optimize(name)
  }

  /// Makes the index anew, of other vectors or in another way, and puts it in its own place, in one transaction:
  /// searches go on with what there was until it is committed, writes wait. Cancelling the task, as any error, leaves
  /// it as it was.
  ///
  /// ```swift
  /// try await index.reindex(IndexChanges(model: "small-v1"))
  /// let vectors: [Int64: [Float]] = [1: [0.2, 0.9], 2: [0.7, 0.1]]
  /// let count = try await index.reindex(IndexChanges(model: "tiny-v2"), vectors: .rows(vectors))
  /// print(count, try await index.summary().options.dimensions)
  /// ```
  ///
  /// The first names the model of an index that named none; the second changes it over to another, of other dimensions.
  ///
  /// - Returns: the number of rows.
  /// - Throws: `.wrongModel` when the vectors are held and of another model; `.badRows` unless there is a vector for
  ///   each row and no other; `.badOption`, `.badVector`.
  @discardableResult
  public func reindex(_ changes: IndexChanges, vectors: IndexVectors = .held) async throws(VidxError) -> Int {
    let name = name
    return try await database.reindex(name, changes, vectors)
  }

  /// Everything that is wrong with the index, one line each; empty when it is sound. Reads every byte.
  public func check() async throws(VidxError) -> [String] {
    let name = name
    return try await database.read { session in try session.problems(of: name) }
  }

  /// What the index is and holds.
  public func summary() async throws(VidxError) -> IndexSummary {
    let name = name
    return try await database.read { session in try session.summary(of: name) }
  }
}
