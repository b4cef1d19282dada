import Vidx

/// `vidx restore`: puts a backup in a database's place.
struct RestoreCommand: Command {
  static let syntax = CommandSyntax(
    name: "restore",
    summary: "put a backup where a database was",
    operands: ["COPY", "DB"],
    options: [Options.json],
    lesson: """
      The backup is checked first, pages, rows and every byte of its indexes, and stays as it is. Nothing may be at DB:
      move what is left of the old database, its -wal file and its -vidx folder away first, when no process has it open.

        vidx restore packages-backup.db packages.db

      --json prints one object:
        {"copy": "packages.db", "bytes": 31457280, "seconds": 0.4}
      """)

  private let backup: String
  private let database: String
  private let isJSON: Bool

  init(_ arguments: Arguments) throws {
    backup = try arguments.database()
    database = try arguments.database(1)
    isJSON = arguments.has(Options.json)
  }

  func run() throws -> Int32 {
    let session = try Session(path: backup, mode: .read)
    var problems = try session.databaseProblems()
    for name in try session.indexNames() { problems += try session.problems(of: name).map { "\(name): \($0)" } }
    if let first = problems.first {
      let more = problems.count > 1 ? " (and \(problems.count - 1) more: vidx check \(backup))" : ""
      throw VidxError(.corrupt, "\(backup) is damaged, and was not restored: \(first)\(more)")
    }
    try BackupCommand.copy(backup, to: database, isJSON: isJSON, verb: "restored")
    return 0
  }
}
