package import VidxSQLite

extension Session {
  /// The rows nearest to a query, inside `snapshot`; and what was done to learn which rows pass.
  package func search(
    _ index: String, near query: [Float], k: Int, filter: RowFilter, settings: SearchSettings, trace: FilterTrace
  ) throws(VidxError) -> SearchResult {
    guard filter.isInSQL else { return try search(index, near: query, k: k, filter: filter, settings: settings) }
    let request = try StoreRequest(query, k: k, settings)
    return try wrappingErrors { try search(request, index, filter, settings.timeout, trace) }
  }

  /// How the parts of an index answer one search, among rows that are resolved already, in the same snapshot.
  package func explain(
    _ index: String, near query: [Float], k: Int, among rows: ResolvedRows, settings: SearchSettings
  ) throws(VidxError) -> StoreExplanation {
    let request = try StoreRequest(query, k: k, among: rows, settings)
    let store = try store(index)
    return try wrappingErrors { try store.explain(request) }
  }

  /// Makes filters in SQL be asked as if for the first time.
  package func forgetFilterRows(of index: String) throws(VidxError) { try store(index).forgetFilterRows() }
}
