package import VidxSQLite

extension Session {
  /// How the parts of an index answer one search, among row ids that are resolved already.
  ///
  /// - Parameter ids: ascending and distinct; nil for all rows.
  package func explain(
    _ index: String, near query: [Float], k: Int, ids: [Int64]?, settings: SearchSettings
  ) throws(VidxError) -> StoreExplanation {
    try Self.validate(k: k, settings)
    let request = StoreRequest(
      query: query, k: k, filter: ids, within: settings.within.map(Float.init), after: settings.cursor,
      parameters: settings.parameters)
    let store = try store(index)
    return try wrappingErrors { try store.explain(request) }
  }
}
