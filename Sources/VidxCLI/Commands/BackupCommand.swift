import Vidx

/// `vidx backup`: a copy of the database and of its index files, of one state.
struct BackupCommand: Command {
  static let syntax = CommandSyntax(
    name: "backup",
    summary: "copy the database and its index files while others use them",
    operands: ["DB", "COPY"],
    options: [Options.json],
    lesson: """
      The copy is of one committed state. Every byte of the index files is checked on the way: there is no copy of a
      damaged one. With a write-ahead log writers go on meanwhile, with a rollback journal they wait. Nothing may be
      at COPY yet; when it fails or is stopped nothing is left there. The copy is a database like any other.

        vidx backup packages.db packages-backup.db
        vidx restore packages-backup.db packages.db

      --json prints one object:
        {"copy": "packages-backup.db", "bytes": 31457280, "seconds": 0.4}
      """)

  private let database: String
  private let copy: String
  private let isJSON: Bool

  init(_ arguments: Arguments) throws {
    database = try arguments.database()
    copy = try arguments.database(1)
    isJSON = arguments.has(Options.json)
  }

  func run() throws -> Int32 {
    try Self.copy(database, to: copy, isJSON: isJSON, verb: "copied")
    return 0
  }

  /// Copies, with a bar, and says so.
  static func copy(_ source: String, to target: String, isJSON: Bool, verb: String) throws {
    let session = try Session(path: source, mode: .read)
    let start = ContinuousClock.now
    let bytes = try LongWork.run(stage: verb) { report in
      try session.backup(to: target, proceed: report)
    }
    guard isJSON else {
      let megabytes = grouped((bytes + 500_000) / 1_000_000)
      return Terminal.print("\(target): \(megabytes) MB \(verb) in \(LongWork.duration(since: start))")
    }
    var json = JSONWriter()
    json.object { json in
      json.member("copy", target)
      json.member("bytes", bytes)
      json.key("seconds")
      json.number((ContinuousClock.now - start) / .seconds(1))
    }
    Terminal.print(json.text)
  }
}
