internal import CSQLite

extension FilterText {
  /// A text that is a SELECT of row ids or else a condition over the rows of the index.
  init(sql: String, _ values: [FilterValue]) {
    self.init(SQLText.isQuery(sql) ? .select : .condition, sql, values)
  }
}

extension IndexStore {
  /// The values for a filter's parameters.
  /// - Parameter json: an array of numbers, texts, booleans (1 and 0) and nulls; nil for none.
  /// - Throws: `SearchTermsError.parameters`, `SQLiteError`.
  func filterValues(json: String?) throws -> [FilterValue] {
    guard let json else { return [] }
    let reader =
      try filters.valueReader
      ?? connection.prepare(
        "SELECT json_type(?1), type, atom FROM json_each(?1)", isPersistent: true)
    filters.valueReader = reader
    defer { reader.reset() }
    try reader.bind(json, at: 1)
    var values: [FilterValue] = []
    do {
      while try reader.step() {
        guard try reader.textOrNull(0) == "array" else { throw SearchTermsError.parameters("it is no array") }
        values.append(try Self.value(in: reader))
      }
    } catch let error as SQLiteError where error.code & 0xFF == SQLITE_ERROR {
      throw SearchTermsError.parameters(error.message)
    }
    return values
  }

  private static func value(in reader: Statement) throws -> FilterValue {
    let kind = try reader.textOrNull(1) ?? ""
    if ["array", "object"].contains(kind) { throw SearchTermsError.parameters("an \(kind) is in it") }
    return switch reader.type(2) {
    case .integer: .integer(reader.int64(2))
    case .real: .real(reader.double(2))
    case .text: .text(try reader.textOrNull(2) ?? "")
    case .blob, .null: .null
    }
  }

  /// LIKE tells 'a' from 'A'.
  func isLikeCaseSensitive() throws -> Bool {
    let probe = try filters.likeProbe ?? connection.prepare("SELECT 'a' LIKE 'A'", isPersistent: true)
    filters.likeProbe = probe
    defer { probe.reset() }
    return try probe.step() && probe.int64(0) == 0
  }
}
