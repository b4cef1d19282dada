package import VidxSQLite

extension Session {
  /// How the parts of an index answer one search, among rows that are resolved already, in the same snapshot.
  package func explain(
    _ index: String, near query: [Float], k: Int, among rows: ResolvedRows, settings: SearchSettings
  ) throws(VidxError) -> StoreExplanation {
    try Self.validate(k: k, settings)
    let request = StoreRequest(
      query: query, k: k, prepared: rows.filter, within: settings.bound, after: settings.cursor,
      parameters: settings.parameters)
    let store = try store(index)
    return try wrappingErrors { try store.explain(request) }
  }
}
