import TestSupport
import Testing

/// A vidx table `v` of rows with small whole components, an ordinary table `items` beside it, and the truth about both.
///
/// Distances between such vectors are exact in 32-bit floats and many are equal, so answers are compared to the last
/// bit and ties are put to the test. Every third vector is an exact copy of another.
final class VectorTable {
  enum Kind: String, CaseIterable, CustomTestStringConvertible {
    case flat, hnsw, ivfflat

    var testDescription: String { rawValue }

    /// A term that makes the search exhaustive, so that it can be compared with the truth.
    var thorough: String {
      switch self {
      case .flat: ""
      case .hnsw: "AND ef_search = 1000"
      case .ivfflat: "AND probes = 1000"
      }
    }
  }

  /// Where the vectors are.
  enum Storage: CaseIterable {
    case delta, segment
    /// Both, with deleted rows in the segment.
    case mixed
  }

  struct Layout: CustomTestStringConvertible {
    var kind: Kind
    var storage: Storage
    var testDescription: String { "\(kind) in \(storage)" }

    static let all = Kind.allCases.flatMap { kind in Storage.allCases.map { Layout(kind: kind, storage: $0) } }
  }

  let session: SQLSession
  let layout: Layout
  private(set) var vectors: [Int64: [Float]] = [:]

  static let dimensions = 4
  static let seed: UInt64 = 7_041
  static let query: [Float] = [1, 0, -2, 3]
  /// The query as SQL has it.
  static let literal = "'[1,0,-2,3]'"

  init(_ layout: Layout, rows: Int = 90) throws {
    self.layout = layout
    session = try SQLSession(onDisk: layout.storage != .delta)
    try session.run(
      "CREATE VIRTUAL TABLE v USING vidx(dimensions = \(Self.dimensions), metric = l2, index = \(layout.kind.rawValue))"
    )
    try session.run("CREATE TABLE items(id INTEGER PRIMARY KEY, category TEXT, quality REAL)")
    try session.run("BEGIN")
    var random = SplitMix(seed: Self.seed)
    for row in 0..<rows { try addRow(row, of: rows, &random) }
    try session.run("COMMIT")
    if layout.storage == .segment { try session.run("INSERT INTO v(v) VALUES ('optimize')") }
  }

  /// Row ids have gaps, some rows have no item and some items no row.
  private func addRow(_ row: Int, of rows: Int, _ random: inout SplitMix) throws {
    if layout.storage == .mixed, row == rows / 2 { try settleAndDisturb() }
    let id = Int64(3 * row + 1)
    let copied = row % 3 == 2 ? vectors[Int64(3 * (row / 2) + 1)] : nil
    let vector = copied ?? (0..<Self.dimensions).map { _ in Float(Int(random.next() % 9)) - 4 }
    vectors[id] = vector
    _ = try session.rows("INSERT INTO v(rowid, vector) VALUES (?, ?)", .integer(id), .vector(vector))
    let item = row % 7 == 0 ? id + 1 : id
    _ = try session.rows(
      "INSERT INTO items VALUES (?, ?, ?)", .integer(item), .text(row % 2 == 0 ? "even" : "odd"),
      .real(Double(row % 10) / 10))
  }

  private func settleAndDisturb() throws {
    try session.run("COMMIT")
    try session.run("INSERT INTO v(v) VALUES ('optimize')")
    try session.run("BEGIN")
    for id in vectors.keys.sorted().prefix(10) {
      _ = try session.rows("DELETE FROM v WHERE rowid = ?", .integer(id))
      vectors[id] = nil
    }
    for id in vectors.keys.sorted().prefix(5) {
      let vector = [Float](repeating: Float(id % 3), count: Self.dimensions)
      _ = try session.rows("UPDATE v SET vector = ? WHERE rowid = ?", .vector(vector), .integer(id))
      vectors[id] = vector
    }
  }

  // MARK: The truth

  struct Neighbour: Equatable {
    var id: Int64
    var distance: Double
  }

  /// All rows, nearest first, ties by row id.
  func nearest(to query: [Float] = query) -> [Neighbour] {
    let all = vectors.map { id, vector in
      let sum = zip(vector, query).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      return Neighbour(id: id, distance: Double(sum.squareRoot()))
    }
    return all.sorted { ($0.distance, $0.id) < ($1.distance, $1.id) }
  }

  var ids: [Int64] { vectors.keys.sorted() }

  /// The ids of the items that the condition selects, as SQLite sees it.
  func items(_ condition: String) throws -> Set<Int64> {
    Set(try session.integers("SELECT id FROM items WHERE \(condition)"))
  }

  // MARK: What SQL says

  /// The rows of a query that gives `rowid, distance`.
  func neighbours(_ sql: String, _ parameters: SQLCell...) throws -> [Neighbour] {
    try session.rows(sql, parameters).map { row in
      guard row.count == 2, case .integer(let id) = row[0], case .real(let distance) = row[1] else {
        throw SQLSession.NotAnInteger(sql: sql, row: row)
      }
      return Neighbour(id: id, distance: distance)
    }
  }
}
