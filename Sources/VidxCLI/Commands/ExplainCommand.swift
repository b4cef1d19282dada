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
      Takes the query and the settings of vidx search, runs it, and says for the filter how many rows it lets through,
      and for each segment of the index what each plan was expected to cost, which one answered, and what it took.

        vidx explain packages.db --index packages_vectors --like 17 --where "section = 'graphics'"

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
    let passing = try session.resolve(question.filter, index: question.index)
    for (number, query) in queries.enumerated() {
      let explanation = try question.explain(query, passing, session)
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
  /// - Parameter passing: what the filter came to.
  func explain(_ query: [Float], _ passing: ResolvedRows, _ session: Session) throws -> Explanation {
    let parts = try session.explain(index, near: query, k: k, among: passing, settings: settings)
    var result: SearchResult?
    let duration = try ContinuousClock().measure {
      result = try session.search(index, near: query, k: k, among: passing, settings: settings)
    }
    guard let result else { throw VidxError(.other, "the search gave nothing") }
    return Explanation(
      filter: filterText, filterDuration: passing.duration, parts: parts, result: result, duration: duration,
      k: k, plan: settings.plan)
  }
}
