import TestSupport
import Testing
import VidxSQLite

/// What SQLite makes of a stream that steps back, as it may from a graph or lists searched with default effort.
@Suite struct ApproximateOrderTests {
  private static let dimensions = 24
  private static let rows = 2_000
  private static let seed: UInt64 = 4_711

  /// Small whole components: distances are exact, and there are many rows of each.
  private func table(_ kind: String) throws -> SQLSession {
    let session = try SQLSession(onDisk: true)
    let options = kind == "ivfflat" ? ", lists = 60" : ""
    try session.run(
      "CREATE VIRTUAL TABLE v USING vidx(dimensions = \(Self.dimensions), metric = l2, index = \(kind)\(options))")
    try session.run("BEGIN")
    var random = SplitMix(seed: Self.seed)
    let insert = try session.connection.prepare("INSERT INTO v(vector) VALUES (?)")
    for _ in 0..<Self.rows {
      let vector = (0..<Self.dimensions).map { _ in Float(random.next() % 3) }
      try insert.bind("[\(vector.map { "\($0)" }.joined(separator: ","))]", at: 1)
      try insert.run()
    }
    insert.finalize()
    try session.run("COMMIT; INSERT INTO v(v) VALUES ('optimize')")
    return session
  }

  /// A search with as little effort as there can be.
  private func match(_ kind: String, _ random: inout SplitMix) -> String {
    let query = (0..<Self.dimensions).map { _ in "\(random.next() % 3)" }.joined(separator: ",")
    return "vector MATCH '[\(query)]' AND \(kind == "hnsw" ? "ef_search" : "probes") = 1"
  }

  @Test(arguments: ["hnsw", "ivfflat"])
  func groupsAndDistinctAreExact(kind: String) throws {
    let session = try table(kind)
    var random = SplitMix(seed: Self.seed + 1)
    var steppingBack = 0
    for query in 0..<12 {
      let match = match(kind, &random)
      let comment: Comment = "query \(query), seed \(Self.seed)"
      let streamed = try session.column("SELECT distance FROM v WHERE \(match) ORDER BY distance")
      let sorted = try session.column("SELECT distance FROM v WHERE \(match) ORDER BY distance + 0")
      #expect(streamed.count == Self.rows, comment)
      if streamed != sorted { steppingBack += 1 }
      let counts = Self.counts(sorted)
      let grouped = "SELECT distance, count(*) FROM v WHERE \(match) GROUP BY distance"
      #expect(try session.rows(grouped) == counts, comment)
      #expect(try session.rows("\(grouped) ORDER BY distance") == counts, comment)
      let distinct = "SELECT DISTINCT distance FROM v WHERE \(match)"
      #expect(try session.column(distinct).count == counts.count, comment)
      #expect(try session.column("\(distinct) ORDER BY distance") == counts.map { $0[0] }, comment)
      try expectWaysOut(session, match, sorted, comment)
    }
    // Lists of so few rows are all scored before the second batch.
    #expect(steppingBack > 0 || kind == "ivfflat", "only a stream that steps back puts this to the test")
  }

  /// `target_recall = 1` puts a stream in order that otherwise steps back, as the test above shows.
  @Test(arguments: ["hnsw", "ivfflat"])
  func aRecallOfOneIsExact(kind: String) throws {
    let session = try table(kind)
    var random = SplitMix(seed: Self.seed + 2)
    for query in 0..<12 {
      // Even with as little effort as there can be: 1 goes before it.
      let match = match(kind, &random) + " AND target_recall = 1"
      let streamed = try session.column("SELECT distance FROM v WHERE \(match) ORDER BY distance")
      let sorted = try session.column("SELECT distance FROM v WHERE \(match) ORDER BY distance + 0")
      #expect(streamed.count == Self.rows && streamed == sorted, "query \(query), seed \(Self.seed)")
    }
  }

  /// What docs/SQL.md says to write where SQLite does not tell what it wants the order for.
  private func expectWaysOut(_ session: SQLSession, _ match: String, _ sorted: [SQLCell], _ comment: Comment) throws {
    let ranked = try session.rows("SELECT rank() OVER (ORDER BY distance + 0), distance FROM v WHERE \(match)")
    let ranks = sorted.map { distance in SQLCell.integer(Int64(1 + (sorted.firstIndex(of: distance) ?? -1))) }
    #expect(ranked == zip(ranks, sorted).map { [$0, $1] }, comment)
    let bounded = try session.rows(
      "SELECT rank() OVER (ORDER BY distance), distance FROM v WHERE \(match) AND k = 500")
    let distances = bounded.map { $0[1] }
    #expect(bounded.count == 500 && Self.areSorted(distances), comment)
    let half = "SELECT distance + 0 FROM v WHERE \(match)"
    #expect(
      try session.column("\(half) UNION \(half) ORDER BY 1") == Self.counts(sorted).map { $0[0] }, comment)
  }

  private static func areSorted(_ cells: [SQLCell]) -> Bool {
    let values = cells.map { cell in if case .real(let value) = cell { value } else { Double.nan } }
    return zip(values, values.dropFirst()).allSatisfy { $0 <= $1 }
  }

  /// Each value of a sorted list, and how often it is there.
  private static func counts(_ sorted: [SQLCell]) -> [[SQLCell]] {
    var counts: [[SQLCell]] = []
    for value in sorted {
      if counts.last?[0] == value, case .integer(let count)? = counts.last?[1] {
        counts[counts.count - 1][1] = .integer(count + 1)
      } else {
        counts.append([value, 1])
      }
    }
    return counts
  }
}
