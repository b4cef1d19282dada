import Vidx

/// `vidx check`: every checksum, every invariant of the indexes, indexes against rows.
struct CheckCommand: Command {
  static let syntax = CommandSyntax(
    name: "check",
    summary: "verify the database and every byte of its indexes",
    operands: ["DB"],
    options: [Options.index, Options.json],
    lesson: """
      Prints one problem a line and exits with 1 when there is any; prints "ok" and exits with 0 otherwise. A build that
      is unfinished is no problem; a line says so.

        vidx check packages.db
        vidx check packages.db --index packages_vectors

      --json prints one object; a problem without "index" is one of the database file:
        {"ok": false, "indexes": 1, "unfinished": [], "problems": [{"index": "v", "problem": "..."}]}
      """)

  private let database: String
  private let index: String?
  private let isJSON: Bool

  init(_ arguments: Arguments) throws {
    database = try arguments.database()
    index = arguments.string(Options.index)
    isJSON = arguments.has(Options.json)
  }

  func run() throws -> Int32 {
    let session = try Session(path: database, mode: .read)
    var problems: [(index: String?, text: String)] = []
    if index == nil { problems = try session.databaseProblems().map { (nil, $0) } }
    let names = try index.map { [$0] } ?? session.indexNames()
    for name in names { problems += try Self.problems(of: name, session).map { (name, $0) } }
    var unfinished: [(index: String, text: String)] = []
    for name in names {
      if let build = try Self.unfinished(name, session) { unfinished.append((name, build.text)) }
    }
    if !isJSON { for (index, text) in unfinished { Terminal.print("\(index): \(text)") } }
    if isJSON {
      Terminal.print(Self.json(problems, indexes: names.count, unfinished: unfinished.map(\.index)))
    } else if problems.isEmpty {
      Terminal.print("ok: \(names.count == 1 ? "1 index" : "\(names.count) indexes")")
    } else {
      for problem in problems { Terminal.print((problem.index ?? "database") + ": " + problem.text) }
    }
    return problems.isEmpty ? 0 : 1
  }

  /// An index too damaged to be walked is a finding, not the end of the check.
  private static func problems(of index: String, _ session: Session) throws(VidxError) -> [String] {
    do { return try session.problems(of: index) } catch {
      guard error.code == .corrupt else { throw error }
      return [error.message]
    }
  }

  /// What cannot be read is among the problems.
  private static func unfinished(
    _ index: String, _ session: Session
  ) throws(VidxError) -> IndexSummary.Unfinished? {
    do { return try session.summary(of: index).unfinished } catch {
      guard error.code == .corrupt else { throw error }
      return nil
    }
  }

  private static func json(
    _ problems: [(index: String?, text: String)], indexes: Int, unfinished: [String]
  ) -> String {
    var json = JSONWriter()
    json.object { json in
      json.key("ok")
      json.bool(problems.isEmpty)
      json.member("indexes", indexes)
      json.key("unfinished")
      json.array { json in for index in unfinished { json.string(index) } }
      json.key("problems")
      json.array { json in
        for problem in problems {
          json.object { json in
            if let index = problem.index { json.member("index", index) }
            json.member("problem", problem.text)
          }
        }
      }
    }
    return json.text
  }
}
