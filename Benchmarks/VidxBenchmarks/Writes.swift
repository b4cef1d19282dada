import Vidx
import VidxFiles
import VidxIndexes

/// Inserts and merges: rows and vectors in SQLite transactions (write-ahead log, synchronous = FULL), on a real file
/// system.
struct Writes {
  let file: any VectorFile
  let folder: String
  /// Rows that are there before.
  let settled: Int

  func run() throws -> [String] {
    let database = try ScratchDatabase(folder: folder)
    let session = database.session
    try session.execute("PRAGMA synchronous = FULL")
    try session.execute("CREATE TABLE turns(id INTEGER PRIMARY KEY, role TEXT, quality REAL)")
    let added = file.count - settled
    let build = try timed {
      _ = try session.build(
        "vectors", IndexOptions(dimensions: file.dimensions, rowTable: "turns"),
        vectors: PartOfFile(file: file, range: 0..<settled), build: BuildOptions(threads: 2))
    }
    let bulk = try timed {
      try session.transaction {
        for row in settled..<(settled + 1_000) { try insert(row, session) }
      }
    }
    var single: [Double] = []
    for row in (settled + 1_000)..<file.count {
      single.append(try timed { try session.transaction { try insert(row, session) } })
    }
    let query = try file.vector(7)
    let first = try timed { _ = try session.search("vectors", near: query, k: 10) }
    let next = try timed { for _ in 0..<100 { _ = try session.search("vectors", near: query, k: 10) } } / 100
    let merge = try timed { try session.optimize("vectors", build: BuildOptions(threads: 2)) }
    return [
      line("build of \(settled) rows", seconds: build, count: settled),
      line("1000 rows in one transaction", seconds: bulk, count: 1_000),
      line("\(single.count) single-row transactions", seconds: single.reduce(0, +), count: single.count),
      line("median single-row transaction", seconds: single.sorted()[single.count / 2], count: 1),
      line("first search beside \(added) rows of delta", seconds: first, count: 1),
      line("a search beside \(added) rows of delta", seconds: next, count: 1),
      line("merge of \(added) rows into \(settled)", seconds: merge, count: added),
    ]
  }

  private func insert(_ row: Int, _ session: Session) throws {
    let id = Int64(row + 1)
    try session.execute(
      "INSERT INTO turns VALUES (?, ?, ?)", [.integer(id), "user", .real(Double(row % 100) / 100)])
    _ = try session.insert(file.vector(row), id: id, into: "vectors")
  }

  private func line(_ name: String, seconds: Double, count: Int) -> String {
    "{\"operation\": \"\(name)\", \"seconds\": \(seconds), \"rows_per_second\": \(Double(count) / seconds)}"
  }

  private func timed(_ body: () throws -> Void) rethrows -> Double {
    let start = now()
    try body()
    return now() - start
  }
}
