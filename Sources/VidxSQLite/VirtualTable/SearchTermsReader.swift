internal import CSQLite
internal import VidxIndexes

/// Understands the values that `xFilter` is handed.
struct SearchTermsReader {
  private let table: VirtualTable
  private let comparisons: RunningComparisons
  private var terms = SearchTerms()
  private var limit: Int64?
  private var offset: Int64?
  /// The last row of the page before: terms that are not given are nil, those that are NULL hold nil.
  private var afterDistance: Float??
  private var afterRowID: Int64??

  /// - Parameters:
  ///   - plan: the text that `QueryPlan.text` made.
  ///   - values: as many as the text has letters.
  ///   - table: that is asked.
  ///   - comparisons: of the statement that asks.
  static func terms(
    plan: String, values: UnsafeMutableBufferPointer<OpaquePointer?>, of table: VirtualTable,
    _ comparisons: RunningComparisons
  ) throws -> SearchTerms {
    guard let uses = QueryPlan.terms(of: plan), uses.count == values.count else {
      throw SearchTermsError.unknownPlan(plan)
    }
    var reader = SearchTermsReader(table: table, comparisons: comparisons)
    reader.terms.isFilteredLater = QueryPlan.isFilteredLater(plan)
    for (i, term) in uses.enumerated() {
      if let column = term.column {
        try unsafe reader.readFilter(values[i], as: term.use, column: column)
      } else {
        try unsafe reader.read(values[i], as: term.use)
      }
    }
    try reader.readPage()
    if reader.terms.filterParameters != nil, reader.terms.filter == nil {
      throw SearchTermsError.parametersWithoutFilter
    }
    reader.terms.finish(limit: reader.limit, offset: reader.offset)
    return reader.terms
  }

  private mutating func read(_ value: OpaquePointer?, as use: QueryPlan.Use) throws {
    switch use {
    case .query: try unsafe readQuery(value)
    case .k: terms.k = try unsafe setting(value, .k, in: 0...SearchTerms.largestK, isOptional: false)
    case .efSearch: terms.parameters.efSearch = try unsafe setting(value, .efSearch, in: IndexLimits.efSearch)
    case .probes: terms.parameters.probes = try unsafe setting(value, .probes, in: 1...IndexLimits.lists.upperBound)
    case .targetRecall: terms.parameters.targetRecall = try unsafe share(value, .targetRecall)
    case .exact: terms.parameters.exact = try unsafe setting(value, .exact, in: 0...1) == 1
    case .plan: terms.parameters.plan = try unsafe plan(value)
    case .afterDistance: afterDistance = .some(try unsafe distance(value, .afterDistance))
    case .afterRowID:
      afterRowID = .some(try unsafe setting(value, .afterRowID, in: Int.min...Int.max).map(Int64.init))
    case .filter: terms.filter = try unsafe text(value, .filter)
    case .filterParameters: terms.filterParameters = try unsafe text(value, .filterParameters)
    case .model: try table.store().check(model: unsafe text(value, .model))
    case .within, .at, .beyond, .from: unsafe readDistance(value, as: use)
    case .rowID: unsafe readRowID(value)
    case .rowIDs: try unsafe readSet(value)
    case .notRowID: unsafe readExcluded(value)
    case .above, .atLeast, .below, .atMost: unsafe readRange(value, as: use)
    case .limit: limit = unsafe sqlite3_value_int64(value)
    case .offset: offset = unsafe sqlite3_value_int64(value)
    case .columnEquals, .columnSet, .columnAbove, .columnAtLeast, .columnBelow, .columnAtMost, .columnDiffers,
      .columnIs, .columnIsNot, .columnIsNull, .columnIsNotNull, .columnBelowOrBLOB, .columnLike, .columnGlob:
      throw SearchTermsError.unknownPlan(String(use.rawValue))
    }
  }

  private mutating func readFilter(_ value: OpaquePointer?, as use: QueryPlan.Use, column: Int) throws {
    guard table.affinities.indices.contains(column) else {
      throw SearchTermsError.unknownPlan("\(use.rawValue)\(column)")
    }
    var affinity = table.affinities[column]
    if affinity == .text, unsafe try hasNumbers(value, use) {
      // What k does not count may be checked again by SQLite.
      let known = terms.k == nil ? nil : comparisons.affinity(of: column)
      guard let known, known != .numeric else {
        let matcher = NumberMatcher(table.connection, isUncertain: known == nil)
        terms.conditions.append(FilterCondition(column, unsafe try numberTest(value, use, matcher)))
        if known == nil { terms.isWidened = true }
        return
      }
      affinity = known
    }
    func given() -> ColumnValue { unsafe SQLValue.columnValue(value, affinity) }
    func bound(_ isInclusive: Bool) -> FilterCondition.Bound {
      FilterCondition.Bound(given(), isInclusive: isInclusive)
    }
    let test: FilterCondition.Test =
      switch use {
      case .columnEquals: .equals(given())
      case .columnSet: .isIn(unsafe try columnValues(value, affinity))
      case .columnAbove: .range(lower: bound(false), upper: nil)
      case .columnAtLeast: .range(lower: bound(true), upper: nil)
      case .columnBelow: .range(lower: nil, upper: bound(false))
      case .columnAtMost: .range(lower: nil, upper: bound(true))
      case .columnDiffers: .differs(from: given())
      case .columnIs: .identical(to: given())
      case .columnIsNot: .isNot(given())
      case .columnIsNull: .isNull
      case .columnIsNotNull: .isNotNull
      case .columnBelowOrBLOB: .matches(try textOrBLOB(below: given()))
      case .columnLike: unsafe matching(.like, value)
      case .columnGlob: unsafe matching(.glob, value)
      default: throw SearchTermsError.unknownPlan("\(use.rawValue)\(column)")
      }
    terms.conditions.append(FilterCondition(column, test))
  }

  /// Whether a TEXT column is compared with numbers.
  private func hasNumbers(_ value: OpaquePointer?, _ use: QueryPlan.Use) throws -> Bool {
    switch use {
    case .columnSet: unsafe try columnValues(value, .none).contains(where: \.isNumber)
    case .columnEquals, .columnIs, .columnAbove, .columnAtLeast, .columnBelow, .columnAtMost, .columnDiffers,
      .columnIsNot:
      unsafe SQLValue.columnValue(value).isNumber
    default: false
    }
  }

  /// The test of a TEXT column whose texts are compared as numbers with those given; or perhaps so: then what may pass
  /// passes, and is checked again.
  private func numberTest(
    _ value: OpaquePointer?, _ use: QueryPlan.Use, _ matcher: NumberMatcher
  ) throws -> FilterCondition.Test {
    if use == .columnSet { return .matches(matcher.isIn(unsafe try columnValues(value, .none))) }
    let number = unsafe SQLValue.columnValue(value)
    return switch use {
    case .columnEquals, .columnIs: .matches(matcher.isIn([number]))
    case .columnBelow: .matches(matcher.isBelow(number, "<"))
    case .columnAtMost: .matches(matcher.isBelow(number, "<="))
    case .columnAbove: .matches(matcher.isAbove(number, ">"))
    case .columnAtLeast: .matches(matcher.isAbove(number, ">="))
    case .columnDiffers: .matches(matcher.differs(from: number, passesNull: false))
    case .columnIsNot: .matches(matcher.differs(from: number, passesNull: true))
    default: throw SearchTermsError.unknownPlan(String(use.rawValue))
    }
  }

  private func textOrBLOB(below bound: ColumnValue) throws -> ValuePredicate {
    let order = try table.store().textOrder()
    let below = FilterCondition(
      0, .range(lower: nil, upper: FilterCondition.Bound(bound, isInclusive: false)), textOrder: order)
    return ValuePredicate(name: Array("below or BLOB \(bound)".utf8)) {
      if case .blob = $0 { true } else { below.passes($0) }
    }
  }

  /// Nothing passes a pattern of NULL.
  private func matching(_ operation: PatternMatcher.Operation, _ value: OpaquePointer?) -> FilterCondition.Test {
    if unsafe sqlite3_value_type(value) == SQLITE_NULL { return .differs(from: .null) }
    return .matches(unsafe PatternMatcher(operation, value, table.connection).predicate)
  }

  private func columnValues(_ set: OpaquePointer?, _ affinity: ColumnAffinity) throws -> [ColumnValue] {
    var values: [ColumnValue] = []
    try unsafe forEach(of: set) { values.append(unsafe SQLValue.columnValue($0, affinity)) }
    return values
  }

  private func forEach(of set: OpaquePointer?, _ body: (OpaquePointer?) -> Void) throws {
    let limit = table.connection.mostRowIDs
    var count = 0
    var value: OpaquePointer?
    var code = unsafe sqlite3_vtab_in_first(set, &value)
    while code == SQLITE_OK, unsafe value != nil {
      guard count < limit else { throw SearchTermsError.setTooLarge(limit: limit) }
      count += 1
      unsafe body(value)
      code = unsafe sqlite3_vtab_in_next(set, &value)
    }
    guard code == SQLITE_OK || code == SQLITE_DONE else {
      throw SQLiteError(code: code, message: unsafe String(cString: sqlite3_errstr(code)))
    }
  }

  private mutating func readQuery(_ value: OpaquePointer?) throws(SearchTermsError) {
    do throws(VectorLiteralError) {
      terms.query = try unsafe SQLValue.vector(value)
    } catch {
      throw .query(error)
    }
    if terms.query == nil { terms.isEmpty = true }
  }

  /// - Parameter isOptional: NULL stands for the default.
  private func setting(
    _ value: OpaquePointer?, _ column: Column, in allowed: ClosedRange<Int>, isOptional: Bool = true
  ) throws(SearchTermsError) -> Int? {
    let type = unsafe sqlite3_value_numeric_type(value)
    if type == SQLITE_NULL && isOptional { return nil }
    guard type == SQLITE_INTEGER else { throw .notANumber(column, type: SQLValue.typeName(type)) }
    let number = unsafe sqlite3_value_int64(value)
    guard let small = Int(exactly: number), allowed.contains(small) else {
      throw .outOfRange(column, value: number, allowed: allowed)
    }
    return small
  }

  /// A number above 0, at most 1; NULL stands for the default.
  private func share(_ value: OpaquePointer?, _ column: Column) throws(SearchTermsError) -> Double? {
    let type = unsafe sqlite3_value_numeric_type(value)
    if type == SQLITE_NULL { return nil }
    guard type == SQLITE_INTEGER || type == SQLITE_FLOAT else {
      throw .notANumber(column, type: SQLValue.typeName(type))
    }
    let number = unsafe sqlite3_value_double(value)
    guard number > 0, number <= 1 else { throw .notAShare(column, value: number) }
    return number
  }

  /// NULL stands for none.
  private func text(_ value: OpaquePointer?, _ column: Column) throws(SearchTermsError) -> String? {
    let type = unsafe sqlite3_value_type(value)
    if type == SQLITE_NULL { return nil }
    guard type == SQLITE_TEXT else { throw .notAText(column, type: SQLValue.typeName(type)) }
    return unsafe String(decoding: SQLValue.text(value), as: UTF8.self)
  }

  /// The plan that a word names; NULL leaves it to the planner.
  private func plan(_ value: OpaquePointer?) throws(SearchTermsError) -> SegmentPlan? {
    if unsafe sqlite3_value_type(value) == SQLITE_NULL { return nil }
    let word = unsafe String(decoding: SQLValue.text(value), as: UTF8.self)
    guard let plan = SegmentPlan(rawValue: word.lowercased()) else { throw .noPlan(word) }
    return plan
  }

  private mutating func readDistance(_ value: OpaquePointer?, as use: QueryPlan.Use) {
    switch unsafe sqlite3_value_numeric_type(value) {
    case SQLITE_INTEGER, SQLITE_FLOAT:
      let bound = unsafe sqlite3_value_double(value)
      if use == .within || use == .at { terms.restrict(below: bound) }
      if use != .within { terms.restrict(above: SearchTerms.LowerBound(value: bound, isStrict: use == .beyond)) }
    case SQLITE_NULL:
      terms.isEmpty = true
    default:
      // Text and BLOBs are greater than every number.
      if use != .within { terms.isEmpty = true }
    }
  }

  /// A number, which distances are compared with as 32-bit floats; nil for NULL.
  private func distance(_ value: OpaquePointer?, _ column: Column) throws(SearchTermsError) -> Float? {
    switch unsafe sqlite3_value_numeric_type(value) {
    case SQLITE_INTEGER, SQLITE_FLOAT: unsafe Float(sqlite3_value_double(value))
    case SQLITE_NULL: nil
    case let type: throw .notANumber(column, type: SQLValue.typeName(type))
    }
  }

  /// Pages are exact, the first one, which begins after NULL, too: what an approximate one missed would never come.
  ///
  /// A distance alone would skip its other rows, and a row id alone says nothing.
  private mutating func readPage() throws(SearchTermsError) {
    switch (afterDistance, afterRowID) {
    case (nil, nil): return
    case (.some(nil), .some(nil)): break
    case (.some(let distance?), .some(let rowID?)):
      terms.after = StoreCursor(distance: distance, rowID: rowID)
    default: throw .halfACursor
    }
    terms.isPaged = true
  }

  private mutating func readRowID(_ value: OpaquePointer?) {
    guard let rowID = unsafe rowID(value) else {
      terms.isEmpty = true
      return
    }
    terms.restrict(to: [rowID])
  }

  private mutating func readSet(_ set: OpaquePointer?) throws {
    var rowIDs: [Int64] = []
    try unsafe forEach(of: set) {
      if let rowID = unsafe rowID($0) { rowIDs.append(rowID) }
    }
    terms.restrict(to: rowIDs)
  }

  private mutating func readExcluded(_ value: OpaquePointer?) {
    if unsafe sqlite3_value_type(value) == SQLITE_NULL {
      terms.isEmpty = true
      return
    }
    // What is no row id excludes no row.
    if let rowID = unsafe rowID(value) { terms.excluded.insert(rowID) }
  }

  private mutating func readRange(_ value: OpaquePointer?, as use: QueryPlan.Use) {
    switch unsafe sqlite3_value_numeric_type(value) {
    case SQLITE_INTEGER: restrict(unsafe sqlite3_value_int64(value), as: use)
    case SQLITE_FLOAT: restrict(unsafe sqlite3_value_double(value), as: use)
    case SQLITE_NULL: terms.isEmpty = true
    // Text and BLOBs are greater than every row id.
    default: if use == .above || use == .atLeast { terms.isEmpty = true }
    }
  }

  private mutating func restrict(_ bound: Int64, as use: QueryPlan.Use) {
    switch use {
    case .above where bound == .max, .below where bound == .min: terms.isEmpty = true
    case .above: terms.from = max(terms.from, bound + 1)
    case .atLeast: terms.from = max(terms.from, bound)
    case .below: terms.through = min(terms.through, bound - 1)
    default: terms.through = min(terms.through, bound)
    }
  }

  private mutating func restrict(_ bound: Double, as use: QueryPlan.Use) {
    let isLower = use == .above || use == .atLeast
    // The first whole number on the side that the bound allows; beyond 64 bits, all row ids or none.
    let whole = isLower ? bound.rounded(.up) : bound.rounded(.down)
    if let exact = Int64(exactly: whole) {
      restrict(exact, as: whole == bound ? use : (isLower ? .atLeast : .atMost))
    } else if isLower == (whole > 0) {
      terms.isEmpty = true
    }
  }

  /// The row id that a value equals, if it is one.
  private func rowID(_ value: OpaquePointer?) -> Int64? {
    switch unsafe sqlite3_value_numeric_type(value) {
    case SQLITE_INTEGER: unsafe sqlite3_value_int64(value)
    case SQLITE_FLOAT: Int64(exactly: unsafe sqlite3_value_double(value))
    default: nil
    }
  }
}
