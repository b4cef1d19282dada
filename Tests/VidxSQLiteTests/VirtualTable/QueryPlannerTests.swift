import CSQLite
import Testing

@testable import VidxSQLite

/// The planner is a pure function: these tests play SQLite, which asks with one set of usable terms after another.
@Suite struct QueryPlannerTests {
  private typealias Constraint = QueryShape.Constraint
  private typealias OrderTerm = QueryShape.OrderTerm

  private static let equal = SQLITE_INDEX_CONSTRAINT_EQ
  private static let match = Constraint(.vector, SQLITE_INDEX_CONSTRAINT_MATCH)
  private static let k = Constraint(.k, equal)
  private static let set = Constraint(.rowID, equal, isSet: true)
  private static let rowID = Constraint(.rowID, equal)
  private static let limit = Constraint(0, SQLITE_INDEX_CONSTRAINT_LIMIT)
  private static let offset = Constraint(0, SQLITE_INDEX_CONSTRAINT_OFFSET)

  private func plan(_ constraints: [QueryShape.Constraint], order: [QueryShape.OrderTerm] = [], rows: Int = 10_000)
    throws -> QueryPlan?
  {
    try QueryPlanner.plan(for: QueryShape(constraints: constraints, order: order, rowCount: rows))
  }

  private func unusable(_ constraint: QueryShape.Constraint) -> QueryShape.Constraint {
    var result = constraint
    result.isUsable = false
    return result
  }

  @Test func lettersFollowTheArguments() throws {
    let plan = try #require(
      try plan([
        Self.k, Constraint(.distance, SQLITE_INDEX_CONSTRAINT_LT), Self.match, Self.set,
        Constraint(.efSearch, Self.equal),
        Constraint(.probes, Self.equal),
      ]))
    #expect(plan.text == "QKEPWI")
    #expect(plan.arguments.map(\.constraint) == [2, 0, 4, 5, 1, 3])
    // SQLite checks the bound on the distance again; the rest is settled.
    #expect(plan.arguments.map(\.isSettled) == [true, true, true, true, false, true])
    #expect(
      QueryPlan.terms(of: plan.text) == plan.arguments.map { QueryPlan.Term(use: $0.use, column: $0.column) })
    #expect(QueryPlan.terms(of: "QX") == nil)
    #expect(QueryPlan.terms(of: "1Q") == nil)
  }

  @Test func refusesASearchWithoutItsQuery() throws {
    #expect(try plan([unusable(Self.match)]) == nil)
    #expect(try plan([unusable(Self.match), Self.k]) == nil)
    #expect(try plan([unusable(Self.match), Self.rowID]) == nil)
    #expect(try plan([Self.match, unusable(Self.k)]) == nil)
    #expect(try plan([Self.match, unusable(Constraint(.efSearch, Self.equal))]) == nil)
    #expect(try plan([Self.match, unusable(Constraint(.probes, Self.equal))]) == nil)
  }

  /// k counts the rows of the set: without it the search would count others.
  @Test func refusesKWithoutTheSet() throws {
    #expect(try plan([Self.match, Self.k, unusable(Self.set)]) == nil)
    #expect(try plan([Self.match, unusable(Self.set)])?.text == "Q")
  }

  @Test(arguments: [Column.k, .efSearch, .probes, .model])
  func settingsNeedEqualityAndMatch(_ column: Column) throws {
    for operation in [
      SQLITE_INDEX_CONSTRAINT_LT, SQLITE_INDEX_CONSTRAINT_GE, SQLITE_INDEX_CONSTRAINT_NE, SQLITE_INDEX_CONSTRAINT_IS,
      SQLITE_INDEX_CONSTRAINT_LIKE,
    ] {
      #expect(throws: QueryPlanError.notEqual(column)) { try plan([Self.match, Constraint(column, operation)]) }
    }
    #expect(throws: QueryPlanError.withoutMatch(column)) { try plan([Constraint(column, Self.equal)]) }
    #expect(try plan([Constraint(column, SQLITE_INDEX_CONSTRAINT_ISNULL)])?.text == "")
  }

  @Test func consumesAscendingDistanceOnly() throws {
    let byDistance = OrderTerm(.distance)
    let byRowID = OrderTerm(.rowID)
    for constraints in [[Self.match], [Self.match, Self.k], [Self.match, Self.set], [Self.match, Self.rowID]] {
      #expect(try plan(constraints, order: [byDistance])?.isOrderConsumed == true)
      #expect(try plan(constraints, order: [OrderTerm(.distance, isDescending: true)])?.isOrderConsumed == false)
      #expect(try plan(constraints, order: [byRowID])?.isOrderConsumed == false)
      #expect(try plan(constraints, order: [OrderTerm(.vector)])?.isOrderConsumed == false)
      #expect(try plan(constraints, order: [byRowID, byDistance])?.isOrderConsumed == false)
    }
    // A stream promises nothing about equals; what k selected is sorted by row id among them.
    #expect(try plan([Self.match], order: [byDistance, byRowID])?.isOrderConsumed == false)
    #expect(try plan([Self.match, Self.k], order: [byDistance, byRowID])?.isOrderConsumed == true)
    #expect(
      try plan([Self.match, Self.k], order: [byDistance, OrderTerm(.rowID, isDescending: true)])?.isOrderConsumed
        == false)
    #expect(try plan([Self.match, Self.k])?.isOrderConsumed == false)
  }

  /// GROUP BY and DISTINCT read equal distances as one run, which a graph or lists do not promise.
  @Test func groupsGetTheirRowsInExactOrder() throws {
    func isConsumed(_ constraints: [QueryShape.Constraint], isExact: Bool) throws -> Bool? {
      var shape = QueryShape(constraints: constraints, order: [OrderTerm(.distance)], rowCount: 10_000)
      shape.isOrderForGroups = true
      shape.isStreamExact = isExact
      return try QueryPlanner.plan(for: shape)?.isOrderConsumed
    }
    #expect(try isConsumed([Self.match], isExact: false) == false)
    #expect(try isConsumed([Self.match, Self.set], isExact: false) == false)
    #expect(try isConsumed([Self.match], isExact: true) == true)
    #expect(try isConsumed([Self.match, Self.k], isExact: false) == true)
    #expect(try isConsumed([Self.match, Self.rowID], isExact: false) == true)
  }

  @Test func takesRowIDsByIs() throws {
    let same = Constraint(.rowID, SQLITE_INDEX_CONSTRAINT_IS)
    #expect(try plan([Self.match, Self.k, same])?.text == "QKR")
    #expect(try plan([same])?.text == "R")
    #expect(try plan([same])?.arguments.first?.isSettled == false)
  }

  @Test func scansComeByRowID() throws {
    #expect(try plan([], order: [OrderTerm(.rowID)])?.isOrderConsumed == true)
    #expect(try plan([Self.set], order: [OrderTerm(.rowID)])?.isOrderConsumed == true)
    #expect(try plan([], order: [OrderTerm(.rowID, isDescending: true)])?.isOrderConsumed == false)
    #expect(try plan([], order: [OrderTerm(.distance)])?.isOrderConsumed == false)
  }

  @Test func takesRangesOfRowIDs() throws {
    let ranges = [
      Constraint(.rowID, SQLITE_INDEX_CONSTRAINT_GT), Constraint(.rowID, SQLITE_INDEX_CONSTRAINT_GE),
      Constraint(.rowID, SQLITE_INDEX_CONSTRAINT_LT), Constraint(.rowID, SQLITE_INDEX_CONSTRAINT_LE),
    ]
    #expect(try plan(ranges)?.text == "GHST")
    #expect(try plan([Self.match, Self.k] + ranges)?.text == "QKGHST")
    // SQLite checks them again: few rows are a set, many are checked on the way.
    #expect(try plan([Self.match] + ranges)?.text == "QGHST")
    // Terms of other columns are SQLite's business.
    #expect(try plan([Constraint(.vector, Self.equal), Constraint(.command, Self.equal)])?.text == "")
  }

  @Test func distanceBoundsCountBeforeK() throws {
    let beyond = Constraint(.distance, SQLITE_INDEX_CONSTRAINT_GT)
    let from = Constraint(.distance, SQLITE_INDEX_CONSTRAINT_GE)
    let at = Constraint(.distance, Self.equal)
    #expect(try plan([Self.match, Self.k, beyond, from, at])?.text == "QKBFD")
    #expect(try plan([Self.match, beyond])?.text == "Q")
    #expect(try plan([Constraint(.distance, SQLITE_INDEX_CONSTRAINT_LT)])?.text == "")
  }

  /// A search must not run for every row of another table when it can run once.
  @Test func aSearchPerOuterRowIsDear() throws {
    let once = try #require(try plan([Self.match, Self.k, unusable(Self.rowID)]))
    for each in [
      Self.rowID, Constraint(.rowID, SQLITE_INDEX_CONSTRAINT_NE), Constraint(.rowID, SQLITE_INDEX_CONSTRAINT_GT),
      Constraint(.distance, SQLITE_INDEX_CONSTRAINT_GT),
    ] {
      let perRow = try #require(try plan([Self.match, Self.k, each]))
      #expect(perRow.cost > 1_000_000 * once.cost)
    }
    // Without k, one row's distance costs less than the whole stream but not so little that it is asked for often.
    let stream = try #require(try plan([Self.match, unusable(Self.rowID)]))
    let row = try #require(try plan([Self.match, Self.rowID]))
    #expect(row.cost < stream.cost)
    #expect(row.cost > stream.cost / 2)
    #expect(row.rows == 1)
  }

  @Test func pricesScansByWhatTheyRead() throws {
    let all = try #require(try plan([]))
    let range = try #require(try plan([Constraint(.rowID, SQLITE_INDEX_CONSTRAINT_GT)]))
    let set = try #require(try plan([Self.set]))
    let one = try #require(try plan([Self.rowID]))
    #expect(one.cost < set.cost && set.cost < range.cost && range.cost < all.cost)
    #expect(one.isUnique && !set.isUnique && !all.isUnique)
    #expect(try plan([], rows: 0)?.rows == 1)
  }

  /// SQLite tries the sides of an OR one by one, without the MATCH that stands beside it.
  @Test func aPartOfASearchIsDearerThanTheSearch() throws {
    let range = Constraint(.rowID, SQLITE_INDEX_CONSTRAINT_GT)
    for rows in [0, 10, 1_000_000] {
      let stream = try #require(try plan([Self.match], rows: rows))
      #expect(try #require(try plan([range], rows: rows)).cost > stream.cost)
      let set = try #require(try plan([Self.match, Self.set], rows: rows))
      #expect(try 2 * #require(try plan([Self.rowID], rows: rows)).cost > set.cost)
      let part = QueryShape(constraints: [Self.rowID], rowCount: rows, usesSearchColumns: true)
      let dear = try #require(try QueryPlanner.plan(for: part))
      #expect(dear.text == "R" && dear.cost > stream.cost)
    }
  }

  @Test func limitBoundsTheSearchWhenNothingElseDropsRows() throws {
    let byDistance = [OrderTerm(.distance)]
    #expect(try plan([Self.match, Self.limit], order: byDistance)?.text == "QL")
    #expect(try plan([Self.match, Self.limit, Self.offset], order: byDistance)?.text == "QLO")
    #expect(try plan([Self.match, Self.set, Self.limit], order: byDistance)?.text == "QIL")
    #expect(try plan([Self.match, Self.limit])?.text == "QL")
    // Somebody sorts or checks afterwards.
    #expect(try plan([Self.match, Self.limit], order: [OrderTerm(.rowID)])?.text == "Q")
    #expect(try plan([Self.match, Constraint(.vector, Self.equal), Self.limit], order: byDistance)?.text == "Q")
    #expect(try plan([Self.match, unusable(Self.rowID), Self.limit], order: byDistance)?.text == "Q")
    #expect(try plan([Self.match, Self.limit, unusable(Self.offset)], order: byDistance)?.text == "Q")
    // SQLite still skips and counts.
    let plan = try #require(try plan([Self.match, Self.limit, Self.offset], order: byDistance))
    #expect(plan.arguments.filter { $0.use == .limit || $0.use == .offset }.allSatisfy { !$0.isSettled })
  }

  @Test func declaresTheColumns() {
    #expect(
      Column.declaration(table: "my \"t\"", filterColumns: [])
        == "CREATE TABLE x(vector, distance HIDDEN, k HIDDEN, ef_search HIDDEN, probes HIDDEN, target_recall HIDDEN, "
        + "exact HIDDEN, plan HIDDEN, after_distance HIDDEN, after_rowid HIDDEN, filter HIDDEN, "
        + "filter_parameters HIDDEN, model HIDDEN, \"my \"\"t\"\"\" HIDDEN)"
    )
  }
}
