internal import CSQLite

/// Chooses how to run a query: a pure function from what SQLite tells to what it is told.
///
/// SQLite asks several times, with other terms usable each time, and takes the cheapest combination over all tables. A
/// term is usable when its value is constant, or when it comes from a table placed before this one.
///
/// What k counts should not depend on the order of the tables that SQLite settles on. So, in a search with k:
/// - `rowid IN (...)` always restricts before k counts. Without its values the plan is refused.
/// - `rowid = x`, `rowid <> x`, ranges of row ids, `distance = x` and `distance > x` restrict before k counts when x is
///   constant. When it comes from another table they join what k selected: the plan that would search once for every
///   such value costs more than the one that searches once. (Where the query forces the order of the tables, with CROSS
///   JOIN or LEFT JOIN, only the former is possible. A constant and a value of a table to the left look the same here.)
/// - Terms on filter columns do as those on row ids: sets always, others when they are constant.
///
/// SQLite also tries terms joined by OR one by one, and would then evaluate MATCH as a function, which it is not. Such
/// plans show as plans without MATCH, so these cost more than a search would.
struct QueryPlanner {
  private let shape: QueryShape
  private var plan = QueryPlan()

  /// - Returns: nil when these usable terms do not make a query; SQLite then tries others.
  static func plan(for shape: QueryShape) throws(QueryPlanError) -> QueryPlan? {
    var planner = QueryPlanner(shape: shape)
    return try planner.choose()
  }

  private init(shape: QueryShape) { self.shape = shape }

  private mutating func choose() throws(QueryPlanError) -> QueryPlan? {
    let isSearch = shape.constraints.contains { Self.isMatch($0) }
    for setting in Column.settings { try check(setting, isSearch: isSearch) }
    guard isSearch else { return scan() }
    // Without the query there is nothing to do, and a search with other settings is another search.
    guard let match = position(where: Self.isMatch) else { return nil }
    let settings: [(Column, QueryPlan.Use)] = [
      (.k, .k), (.efSearch, .efSearch), (.probes, .probes), (.targetRecall, .targetRecall), (.exact, .exact),
      (.plan, .plan), (.afterDistance, .afterDistance), (.afterRowID, .afterRowID),
      (.filter, .filter), (.filterParameters, .filterParameters), (.model, .model),
    ]
    guard !settings.contains(where: { isMissing($0.0) }) else { return nil }
    take(match, as: .query, isSettled: true)
    for (column, use) in settings {
      if let found = position(where: { Self.isEqual($0, column) }) { take(found, as: use, isSettled: true) }
    }
    return search()
  }

  /// What it costs to find one row by its id. SQLite's unit is about one step in one of its own tables.
  private static let lookup = 30.0
  private var streamCost: Double { 1_000 + 20 * Double(max(shape.rowCount, 1)) }

  // MARK: Without MATCH

  private mutating func scan() -> QueryPlan {
    takeRowIDs()
    takeRanges()
    takeFilters()
    let all = Double(max(shape.rowCount, 1))
    if plan.has(.rowID) {
      price(cost: Self.lookup, rows: 1)
      plan.isUnique = true
    } else if plan.has(.rowIDs) {
      price(cost: min(all, 25) * Self.lookup, rows: min(all, 25))
    } else {
      // As SQLite guesses: a bound on one side leaves a quarter of the rows.
      let share = plan.arguments.reduce(1.0) { share, argument in share / (argument.use == .columnEquals ? 10 : 4) }
      price(cost: 2 * streamCost + all * share, rows: max(all * share, 1))
    }
    // Nobody wants the distance of rows that are not searched for: this is a part of a search.
    if shape.usesSearchColumns { plan.cost *= 1e6 }
    plan.isOrderConsumed = shape.order == [QueryShape.OrderTerm(.rowID)] || (plan.isUnique && !shape.order.isEmpty)
    return plan
  }

  // MARK: With MATCH

  private mutating func search() -> QueryPlan? {
    takeDistanceBounds(Self.upperBounds)
    takeRowIDs()
    takeRanges()
    takeFilters()
    if plan.has(.k) {
      // The set decides which rows k counts.
      if shape.constraints.contains(where: { Self.isRestrictingSet($0) && !$0.isUsable }) { return nil }
      takeDistanceBounds(Self.lowerBounds)
      takeAll(on: .rowID, SQLITE_INDEX_CONSTRAINT_NE, as: .notRowID)
      priceSearch()
    } else {
      priceStream()
    }
    consumeOrder()
    takeLimit()
    if plan.has(.k) {
      let taken = Set(plan.arguments.map(\.constraint))
      plan.isFilteredLater = shape.constraints.indices.contains { i in
        !taken.contains(i) && !shape.constraints[i].isLimit
          && !(shape.hasOwnPatternFunctions && shape.constraints[i].isImplied)
      }
    }
    return plan
  }

  private mutating func priceSearch() {
    let onceForEveryValue = plan.arguments.reduce(0.0) { total, argument in
      switch argument.use {
      case .rowID: total + 1e10
      case .beyond, .from, .at, .notRowID, .above, .atLeast, .below, .atMost: total + 1e9
      case .columnEquals, .columnAbove, .columnAtLeast, .columnBelow, .columnAtMost, .columnDiffers, .columnIs,
        .columnIsNot, .columnBelowOrBLOB, .columnLike, .columnGlob:
        total + 1e9
      default: total
      }
    }
    price(cost: 1_000 + onceForEveryValue, rows: 10)
  }

  private mutating func priceStream() {
    let all = Double(max(shape.rowCount, 1))
    if plan.has(.rowIDs) {
      // Less than to look up two rows: `rowid = 1 OR rowid = 2` comes as a set, too.
      price(cost: Self.lookup * 0.8, rows: min(all, 25))
    } else if plan.has(.rowID) {
      // Dear, so that the stream comes first and the other tables are looked up for its rows; but less than to run the
      // stream for every row of another table, when the order is forced.
      price(cost: streamCost * 0.9, rows: 1)
    } else {
      let share = (plan.has(.within) ? 0.25 : 1) * (plan.hasFilters ? 0.25 : 1)
      price(cost: streamCost, rows: max(all * share, 1))
    }
  }

  /// Rows come nearest first; what k selected is sorted by row id among equals, too.
  ///
  /// A stream from a graph or lists may step back. Whoever reads it in order accepts that, but GROUP BY and DISTINCT
  /// would take equal distances that come apart for different ones: they get to sort the rows themselves.
  private mutating func consumeOrder() {
    let byDistance = QueryShape.OrderTerm(.distance)
    let byDistanceAndRowID = [byDistance, QueryShape.OrderTerm(.rowID)]
    let isExact = shape.isStreamExact || plan.has(.k) || plan.has(.rowID)
    guard isExact || !shape.isOrderForGroups else { return }
    plan.isOrderConsumed = shape.order == [byDistance] || (plan.has(.k) && shape.order == byDistanceAndRowID)
  }

  /// LIMIT without k bounds the search, as k would: only when nothing is left that could drop a row afterwards.
  private mutating func takeLimit() {
    guard shape.order.isEmpty || plan.isOrderConsumed,
      let limit = position(where: { $0.operation == SQLITE_INDEX_CONSTRAINT_LIMIT })
    else { return }
    let taken = Set(plan.arguments.map(\.constraint))
    let isAllTaken = shape.constraints.indices.allSatisfy { taken.contains($0) || shape.constraints[$0].isLimit }
    let offset = position { $0.operation == SQLITE_INDEX_CONSTRAINT_OFFSET }
    let hasOffset = shape.constraints.contains { $0.operation == SQLITE_INDEX_CONSTRAINT_OFFSET }
    guard isAllTaken, !hasOffset || offset != nil else { return }
    // SQLite goes on to count both itself: it skips the offset among the rows it gets.
    take(limit, as: .limit, isSettled: false)
    if let offset { take(offset, as: .offset, isSettled: false) }
  }

  // MARK: Terms

  private static let upperBounds: [(Int32, QueryPlan.Use)] = [
    (SQLITE_INDEX_CONSTRAINT_LT, .within), (SQLITE_INDEX_CONSTRAINT_LE, .within),
  ]
  private static let lowerBounds: [(Int32, QueryPlan.Use)] = [
    (SQLITE_INDEX_CONSTRAINT_GT, .beyond), (SQLITE_INDEX_CONSTRAINT_GE, .from), (SQLITE_INDEX_CONSTRAINT_EQ, .at),
  ]
  private static let ranges: [(Int32, QueryPlan.Use)] = [
    (SQLITE_INDEX_CONSTRAINT_GT, .above), (SQLITE_INDEX_CONSTRAINT_GE, .atLeast), (SQLITE_INDEX_CONSTRAINT_LT, .below),
    (SQLITE_INDEX_CONSTRAINT_LE, .atMost),
  ]

  private static func isMatch(_ constraint: QueryShape.Constraint) -> Bool {
    constraint.isOn(.vector) && constraint.operation == SQLITE_INDEX_CONSTRAINT_MATCH
  }

  private static func isEqual(_ constraint: QueryShape.Constraint, _ column: Column) -> Bool {
    constraint.isOn(column) && constraint.operation == SQLITE_INDEX_CONSTRAINT_EQ
  }

  /// Distances are 32-bit floats and the bound is not, so SQLite checks these again.
  private mutating func takeDistanceBounds(_ bounds: [(Int32, QueryPlan.Use)]) {
    for (operation, use) in bounds { takeAll(on: .distance, operation, as: use) }
  }

  private mutating func takeRowIDs() {
    for (i, constraint) in shape.constraints.enumerated() where constraint.isUsable {
      // A row id is never NULL, so IS is =.
      let isSame = constraint.isOn(.rowID) && constraint.operation == SQLITE_INDEX_CONSTRAINT_IS
      guard isSame || Self.isEqual(constraint, .rowID) else { continue }
      take(i, as: constraint.isSet ? .rowIDs : .rowID, isSettled: constraint.isSet)
    }
  }

  private mutating func takeRanges() {
    for (operation, use) in Self.ranges { takeAll(on: .rowID, operation, as: use) }
  }

  private static let filters: [Int32: QueryPlan.Use] = [
    SQLITE_INDEX_CONSTRAINT_EQ: .columnEquals, SQLITE_INDEX_CONSTRAINT_GT: .columnAbove,
    SQLITE_INDEX_CONSTRAINT_GE: .columnAtLeast, SQLITE_INDEX_CONSTRAINT_LT: .columnBelow,
    SQLITE_INDEX_CONSTRAINT_LE: .columnAtMost, SQLITE_INDEX_CONSTRAINT_NE: .columnDiffers,
    SQLITE_INDEX_CONSTRAINT_IS: .columnIs, SQLITE_INDEX_CONSTRAINT_ISNOT: .columnIsNot,
    SQLITE_INDEX_CONSTRAINT_ISNULL: .columnIsNull, SQLITE_INDEX_CONSTRAINT_ISNOTNULL: .columnIsNotNull,
  ]
  private static let patterns: [Int32: QueryPlan.Use] = [
    SQLITE_INDEX_CONSTRAINT_LIKE: .columnLike, SQLITE_INDEX_CONSTRAINT_GLOB: .columnGlob,
  ]

  /// The set decides which rows k counts.
  private static func isRestrictingSet(_ constraint: QueryShape.Constraint) -> Bool {
    constraint.isSet && (constraint.isOn(.rowID) || (constraint.filterPosition != nil && constraint.isBinary))
  }

  /// Takes the terms on filter columns. SQLite checks those again whose value may bring an affinity with it: of a set,
  /// where the column holds texts, which are compared as numbers then.
  private mutating func takeFilters() {
    for (i, constraint) in shape.constraints.enumerated() where constraint.isUsable {
      guard let column = constraint.filterPosition, let use = use(of: constraint) else { continue }
      let isSet = constraint.isSet && use == .columnEquals
      let isSettled =
        (isSet && !shape.textColumns.contains(column)) || use == .columnIsNull || use == .columnIsNotNull
      plan.arguments.append(
        QueryPlan.Argument(use: isSet ? .columnSet : use, constraint: i, isSettled: isSettled, column: column))
    }
  }

  /// Patterns know no collation.
  private func use(of constraint: QueryShape.Constraint) -> QueryPlan.Use? {
    if shape.hasOwnPatternFunctions, constraint.isImplied { return nil }
    if shape.hasOwnPatternFunctions, let use = Self.patterns[constraint.operation] { return use }
    if shape.hasOwnPatternFunctions, constraint.isPerhapsImplied { return .columnBelowOrBLOB }
    return constraint.isBinary ? Self.filters[constraint.operation] : nil
  }

  private mutating func takeAll(on column: Column, _ operation: Int32, as use: QueryPlan.Use) {
    for (i, constraint) in shape.constraints.enumerated()
    where constraint.isUsable && constraint.isOn(column) && constraint.operation == operation {
      take(i, as: use, isSettled: false)
    }
  }

  private mutating func take(_ constraint: Int, as use: QueryPlan.Use, isSettled: Bool) {
    plan.arguments.append(QueryPlan.Argument(use: use, constraint: constraint, isSettled: isSettled))
  }

  private mutating func price(cost: Double, rows: Double) {
    plan.cost = cost
    plan.rows = Int(rows)
  }

  private func position(where condition: (QueryShape.Constraint) -> Bool) -> Int? {
    shape.constraints.firstIndex { $0.isUsable && condition($0) }
  }

  /// The setting is given, but its value is not known yet.
  private func isMissing(_ column: Column) -> Bool {
    shape.constraints.contains { Self.isEqual($0, column) } && position { Self.isEqual($0, column) } == nil
  }

  private func check(_ setting: Column, isSearch: Bool) throws(QueryPlanError) {
    for constraint in shape.constraints where constraint.isOn(setting) {
      switch constraint.operation {
      case SQLITE_INDEX_CONSTRAINT_EQ: if !isSearch { throw .withoutMatch(setting) }
      // Whether a setting was given at all may be asked.
      case SQLITE_INDEX_CONSTRAINT_ISNULL, SQLITE_INDEX_CONSTRAINT_ISNOTNULL: break
      default: throw .notEqual(setting)
      }
    }
  }
}
