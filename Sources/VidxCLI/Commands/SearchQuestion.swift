import Vidx
import VidxFiles
import VidxIndexes
import VidxSQLite

/// What `vidx search` and `vidx explain` are asked: queries, a filter and settings.
struct SearchQuestion {
  enum Query {
    case vector([Float])
    case file(String, field: String?, row: Int?)
    case like(Int64)
  }

  static let options: [Option] = [
    Options.index, Options.vector, Options.queryFile, Options.row, Options.like, Options.field, Options.k,
    Options.whereCondition, Options.idsFrom, Options.filter, Options.within, Options.after, Options.efSearch,
    Options.targetRecall, Options.probes, Options.exact, Options.plan, Options.timeout,
    Options.model.explained("the embedding model of the query: refuse when the index names another, or none"),
  ]

  let database: String
  let index: String
  let query: Query
  let k: Int
  let filter: RowFilter
  /// The filter as it was given; nil without one.
  let filterText: String?
  let settings: SearchSettings
  let isPaged: Bool
  /// Seconds after which the search is given up; nil for any time.
  let timeout: Double?

  init(_ arguments: Arguments) throws {
    database = try arguments.database()
    index = try arguments.required(Options.index)
    query = try Self.query(arguments)
    k = try arguments.integer(Options.k, in: 1...Session.maximumK) ?? 10
    filter = try Self.filter(arguments)
    filterText = Self.filterText(arguments)
    settings = try Self.settings(arguments)
    isPaged = arguments.has(Options.after)
    timeout = try Timeout.seconds(arguments)
  }

  private static func settings(_ arguments: Arguments) throws -> SearchSettings {
    let effort = [Options.efSearch, Options.targetRecall, Options.probes, Options.plan].filter(arguments.has)
    if arguments.has(Options.exact), let other = effort.first {
      throw UsageError("--exact and \(other.spelling) together: --exact compares every row; leave one out")
    }
    let page = try page(arguments, effort: effort)
    return SearchSettings(
      within: try arguments.number(Options.within),
      efSearch: try arguments.integer(Options.efSearch, in: IndexLimits.efSearch),
      targetRecall: try arguments.number(Options.targetRecall),
      probes: try arguments.integer(Options.probes, in: 1...IndexLimits.lists.upperBound),
      exact: arguments.has(Options.exact), plan: try arguments.choice(Options.plan, SearchPlan.self), after: page,
      model: arguments.string(Options.model))
  }

  private static func page(_ arguments: Arguments, effort: [Option]) throws(UsageError) -> SearchCursor? {
    guard let text = arguments.string(Options.after) else { return nil }
    if let other = effort.first {
      throw UsageError("--after and \(other.spelling) together: pages are exact; leave \(other.spelling) out")
    }
    if text == "start" { return .start }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    // Read as the 32-bit float it was printed from.
    guard parts.count == 2, let distance = Float(parts[0]), !distance.isNaN, let id = Int64(parts[1]) else {
      throw UsageError("--after \(text): DISTANCE,ROWID of the last row, or start, expected; for example 0.25,17")
    }
    return SearchCursor(distance: distance, id: id)
  }

  private static func query(_ arguments: Arguments) throws -> Query {
    let given = [Options.vector, Options.queryFile, Options.like].filter(arguments.has)
    guard given.count == 1 else {
      let found = given.isEmpty ? "no query" : given.map(\.spelling).joined(separator: " and ") + " together"
      throw UsageError("\(found): give one of --vector '[...]', --query-file FILE, --like ROWID")
    }
    if arguments.has(Options.row), !arguments.has(Options.queryFile) {
      throw UsageError("--row picks a row of --query-file FILE; give that too, or leave --row out")
    }
    if let text = arguments.string(Options.vector) {
      do throws(VectorLiteralError) { return .vector(try VectorLiteral.parse(text)) } catch {
        throw UsageError("--vector: \(error)")
      }
    }
    if let path = arguments.string(Options.queryFile) {
      return .file(
        path, field: arguments.string(Options.field), row: try arguments.integer(Options.row, in: 0...Int.max))
    }
    let text = try arguments.required(Options.like)
    guard let id = Int64(text) else { throw UsageError("--like \(text): a row id, a whole number, expected") }
    return .like(id)
  }

  /// What --where, --ids-from and --filter ask for, all of it.
  static func filter(_ arguments: Arguments) throws(UsageError) -> RowFilter {
    var filters: [RowFilter] = []
    for tests in arguments.strings(Options.filter) {
      filters.append(.columns(try ColumnConditionParser.conditions(tests)))
    }
    if let condition = arguments.string(Options.whereCondition) { filters.append(.where(condition)) }
    if let select = arguments.string(Options.idsFrom) { filters.append(.idsFrom(select)) }
    return filters.isEmpty ? .all : filters.count == 1 ? filters[0] : .allOf(filters)
  }

  /// The same for people; nil without a filter.
  static func filterText(_ arguments: Arguments) -> String? {
    let given =
      arguments.strings(Options.filter)
      + [arguments.string(Options.whereCondition), arguments.string(Options.idsFrom)].compactMap { $0 }
    return given.count > 1 ? given.map { "(\($0))" }.joined(separator: " AND ") : given.first
  }

  /// The vectors to search for.
  func vectors(_ session: Session) throws -> [[Float]] {
    switch query {
    case .vector(let vector): [vector]
    case .file(let path, let field, let row): try QueryFile.vectors(path, field: field, row: row)
    case .like(let id): [try session.vector(of: id, in: index)]
    }
  }
}
