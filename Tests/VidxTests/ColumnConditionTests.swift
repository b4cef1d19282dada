import Testing
import Vidx

@Suite struct ColumnConditionTests {
  private static let vectors: [[Float]] = (1...40).map { [Float($0), 0] }

  private func fill(_ database: VectorDatabase) async throws -> VectorIndex {
    let options = IndexOptions(
      dimensions: 2, metric: .l2, type: .flat, filterColumns: ["label", "size"], partition: "tenant")
    let index = try await database.createIndex("v", options: options)
    try await database.transaction { transaction in
      for (i, vector) in Self.vectors.enumerated() {
        let values: [String: Value] = [
          "label": .text("l\(i % 4)"), "size": i % 10 == 0 ? .null : .real(Double(i) / 2),
          "Tenant": .integer(Int64(i % 2)),
        ]
        try transaction.insert(vector, id: Int64(i), values: values, into: "v")
      }
    }
    return index
  }

  @Test func filtersSearches() async throws {
    let directory = try TemporaryDirectory()
    let database = try await VectorDatabase(path: directory.file("t.db"))
    let index = try await fill(database)
    for _ in 0..<2 {
      func ids(_ conditions: ColumnCondition...) async throws -> [Int64] {
        let one = try await index.search(near: [0, 0], k: 3, filter: .columns(conditions))
        let many = try await index.search(nearEach: [[0, 0]], k: 3, filter: .columns(conditions))
        #expect(one.hits == many[0].hits)
        return one.hits.map(\.id)
      }
      #expect(try await ids(ColumnCondition("label", .equals("l2"))) == [2, 6, 10])
      #expect(
        try await ids(ColumnCondition("LABEL", .isIn(["l2", "l3"])), ColumnCondition("tenant", .equals(1))) == [
          3, 7, 11,
        ])
      #expect(try await ids(ColumnCondition("size", .isNull)) == [0, 10, 20])
      #expect(try await ids(ColumnCondition("size", .isBetween(2, 3))) == [4, 5, 6])
      #expect(try await ids(ColumnCondition("size", .isAbove(3))) == [7, 8, 9])
      #expect(try await ids(ColumnCondition("size", .isAtLeast(19.5))) == [39])
      #expect(try await ids(ColumnCondition("size", .isBelow(1)), ColumnCondition("size", .isNotNull)) == [1])
      #expect(try await ids(ColumnCondition("size", .isAtMost(1))) == [1, 2])
      #expect(try await ids(ColumnCondition("label", .differs(from: "l1"))) == [0, 2, 3])
      try await index.optimize()
    }
    let options = try await index.summary().options
    #expect(options.filterColumns == ["label", "size"] && options.partition == "tenant")
    #expect(try await index.check() == [])
  }

  /// Filter columns, SQL and ids together, however they are put: as AND does.
  @Test func combineWithSQL() async throws {
    let directory = try TemporaryDirectory()
    let database = try await VectorDatabase(path: directory.file("t.db"))
    let index = try await fill(database)
    try await database.execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, stars INTEGER)")
    for id in 0..<40 { try await database.execute("INSERT INTO notes VALUES (?, ?)", [.integer(Int64(id)), 3]) }
    try await database.execute("UPDATE notes SET stars = 5 WHERE id % 3 = 0")
    let label = RowFilter.columns([ColumnCondition("label", .equals("l2"))])
    let good = RowFilter.idsFrom("SELECT id FROM notes WHERE stars >= ?", parameters: [4])
    let ids = RowFilter.ids(Array(5...100))
    let expected: [Int64] = [6, 18, 30]
    let spellings: [RowFilter] = [
      .allOf([label, good, ids]), .allOf([ids, .allOf([good, .all]), label]),
      .allOf([good, .columns([]), .allOf([label, ids]), good]),
      .idsFrom("SELECT v.rowid FROM v JOIN notes n ON n.id = v.rowid WHERE label = 'l2' AND stars >= 4 AND id >= 5"),
    ]
    for filter in spellings {
      for _ in 0..<3 {
        #expect(try await index.search(near: [0, 0], k: 5, filter: filter).hits.map(\.id) == expected)
      }
      let many = try await index.search(nearEach: [[0, 0], [40, 0]], k: 2, filter: filter)
      #expect(many.map { $0.hits.map(\.id) } == [[6, 18], [30, 18]])
    }
    #expect(try await index.search(near: [0, 0], k: 3, filter: .allOf([])).hits.map(\.id) == [0, 1, 2])
    #expect(try await index.search(near: [0, 0], k: 3, filter: .allOf([ids, label])).hits.map(\.id) == [6, 10, 14])
    #expect(try await index.search(near: [0, 0], filter: .allOf([ids, .ids([1, 2])])).hits.isEmpty)
  }

  @Test func refusesUnknownColumns() async throws {
    let directory = try TemporaryDirectory()
    let database = try await VectorDatabase(path: directory.file("t.db"))
    let index = try await fill(database)
    let filter = RowFilter.columns([ColumnCondition("lable", .isNull)])
    let error = await #expect(throws: VidxError.self) { try await index.search(near: [0, 0], filter: filter) }
    #expect(error?.code == .badOption)
    #expect(error?.message.contains("did you mean \"label\"?") ?? false)
    await #expect(throws: VidxError.self) { try await index.insert([1, 1], values: ["other": 1]) }
  }
}
