import Vidx

/// `vidx optimize`: merges new and deleted rows into the segment files.
struct OptimizeCommand: Command {
  static let syntax = CommandSyntax(
    name: "optimize",
    summary: "merge new and deleted rows into the index files",
    operands: ["DB"],
    options: [Options.index, Options.threads],
    lesson: """
      Searches and writes of other processes go on meanwhile. Without --index, all indexes.

        vidx optimize packages.db --index packages_vectors --threads 2
      """)

  private let database: String
  private let index: String?
  private let threads: Int?

  init(_ arguments: Arguments) throws {
    database = arguments.operands[0]
    index = arguments.string(Options.index)
    threads = try arguments.integer(Options.threads, in: 1...1024)
  }

  func run() throws -> Int32 {
    let session = try Session(path: database, mode: .readWrite)
    for name in try index.map({ [$0] }) ?? session.indexNames() {
      let start = ContinuousClock.now
      try LongWork.run(threads: threads) { build in try session.optimize(name, build: build) }
      let summary = try session.summary(of: name)
      let files = summary.segments.count == 1 ? "1 segment" : "\(summary.segments.count) segments"
      Terminal.print(
        "\(name): \(grouped(summary.rows)) rows in \(files), in \(LongWork.duration(since: start))")
    }
    return 0
  }
}
