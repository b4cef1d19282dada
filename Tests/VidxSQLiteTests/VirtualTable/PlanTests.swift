import TestSupport
import Testing
import VidxSQLite

/// `plan`: the way to go in place of the planner's choice.
@Suite("plan") struct PlanTests {
  private static let rows = 5_000
  private static let dimensions = 8

  /// A settled table of one kind, with a filter column `f` of 0 to 3, and a query.
  private struct Table {
    let session: SQLSession
    let query: SQLCell

    init(_ kind: String) throws {
      session = try SQLSession(onDisk: true)
      let lists = kind == "ivfflat" ? ", lists = 50" : ""
      try session.run(
        "CREATE VIRTUAL TABLE v USING vidx(dimensions = \(dimensions), metric = l2, index = \(kind)\(lists), filter f)")
      var random = SplitMix(seed: 97)
      func vector() -> SQLCell { .vector((0..<dimensions).map { _ in Float.random(in: -1...1, using: &random) }) }
      try session.run("BEGIN")
      let insert = try session.connection.prepare("INSERT INTO v(rowid, vector, f) VALUES (?, ?, ?)")
      for row in 0..<rows {
        try insert.bind(Int64(row), at: 1)
        guard case .blob(let bytes) = vector() else { continue }
        unsafe try bytes.withUnsafeBytes { unsafe try insert.bind(blob: $0, at: 2) }
        try insert.bind(Int64(row % 4), at: 3)
        try insert.run()
      }
      insert.finalize()
      try session.run("COMMIT; INSERT INTO v(v) VALUES ('optimize')")
      query = vector()
    }

    /// The rows that a search finds, and what it says of its plan.
    func search(_ plan: SQLCell, _ terms: String = "k = 10") throws -> (rows: [Int64], plan: SQLCell?) {
      let rows = try session.integers("SELECT rowid FROM v WHERE vector MATCH ? AND plan = ? AND \(terms)", query, plan)
      return (rows, try session.column("SELECT json_extract(vidx_last_search(), '$.plan')").first)
    }

    func message(_ plan: SQLCell, _ terms: String = "k = 10") throws -> String {
      try session.error("SELECT rowid FROM v WHERE vector MATCH ? AND plan = ? AND \(terms)", query, plan).message
    }
  }

  @Test("Each plan that a kind has is the one that answers", arguments: ["flat", "ivfflat", "hnsw"])
  func isHeeded(kind: String) throws {
    let table = try Table(kind)
    let plans = ["flat": ["exact"], "ivfflat": ["exact", "lists"], "hnsw": ["exact", "graph", "lists"]][kind] ?? []
    let filters = ["k = 10", "k = 10 AND f = 1"]
    for (isFiltered, terms) in zip([false, true], filters) {
      let truth = try table.search("exact", terms)
      for plan in plans {
        let found = try table.search(.text(plan), terms)
        let name = plan == "exact" || !isFiltered ? plan : "filtered \(plan)"
        #expect(found.plan == .text(name), "\(kind), \(terms)")
        #expect(Set(found.rows).intersection(truth.rows).count >= 7, "\(kind), \(plan), \(terms): \(found.rows)")
      }
      // The planner's choice, in small letters or not.
      let chosen = try table.search(.null, terms)
      #expect(chosen.plan == (kind == "flat" ? "exact" : try table.search(chosen.plan?.bare ?? .null, terms).plan))
      #expect(try table.search("Exact", terms).rows == truth.rows)
    }
  }

  @Test func whatGoesBeforeIt() throws {
    let table = try Table("hnsw")
    for terms in ["k = 10 AND exact = 1", "k = 10 AND target_recall = 1"] {
      #expect(try table.search("graph", terms).plan == "exact", "\(terms)")
    }
    let page = """
      SELECT rowid FROM v WHERE vector MATCH ? AND plan = 'graph' AND k = 10 AND after_distance = NULL
      AND after_rowid = NULL
      """
    #expect(try table.session.integers(page, table.query) == table.search("exact").rows)
    #expect(try table.session.column("SELECT json_extract(vidx_last_search(), '$.plan')") == ["exact"])
  }

  @Test func canBeRead() throws {
    let table = try Table("flat")
    let read = "SELECT DISTINCT plan FROM v WHERE vector MATCH ? AND k = 3"
    #expect(try table.session.column(read, table.query) == [.null])
    #expect(try table.session.column("\(read) AND plan = 'exact'", table.query) == ["exact"])
  }

  @Test func refusesWhatIsNone() throws {
    let table = try Table("ivfflat")
    #expect(
      try table.message("list")
        == "vidx table v: plan cannot be 'list' (did you mean 'lists'?): known are exact, graph, lists")
    #expect(try table.message(3).hasSuffix("plan cannot be '3': known are exact, graph, lists"))
    #expect(
      try table.message("graph")
        == "vidx table v: plan cannot be graph: an index of type ivfflat has exact and lists")
    let page = "k = 10 AND after_distance = 0.5 AND after_rowid = 1"
    #expect(try table.message("graph", page).contains("plan cannot be graph"))
    #expect(try table.message("graph", "distance < 1").contains("plan cannot be graph"))
    let flat = try Table("flat")
    #expect(try flat.message("lists").hasSuffix("an index of type flat has only exact"))
    let outside = try flat.session.error("SELECT rowid FROM v WHERE plan = 'exact'")
    #expect(outside.message.contains("plan = ... is a setting of a search"))
    let stored = try flat.session.error("INSERT INTO v(vector, plan) VALUES ('[1]', 'exact')")
    #expect(stored.message.contains("plan is not stored"))
  }

  @Test("Rows that come one by one come from the graph, from the lists, or exactly")
  func ofStreams() throws {
    let table = try Table("hnsw")
    for terms in ["distance < 9 ORDER BY distance", "k = 10 AND distance > 0.1"] {
      let refusal = try table.message("lists", terms)
      #expect(refusal.contains("plan cannot be lists where rows come one by one"), "\(terms)")
      #expect(try table.search("graph", terms).plan == "graph", "\(terms)")
      #expect(try table.search("exact", terms).plan == "exact", "\(terms)")
    }
    // A range of few rows is a set.
    #expect(try table.search("lists", "k = 10 AND rowid > 5").plan == "filtered lists")
    let lists = try Table("ivfflat")
    #expect(try lists.search("lists", "distance < 9 ORDER BY distance").plan == "lists")
  }
}

extension SQLCell {
  /// The name of a plan without "filtered".
  fileprivate var bare: SQLCell {
    guard case .text(let name) = self, let word = name.split(separator: " ").last else { return self }
    return .text(String(word))
  }
}
