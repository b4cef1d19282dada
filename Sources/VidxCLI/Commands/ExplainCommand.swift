import Vidx
import VidxIndexes
import VidxSQLite

/// `vidx explain`: how a search is planned, and what it takes.
struct ExplainCommand: Command {
  static let syntax = CommandSyntax(
    name: "explain",
    summary: "show how a search is planned and what it takes",
    operands: ["DB"],
    options: SearchQuestion.options + [Options.json],
    lesson: """
      Takes the query and the settings of vidx search, runs it, and says what was done to learn which rows pass the
      filter, how many it lets through, for each segment of the index what each plan was expected to cost, which one
      answered, and what it took.

        vidx explain packages.db --index packages_vectors --like 17 --where "section = 'graphics'"

      A filter in SQL that is asked for the first time is not always read to its end: the nearest rows are found without
      it and checked. Then both are shown: the search as it was, and the same with the filter's rows read, which is what
      a filter gets that is asked again before anything is committed.

      vidx search --explain prints the same after the rows. Estimates are of scores and of time on the machine they were
      measured on: their order matters.
      """)

  private let question: SearchQuestion
  private let isJSON: Bool

  init(_ arguments: Arguments) throws {
    question = try SearchQuestion(arguments)
    isJSON = arguments.has(Options.json)
  }

  func run() throws -> Int32 {
    let session = try Session(path: question.database, mode: .read)
    try Timeout.run(question.timeout, session) { try session.snapshot { try explain(session) } }
    return 0
  }

  private func explain(_ session: Session) throws {
    let queries = try question.vectors(session)
    for (number, query) in queries.enumerated() {
      let explanation = try question.explain(query, session)
      if isJSON {
        Terminal.print(explanation.json(query: number))
      } else {
        if queries.count > 1 { Terminal.print("query \(number)") }
        Terminal.print(explanation.text(width: Terminal.width))
      }
    }
  }
}

extension SearchQuestion {
  /// Makes the search as `vidx search` does, and again among the rows of its filter when it did not read them.
  func explain(_ query: [Float], _ session: Session) throws -> Explanation {
    let trace = FilterTrace()
    let (result, duration) = try Self.timing {
      try session.search(index, near: query, k: k, filter: filter, settings: settings, trace: trace)
    }
    let rows = try session.resolve(filter, index: index)
    var again: (result: SearchResult, duration: Duration)?
    if result.filter?.rowsChecked ?? 0 > 0 {
      again = try Self.timing { try session.search(index, near: query, k: k, among: rows, settings: settings) }
    }
    return Explanation(
      filter: filterText, steps: trace.steps, rowsDuration: rows.duration,
      parts: try session.explain(index, near: query, k: k, among: rows, settings: settings), result: result,
      duration: duration, withRowsRead: again, k: k, plan: settings.plan, model: try session.model(of: index))
  }

  private static func timing<Result>(_ body: () throws -> Result) throws -> (result: Result, duration: Duration) {
    let start = ContinuousClock.now
    let result = try body()
    return (result, ContinuousClock.now - start)
  }
}
