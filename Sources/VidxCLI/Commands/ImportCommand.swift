import Vidx
import VidxFiles

/// `vidx import`: rows into a table of their own, without an index.
struct ImportCommand: Command {
  static let syntax = CommandSyntax(
    name: "import",
    summary: "load rows into a new table, for joins with an index's table",
    operands: ["DB"],
    options: [
      Options.rows.explained("rows, .jsonl or .csv"), Options.table.explained("the table to make"), Options.json,
    ],
    lesson: """
      The table must not exist. A whole-number column "id" becomes the primary key, otherwise rows are numbered from 1.
      Column types come from the values: INTEGER, REAL or TEXT; arrays and objects stay JSON text.

        vidx import packages.db --rows dependencies.csv --table dependencies

        vidx sql packages.db "SELECT p.name, count(*) FROM packages p JOIN dependencies d ON d.package_id = p.id
          GROUP BY p.id ORDER BY 2 DESC LIMIT 5"
      """)

  private let database: String
  private let rows: String
  private let table: String
  private let isJSON: Bool

  init(_ arguments: Arguments) throws {
    database = try arguments.database()
    rows = try arguments.required(Options.rows)
    table = try arguments.required(Options.table)
    isJSON = arguments.has(Options.json)
  }

  func run() throws -> Int32 {
    let source = try FileRows(RowFormat.open(rows))
    let count = try LongWork.run(threads: 1) { build in
      try NewDatabase.undoingCreation(of: database) {
        try Session(path: database, mode: .create).importRows(source, into: table, build: build).count
      }
    }
    if isJSON {
      var json = JSONWriter()
      json.object { json in
        json.member("table", table)
        json.member("rows", count)
      }
      Terminal.print(json.text)
    } else {
      Terminal.print("imported \(grouped(count)) rows into \(table)")
    }
    return 0
  }
}
