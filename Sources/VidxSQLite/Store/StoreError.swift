package import VidxIndexes
package import VidxSegments
package import VidxVectors

/// Why an index refuses or cannot answer. SQLite's own refusals are thrown as `SQLiteError`, those of a build as
/// `BuildError`.
package enum StoreError: Error, Equatable, Sendable {
  /// There are no shadow tables of this name.
  case noIndex(schema: String, table: String)
  /// A shadow table of a new index would have the name of something that is there.
  case nameTaken(schema: String, name: String)
  /// A later vidx made the index.
  case newerSchema(index: String, found: Int64, supported: Int64)
  /// The definition stored with the index is incomplete or impossible.
  case damagedDefinition(index: String, key: String)
  /// A row of the delta holds what no insert writes.
  case damagedDelta(index: String, rowID: Int64)
  /// A tombstone points outside its segment.
  case damagedTombstone(index: String, file: String, entry: Int64)
  /// The manifest names a segment twice, or gives two the same id.
  case repeatedSegment(index: String, file: String)
  /// A segment cannot be read. The cause names the file.
  case segment(index: String, SegmentError)
  /// A segment is sound but does not belong to this index, or not to this state of it.
  case foreignSegment(index: String, file: String, SegmentDisagreement)
  /// A vector to be stored is not one. `rowID` is nil when it would have been chosen by the index.
  case vector(rowID: Int64?, VectorError)
  /// The query is not a vector of this index.
  case query(VectorError)
  /// The caller names another model than the index, which may name none.
  case otherModel(index: String, model: String?, named: String)
  /// k or another number of a request is out of range.
  case invalidCount(name: String, value: Int)
  case invalidTargetRecall(Double)
  /// A condition names a filter column that the index does not have.
  case noFilterColumn(index: String, column: String, known: [String])
  /// The kind of index cannot be searched so.
  case missingPlan(SegmentPlan, IndexConfiguration)
  /// Rows that come one by one cannot be found so.
  case planOfStream(SegmentPlan)
  case rowExists(index: String, rowID: Int64)
  case noRow(index: String, rowID: Int64)
  /// The largest row id is taken, so there is no next one.
  case rowIDsExhausted(index: String)
  /// Row ids of a bulk load that occur more than once in it; `rowIDs` holds the first few of `count`.
  case repeatedRowIDs(rowIDs: [Int64], count: Int)
  /// Row ids of a bulk load that the index has already; `rowIDs` holds the first few of `count`.
  case rowsExist(index: String, rowIDs: [Int64], count: Int)
  /// Segments are files beside the database, and this one has no file.
  case inMemory(index: String)
  /// The operation commits on its own, so it cannot run inside the caller's transaction.
  case insideTransaction(index: String)
  /// An error has ended the writing of rows that the open transaction had inserted.
  case halfWritten(index: String)
  /// Another process merged most of the same rows, or made the index anew, while this one was building.
  case overtaken(index: String)
  /// The table named by `content` cannot be indexed.
  case content(table: String, ContentFault)
  /// A row of the content table has no vector that could be indexed.
  case contentRow(table: String, rowID: Int64, reason: String)
}

/// What a segment file and the database say differently.
package enum SegmentDisagreement: String, Sendable {
  case dimensions, metric, kind
  case entryCount = "number of rows"
  case filterColumns = "filter columns"
}

/// Why a table cannot be the content of an index.
package enum ContentFault: Equatable, Sendable {
  case missing
  case view
  case virtual
  case withoutRowID
  case noIntegerPrimaryKey
  /// `INTEGER PRIMARY KEY DESC` is, for historical reasons, an ordinary column.
  case descendingPrimaryKey
  case missingColumn(String)
  case missingFilterColumn(String, known: [String])
  /// The column was there when the index was made; it has been renamed or dropped.
  case lostColumn(String)
  case keyAsVector(String)
}
