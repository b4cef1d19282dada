internal import VidxIndexes

/// What one run of a query asks for: the values handed to `xFilter`, understood.
struct SearchTerms: Equatable {
  /// The vector to search for; nil for a plain scan.
  var query: [Float]?
  /// How many rows; nil when the rows are streamed until SQLite stops asking.
  var k: Int?
  /// What LIMIT and OFFSET leave of the rows when nothing else drops any.
  var limit: Int?
  var parameters = SearchParameters()
  /// Distances at or below this; SQLite checks the bound again, exactly.
  var within: Float?
  var lowerBound: LowerBound?
  /// The only row ids wanted, ascending and distinct.
  var rowIDs: [Int64]?
  /// SQLite takes away from the k rows what does not pass its other terms.
  var isFilteredLater = false
  /// Conditions let more pass than the terms they stand for.
  var isWidened = false
  /// The search is one page of many.
  var isPaged = false
  /// The last row of the page before.
  var after: StoreCursor?
  var excluded: Set<Int64> = []
  /// Tests of filter columns.
  var conditions: [FilterCondition] = []
  var from = Int64.min
  var through = Int64.max
  /// A filter in SQL, and the values of its parameters as a JSON array.
  var filter: String?
  var filterParameters: String?
  /// Some term is NULL or cannot be met: there are no rows.
  var isEmpty = false

  /// `distance > value`, or `>=`.
  struct LowerBound: Equatable {
    var value: Double
    var isStrict: Bool

    func allows(_ distance: Float) -> Bool { isStrict ? Double(distance) > value : Double(distance) >= value }
  }

  /// The row id passes the terms that are no set.
  func allows(_ rowID: Int64) -> Bool {
    rowID >= from && rowID <= through && !excluded.contains(rowID)
  }

  /// The row passes all terms that the index is not asked to see to.
  func allows(rowID: Int64, distance: Float?) -> Bool {
    guard allows(rowID) else { return false }
    guard let lowerBound, let distance else { return true }
    return lowerBound.allows(distance)
  }

  /// The range of row ids; nil for all of them. A set of row ids lies within it.
  var rowRange: ClosedRange<Int64>? {
    rowIDs != nil || from > through || (from == .min && through == .max) ? nil : from...through
  }

  mutating func restrict(to rowIDs: [Int64]) {
    if let current = self.rowIDs {
      let kept = Set(rowIDs)
      self.rowIDs = current.filter(kept.contains)
    } else {
      self.rowIDs = RowIDs.ascending(rowIDs)
    }
  }

  /// Tells the conditions how the database compares texts.
  mutating func compareTexts(in order: TextOrder) {
    for i in conditions.indices { conditions[i].textOrder = order }
  }

  mutating func restrict(below bound: Double) {
    // The index compares 32-bit floats: take the next one above the bound, and leave the rest to SQLite.
    let rounded = Float(bound).nextUp
    within = min(within ?? .infinity, rounded)
  }

  mutating func restrict(above bound: LowerBound) {
    guard let current = lowerBound else {
      lowerBound = bound
      return
    }
    if bound.value > current.value || (bound.value == current.value && bound.isStrict) { lowerBound = bound }
  }

  /// How many rows will be read at most, as far as it is known.
  var wanted: Int? { k ?? limit }

  /// Ends the interpretation, when all terms are there.
  mutating func finish(limit: Int64?, offset: Int64?) {
    if let set = rowIDs { rowIDs = set.filter(allows) }
    if isPaged { parameters.exact = true }
    if isWidened { isFilteredLater = true }
    if from > through || rowIDs?.isEmpty == true { isEmpty = true }
    // A negative limit is none; a negative offset is zero.
    guard let limit, limit >= 0, !isWidened else { return }
    let (sum, overflow) = limit.addingReportingOverflow(max(offset ?? 0, 0))
    if !overflow, sum <= Int64(SearchTerms.largestK) { self.limit = Int(sum) }
  }

  /// The most rows one segment, and so one answer, can hold.
  static let largestK = IndexLimits.entries
}

/// Why the values of a query are refused.
enum SearchTermsError: Error, Equatable {
  case query(VectorLiteralError)
  case notANumber(Column, type: String)
  case outOfRange(Column, value: Int64, allowed: ClosedRange<Int>)
  case notAShare(Column, value: Double)
  case notAText(Column, type: String)
  /// `filter_parameters` without `filter`.
  case parametersWithoutFilter
  /// No JSON array of numbers, texts, booleans and nulls; what is wrong with it.
  case parameters(String)
  /// `IN (SELECT ...)` may give values without end.
  case setTooLarge(limit: Int)
  /// `after_distance` without `after_rowid`, or the other way round.
  case halfACursor
  /// No plan has this name.
  case noPlan(String)
  /// The text between planning and running is not one of ours.
  case unknownPlan(String)
}

extension SearchTermsError: CustomStringConvertible {
  private static let plans = SegmentPlan.allCases.map(\.rawValue)

  var description: String {
    switch self {
    case .query(let error): "MATCH: \(error)"
    case .notANumber(let column, let type) where column == .targetRecall || column == .afterDistance:
      "\(column.name) must be a number, not \(type)"
    case .notANumber(let column, let type): "\(column.name) must be a whole number, not \(type)"
    case .notAText(let column, let type): "\(column.name) must be TEXT, not \(type)"
    case .parametersWithoutFilter: "filter_parameters are those of a filter: give filter, too"
    case .parameters(let fault):
      "filter_parameters must be a JSON array, such as '[\"ada\", 0.8]': \(fault)"
    case .setTooLarge(let limit): "IN (...) has more than \(limit) values: select fewer"
    case .notAShare(let column, let value): "\(column.name) must be above 0 and at most 1, not \(value)"
    case .halfACursor:
      "after_distance and after_rowid go together: give both of the last row, or NULL for both, the first page"
    case .noPlan(let text):
      "plan cannot be '\(text)'"
        + (nearestSpelling(to: text, among: Self.plans).map { " (did you mean '\($0)'?)" } ?? "")
        + ": known are \(Self.plans.joined(separator: ", "))"
    case .outOfRange(let column, let value, let allowed):
      "\(column.name) must be between \(allowed.lowerBound) and \(allowed.upperBound), not \(value)"
    case .unknownPlan(let text): "unknown query plan '\(text)': prepare the statement again"
    }
  }
}
