import Vidx
import VidxFiles
import VidxIndexes
import VidxSQLite

/// `vidx search`: the rows nearest to one query or many.
struct SearchCommand: Command {
  static let syntax = CommandSyntax(
    name: "search",
    summary: "find the rows nearest to a query, among those that pass a condition",
    operands: ["DB"],
    options: [
      Options.index, Options.vector, Options.queryFile, Options.row, Options.like, Options.field, Options.k,
      Options.whereCondition, Options.idsFrom, Options.within, Options.after, Options.efSearch, Options.targetRecall,
      Options.probes, Options.exact, Options.columns, Options.threads, Options.json,
    ],
    lesson: """
      Give the query in one of three ways:

        vidx search packages.db --index packages_vectors --vector '[0.1, -0.2, 0.3]'
        vidx search packages.db --index packages_vectors --query-file queries.npy --row 3
        vidx search packages.db --index packages_vectors --like 17

      --like takes a row's own vector, so that row comes first. Without --row every query of the file is answered,
      on --threads threads.

      Filters narrow the rows before they are compared: k rows come back whenever k rows pass.

        vidx search packages.db --index packages_vectors --like 17 -k 5 \\
          --where "section = 'graphics' AND installed_size < 5000"
        vidx search packages.db --index packages_vectors --like 17 \\
          --ids-from "SELECT package_id FROM dependencies WHERE depends_on = 'libgtk-4-1'"
        vidx search packages.db --index packages_vectors --like 17 --within 0.4

      Distances: smaller is nearer. cosine is 1 - cos (0 to 2), ip the negated dot product.
      --ef-search or --target-recall (hnsw) and --probes (ivfflat) trade speed for recall; --exact compares every row
      and misses none, and is what to compare other settings with.

      --json prints one object a query:
        {"query": 0, "plan": "graph", "exact": false, "complete": true, "rows_scored": 64, "rows_yielded": null,
         "distance_computations": 812, "hits": [{"id": 17, "distance": 0.21, ...}]}
      rows_yielded is how many rows the filter let through, null without one.

      Pages: --after start gives the first page, and each page says what to give for the next one. Pages are exact, and
      neither repeat nor skip a row.

        vidx search packages.db --index packages_vectors --like 17 -k 20 --after start
        vidx search packages.db --index packages_vectors --like 17 -k 20 --after 0.2927,7217
      """)

  private enum Query {
    case vector([Float])
    case file(String, field: String?, row: Int?)
    case like(Int64)
  }

  private let database: String
  private let index: String
  private let query: Query
  private let k: Int
  private let filter: RowFilter
  private let settings: SearchSettings
  private let columns: [String]?
  private let isPaged: Bool
  private let threads: Int
  private let isJSON: Bool

  init(_ arguments: Arguments) throws {
    database = try arguments.database()
    index = try arguments.required(Options.index)
    query = try Self.query(arguments)
    k = try arguments.integer(Options.k, in: 1...Session.maximumK) ?? 10
    filter = try Self.filter(arguments)
    settings = try Self.settings(arguments)
    isPaged = arguments.has(Options.after)
    columns = arguments.string(Options.columns).map { text in
      text.split(separator: ",").map { String($0.drop { $0 == " " }) }
    }
    threads = try arguments.integer(Options.threads, in: 1...1024) ?? BuildOptions().threads
    isJSON = arguments.has(Options.json)
  }

  private static func settings(_ arguments: Arguments) throws -> SearchSettings {
    let effort = [Options.efSearch, Options.targetRecall, Options.probes].filter(arguments.has)
    if arguments.has(Options.exact), let other = effort.first {
      throw UsageError("--exact and \(other.spelling) together: --exact compares every row; leave one out")
    }
    let page = try page(arguments, effort: effort)
    return SearchSettings(
      within: try arguments.number(Options.within),
      efSearch: try arguments.integer(Options.efSearch, in: IndexLimits.efSearch),
      targetRecall: try arguments.number(Options.targetRecall),
      probes: try arguments.integer(Options.probes, in: 1...IndexLimits.lists.upperBound),
      exact: arguments.has(Options.exact), after: page)
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

  static func filter(_ arguments: Arguments) throws(UsageError) -> RowFilter {
    switch (arguments.string(Options.whereCondition), arguments.string(Options.idsFrom)) {
    case (nil, nil): return .all
    case (let condition?, nil): return .where(condition)
    case (nil, let select?): return .idsFrom(select)
    case (_?, _?): throw UsageError("--where and --ids-from together: put both conditions into --ids-from")
    }
  }

  func run() throws -> Int32 {
    let session = try Session(path: database, mode: .read)
    try session.snapshot {
      let queries = try vectors(session)
      let ids = try session.resolve(filter, index: index)
      let lookup = try session.rowLookup(for: index, columns: columns)
      let results = try session.search(
        index, nearEach: queries, k: k, ids: ids, settings: settings, threads: threads)
      for (number, result) in results.enumerated() {
        let rows = try result.hits.map { try lookup?.values(of: $0.id) }
        let output = SearchOutput(result: result, columns: lookup?.columns ?? [], rows: rows)
        Terminal.print(
          isJSON
            ? output.json(query: number)
            : output.text(query: queries.count > 1 ? number : nil, width: Terminal.width))
        if isPaged, !isJSON, let last = result.hits.last, result.hits.count == k {
          Terminal.print("next page: --after \(last.distance),\(last.id)")
        }
      }
    }
    return 0
  }

  private func vectors(_ session: Session) throws -> [[Float]] {
    switch query {
    case .vector(let vector): [vector]
    case .file(let path, let field, let row): try QueryFile.vectors(path, field: field, row: row)
    case .like(let id): [try session.vector(of: id, in: index)]
    }
  }
}
