internal import CSQLite
internal import CVidxSQLite

/// `sqlite3_index_info` as plain values, and back.
@safe struct IndexInfo {
  private let info: UnsafeMutablePointer<sqlite3_index_info>

  init(_ info: UnsafeMutablePointer<sqlite3_index_info>) { unsafe self.info = info }

  /// The query reads filter columns, or compares them. (Those from the 64th column on are one to SQLite.)
  var usesFilterColumns: Bool { unsafe info.pointee.colUsed >> UInt64(Column.firstFilter) != 0 }

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
    for i in shape.constraints.indices {
      switch bounds(ofPatternAt: i, shape) {
      case .implied: for bound in i - 2..<i { shape.constraints[bound].isImplied = true }
      case .perhapsImplied: shape.constraints[i - 1].isPerhapsImplied = true
      case .own: break
      }
    }
    for i in 0..<Int(unsafe info.pointee.nOrderBy) {
      let term = unsafe info.pointee.aOrderBy[i]
      shape.order.append(QueryShape.OrderTerm(term.iColumn, isDescending: term.desc != 0))
    }
    shape.isOrderForGroups = unsafe sqlite3_vtab_distinct(info) != 0
    // The model is one of the index, not of the search.
    let searchColumns = ([.distance] + Column.settings).filter { $0 != .model }
      .reduce(UInt64(0)) { $0 | 1 << UInt64($1.rawValue) }
    shape.usesSearchColumns = unsafe info.pointee.colUsed & searchColumns != 0
    return shape
  }

  /// For `t LIKE 'ab%'` SQLite adds the terms `t >= 'AB' COLLATE NOCASE` and `t < 'ac' COLLATE NOCASE` before it,
  /// and for `t GLOB 'ab*'` the same of `ab` (https://www.sqlite.org/optoverview.html#the_like_optimization). They leave
  /// out BLOBs, which may match. They look as bounds that the user has written.
  private func bounds(ofPatternAt i: Int, _ shape: QueryShape) -> PatternBounds {
    let isLike = shape.constraints[i].operation == SQLITE_INDEX_CONSTRAINT_LIKE
    guard i >= 2, isLike || shape.constraints[i].operation == SQLITE_INDEX_CONSTRAINT_GLOB,
      shape.constraints[i - 2].operation == SQLITE_INDEX_CONSTRAINT_GE,
      shape.constraints[i - 1].operation == SQLITE_INDEX_CONSTRAINT_LT,
      (i - 2..<i).allSatisfy({ shape.constraints[$0].column == shape.constraints[i].column }),
      let lower = text(of: i - 2), var upper = text(of: i - 1), let last = upper.popLast(), last > 0,
      // SQLite's have the collation of the pattern's function.
      (i - 2..<i).allSatisfy({ shape.constraints[$0].isBinary != isLike })
    else { return .own }
    upper.append(last - 1)
    // What stands before the first wildcard.
    let wildcards = Array((isLike ? "%_" : "*?[").utf8)
    guard lower == (isLike ? Self.capital(upper) : upper), !lower.contains(where: wildcards.contains)
    else { return .own }
    // The pattern is not known where it is a parameter.
    guard let pattern = text(of: i) else { return isLike ? .own : .perhapsImplied }
    return (isLike ? Self.capital(pattern) : pattern).starts(with: lower) ? .implied : .own
  }

  private enum PatternBounds {
    /// What passes the pattern passes them, but for BLOBs.
    case implied
    /// They may be.
    case perhapsImplied
    /// There are none, or they say more than the pattern.
    case own
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
