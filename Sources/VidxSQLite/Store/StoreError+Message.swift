internal import VidxIndexes
import VidxSegments
import VidxVectors

extension StoreError: CustomStringConvertible {
  package var description: String { message }

  /// What is wrong with what, and what to do about it.
  package var message: String {
    switch self {
    case .noIndex(let schema, let table):
      "there is no vidx index \(table) in \(schema): check the name, or make it with CREATE VIRTUAL TABLE"
    case .nameTaken(let schema, let name):
      "\(schema) has a \(name) already, which the index needs for itself: give the index another name"
    case .newerSchema(let index, let found, let supported):
      "index \(index) has schema version \(found), and this vidx knows versions up to \(supported): use a newer vidx"
    case .vector(let rowID, let error):
      rowID.map { "row \($0): \(error)" } ?? "\(error)"
    case .query(let error):
      "\(error)"
    case .otherModel(let index, let model?, let named):
      "index \(index) is of model '\(model)', not of '\(named)': use vectors of '\(model)' and name it, or change the "
        + "index over with vidx reindex --model '\(named)'"
    case .otherModel(let index, nil, let named):
      "index \(index) names no model, so it is not known whether its vectors are of '\(named)': name none, or have the "
        + "index name it with vidx reindex --model '\(named)'"
    case .invalidTargetRecall, .invalidCount, .noFilterColumn, .missingPlan, .planOfStream: settingMessage
    case .rowIDsExhausted(let index):
      "index \(index) holds the largest row id there is: give the row id of the new row"
    case .inMemory(let index):
      "index \(index) is in a database without a file: its vectors stay in memory and are searched exactly, "
        + "and there is nothing to merge; use a database file for more rows"
    case .insideTransaction(let index):
      "a transaction is open: end it first, or merge inside it with INSERT INTO \(index)(\(index)) VALUES('optimize')"
    case .halfWritten(let index):
      "rows inserted into index \(index) were being written when an error ended it: roll the transaction back"
    case .overtaken(let index):
      "another process merged index \(index) or made it anew meanwhile, and nothing was changed: run it again if it is "
        + "still needed"
    case .rowExists, .noRow, .repeatedRowIDs, .rowsExist: rowMessage
    case .damagedDefinition, .damagedDelta, .damagedTombstone, .repeatedSegment, .segment, .foreignSegment:
      damageMessage
    case .content, .contentRow: contentMessage
    }
  }

  private var settingMessage: String {
    switch self {
    case .invalidTargetRecall(let value):
      "target_recall must be above 0 and at most 1, not \(value)"
    case .invalidCount(let name, let value):
      "\(name) cannot be \(value): give a number that is at least 0"
    case .noFilterColumn(let index, let column, let known):
      "index \(index) has no filter column '\(column)'"
        + (nearestSpelling(to: column, among: known).map { " (did you mean '\($0)'?)" } ?? "")
        + (known.isEmpty ? ": it has none" : ": it has \(known.joined(separator: ", "))")
    case .missingPlan(let plan, let index):
      "plan cannot be \(plan.rawValue): an index of type \(index.kind.name)"
        + (index.kind == .hnsw && index.metric == .l1 ? " under l1" : "") + " has \(Self.list(index.plans))"
    case .planOfStream(let plan):
      "plan cannot be \(plan.rawValue) where rows come one by one (without k, or with k and bounds of the row id or "
        + "lower bounds of the distance): leave it out"
    default: preconditionFailure("not about a setting")
    }
  }

  private static func list(_ plans: [SegmentPlan]) -> String {
    guard let last = plans.last, plans.count > 1 else { return "only " + plans.map(\.rawValue).joined() }
    return plans.dropLast().map(\.rawValue).joined(separator: ", ") + " and " + last.rawValue
  }

  private var rowMessage: String {
    switch self {
    case .rowExists(let index, let rowID):
      "index \(index) has a row \(rowID) already: use UPDATE, or INSERT OR REPLACE"
    case .noRow(let index, let rowID):
      "index \(index) has no row \(rowID)"
    case .repeatedRowIDs(let rowIDs, let count):
      "row ids must be distinct: \(Self.list(rowIDs, of: count)) occur more than once; nothing was changed"
    case .rowsExist(let index, let rowIDs, let count):
      "index \(index) has rows \(Self.list(rowIDs, of: count)) already: delete them first; nothing was changed"
    default: preconditionFailure("not about rows")
    }
  }

  /// Only a content table has what a rebuild needs.
  private static let restore =
    "restore a backup; without one, rebuild an index on a content table (INSERT INTO t(t) VALUES('rebuild')), "
    + "and drop one with vectors of its own, make it again and write its rows again"

  private var damageMessage: String {
    switch self {
    case .damagedDefinition(let index, let key):
      "the definition of index \(index) is damaged (\(key)): restore a backup, or drop the index and make it again"
    case .damagedDelta(let index, let rowID):
      "the new vector of row \(rowID) of index \(index) is damaged: write it again, or \(Self.restore)"
    case .damagedTombstone(let index, let file, let entry):
      "index \(index) marks entry \(entry) of \(file) as deleted, which is outside it: \(Self.restore)"
    case .segment(_, .stopped): SegmentError.stopped.message
    case .repeatedSegment(let index, let file):
      "index \(index) names segment \(file) twice, or has another one of the same id: \(Self.restore)"
    case .segment(let index, let error):
      "index \(index): \(error)"
    case .foreignSegment(let index, let file, let disagreement):
      "index \(index): \(file) does not have the \(disagreement.rawValue) that the database states: \(Self.restore)"
    default: preconditionFailure("not about damage")
    }
  }

  private var contentMessage: String {
    switch self {
    case .content(let table, let fault): "content table \(table): \(fault)"
    case .contentRow(let table, let rowID, let reason):
      "row \(rowID) of \(table): \(reason); correct it or set it to NULL"
    default: preconditionFailure("not about content")
    }
  }

  private static func list(_ rowIDs: [Int64], of count: Int) -> String {
    let shown = rowIDs.map(String.init).joined(separator: ", ")
    return count > rowIDs.count ? "\(shown) and \(count - rowIDs.count) more" : shown
  }
}

extension ContentFault: CustomStringConvertible {
  package var description: String {
    switch self {
    case .missing: "there is no such table in the schema of the index: check the name"
    case .view: "it is a view, whose rows have no row ids: name a table"
    case .virtual: "it is a virtual table, on which there can be no triggers: name an ordinary table"
    case .withoutRowID: "it is WITHOUT ROWID, so its rows have no row ids: it needs an INTEGER PRIMARY KEY and rowids"
    case .noIntegerPrimaryKey:
      "it needs an INTEGER PRIMARY KEY: VACUUM may change the implicit row ids of a table without one, and the index "
        + "would then name the wrong rows"
    case .descendingPrimaryKey:
      "INTEGER PRIMARY KEY DESC does not name the row id (a quirk of SQLite): declare it INTEGER PRIMARY KEY"
    case .missingColumn(let column): "there is no column \(column): check the name"
    case .missingFilterColumn(let column, let known):
      "there is no column \(column) to filter by"
        + (nearestSpelling(to: column, among: known).map { " (did you mean '\($0)'?)" } ?? "")
        + ": it has \(known.joined(separator: ", "))"
    case .lostColumn(let column):
      "there is no column \(column) any more: drop the index and make it again with the name the column has now"
    case .keyAsVector(let column): "column \(column) is the primary key: name the column that holds the vectors"
    }
  }
}
