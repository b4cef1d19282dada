import Vidx

/// `vidx check`: every checksum, every invariant of the indexes, indexes against rows.
struct CheckCommand: Command {
  static let syntax = CommandSyntax(
    name: "check",
    summary: "verify the database and every byte of its indexes",
    operands: ["DB"],
    options: [Options.index, Options.json],
    lesson: """
      Prints one problem a line and exits with 1 when there is any; prints "ok" and exits with 0 otherwise.

        vidx check packages.db
        vidx check packages.db --index packages_vectors
      """)

  private let database: String
  private let index: String?
  private let isJSON: Bool

  init(_ arguments: Arguments) throws {
    database = arguments.operands[0]
    index = arguments.string(Options.index)
    isJSON = arguments.has(Options.json)
  }

  func run() throws -> Int32 {
    let session = try Session(path: database, mode: .read)
    var problems: [(index: String?, text: String)] = []
    if index == nil { problems = try session.databaseProblems().map { (nil, $0) } }
    let names = try index.map { [$0] } ?? session.indexNames()
    for name in names { problems += try Self.problems(of: name, session).map { (name, $0) } }
    for problem in problems { Terminal.print(line(problem.index, problem.text)) }
    if isJSON || !problems.isEmpty { return problems.isEmpty ? 0 : 1 }
    Terminal.print("ok: \(names.count == 1 ? "1 index" : "\(names.count) indexes")")
    return 0
  }

  /// An index too damaged to be walked is a finding, not the end of the check.
  private static func problems(of index: String, _ session: Session) throws(VidxError) -> [String] {
    do { return try session.problems(of: index) } catch {
      guard error.code == .corrupt else { throw error }
      return [error.message]
    }
  }

  private func line(_ index: String?, _ text: String) -> String {
    guard isJSON else { return (index.map { "\($0): " } ?? "database: ") + text }
    var json = JSONWriter()
    json.object { json in
      if let index { json.member("index", index) }
      json.member("problem", text)
    }
    return json.text
  }
}
