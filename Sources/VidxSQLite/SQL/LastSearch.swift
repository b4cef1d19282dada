internal import VidxIndexes

/// What one search on a table did, as SQL tells it.
struct LastSearch: Equatable {
  /// The name of the table.
  var index: String
  var plan: StorePlan
  /// No row that matches is nearer than those that came.
  var isExact: Bool
  /// All rows that were asked for have come; nil when SQLite may take away some of the k rows for a term that the table
  /// was not handed.
  var isComplete: Bool?
  /// Row ids that the filter yielded; nil without a filter.
  var rowsYielded: Int?
  /// Those of them that are not in the index; nil when nobody looked.
  var rowsWithoutVector: Int?
  /// Rows that were found without the filter and then checked; nil without a filter.
  var rowsChecked: Int?
  /// An earlier search's rows of the filter were still right; nil without a filter.
  var isFilterCached: Bool?
  var counters: SearchCounters

  init(index: String, _ answer: StoreAnswer) {
    self.index = index
    plan = answer.plan
    isExact = answer.exact
    isComplete = answer.complete
    rowsYielded = answer.filter?.rowsYielded
    rowsWithoutVector = answer.filter?.rowsWithoutVector
    rowsChecked = answer.filter?.rowsChecked
    isFilterCached = answer.filter?.isCached
    counters = answer.counters
  }

  /// The state so far of rows that come one by one.
  init(index: String, _ stream: StoreStream) {
    self.index = index
    plan = stream.plan
    isExact = stream.plan == .exact
    isComplete = stream.isComplete
    rowsYielded = stream.filter?.rowsYielded
    rowsWithoutVector = stream.filter?.rowsWithoutVector
    rowsChecked = stream.filter?.rowsChecked
    isFilterCached = stream.filter?.isCached
    counters = stream.counters
  }

  /// A search that needed no look at the index: no row can pass its terms, or none is wanted.
  /// - Parameter rowIDs: those of its filter; nil without one.
  init(index: String, withoutRowsOf rowIDs: [Int64]?) {
    self.index = index
    plan = .exact
    isExact = true
    isComplete = true
    rowsYielded = rowIDs?.count
    rowsWithoutVector = rowIDs?.isEmpty == true ? 0 : nil
    counters = SearchCounters()
  }

  /// One object, the members in this order.
  var json: String {
    let members = [
      ("index", Self.quoted(index)), ("plan", Self.quoted(plan.rawValue)), ("exact", isExact ? "true" : "false"),
      ("complete", Self.word(isComplete)), ("rows_scored", "\(counters.rowsScored)"),
      ("rows_yielded", Self.number(rowsYielded)), ("rows_without_vector", Self.number(rowsWithoutVector)),
      ("rows_checked", Self.number(rowsChecked)), ("distance_computations", "\(counters.distanceComputations)"),
      ("filter_cached", Self.word(isFilterCached)),
    ]
    return "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
  }

  private static func number(_ value: Int?) -> String { value.map { "\($0)" } ?? "null" }

  private static func word(_ value: Bool?) -> String { value.map { $0 ? "true" : "false" } ?? "null" }

  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case "\u{0}"..<" ":
        let hex = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
