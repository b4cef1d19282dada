/// A build in parts that has not come to its end: what its source is, and how far it has come. Kept with the index, and
/// changed in the transactions that add the parts.
package struct UnfinishedBuild: Sendable, Equatable {
  /// What the source is called: a file, or a table.
  package var source: String
  /// Tells a file from another; empty for a table.
  package var fingerprint: String
  /// Rows of the source: of a table, those that it had at first.
  package var total: Int
  /// Rows of the source that are done, from its first.
  package var done = 0
  /// Parts that these were built in.
  package var parts = 0
  /// Of a table: the highest row id that is done; nil before there is one.
  package var lastRowID: Int64?

  package init(source: String, fingerprint: String, total: Int) {
    self.source = source
    self.fingerprint = fingerprint
    self.total = total
  }
}

extension UnfinishedBuild {
  /// No source has so many: a larger number was not written by vidx, and could not be counted on from.
  private static let mostRows = 1 << 40

  /// What is stored: numbers, fingerprint and source, in this order, tabs between them. A source may have tabs.
  var text: String {
    let last = lastRowID.map { "\($0)" } ?? ""
    return ["\(total)", "\(done)", "\(parts)", last, fingerprint, source].joined(separator: "\t")
  }

  /// - Returns: nil for a text that `text` cannot have made.
  init?(text: String) {
    let fields = text.split(separator: "\t", maxSplits: 5, omittingEmptySubsequences: false).map { String($0) }
    guard fields.count == 6, let total = Int(fields[0]), let done = Int(fields[1]), let parts = Int(fields[2]),
      (1...Self.mostRows).contains(total), (0..<total).contains(done), (0...done).contains(parts)
    else { return nil }
    self.init(source: fields[5], fingerprint: fields[4], total: total)
    (self.done, self.parts) = (done, parts)
    if fields[3].isEmpty { return }
    guard let last = Int64(fields[3]) else { return nil }
    lastRowID = last
  }
}

extension IndexStore {
  private static let unfinishedKey = "unfinished"

  /// The build of the index that has not come to its end; nil when there is none.
  /// - Throws: `StoreError.damagedDefinition`; `SQLiteError`.
  package func unfinishedBuild() throws -> UnfinishedBuild? {
    let statement = try tables.statement(.readConfig)
    defer { statement.reset() }
    try statement.bind(Self.unfinishedKey, at: 1)
    guard try statement.step() else { return nil }
    guard let build = try statement.textOrNull(0).flatMap({ UnfinishedBuild(text: $0) }) else {
      throw StoreError.damagedDefinition(index: table, key: Self.unfinishedKey)
    }
    return build
  }

  /// Notes how far a build has come; nil when it is at its end.
  package func note(_ build: UnfinishedBuild?) throws(SQLiteError) {
    let statement = try tables.statement(build == nil ? .deleteConfig : .writeConfig)
    try statement.bind(Self.unfinishedKey, at: 1)
    if let build { try statement.bind(build.text, at: 2) }
    try statement.run()
  }
}
