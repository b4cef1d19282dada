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
    options: SearchQuestion.options + [Options.columns, Options.threads, Options.explain, Options.json],
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

      --filter asks columns that the index keeps itself (vidx build --filter-columns), without a row being read. Given
      together, --filter, --where and --ids-from must all hold.

        vidx search packages.db --index packages_vectors --like 17 \\
          --filter "section = 'graphics' AND installed_size < 5000" --where "description LIKE '%bitmap%'"

      Distances: smaller is nearer. cosine is 1 - cos (0 to 2), ip the negated dot product.
      --ef-search or --target-recall (hnsw) and --probes (ivfflat) trade speed for recall; --exact compares every row
      and misses none, and is what to compare other settings with. --plan says which way to go instead of the planner
      (see vidx explain), to compare the ways: hnsw has exact, graph and lists, ivfflat exact and lists, flat exact.

      --json prints one object a query:
        {"query": 0, "plan": "graph", "exact": false, "complete": true, "rows_scored": 64, "rows_yielded": null,
         "rows_without_vector": null, "rows_checked": null, "distance_computations": 812,
         "hits": [{"id": 17, "distance": 0.21, ...}]}
      rows_yielded is how many row ids the filter gave, rows_without_vector how many of them are not in the index.
      Where rows were found first and then checked ("checked graph"), rows_checked is how many, rows_yielded those of
      them that pass, and rows_without_vector is null: nobody looked.

      --model says of which embedding model the query is: when the index names another, or none, that is an error.
      Without it nothing is checked.

      Pages: --after start gives the first page, and each page says what to give for the next one. Pages are exact, and
      neither repeat nor skip a row.

        vidx search packages.db --index packages_vectors --like 17 -k 20 --after start
        vidx search packages.db --index packages_vectors --like 17 -k 20 --after 0.2927,7217
      """)

  private let question: SearchQuestion
  private let columns: [String]?
  private let threads: Int
  private let explains: Bool
  private let isJSON: Bool

  init(_ arguments: Arguments) throws {
    question = try SearchQuestion(arguments)
    columns = arguments.string(Options.columns).map { text in
      text.split(separator: ",").map { String($0.drop { $0 == " " }) }
    }
    threads = try arguments.integer(Options.threads, in: 1...1024) ?? BuildOptions().threads
    explains = arguments.has(Options.explain)
    isJSON = arguments.has(Options.json)
  }

  func run() throws -> Int32 {
    let session = try Session(path: question.database, mode: .read)
    try Timeout.run(question.timeout, session) { try session.snapshot { try search(session) } }
    return 0
  }

  private func search(_ session: Session) throws {
    let queries = try question.vectors(session)
    let lookup = try session.rowLookup(for: question.index, columns: columns)
    for (number, (result, explanation)) in try results(queries, session).enumerated() {
      let rows = try result.hits.map { try lookup?.values(of: $0.id) }
      let output = SearchOutput(
        result: result, columns: lookup?.columns ?? [], rows: rows, explanation: explanation)
      print(output, query: queries.count > 1 ? number : nil)
    }
  }

  private func results(_ queries: [[Float]], _ session: Session) throws -> [(SearchResult, Explanation?)] {
    let (index, k, settings) = (question.index, question.k, question.settings)
    if explains {
      return try queries.map { query in
        let explanation = try question.explain(query, session)
        return (explanation.result, explanation)
      }
    }
    // The rows of a condition need not all be read for one query.
    if queries.count == 1 {
      return [(try session.search(index, near: queries[0], k: k, filter: question.filter, settings: settings), nil)]
    }
    return try session.search(
      index, nearEach: queries, k: k, filter: question.filter, settings: settings, threads: threads
    ).map { ($0, nil) }
  }

  private func print(_ output: SearchOutput, query: Int?) {
    if isJSON { return Terminal.print(output.json(query: query ?? 0)) }
    Terminal.print(output.text(query: query, width: Terminal.width))
    if let last = output.result.hits.last, question.isPaged, output.result.hits.count == question.k {
      Terminal.print("next page: --after \(last.distance),\(last.id)")
    }
    if let explanation = output.explanation { Terminal.print("\n" + explanation.text(width: Terminal.width)) }
  }
}
