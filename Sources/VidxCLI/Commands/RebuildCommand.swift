import Vidx

/// `vidx rebuild`: makes an index anew.
struct RebuildCommand: Command {
  static let syntax = CommandSyntax(
    name: "rebuild",
    summary: "make an index anew from the rows",
    operands: ["DB"],
    options: [Options.index, Options.threads, Options.memory],
    lesson: """
      An index on a column of a table is made from that column: this repairs one whose files are missing or damaged.
      One that holds its vectors itself is made from those. It is one transaction: writers wait, readers go on, and when
      it fails nothing has changed.

        vidx rebuild packages.db --index packages_vectors
      """)

  private let database: String
  private let index: String
  private let threads: Int?
  private let memory: Int?

  init(_ arguments: Arguments) throws {
    database = try arguments.database()
    index = try arguments.required(Options.index)
    threads = try arguments.integer(Options.threads, in: 1...1024)
    memory = try arguments.size(Options.memory)
  }

  func run() throws -> Int32 {
    let session = try Session(path: database, mode: .readWrite)
    let start = ContinuousClock.now
    try LongWork.run(threads: threads, memory: memory) { build in try session.rebuild(index, build: build) }
    for failure in try session.sweep() { Terminal.warn(failure) }
    let rows = try session.summary(of: index).rows
    Terminal.print("\(index): \(grouped(rows)) rows made anew in \(LongWork.duration(since: start))")
    return 0
  }
}
