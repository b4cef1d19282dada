internal import VidxIndexes
internal import VidxSQLite

extension Session {
  // Through SQL, so that SQLite opens the statement's own savepoint and a failure leaves nothing behind.

  package func insert(_ vector: [Float], id: Int64?, into index: String) throws(VidxError) -> Int64 {
    try checkVector(vector, for: index)
    try execute(
      "INSERT INTO \(quoted(identifier: index))(rowid, vector) VALUES (?, ?)",
      [id.map(Value.integer) ?? .null, .vector(vector)])
    return id ?? connection.lastInsertRowID
  }

  package func upsert(_ vector: [Float], id: Int64, into index: String) throws(VidxError) {
    try checkVector(vector, for: index)
    try execute(
      "INSERT OR REPLACE INTO \(quoted(identifier: index))(rowid, vector) VALUES (?, ?)",
      [.integer(id), .vector(vector)])
  }

  package func delete(id: Int64, from index: String) throws(VidxError) -> Bool {
    let store = try store(index)
    guard try wrappingErrors({ try store.vector(rowID: id) }) != nil else { return false }
    try execute("DELETE FROM \(quoted(identifier: index)) WHERE rowid = ?", [.integer(id)])
    return true
  }

  /// Refuses here what the index would refuse, with a typed error: through SQL it would be a text.
  private func checkVector(_ vector: [Float], for index: String) throws(VidxError) {
    let dimensions = try store(index).definition.configuration.dimensions
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
