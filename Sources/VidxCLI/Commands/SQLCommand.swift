import Vidx
import VidxFiles
import VidxSQLite

/// `vidx sql`: SQL with the virtual table and the functions of vidx at hand.
struct SQLCommand: Command {
  static let syntax = CommandSyntax(
    name: "sql",
    summary: "run SQL in which vidx tables and functions work",
    operands: ["DB", "SQL"],
    options: [Options.param, Options.timeout, Options.json],
    lesson: """
      Parameters are :name in the SQL. A value is a whole number, a number or text; @file.npy[3] is vector 3 (from 0)
      of a file.

        vidx sql packages.db "SELECT p.name, v.distance FROM packages_vectors v JOIN packages p ON p.id = v.rowid
          WHERE v.vector MATCH :q AND p.section = :section ORDER BY v.distance LIMIT 5" \\
          --param q=@queries.npy[0] --param section=graphics

      Statements are separated by semicolons and run one after the other, each in a transaction of its own unless the
      text says BEGIN and COMMIT. --json prints one object for each row.
      """)

  private let database: String
  private let sql: String
  private let parameters: [String: String]
  private let timeout: Double?
  private let isJSON: Bool

  init(_ arguments: Arguments) throws {
    database = try arguments.database()
    sql = arguments.operands[1]
    timeout = try Timeout.seconds(arguments)
    isJSON = arguments.has(Options.json)
    var parameters: [String: String] = [:]
    for text in arguments.strings(Options.param) {
      guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
        throw UsageError("--param \(text): NAME=VALUE expected")
      }
      let name = String(text[..<equals])
      guard parameters.updateValue(String(text[text.index(after: equals)...]), forKey: name) == nil else {
        throw UsageError("--param \(name) is given twice; keep one")
      }
    }
    self.parameters = parameters
  }

  func run() throws -> Int32 {
    let session = try Session(path: database, mode: .readWrite)
    let values = try parameters.mapValues(Self.value)
    var unused = Set(values.keys)
    let results = try Timeout.run(timeout, session) {
      try session.script(sql, named: values) { name in
        unused.remove(name)
      } row: { row in
        if isJSON { Terminal.print(Self.json(row)) }
        return !isJSON
      }
    }
    for result in results where !result.columns.isEmpty && !isJSON {
      var table = TextTable(header: result.columns)
      for row in result.rows { table.append(row.values.map(\.cell)) }
      Terminal.print(table.render(width: Terminal.width))
    }
    if let name = unused.sorted().first {
      Terminal.warn("--param \(name) is not used; write :\(name) in the SQL where its value belongs")
    }
    return 0
  }

  private static func json(_ row: Row) -> String {
    var json = JSONWriter()
    json.object { json in
      for (name, value) in zip(ColumnNames.distinct(row.columns), row.values) {
        json.key(name)
        json.value(value)
      }
    }
    return json.text
  }

  /// The value that the text of --param means.
  static func value(_ text: String) throws -> Value {
    if text.hasPrefix("@") { return .vector(try QueryFile.vector(reference: String(text.dropFirst()))) }
    if let integer = Int64(text) { return .integer(integer) }
    if let real = Double(text), real.isFinite { return .real(real) }
    return .text(text)
  }
}

enum ColumnNames {
  /// Names that are keys of one object: a repeated name gets "_2", "_3", ...
  static func distinct(_ names: [String]) -> [String] {
    var seen: Set<String> = []
    return names.map { name in
      var candidate = name
      var number = 2
      while !seen.insert(candidate).inserted {
        candidate = "\(name)_\(number)"
        number += 1
      }
      return candidate
    }
  }
}
