import Vidx

/// `vidx optimize`: merges new and deleted rows into the segment files, and removes files that nobody needs.
struct OptimizeCommand: Command {
  static let syntax = CommandSyntax(
    name: "optimize",
    summary: "merge new and deleted rows into the index files",
    operands: ["DB"],
    options: [Options.index, Options.threads, Options.memory, Options.json],
    lesson: """
      Searches and writes of other processes go on meanwhile. Without --index, all indexes. Files of dropped indexes
      and of builds that were killed are removed too, unless a process still reads them.

        vidx optimize packages.db --index packages_vectors --threads 2

      One segment is left of each index, or as few as can be built within --memory.

      --json prints one object:
        {"indexes": [{"index": "v", "rows": 300, "segments": 1, "seconds": 0.2}], "files_removed": 1}
      """)

  private let database: String
  private let index: String?
  private let threads: Int?
  private let memory: Int?
  private let isJSON: Bool

  init(_ arguments: Arguments) throws {
    database = try arguments.database()
    index = arguments.string(Options.index)
    threads = try arguments.integer(Options.threads, in: 1...1024)
    memory = try arguments.size(Options.memory)
    isJSON = arguments.has(Options.json)
  }

  private struct Merged {
    let index: String
    let rows: Int
    let segments: Int
    let seconds: Double
  }

  func run() throws -> Int32 {
    let session = try Session(path: database, mode: .readWrite)
    let before = try session.files()
    var merged: [Merged] = []
    for name in try index.map({ [$0] }) ?? session.indexNames() { merged.append(try optimize(name, session)) }
    for failure in try session.sweep() { Terminal.warn(failure) }
    report(merged, filesRemoved: before.subtracting(try session.files()).count)
    return 0
  }

  private func optimize(_ name: String, _ session: Session) throws -> Merged {
    let start = ContinuousClock.now
    try LongWork.run(threads: threads, memory: memory) { build in try session.optimize(name, build: build) }
    let summary = try session.summary(of: name)
    if !isJSON {
      let files = summary.segments.count == 1 ? "1 segment" : "\(summary.segments.count) segments"
      Terminal.print("\(name): \(grouped(summary.rows)) rows in \(files), in \(LongWork.duration(since: start))")
    }
    return Merged(
      index: name, rows: summary.rows, segments: summary.segments.count,
      seconds: (ContinuousClock.now - start) / .seconds(1))
  }

  private func report(_ merged: [Merged], filesRemoved: Int) {
    guard isJSON else {
      if filesRemoved > 0 {
        Terminal.print("removed \(filesRemoved == 1 ? "1 file" : "\(grouped(filesRemoved)) files") no longer needed")
      }
      return
    }
    var json = JSONWriter()
    json.object { json in
      json.key("indexes")
      json.array { json in
        for one in merged {
          json.object { json in
            json.member("index", one.index)
            json.member("rows", one.rows)
            json.member("segments", one.segments)
            json.key("seconds")
            json.number(one.seconds)
          }
        }
      }
      json.member("files_removed", filesRemoved)
    }
    Terminal.print(json.text)
  }
}
