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
    for i in shape.constraints.indices where isPatternWithBounds(at: i, shape) {
      shape.constraints[i - 2].isImplied = true
      shape.constraints[i - 1].isImplied = true
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

  /// For `t LIKE 'ab%'` SQLite adds the terms `t >= 'AB' COLLATE NOCASE` and `t < 'ac' COLLATE NOCASE` before it,
  /// and for `t GLOB 'ab*'` the same of `ab` (https://www.sqlite.org/optoverview.html#the_like_optimization). They leave
  /// out BLOBs, which may match.
  private func isPatternWithBounds(at i: Int, _ shape: QueryShape) -> Bool {
    let isLike = shape.constraints[i].operation == SQLITE_INDEX_CONSTRAINT_LIKE
    guard i >= 2, isLike || shape.constraints[i].operation == SQLITE_INDEX_CONSTRAINT_GLOB,
      shape.constraints[i - 2].operation == SQLITE_INDEX_CONSTRAINT_GE,
      shape.constraints[i - 1].operation == SQLITE_INDEX_CONSTRAINT_LT,
      (i - 2..<i).allSatisfy({ shape.constraints[$0].column == shape.constraints[i].column }),
      let lower = text(of: i - 2), var upper = text(of: i - 1), let last = upper.popLast(), last > 0
    else { return false }
    upper.append(last - 1)
    // The pattern is not known where it is a parameter.
    let pattern = text(of: i) ?? lower
    if isLike { return lower == Self.capital(upper) && Self.capital(pattern).starts(with: lower) }
    return lower == upper && pattern.starts(with: lower)
  }

  private static func capital(_ text: [UInt8]) -> [UInt8] { text.map { (97...122).contains($0) ? $0 - 32 : $0 } }

  /// The text that a column is compared with, where SQLite knows it already.
  private func text(of constraint: Int) -> [UInt8]? {
    var value: OpaquePointer?
    guard unsafe sqlite3_vtab_rhs_value(info, Int32(constraint), &value) == SQLITE_OK,
      unsafe sqlite3_value_type(value) == SQLITE_TEXT
    else { return nil }
    return unsafe Array(SQLValue.text(value))
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
