internal import CSQLite
internal import CVidxSQLite

/// `sqlite3_index_info` as plain values, and back.
@safe struct IndexInfo {
  private let info: UnsafeMutablePointer<sqlite3_index_info>

  init(_ info: UnsafeMutablePointer<sqlite3_index_info>) { unsafe self.info = info }

  func shape(rowCount: Int, isStreamExact: Bool) -> QueryShape {
    var shape = QueryShape(isStreamExact: isStreamExact, rowCount: rowCount)
    for i in 0..<Int(unsafe info.pointee.nConstraint) {
      let constraint = unsafe info.pointee.aConstraint[i]
      var term = QueryShape.Constraint(
        constraint.iColumn, Int32(constraint.op), isUsable: constraint.usable != 0,
        isSet: unsafe sqlite3_vtab_in(info, Int32(i), -1) != 0)
      if term.filterPosition != nil, let collation = unsafe sqlite3_vtab_collation(info, Int32(i)) {
        term.isBinary = unsafe sqlite3_stricmp(collation, "BINARY") == 0
      }
      shape.constraints.append(term)
    }
    for i in 0..<Int(unsafe info.pointee.nOrderBy) {
      let term = unsafe info.pointee.aOrderBy[i]
      shape.order.append(QueryShape.OrderTerm(term.iColumn, isDescending: term.desc != 0))
    }
    shape.isOrderForGroups = unsafe sqlite3_vtab_distinct(info) != 0
    let searchColumns = ([.distance] + Column.settings).reduce(UInt64(0)) { $0 | 1 << UInt64($1.rawValue) }
    shape.usesSearchColumns = unsafe info.pointee.colUsed & searchColumns != 0
    return shape
  }

  /// - Returns: an SQLite result code.
  func adopt(_ plan: QueryPlan) -> Int32 {
    guard let text = unsafe vidx_strdup(plan.text) else { return SQLITE_NOMEM }
    for (i, argument) in plan.arguments.enumerated() {
      unsafe info.pointee.aConstraintUsage[argument.constraint].argvIndex = Int32(i + 1)
      unsafe info.pointee.aConstraintUsage[argument.constraint].omit = argument.isSettled ? 1 : 0
      if argument.use == .rowIDs || argument.use == .columnSet {
        unsafe _ = sqlite3_vtab_in(info, Int32(argument.constraint), 1)
      }
    }
    unsafe info.pointee.idxStr = text
    unsafe info.pointee.needToFreeIdxStr = 1
    unsafe info.pointee.orderByConsumed = plan.isOrderConsumed ? 1 : 0
    unsafe info.pointee.estimatedCost = plan.cost
    unsafe info.pointee.estimatedRows = Int64(plan.rows)
    if plan.isUnique { unsafe info.pointee.idxFlags |= SQLITE_INDEX_SCAN_UNIQUE }
    return SQLITE_OK
  }
}
