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
    case afterDistance = "C"
    case afterRowID = "Y"
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
  }

  struct Argument: Equatable, Sendable {
    var use: Use
    /// The position of the term among the constraints of the shape.
    var constraint: Int
    /// SQLite need not check the term again.
    var isSettled: Bool
  }

  /// In the order of the values.
  var arguments: [Argument] = []
  var isOrderConsumed = false
  /// At most one row comes.
  var isUnique = false
  var cost = 0.0
  var rows = 0

  /// What `xFilter` gets: a letter for every value.
  var text: String { String(arguments.map(\.use.rawValue)) }

  func has(_ use: Use) -> Bool { arguments.contains { $0.use == use } }

  /// The uses a text spells, or nil when it is not one of ours.
  static func uses(of text: String) -> [Use]? {
    let uses = text.compactMap(Use.init(rawValue:))
    return uses.count == text.count ? uses : nil
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
    case .notEqual(let column): "\(column.name) is a setting of the search: write \(column.name) = <number>"
    case .withoutMatch(let column):
      "\(column.name) = ... is a setting of a search: add vector MATCH <vector> to the same WHERE"
    }
  }
}
