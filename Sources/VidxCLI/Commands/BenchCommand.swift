import Vidx
import VidxIndexes
import VidxSQLite
import VidxSegments

/// `vidx bench`: what recall costs on an index, and which setting to take.
struct BenchCommand: Command {
  static let syntax = CommandSyntax(
    name: "bench",
    summary: "measure recall and speed of an index by setting, and recommend one",
    operands: ["DB"],
    options: [
      Options.index, Options.queryFile.explained("queries from a file, all of them"), Options.field, Options.sample,
      Options.k, Options.recall,
      Options.efSearch.explained("hnsw: measure this ef_search only"),
      Options.targetRecall.explained("hnsw: measure this target_recall only"),
      Options.probes.explained("ivfflat: measure this number of probes only"),
      Options.threads.explained("threads to search on (1)"), Options.rounds,
      Options.model.explained("the embedding model of the queries: refuse when the index names another, or none"),
      Options.json,
    ],
    lesson: """
      Compares what searches find with the true neighbours, which it computes first, for one value of ef_search and then
      of target_recall (hnsw), or of probes (ivfflat), after the other, until all are found; --ef-search,
      --target-recall or --probes measures that value only. Recommends the setting with the least work for a recall of
      0.95 and of 0.99, or of --recall; where no setting measured has it, says which comes nearest and what may help.

        vidx bench packages.db --index packages_vectors --query-file queries.npy
        vidx bench packages.db --index packages_vectors --sample 500 -k 20 --recall 0.99

      Give real queries when you have them: without, rows of the index are the queries (each without itself among its
      neighbours), and such queries are easier than most. "+-" is the standard error of the recall: with few queries it
      is large. Every query is timed by itself, on --threads threads (1); queries/s is the median of --rounds rounds.

      --json prints one object a setting; "not_reached" are the recalls that no setting measured has, for which there
      is no recommendation:
        {"index": "v", "setting": "ef_search", "value": 40, "recall": 0.98, "qps": 23200.0, "recommended_for": [0.95],
          "not_reached": [0.99], ...}
      """)

  private enum Source {
    case file(String, field: String?)
    case sample(Int)
  }

  private let database: String
  private let index: String
  private let source: Source
  private let k: Int
  private let recalls: [Double]
  private let only: BenchSetting?
  private let threads: Int
  private let rounds: Int
  private let model: String?
  private let isJSON: Bool

  init(_ arguments: Arguments) throws {
    database = try arguments.database()
    index = try arguments.required(Options.index)
    let sample = try arguments.integer(Options.sample, in: 1...1_000_000)
    switch (arguments.string(Options.queryFile), sample) {
    case (_?, _?): throw UsageError("--query-file and --sample together: the queries come from one of them")
    case (let path?, nil): source = .file(path, field: arguments.string(Options.field))
    case (nil, let count): source = .sample(count ?? 500)
    }
    k = try arguments.integer(Options.k, in: 1...10_000) ?? 10
    recalls = try Self.share(arguments, Options.recall).map { [$0] } ?? [0.95, 0.99]
    let efSearch = try arguments.integer(Options.efSearch, in: IndexLimits.efSearch)
    let probes = try arguments.integer(Options.probes, in: 1...IndexLimits.lists.upperBound)
    let given: [(BenchSetting.Name, Double?)] = [
      (.efSearch, efSearch.map(Double.init)), (.targetRecall, try Self.share(arguments, Options.targetRecall)),
      (.probes, probes.map(Double.init)),
    ]
    let settings = given.compactMap { name, value in value.map { BenchSetting(name: name, value: $0) } }
    guard settings.count < 2 else {
      throw UsageError("\(settings.map(\.spelling).joined(separator: " and ")): give one of them")
    }
    only = settings.first
    threads = try arguments.integer(Options.threads, in: 1...1024) ?? 1
    rounds = try arguments.integer(Options.rounds, in: 1...1000) ?? 3
    model = arguments.string(Options.model)
    isJSON = arguments.has(Options.json)
  }

  /// A number above 0, at most 1.
  static func share(_ arguments: Arguments, _ option: Option) throws -> Double? {
    guard let share = try arguments.number(option) else { return nil }
    guard share > 0, share <= 1 else {
      throw UsageError("\(option.spelling) \(share): a number above 0, at most 1 expected")
    }
    return share
  }

  func run() throws -> Int32 {
    // Says what is wrong with a path or a name.
    let session = try Session(path: database, mode: .read)
    let summary = try session.summary(of: index)
    guard summary.rows > 0 else { throw VidxError(.badRows, "index \"\(index)\" has no rows; insert some first") }
    Interruption.listen()
    let reader = try IndexReader(path: database, name: index)
    let snapshot = try reader.snapshot()
    try snapshot.check(model: model)
    let sweeps = try sweeps(snapshot)
    let queries = try queries(reader, snapshot)
    let bar = ProgressBar()
    defer { bar.finish() }
    bar.report(stage: "comparing all", done: 0, total: 1)
    let truth = try BenchTruth(queries, k: k, snapshot, threads: BuildOptions().threads)
    let bench = Bench(
      snapshot: snapshot, queries: queries, truth: truth, k: k, threads: threads, rounds: rounds)
    let measurements = try measurements(sweeps, bench, bar)
    bar.finish()
    let report = BenchReport(
      subject: subject(snapshot, queries), index: index, k: k, threads: threads, recalls: recalls,
      only: only, measurements: measurements)
    if isJSON { report.json.forEach(Terminal.print) } else { Terminal.print(report.text(width: Terminal.width)) }
    return 0
  }

  private func measurements(_ sweeps: [[BenchSetting]], _ bench: Bench, _ bar: ProgressBar) throws
    -> [BenchMeasurement]
  {
    let total = sweeps.reduce(0) { $0 + $1.count }
    var measurements: [BenchMeasurement] = []
    for sweep in sweeps {
      for setting in sweep {
        bar.report(stage: "measuring", done: measurements.count, total: total)
        let measured = try bench.measure(setting)
        measurements.append(measured)
        // More work cannot find more.
        if measured.recall >= max(0.9995, recalls.max() ?? 0) { break }
      }
    }
    return measurements
  }

  private func sweeps(_ snapshot: IndexSnapshot) throws -> [[BenchSetting]] {
    let sweeps = BenchSetting.sweeps(snapshot.configuration, lists: snapshot.listCount, k: k)
    guard let only else { return sweeps }
    guard sweeps.contains(where: { $0.first?.name == only.name }) else {
      throw VidxError(
        .badOption,
        "\(only.spelling) is not for this index, which is \(snapshot.configuration.kind.name); leave it out")
    }
    return [[only]]
  }

  private func queries(_ reader: IndexReader, _ snapshot: IndexSnapshot) throws -> BenchQueries {
    switch source {
    case .file(let path, let field): return try BenchQueries(file: path, field: field, snapshot)
    case .sample(let count):
      let queries = try BenchQueries(sample: count, reader, snapshot)
      guard !queries.prepared.isEmpty else {
        throw VidxError(.badRows, "all rows drawn are zero vectors, near which nothing is; give --query-file FILE")
      }
      return queries
    }
  }

  private func subject(_ snapshot: IndexSnapshot, _ queries: BenchQueries) -> String {
    let configuration = snapshot.configuration
    let count = queries.prepared.count == 1 ? "1 query" : "\(grouped(queries.prepared.count)) queries"
    return "\(index): \(configuration.kind.name), \(configuration.metric.rawValue), \(configuration.dimensions) "
      + "dimensions, \(grouped(snapshot.rowCount)) rows\n\(count) (\(queries.source)), k = \(k), "
      + (threads == 1 ? "one thread" : "\(threads) threads")
  }
}
