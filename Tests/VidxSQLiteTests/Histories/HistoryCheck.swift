import TestSupport
import Testing
import VidxIndexes

@testable import VidxSQLite

/// Compares what a connection sees with what there should be.
struct HistoryCheck {
  private let connection: Connection
  private let setting: History.Setting
  private let state: HistoryState
  private var random: SplitMix

  /// - Parameter seed: of the questions that are asked.
  init(connection: Connection, setting: History.Setting, state: HistoryState, seed: UInt64) {
    self.connection = connection
    self.setting = setting
    self.state = state
    random = SplitMix(seed: seed)
  }

  mutating func run() throws {
    try rows()
    for _ in 0..<3 { try search() }
    try stream()
    let problems = try IndexStore.open(connection, state.index).integrityCheck(deep: true)
    if !problems.isEmpty { throw HistoryFailure(description: problems.joined(separator: "; ")) }
  }

  private func require<T: Equatable>(_ found: T, _ expected: T, _ what: String) throws {
    if found != expected { throw HistoryFailure(description: "\(what)\n  gave     \(found)\n  expected \(expected)") }
  }

  private func select(_ sql: String) throws -> [[SQLCell]] { try SQLSession.rows(connection, sql) }

  // MARK: Rows

  private func rows() throws {
    let columns = setting.hasFilterColumns ? ", tag, size" : ""
    let sql = "SELECT rowid, vector_text(vector)\(columns) FROM \(state.index) ORDER BY rowid"
    let expected = state.rows.sorted { $0.key < $1.key }.compactMap { id, row -> [SQLCell]? in
      guard let vector = row.vector else { return nil }
      let text = SQLCell.text("[\(vector.map(String.init).joined(separator: ","))]")
      return [.integer(id), text] + (setting.hasFilterColumns ? Self.cells(row) : [])
    }
    try require(select(sql), expected, sql)
    let count = "SELECT count(*) FROM \(state.index)"
    try require(select(count), [[.integer(Int64(expected.count))]], count)
    if !setting.hasContent { return }
    let content = "SELECT id, title, tag, size FROM docs ORDER BY id"
    let contentRows = state.rows.sorted { $0.key < $1.key }.map { id, row in
      [SQLCell.integer(id), .integer(Int64(row.title))] + Self.cells(row)
    }
    try require(select(content), contentRows, content)
  }

  private static func cells(_ row: History.Row) -> [SQLCell] {
    [row.tag.map { SQLCell.text($0) } ?? .null, .integer(Int64(row.size))]
  }

  // MARK: Searches

  private struct Neighbour: Equatable, CustomStringConvertible {
    var id: Int64
    var distance: Double
    var description: String { "\(id): \(distance)" }
  }

  private mutating func query() -> [Int] { (0..<History.dimensions).map { _ in Int(random.next() % 7) - 3 } }

  /// The rows that pass, nearest first, ties by row id.
  private func nearest(_ query: [Int], _ filter: HistoryFilter) -> [Neighbour] {
    let passing = state.rows.compactMap { id, row -> Neighbour? in
      guard let vector = row.vector, filter.passes(id, row) else { return nil }
      let sum = zip(vector, query).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      return Neighbour(id: id, distance: Double(Float(sum).squareRoot()))
    }
    return passing.sorted { ($0.distance, $0.id) < ($1.distance, $1.id) }
  }

  private func neighbours(_ sql: String) throws -> [Neighbour] {
    try select(sql).map { row in
      guard row.count == 2, case .integer(let id) = row[0], case .real(let distance) = row[1] else {
        throw HistoryFailure(description: "\(sql) gave \(row)")
      }
      return Neighbour(id: id, distance: distance)
    }
  }

  /// The k nearest exactly, and as they come: then as many rows that pass, once each, at their distance.
  private mutating func search() throws {
    let query = query()
    let filter = HistoryFilter(setting, state, &random)
    let k = [1, 5, 20, state.rows.count + 3][Int(random.next() % 4)]
    let expected = nearest(query, filter)
    let sql =
      "SELECT rowid, distance FROM \(state.index) WHERE vector MATCH \(History.Setting.literal(query)) AND k = \(k)"
      + filter.sql
    let exact = sql + " AND exact = 1"
    try require(neighbours(exact), Array(expected.prefix(k)), exact)
    let found = try neighbours(sql)
    try require(found.count, min(k, expected.count), "the number of rows of \(sql)")
    try require(Set(found.map(\.id)).count, found.count, "distinct rows of \(sql)")
    try require(found.filter { !expected.contains($0) }, [], "rows that should not come, of \(sql)")
    try require(found, found.sorted { ($0.distance, $0.id) < ($1.distance, $1.id) }, "the order of \(sql)")
  }

  /// Without k every row that passes comes once.
  private mutating func stream() throws {
    let query = query()
    let filter = HistoryFilter(setting, state, &random)
    let sql =
      "SELECT rowid, distance FROM \(state.index) WHERE vector MATCH \(History.Setting.literal(query))\(filter.sql) "
      + "ORDER BY distance"
    let found = try neighbours(sql).sorted { ($0.distance, $0.id) < ($1.distance, $1.id) }
    try require(found, nearest(query, filter), "the rows of \(sql)")
  }
}

/// A condition in SQL, and what it means.
struct HistoryFilter {
  /// Terms to add to a WHERE, with AND before each.
  private(set) var sql = ""
  private var terms: [(Int64, History.Row) -> Bool] = []

  func passes(_ id: Int64, _ row: History.Row) -> Bool { terms.allSatisfy { $0(id, row) } }

  /// No term, one or two, that the setting's index has.
  init(_ setting: History.Setting, _ state: HistoryState, _ random: inout SplitMix) {
    for _ in 0..<(random.next() % 3) {
      let bound = Int64(random.next() % 40)
      switch random.next() % (setting.hasFilterColumns ? 8 : 4) {
      case 0:
        let ids = Set((0..<12).map { _ in Int64(random.next() % 60) })
        add("rowid IN (\(ids.sorted().map(String.init).joined(separator: ", ")))") { id, _ in ids.contains(id) }
      case 1: add("rowid BETWEEN \(bound) AND \(bound + 100)") { id, _ in id >= bound && id <= bound + 100 }
      case 2: add("rowid <> \(bound)") { id, _ in id != bound }
      case 3: addText(setting, &random)
      case 4: add("tag = 'a'") { _, row in row.tag == "a" }
      case 5: add("size < \(bound / 2)") { _, row in row.size < bound / 2 }
      case 6: add("tag IS NULL") { _, row in row.tag == nil }
      default: add("tag IN ('b', 'c') AND size >= 5") { _, row in (row.tag == "b" || row.tag == "c") && row.size >= 5 }
      }
    }
  }

  private mutating func add(_ term: String, _ passes: @escaping (Int64, History.Row) -> Bool) {
    sql += " AND \(term)"
    terms.append(passes)
  }

  /// A filter as a text; there can be one.
  private mutating func addText(_ setting: History.Setting, _ random: inout SplitMix) {
    if sql.contains("filter = ") { return }
    if setting.hasColumns, random.next() % 2 == 0 {
      add("filter = 'size % 3 = 0 OR tag = ''b'''") { _, row in row.size % 3 == 0 || row.tag == "b" }
    } else {
      add("filter = 'rowid % 3 <> 0'") { id, _ in id % 3 != 0 }
    }
  }
}
