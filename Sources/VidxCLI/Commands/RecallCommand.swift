import Vidx
import VidxIndexes
import VidxSQLite

/// `vidx recall`: how much of the truth searches find, with a filter and without.
struct RecallCommand: Command {
  static let syntax = CommandSyntax(
    name: "recall",
    summary: "measure the recall of searches with and without a filter",
    operands: ["DB"],
    options: [
      Options.index, Options.whereCondition, Options.idsFrom, Options.filter,
      Options.sample.explained("this many rows of the index are the queries (200)"), Options.k,
      Options.recall.explained("also find the setting with this recall (0.95 and 0.99)"), Options.seed,
      Options.threads, Options.timeout, Options.json,
    ],
    lesson: """
      Rows of the index, drawn at random, are the queries; none counts as its own neighbour. Each is searched for
      exactly and at default settings: recall is the share of the true neighbours found. Then settings are raised until
      a recall of 0.95 and of 0.99 is reached.

        vidx recall packages.db --index packages_vectors --where "section = 'graphics'"

      A filter in SQL is asked as if for the first time, when rows may be found without it and then checked ("checked
      graph"), and, where that happens, again with its rows read: both are how users are answered.

      Without --where, --ids-from and --filter filters are made up: uniform ones of 50, 10, 1 and 0.1 % of the rows, as
      far as they let more than k through; the rows near the query; and rows far from it, which are hardest.

        vidx recall packages.db --index packages_vectors --sample 500 -k 100

      What is counted are distance computations, which do not depend on what else the machine does; vidx bench measures
      time.
      """)

  private let database: String
  private let index: String
  private let condition: RowFilter
  private let conditionText: String?
  private let sample: Int
  private let k: Int
  private let recalls: [Double]
  private let seed: UInt64
  private let threads: Int
  private let timeout: Double?
  private let isJSON: Bool

  init(_ arguments: Arguments) throws {
    database = try arguments.database()
    index = try arguments.required(Options.index)
    condition = try SearchQuestion.filter(arguments)
    conditionText = SearchQuestion.filterText(arguments)
    sample = try arguments.integer(Options.sample, in: 1...1_000_000) ?? 200
    k = try arguments.integer(Options.k, in: 1...10_000) ?? 10
    recalls = try BenchCommand.share(arguments, Options.recall).map { [$0] } ?? [0.95, 0.99]
    seed = UInt64(try arguments.integer(Options.seed, in: 0...Int.max) ?? 42)
    threads = try arguments.integer(Options.threads, in: 1...1024) ?? BuildOptions().threads
    timeout = try Timeout.seconds(arguments)
    isJSON = arguments.has(Options.json)
  }

  func run() throws -> Int32 {
    let session = try Session(path: database, mode: .read)
    Interruption.listen()
    let bar = ProgressBar()
    defer { bar.finish() }
    let report = try Timeout.run(timeout, session) {
      try session.cancelling(when: { Interruption.isRequested }) {
        try session.snapshot { try self.report(session, bar) }
      }
    }
    bar.finish()
    if isJSON { report.json.forEach(Terminal.print) } else { Terminal.print(report.text(width: Terminal.width)) }
    return 0
  }

  private func report(_ session: Session, _ bar: ProgressBar) throws -> RecallReport {
    let summary = try session.summary(of: index)
    let everyRow = RowFilter.idsFrom("SELECT rowid FROM \(quoted(identifier: index))")
    let all = try session.rowIDs(everyRow, index: index)
    let queries = try RecallQueries(sample: sample, of: all, seed: seed, index: index, session)
    guard !queries.vectors.isEmpty else {
      throw VidxError(.badRows, "index \"\(index)\" has no rows to measure with; insert some first")
    }
    let meter = RecallMeter(
      session: session, index: index, queries: queries, k: k, threads: threads,
      sweeps: BenchSetting.sweeps(summary.options.type, rows: all.count, k: k),
      recalls: recalls)
    let everything = RecallFilter(name: "none", groups: [RecallGroup(queries: Array(queries.ids.indices), ids: nil)])
    let filters = [everything] + (try filters(session, queries, all))
    let unfiltered = try meter.neighbours(everything)
    var measurements: [RecallMeasurement] = []
    for (number, filter) in filters.enumerated() {
      bar.report(stage: "measuring", done: number, total: filters.count)
      measurements += try meter.measure(filter, unfiltered: unfiltered)
    }
    return RecallReport(
      subject: "\(index): \(grouped(all.count)) rows, \(grouped(queries.ids.count)) of them as queries, k = \(k)",
      index: index, rowCount: all.count, sample: queries.ids.count, k: k, measurements: measurements)
  }

  private func filters(_ session: Session, _ queries: RecallQueries, _ all: [Int64]) throws -> [RecallFilter] {
    guard let conditionText else {
      return try RecallFilters(session: session, index: index, queries: queries, all: all, k: k, seed: seed).made()
    }
    let ids = try session.rowIDs(condition, index: index)
    guard !ids.isEmpty else {
      throw VidxError(.badCondition, "no row passes the filter, so there is nothing to find; give another one")
    }
    let group = RecallGroup(queries: Array(queries.ids.indices), ids: ids)
    return [RecallFilter(name: conditionText, groups: [group], condition: condition)]
  }
}
