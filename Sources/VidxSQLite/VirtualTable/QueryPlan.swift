/// How a cursor will be asked: which terms it is handed, in which order, and what the rows will cost.
struct QueryPlan: Equatable, Sendable {
  /// What a value handed to `xFilter` is for. The letters make the text that SQLite keeps between planning and running.
  enum Use: Character, Sendable, CaseIterable {
    case query = "Q"
    case k = "K"
    case efSearch = "E"
    case probes = "P"
    case targetRecall = "A"
    case exact = "Z"
    case plan = "V"
    case afterDistance = "C"
    case afterRowID = "Y"
    case filter = "M"
    case filterParameters = "J"
    case model = "e"
    /// `distance < value` or `<=`.
    case within = "W"
    /// `distance = value`.
    case at = "D"
    /// `distance > value`.
    case beyond = "B"
    /// `distance >= value`.
    case from = "F"
    case rowID = "R"
    /// `rowid IN (...)`, the whole set.
    case rowIDs = "I"
    case notRowID = "N"
    case above = "G"
    case atLeast = "H"
    case below = "S"
    case atMost = "T"
    case limit = "L"
    case offset = "O"
    /// `column = value` for a filter column, and so on; the column's position follows the letter.
    case columnEquals = "="
    /// `column IN (...)`, the whole set.
    case columnSet = "i"
    case columnAbove = "a"
    case columnAtLeast = "f"
    case columnBelow = "b"
    case columnAtMost = "t"
    case columnDiffers = "!"
    case columnIs = "s"
    case columnIsNot = "n"
    case columnIsNull = "z"
    case columnIsNotNull = "y"
    /// `<`, and all BLOBs pass.
    case columnBelowOrBLOB = "u"
    case columnLike = "l"
    case columnGlob = "g"
  }

  struct Argument: Equatable, Sendable {
    var use: Use
    /// The position of the term among the constraints of the shape.
    var constraint: Int
    /// SQLite need not check the term again.
    var isSettled: Bool
    /// The position of the filter column; nil for all else.
    var column: Int?

    /// A letter, and the number of the filter column.
    var text: String { String(use.rawValue) + (column.map(String.init) ?? "") }
  }

  /// What a value is for: a part of the text that SQLite keeps.
  struct Term: Equatable, Sendable {
    var use: Use
    var column: Int?
  }

  /// In the order of the values.
  var arguments: [Argument] = []
  var isOrderConsumed = false
  /// At most one row comes.
  var isUnique = false
  /// SQLite takes away from the rows that k counts what does not pass a term which the table is not handed.
  var isFilteredLater = false
  var cost = 0.0
  var rows = 0

  /// What `xFilter` gets: a letter for every value, and a number where it belongs to a filter column; and a mark.
  var text: String { arguments.map(\.text).joined() + (isFilteredLater ? String(Self.laterMark) : "") }

  private static let laterMark: Character = "+"

  /// The text says that SQLite filters later.
  static func isFilteredLater(_ text: String) -> Bool { text.last == laterMark }

  /// Some term is on a filter column.
  var hasFilters: Bool { arguments.contains { $0.column != nil } }

  func has(_ use: Use) -> Bool { arguments.contains { $0.use == use } }

  /// The terms a text spells, or nil when it is not one of ours.
  static func terms(of text: String) -> [Term]? {
    var terms: [Term] = []
    for character in isFilteredLater(text) ? text.dropLast() : text[...] {
      if let digit = character.isASCII ? character.wholeNumberValue : nil {
        guard let last = terms.last, (last.column ?? 0) < 1_000 else { return nil }
        terms[terms.count - 1].column = (last.column ?? 0) * 10 + digit
      } else if let use = Use(rawValue: character) {
        terms.append(Term(use: use))
      } else {
        return nil
      }
    }
    return terms
  }
}

/// Why a query cannot be planned in any way.
enum QueryPlanError: Error, Equatable {
  /// A setting compared otherwise than by `=`.
  case notEqual(Column)
  /// A setting without MATCH.
  case withoutMatch(Column)
}

extension QueryPlanError: CustomStringConvertible {
  var description: String {
    switch self {
    case .notEqual(.plan): "plan is a setting of the search: write plan = 'exact', 'graph' or 'lists'"
    case .notEqual(.filter): "filter is a setting of the search: write filter = '<condition, or SELECT of row ids>'"
    case .notEqual(.filterParameters):
      "filter_parameters is a setting of the search: write filter_parameters = '<JSON array>'"
    case .notEqual(.model): "model is a setting of the search: write model = '<name>'"
    case .notEqual(let column): "\(column.name) is a setting of the search: write \(column.name) = <number>"
    case .withoutMatch(let column):
      "\(column.name) = ... is a setting of a search: add vector MATCH <vector> to the same WHERE"
    }
  }
}
