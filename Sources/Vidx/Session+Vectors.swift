internal import VidxIndexes
internal import VidxSQLite

extension Session {
  // Through SQL, so that SQLite opens the statement's own savepoint and a failure leaves nothing behind.

  /// - Parameters:
  ///   - values: those of filter columns by name; NULL for the others.
  ///   - model: that the vector is of; nil checks nothing.
  package func insert(
    _ vector: [Float], id: Int64?, values: [String: Value] = [:], model: String? = nil, into index: String
  ) throws(VidxError) -> Int64 {
    try checkVector(vector, model, for: index)
    try write("INSERT", id.map(Value.integer) ?? .null, vector, values, model, into: index)
    return id ?? connection.lastInsertRowID
  }

  package func upsert(
    _ vector: [Float], id: Int64, values: [String: Value] = [:], model: String? = nil, into index: String
  ) throws(VidxError) {
    try checkVector(vector, model, for: index)
    try write("INSERT OR REPLACE", .integer(id), vector, values, model, into: index)
  }

  private func write(
    _ verb: String, _ id: Value, _ vector: [Float], _ values: [String: Value], _ model: String?, into index: String
  ) throws(VidxError) {
    let store = try store(index, isRead: false)
    for name in values.keys { _ = try filterColumn(name, of: store) }
    // The model once more: another process may have changed the index over since it was checked.
    let own = ["rowid", "vector"] + (model == nil ? [] : ["model"])
    let names = (own + values.keys.map { quoted(identifier: $0) }).joined(separator: ", ")
    let marks = [String](repeating: "?", count: own.count + values.count).joined(separator: ", ")
    try execute(
      "\(verb) INTO \(quoted(identifier: index))(\(names)) VALUES (\(marks))",
      [id, .vector(vector)] + (model.map { [.text($0)] } ?? []) + values.values)
  }

  /// The position of a filter column.
  func filterColumn(_ name: String, of store: IndexStore) throws(VidxError) -> Int {
    if let position = store.definition.filterColumns.position(of: name) { return position }
    let columns = store.definition.filterColumns.map(\.name)
    let guess = nearestSpelling(to: name, among: columns).map { " (did you mean \"\($0)\"?)" } ?? ""
    let known =
      columns.isEmpty
      ? "it has none: declare them when it is made" : "it has \(columns.joined(separator: ", "))"
    throw VidxError(.badOption, "index \"\(store.table)\" has no filter column \"\(name)\"\(guess); \(known)")
  }

  package func delete(id: Int64, from index: String) throws(VidxError) -> Bool {
    let store = try store(index)
    guard try wrappingErrors({ try store.vector(rowID: id) }) != nil else { return false }
    try execute("DELETE FROM \(quoted(identifier: index)) WHERE rowid = ?", [.integer(id)])
    return true
  }

  /// Refuses here what the index would refuse, with a typed error: through SQL it would be a text.
  private func checkVector(_ vector: [Float], _ model: String?, for index: String) throws(VidxError) {
    let store = try store(index, isRead: false)
    try wrappingErrors { try store.check(model: model) }
    let dimensions = store.definition.configuration.dimensions
    guard vector.count == dimensions else {
      throw VidxError(
        .badVector,
        "the vector has \(vector.count) dimensions and index \"\(index)\" \(dimensions); "
          + "give vectors of \(dimensions)")
    }
    if let place = vector.firstIndex(where: { !$0.isFinite }) {
      throw VidxError(.badVector, "component \(place) of the vector is NaN or infinite; correct or leave it out")
    }
  }
}
