import Foundation
import Testing
import VidxSQLite

/// `vidx_last_search()`, and the setting `exact`.
@Suite struct LastSearchTests {
  private let match = "v.vector MATCH \(VectorTable.literal)"

  private func last(_ session: SQLSession) throws -> [String: Any] {
    let row = try #require(try session.rows("SELECT vidx_last_search()").first)
    guard case .text(let text) = row[0] else { throw SQLSession.NotAnInteger(sql: "vidx_last_search()", row: row) }
    return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  /// Terms that SQLite checks after k has counted may leave fewer rows than were found.
  @Test(arguments: [
    ("w.t LIKE 'a%'", true), ("w.t LIKE '%a'", true), ("w.t GLOB 'a*'", true),
    ("w.t LIKE 'a%' AND w.t >= 'A' COLLATE NOCASE", false), ("w.t = 'a' COLLATE NOCASE", false), ("w.t = 'a'", true),
    ("w.rowid > 2", true), ("w.distance < 3", true), ("w.rowid IN (1, 2)", true),
  ])
  func doesNotCallCompleteWhatIsFilteredLater(_ term: String, isKnown: Bool) throws {
    let session = try SQLSession()
    try session.run("CREATE VIRTUAL TABLE w USING vidx(dimensions=1, metric=l2, index=flat, filter t)")
    try session.run("INSERT INTO w(rowid, vector, t) VALUES (1, '[1]', 'a'), (2, '[2]', 'b'), (3, '[3]', 'A')")
    _ = try session.rows("SELECT rowid FROM w WHERE vector MATCH '[0]' AND k = 2 AND \(term)")
    let complete = try last(session)["complete"]
    #expect(isKnown ? complete as? Bool == true : complete is NSNull, "\(term)")
  }

  /// An index under l1 has no lists beside its graph.
  @Test func refusesListsUnderL1() throws {
    let session = try SQLSession()
    try session.run("CREATE VIRTUAL TABLE w USING vidx(dimensions=1, metric=l1, index=hnsw)")
    try session.run("INSERT INTO w(rowid, vector) VALUES (1, '[1]')")
    #expect(throws: (any Error).self) {
      _ = try session.rows("SELECT rowid FROM w WHERE vector MATCH '[0]' AND k = 2 AND plan = 'lists'")
    }
    // What is exact goes before it, also row by row.
    for exact in ["exact = 1", "target_recall = 1"] {
      try session.run("CREATE VIRTUAL TABLE IF NOT EXISTS y USING vidx(dimensions=1, metric=l2, index=hnsw)")
      _ = try session.rows("SELECT rowid FROM y WHERE vector MATCH '[0]' AND \(exact) AND plan = 'lists' LIMIT 3")
    }
  }

  @Test func isNullBeforeTheFirst() throws {
    let session = try SQLSession()
    #expect(try session.rows("SELECT vidx_last_search()") == [[.null]])
  }

  @Test func tellsOfKSearches() throws {
    let table = try VectorTable(.init(kind: .hnsw, storage: .segment), rows: 900)
    _ = try table.session.rows("SELECT rowid FROM v WHERE \(match) AND k = 5 AND ef_search = 5")
    let approximate = try last(table.session)
    #expect(approximate["index"] as? String == "v")
    #expect(approximate["plan"] as? String == "graph")
    #expect(approximate["exact"] as? Bool == false)
    #expect(approximate["complete"] as? Bool == true)
    #expect(approximate["rows_yielded"] is NSNull && approximate["rows_without_vector"] is NSNull)
    #expect(try #require(approximate["distance_computations"] as? Int) > 5)

    _ = try table.session.rows("SELECT rowid FROM v WHERE \(match) AND k = 5 AND rowid IN (1, 4, 7, 7, 8)")
    let filtered = try last(table.session)
    #expect(filtered["plan"] as? String == "exact")
    #expect(filtered["exact"] as? Bool == true)
    // Row 8 is not there: the filter lets it through all the same.
    #expect(filtered["rows_yielded"] as? Int == 4)
    #expect(filtered["rows_without_vector"] as? Int == 1)
    #expect(filtered["rows_scored"] as? Int == 3)
  }

  @Test func tellsOfStreamsAndThresholds() throws {
    let table = try VectorTable(.init(kind: .hnsw, storage: .segment), rows: 900)
    _ = try table.session.rows(
      "SELECT v.rowid FROM v JOIN items i ON i.id = v.rowid WHERE \(match) AND ef_search = 5 ORDER BY distance LIMIT 3")
    let begun = try last(table.session)
    #expect(begun["exact"] as? Bool == false)
    #expect(begun["complete"] as? Bool == false)

    for (term, isExact) in [("ef_search = 5", false), ("exact = 1", true)] {
      let found = try table.session.rows(
        "SELECT rowid FROM v WHERE \(match) AND distance < 2.5 AND \(term) ORDER BY distance")
      let threshold = try last(table.session)
      #expect(threshold["exact"] as? Bool == isExact, "\(term)")
      #expect(threshold["complete"] as? Bool == isExact, "\(term)")
      if isExact { #expect(found.count == table.nearest().count { $0.distance < 2.5 }) }
    }
  }

  /// Fewer than k within a distance are proof in an exact search only.
  @Test func saysWhatAThresholdProves() throws {
    let table = try VectorTable(.init(kind: .hnsw, storage: .segment), rows: 900)
    for (term, isProof) in [("ef_search = 5", false), ("exact = 1", true)] {
      #expect(
        try table.session.rows("SELECT rowid FROM v WHERE \(match) AND k = 5 AND distance < -1 AND \(term)").isEmpty)
      let outcome = try last(table.session)
      #expect(outcome["exact"] as? Bool == isProof, "\(term)")
      #expect(outcome["complete"] as? Bool == isProof, "\(term)")
    }
  }

  /// An inner loop that asks the same again is answered from memory: it is told of nevertheless.
  @Test func tellsOfTheSearchThatWasLast() throws {
    let table = try VectorTable(.init(kind: .flat, storage: .delta))
    try table.session.run("CREATE VIRTUAL TABLE w USING vidx(dimensions = 1); INSERT INTO w VALUES ('[1]')")
    _ = try table.session.rows("SELECT rowid FROM v WHERE \(match) AND k = 1")
    #expect(try last(table.session)["index"] as? String == "v")
    _ = try table.session.rows("SELECT rowid FROM w WHERE vector MATCH '[1]' AND k = 1")
    #expect(try last(table.session)["index"] as? String == "w")
  }

  /// What no row can pass, or of which none is wanted, is a search all the same.
  @Test(
    arguments: [
      ("k = 5 AND rowid IN (SELECT id FROM items WHERE 0)", 0), ("rowid IN (SELECT id FROM items WHERE 0)", 0),
      ("k = 5 AND rowid > 9 AND rowid < 9", nil), ("k = 0", nil), ("k = 0 AND rowid IN (1, 4)", 2),
      ("k = 5 AND distance > NULL", nil),
    ] as [(String, Int?)])
  func tellsOfSearchesWithoutRows(terms: String, yielded: Int?) throws {
    let table = try VectorTable(.init(kind: .hnsw, storage: .segment), rows: 900)
    _ = try table.session.rows("SELECT rowid FROM v WHERE \(match) AND k = 5")
    #expect(try table.session.rows("SELECT rowid FROM v WHERE \(match) AND \(terms)").isEmpty)
    let outcome = try last(table.session)
    #expect(outcome["plan"] as? String == "exact")
    #expect(outcome["exact"] as? Bool == true)
    #expect(outcome["complete"] as? Bool == true)
    #expect(outcome["rows_scored"] as? Int == 0)
    #expect(outcome["distance_computations"] as? Int == 0)
    #expect(outcome["rows_yielded"] as? Int == yielded)
    #expect(outcome["rows_without_vector"] as? Int == (yielded == 0 ? 0 : nil))
    // A plain scan is none.
    _ = try table.session.rows("SELECT rowid FROM v WHERE rowid > 9 AND rowid < 9")
    #expect(try last(table.session)["rows_yielded"] as? Int == yielded)
  }

  // MARK: exact

  @Test(arguments: VectorTable.Layout.all)
  func forcesAnExactAnswer(_ layout: VectorTable.Layout) throws {
    let table = try VectorTable(layout, rows: 900)
    let truth = table.nearest()
    let terms = "AND ef_search = 1 AND probes = 1 AND exact = 1"
    let nearest = try table.neighbours("SELECT rowid, distance FROM v WHERE \(match) AND k = 50 \(terms)")
    #expect(nearest == Array(truth.prefix(50)))
    let stream = try table.neighbours("SELECT rowid, distance FROM v WHERE \(match) \(terms) ORDER BY distance")
    #expect(stream.map(\.distance) == truth.map(\.distance))
    #expect(Set(stream.map(\.id)) == Set(truth.map(\.id)))
    // 0 and NULL are the default.
    for value in ["0", "NULL"] {
      let found = try table.session.rows("SELECT exact FROM v WHERE \(match) AND k = 1 AND exact = \(value)")
      #expect(found == [[.integer(0)]])
    }
  }

  @Test func refusesWhatIsNoSetting() throws {
    let session = try VectorTable(.init(kind: .flat, storage: .delta)).session
    for (term, message) in [
      ("exact = 2", "exact must be between 0 and 1, not 2"),
      ("exact = 'yes'", "exact must be a whole number, not TEXT"),
      ("exact > 0", "write exact = <number>"), ("after_distance = 'x'", "after_distance must be a number, not TEXT"),
    ] {
      let error = #expect(throws: SQLiteError.self, "\(term)") {
        try session.rows("SELECT rowid FROM v WHERE \(match) AND k = 1 AND \(term)")
      }
      #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }
  }
}
