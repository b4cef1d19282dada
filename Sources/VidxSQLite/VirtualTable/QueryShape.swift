internal import CSQLite

/// The columns a vidx table declares but for its filter columns, which come behind; the last bears the table's own name
/// and takes commands.
enum Column: Int32, Sendable {
  case rowID = -1
  case vector = 0
  case distance, k, efSearch, probes, targetRecall, exact, plan, afterDistance, afterRowID, filter, filterParameters,
    model, command

  /// The declaration of a table of this name, for `sqlite3_declare_vtab`.
  static func declaration(table: String, filterColumns: [(FilterColumn, ColumnAffinity)]) -> String {
    "CREATE TABLE x(vector, distance HIDDEN, k HIDDEN, ef_search HIDDEN, probes HIDDEN, "
      + "target_recall HIDDEN, exact HIDDEN, plan HIDDEN, after_distance HIDDEN, after_rowid HIDDEN, "
      + "filter HIDDEN, filter_parameters HIDDEN, model HIDDEN, "
      + "\(quoted(identifier: table)) HIDDEN"
      // SQLite compares as their types say, and stores what it is given.
      + filterColumns.map { column, affinity in
        ", \(quoted(identifier: column.name))" + (affinity == .none ? "" : " \(affinity.rawValue)")
      }.joined() + ")"
  }

  /// The number of the first filter column.
  static let firstFilter = Column.command.rawValue + 1

  /// The position of a column among the filter columns; nil when it is none.
  static func filterPosition(of number: Int32) -> Int? {
    number >= firstFilter ? Int(number - firstFilter) : nil
  }

  /// Names that a table cannot have, because its column of that name would be a second one, or hide the row id.
  static let reservedNames = [
    "vector", "distance", "k", "ef_search", "probes", "target_recall", "exact", "plan", "after_distance",
    "after_rowid", "filter", "filter_parameters", "model", "rowid", "oid", "_rowid_",
  ]

  /// What a search is given beside its vector.
  static let settings: [Column] = [
    .k, .efSearch, .probes, .targetRecall, .exact, .plan, .afterDistance, .afterRowID, .filter, .filterParameters,
    .model,
  ]

  var name: String {
    switch self {
    case .rowID: "rowid"
    case .vector: "vector"
    case .distance: "distance"
    case .k: "k"
    case .efSearch: "ef_search"
    case .probes: "probes"
    case .targetRecall: "target_recall"
    case .exact: "exact"
    case .plan: "plan"
    case .afterDistance: "after_distance"
    case .afterRowID: "after_rowid"
    case .filter: "filter"
    case .filterParameters: "filter_parameters"
    case .model: "model"
    case .command: "the command column"
    }
  }
}

/// What SQLite tells `xBestIndex` about one way to run a query, in plain values.
struct QueryShape: Equatable, Sendable {
  /// One term of the WHERE clause: a column, an operator and a value that is not of this table.
  struct Constraint: Equatable, Sendable {
    /// SQLite's number of the column, -1 for the row id. Means nothing for LIMIT and OFFSET.
    var column: Int32
    /// `SQLITE_INDEX_CONSTRAINT_...`
    var operation: Int32
    /// The value is known before this table is read.
    var isUsable: Bool
    /// `IN (...)`, and SQLite can hand over the whole set at once.
    var isSet: Bool
    /// Text is compared as bytes.
    var isBinary = true
    /// SQLite derived it from a pattern that is a term, too: what passes that passes this.
    var isImplied = false
    /// An upper bound that SQLite may have derived so: BLOBs, which it leaves out, may pass all the same.
    var isPerhapsImplied = false

    init(_ column: Int32, _ operation: Int32, isUsable: Bool = true, isSet: Bool = false) {
      self.column = column
      self.operation = operation
      self.isUsable = isUsable
      self.isSet = isSet
    }

    init(_ column: Column, _ operation: Int32, isUsable: Bool = true, isSet: Bool = false) {
      self.init(column.rawValue, operation, isUsable: isUsable, isSet: isSet)
    }

    func isOn(_ other: Column) -> Bool { column == other.rawValue && !isLimit }

    /// The position of the filter column it is on; nil when it is on another column.
    var filterPosition: Int? { isLimit ? nil : Column.filterPosition(of: column) }

    /// LIMIT or OFFSET, which are no terms of WHERE.
    var isLimit: Bool {
      operation == SQLITE_INDEX_CONSTRAINT_LIMIT || operation == SQLITE_INDEX_CONSTRAINT_OFFSET
    }
  }

  /// One term of ORDER BY (or of GROUP BY and DISTINCT, where SQLite would like rows in order).
  struct OrderTerm: Equatable, Sendable {
    var column: Int32
    var isDescending: Bool

    init(_ column: Column, isDescending: Bool = false) {
      self.init(column.rawValue, isDescending: isDescending)
    }

    init(_ column: Int32, isDescending: Bool) {
      self.column = column
      self.isDescending = isDescending
    }
  }

  var constraints: [Constraint] = []
  var order: [OrderTerm] = []
  /// The order serves GROUP BY or DISTINCT. (That it serves a window or a compound SELECT, SQLite does not tell.)
  var isOrderForGroups = false
  /// A search without k gives rows in exact order.
  var isStreamExact = false
  /// About how many rows the table has.
  var rowCount = 0
  /// LIKE and GLOB are SQLite's own.
  var hasOwnPatternFunctions = false
  /// Positions of the filter columns that hold texts for numbers.
  var textColumns: Set<Int> = []
  /// The query reads the distance or a setting of the search, somewhere.
  var usesSearchColumns = false

  /// Some term is a pattern for a filter column.
  var hasPatterns: Bool {
    constraints.contains {
      $0.filterPosition != nil
        && [SQLITE_INDEX_CONSTRAINT_LIKE, SQLITE_INDEX_CONSTRAINT_GLOB].contains($0.operation)
    }
  }
}
