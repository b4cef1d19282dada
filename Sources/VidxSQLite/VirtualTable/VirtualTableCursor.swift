internal import CSQLite
internal import CVidxSQLite
internal import VidxIndexes

/// One reading of a table, from `xFilter` to the last `xNext`. It may be started again, for the next row of a join.
final class VirtualTableCursor {
  let table: VirtualTable
  private var terms = SearchTerms()
  private var source = Source.none
  private var current: Row?
  private var kept: KeptSearch?
  private let comparisons: RunningComparisons

  /// Where rows come from.
  private enum Source {
    case none
    /// What a search found.
    case hits(ArraySlice<StoreHit>)
    /// Rows by distance, found as they are asked for.
    case stream(SortedBatches)
    /// Rows by row id.
    case scan(RowScan)
    /// Some row ids, which may not be there.
    case rowIDs(ArraySlice<Int64>)
  }

  private struct Row {
    var rowID: Int64
    var distance: Float?
    /// Where a scan met the row.
    var place: Place?
  }

  /// An inner loop of a join may ask the same for every row of the outer one.
  private struct KeptSearch {
    var terms: SearchTerms
    /// Of the state that was searched. No count of changes will do: ROLLBACK TO takes changes back and counts none.
    var revision: UInt64
    var hits: ArraySlice<StoreHit>
    var report: LastSearch
  }

  init(table: VirtualTable) {
    self.table = table
    comparisons = RunningComparisons(table)
  }

  var isAtEnd: Bool { current == nil }
  var rowID: Int64 { current?.rowID ?? 0 }

  /// Starts reading, at the first row.
  func start(plan: String, values: UnsafeMutableBufferPointer<OpaquePointer?>) throws {
    current = nil
    source = .none
    terms = try unsafe SearchTermsReader.terms(plan: plan, values: values, of: table, comparisons)
    if terms.isEmpty || terms.wanted == 0 {
      if plan.contains(QueryPlan.Use.query.rawValue) {
        table.registry.log.last = LastSearch(index: table.name, withoutRowsOf: terms.rowIDs)
      }
      return
    }
    if !terms.conditions.isEmpty { terms.compareTexts(in: try table.store().textOrder()) }
    source = try makeSource()
    try advance()
  }

  /// Goes to the next row.
  func advance() throws {
    current = nil
    while current == nil, let row = try takeRow() {
      // What a search found has been checked.
      if terms.wanted != nil || terms.allows(rowID: row.rowID, distance: row.distance) { current = row }
    }
  }

  /// Gives the value of a column of the current row to SQLite.
  func giveColumn(_ number: Int32, to context: OpaquePointer?) throws {
    // An UPDATE that leaves the column alone need not carry its value; xUpdate is told so.
    if unsafe sqlite3_vtab_nochange(context) != 0 { return }
    guard let row = current else { return unsafe sqlite3_result_null(context) }
    if let position = Column.filterPosition(of: number) {
      return unsafe SQLResult.columnValue(try filterValue(of: row, position), to: context)
    }
    guard let column = Column(rawValue: number) else { return unsafe sqlite3_result_null(context) }
    switch column {
    case .vector:
      // Without one, the row was deleted while the query runs.
      guard let vector = try vector(of: row) else { return unsafe sqlite3_result_null(context) }
      unsafe SQLResult.vector(vector, to: context)
    case .distance: unsafe Self.give(row.distance.map(Double.init), to: context)
    case .k: unsafe Self.give(terms.k, to: context)
    case .efSearch: unsafe Self.give(terms.parameters.efSearch, to: context)
    case .probes: unsafe Self.give(terms.parameters.probes, to: context)
    case .targetRecall: unsafe Self.give(terms.parameters.targetRecall, to: context)
    case .exact: unsafe Self.give(terms.parameters.exact ? 1 : 0, to: context)
    case .plan: unsafe Self.give(terms.parameters.plan?.rawValue, to: context)
    case .afterDistance: unsafe Self.give((terms.after?.distance).map(Double.init), to: context)
    case .afterRowID: unsafe Self.give((terms.after?.rowID).map(Int.init), to: context)
    case .filter: unsafe Self.give(terms.filter, to: context)
    case .filterParameters: unsafe Self.give(terms.filterParameters, to: context)
    case .model: unsafe Self.give(try table.store().definition.model, to: context)
    case .rowID, .command: unsafe sqlite3_result_null(context)
    }
  }

  private func vector(of row: Row) throws -> [Float]? {
    // What a segment holds does not change; a row of the delta may have moved since the scan met it.
    if let place = row.place, case .segment = place { return try table.store().vector(row.rowID, at: place) }
    return try table.store().vector(rowID: row.rowID)
  }

  private func filterValue(of row: Row, _ position: Int) throws -> ColumnValue {
    if let place = row.place, case .segment = place {
      return try table.store().value(row.rowID, at: place, column: position)
    }
    return try table.store().value(rowID: row.rowID, column: position)
  }

  // MARK: Sources

  private func makeSource() throws -> Source {
    guard let query = terms.query else {
      if let rowIDs = terms.rowIDs { return .rowIDs(rowIDs[...]) }
      return .scan(try table.store().scan(from: terms.from, conditions: terms.conditions))
    }
    let search = try TableSearch(table, terms, near: query)
    if terms.wanted == nil, !terms.isPaged {
      let stream = try search.stream()
      return .stream(
        SortedBatches(stream) { [log = table.registry.log, name = table.name] in
          log.last = LastSearch(index: name, stream)
        })
    }
    return .hits(try hits(of: search, terms.wanted ?? SearchTerms.largestK))
  }

  private func hits(of search: TableSearch, _ wanted: Int) throws -> ArraySlice<StoreHit> {
    let revision = try table.store().readRevision().token
    if let kept, kept.revision == revision, kept.terms == terms {
      table.registry.log.last = kept.report
      return kept.hits
    }
    var (hits, report) = try search.hits(wanted)
    if terms.isFilteredLater { report.isComplete = nil }
    table.registry.log.last = report
    // The rows of a filter in SQL may change while those of the index do not.
    if terms.filter == nil { kept = KeptSearch(terms: terms, revision: revision, hits: hits, report: report) }
    return hits
  }

  private func takeRow() throws -> Row? {
    switch source {
    case .none:
      return nil
    case .hits(var hits):
      let hit = hits.popFirst()
      source = .hits(hits)
      return hit.map { Row(rowID: $0.rowID, distance: $0.distance) }
    case .stream(let stream):
      return try stream.next().map { Row(rowID: $0.rowID, distance: $0.distance) }
    case .scan(let scan):
      guard let (rowID, place) = try scan.nextPlace(), rowID <= terms.through else { return nil }
      return Row(rowID: rowID, place: place)
    case .rowIDs(var rowIDs):
      while let rowID = rowIDs.popFirst() {
        guard try table.store().contains(rowID: rowID, conditions: terms.conditions) else { continue }
        source = .rowIDs(rowIDs)
        return Row(rowID: rowID)
      }
      source = .none
      return nil
    }
  }

  private static func give(_ value: String?, to context: OpaquePointer?) {
    guard let value else { return unsafe sqlite3_result_null(context) }
    unsafe sqlite3_result_text(context, value, -1, vidx_transient())
  }

  private static func give(_ value: Double?, to context: OpaquePointer?) {
    if let value { unsafe sqlite3_result_double(context, value) } else { unsafe sqlite3_result_null(context) }
  }

  private static func give(_ value: Int?, to context: OpaquePointer?) {
    if let value { unsafe sqlite3_result_int64(context, Int64(value)) } else { unsafe sqlite3_result_null(context) }
  }
}
