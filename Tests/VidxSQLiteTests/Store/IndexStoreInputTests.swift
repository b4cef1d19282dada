import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

/// What callers may get wrong, and databases that are unlike others.
struct IndexStoreInputTests {
  @Test func vectorsAreChecked() throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition(3))
    let huge = Float.greatestFiniteMagnitude
    let cases: [([Float], VectorError)] = [
      ([1, 2], .dimensionMismatch(expected: 3, actual: 2)), ([], .dimensionMismatch(expected: 3, actual: 0)),
      ([1, .nan, 2], .notFinite(index: 1)), ([1, 2, -.infinity], .notFinite(index: 2)),
      ([huge, huge, huge], .tooLarge),
    ]
    for (vector, fault) in cases {
      #expect(throws: StoreError.vector(rowID: 4, fault)) { try store.insert(rowID: 4, vector: vector) }
      if fault != .tooLarge {
        #expect(throws: StoreError.query(fault)) { try store.search(StoreRequest(query: vector, k: 1)) }
      }
    }
    #expect(throws: StoreError.query(.zeroQuery)) { try store.search(StoreRequest(query: [0, 0, 0], k: 1)) }
    #expect(try store.rowCount() == 0)
  }

  @Test func requestsAreChecked() throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition(2))
    try store.add([1: [1, 0], 2: [0, 1]])
    #expect(throws: StoreError.invalidCount(name: "k", value: -1)) {
      try store.search(StoreRequest(query: [1, 0], k: -1))
    }
    #expect(throws: StoreError.invalidCount(name: "ef_search", value: 0)) {
      try store.search(StoreRequest(query: [1, 0], k: 1, parameters: SearchParameters(efSearch: 0)))
    }
    #expect(try store.search(StoreRequest(query: [1, 0], k: 0)).hits == [])
    #expect(try store.search(StoreRequest(query: [1, 0], k: .max)).hits.map(\.rowID) == [1, 2])
    #expect(try store.search(StoreRequest(query: [1, 0], k: 5, filter: [])).hits == [])
    #expect(try store.search(StoreRequest(query: [1, 0], k: 5, filter: [.min, 2, .max])).hits.map(\.rowID) == [2])
  }

  @Test func distancesWithinALimit() throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition(1, metric: .l2))
    try store.addSegment([1: [1], 2: [2], 3: [3]])
    try store.add([4: [4], 5: [0.5]])
    let request = StoreRequest(query: [0], k: 10, within: 2)
    #expect(try store.search(request).hits.map(\.rowID) == [5, 1, 2])
    let stream = try store.stream(request)
    var found: [Int64] = []
    while let (rowID, distance) = try stream.next() {
      found.append(rowID)
      #expect(distance <= 2)
    }
    #expect(found == [5, 1, 2])
    #expect(try store.search(StoreRequest(query: [0], k: 10, within: -1)).hits == [])
  }

  /// However large k, and however many are within the distance.
  @Test(arguments: [IndexKind.flat, .hnsw], [0, 1, 63, 64, 65, 900, 1_500])
  func allWithinALimit(_ kind: IndexKind, count: Int) throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition(1, metric: .l2, kind: kind))
    try store.addSegment(Dictionary(uniqueKeysWithValues: (Int64(1)...1_400).map { ($0, [Float($0)]) }))
    try store.add(Dictionary(uniqueKeysWithValues: (Int64(1_401)...1_500).map { ($0, [Float($0)]) }))
    let answer = try store.search(StoreRequest(query: [0], k: 5_000, within: Float(count) + 0.5))
    #expect(answer.hits.map(\.rowID) == (0..<Int64(count)).map { $0 + 1 } && answer.exact && answer.complete)
    #expect(answer.counters.rowsScored <= 3 * 1_500)
  }

  @Test func tiesGoToTheSmallerRowID() throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition(2))
    try store.addSegment([5: [2, 0], 1: [1, 0], 9: [3, 0]])
    try store.add([3: [7, 0], 8: [0, 1]])
    #expect(try store.search(StoreRequest(query: [1, 0], k: 3)).hits.map(\.rowID) == [1, 3, 5])
  }

  @Test func aZeroVectorIsKeptButNobodysNeighbour() throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition(2))
    try store.addSegment([1: [0, 0], 2: [1, 0]])
    try store.add([3: [0, 0], 4: [0, 1]])
    #expect(try store.search(StoreRequest(query: [1, 0], k: 9)).hits.map(\.rowID) == [2, 4])
    #expect(try store.vector(rowID: 1) == [0, 0] && store.vector(rowID: 3) == [0, 0])
    try store.transaction { try store.update(rowID: 4, to: 4, vector: [0, 0]) }
    #expect(try store.search(StoreRequest(query: [1, 0], k: 9)).hits.map(\.rowID) == [2])
    #expect(try store.rowCount() == 4)
  }

  @Test func rowIDsAtTheirLimits() throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition(2))
    try store.add([.min: [1, 0], -1: [0, 1]])
    #expect(try store.transaction { try store.insert(rowID: nil, vector: [1, 1]) } == 1)
    try store.addSegment([.max: [2, 1]])
    #expect(throws: StoreError.rowIDsExhausted(index: "v")) { try store.insert(rowID: nil, vector: [1, 1]) }
    #expect(try store.search(StoreRequest(query: [1, 0], k: 9)).hits.map(\.rowID) == [.min, .max, 1, -1])
  }

  @Test func loadsRefuseRowIDsTheyCannotTake() throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition(1, metric: .l2))
    try store.add([3: [3], 4: [4]])
    try store.addSegment([5: [5], 6: [6]])
    func load(_ rowIDs: [Int64]) throws {
      try store.transaction {
        try store.load(ArraySource(rowIDs: rowIDs, vectors: rowIDs.map(Float.init), dimensions: 1), options: .serial)
      }
    }
    let before = try database.segmentFiles()
    #expect(throws: StoreError.repeatedRowIDs(rowIDs: [1, 2], count: 2)) { try load([2, 1, 2, 1, 2, 9]) }
    #expect(throws: StoreError.rowsExist(index: "v", rowIDs: [3, 6], count: 2)) { try load([6, 3, 8]) }
    #expect(try database.segmentFiles() == before)
    try store.transaction { try store.delete(rowID: 6) }
    try load([6, 8])
    #expect(try store.search(StoreRequest(query: [6], k: 2)).hits.map(\.rowID) == [6, 5])
    #expect(try store.integrityCheck() == [])
  }

  @Test func aBadVectorOfALoadIsNamed() throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition(2))
    let source = ArraySource(rowIDs: [10, 11], vectors: [1, 2, .nan, 3], dimensions: 2)
    #expect(throws: BuildError.badVector(row: 1, rowID: 11, .notFinite(index: 0))) {
      try store.transaction { try store.load(source, options: .serial) }
    }
    #expect(try database.segmentFiles() == [])
  }

  @Test func aDatabaseInMemoryKeepsEverythingInTheDelta() throws {
    let store = try IndexStore.make(Connection(path: ":memory:"), definition(kind: .hnsw))
    let rows = IndexStoreTransactionTests.rows(1...50, seed: 1)
    try store.addSegment(rows)
    try expectAgreement(store, rows, seed: 1)
    #expect(try store.search(StoreRequest(query: [Float](repeating: 1, count: 8), k: 3)).exact)
    #expect(throws: StoreError.inMemory(index: "v")) { try store.optimize() }
    #expect(throws: StoreError.inMemory(index: "v")) { try store.optimizeOutsideTransaction() }
    try store.rebuild()
    #expect(try store.integrityCheck(deep: true) == [])
    #expect(throws: StoreError.rowsExist(index: "v", rowIDs: [7], count: 1)) {
      try store.addSegment([7: rows[7] ?? []])
    }
  }

  @Test(arguments: ["a b", "it's", "say \"hi\"", "пример", "x'); DROP TABLE t; --", "100%/../x"])
  func oddNames(name: String) throws {
    let database = try TestDatabase()
    let connection = try database.open()
    try connection.execute("ATTACH \(quoted(literal: database.folder + "/other.db")) AS \(quoted(identifier: name))")
    let content = quoted(identifier: name) + "." + quoted(identifier: name + "_rows")
    try connection.execute("CREATE TABLE \(content)(id INTEGER PRIMARY KEY, \(quoted(identifier: name)) BLOB)")
    try connection.execute("INSERT INTO \(content) VALUES (1, '[1,2]'), (2, '[3,4]')")
    let store = try connection.transaction {
      try IndexStore.create(
        connection, schema: name, table: name, definition: definition(2, content: name + "_rows", column: name))
    }
    try expectAgreement(store, [1: [1, 2], 2: [3, 4]], seed: 1)
    try store.optimizeOutsideTransaction(options: .serial)
    try expectAgreement(IndexStore.open(connection, schema: name, table: name), [1: [1, 2], 2: [3, 4]], seed: 1)
    #expect(try store.integrityCheck(deep: true) == [])
    #expect(store.folder?.path == database.folder + "/other.db-vidx")
    try connection.transaction { try store.rename(to: name + " 2") }
    try expectAgreement(store, [1: [1, 2], 2: [3, 4]], seed: 2)
    try connection.transaction { try store.destroy() }
  }

  @Test func aNameThatIsTakenIsRefused() throws {
    let database = try TestDatabase()
    let connection = try database.open()
    try connection.execute("CREATE TABLE V_Delta(a); INSERT INTO V_Delta VALUES (1)")
    #expect(throws: StoreError.nameTaken(schema: "main", name: "v_delta")) {
      try IndexStore.make(connection, definition())
    }
    let tables = try connection.prepare("SELECT count(*) FROM sqlite_master")
    #expect(try tables.step())
    #expect(tables.int64(0) == 1)
  }

  @Test(arguments: IndexKindCase.all)
  func aStreamYieldsEveryRowOnce(_ kind: IndexKindCase) throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition(kind: kind.kind))
    var rows = IndexStoreTransactionTests.rows(1...1500, seed: 4)
    try store.addSegment(rows)
    let delta = IndexStoreTransactionTests.rows(1501...1520, seed: 5)
    try store.add(delta)
    rows.merge(delta) { $1 }
    try store.transaction { for rowID in Int64(1)...100 { try store.delete(rowID: rowID) } }
    for rowID in Int64(1)...100 { rows[rowID] = nil }
    let query = [Float](repeating: 1, count: 8)
    let stream = try store.stream(StoreRequest(query: query, parameters: SearchParameters(efSearch: 20)))
    var seen: [StoreHit] = []
    while let (rowID, distance) = try stream.next() { seen.append(StoreHit(rowID: rowID, distance: distance)) }
    #expect(Set(seen.map(\.rowID)) == Set(rows.keys) && seen.count == rows.count)
    if kind.kind == .flat { #expect(zip(seen, seen.dropFirst()).allSatisfy { $0.distance <= $1.distance }) }
    let truth = Set(neighbours(of: query, in: rows, .cosine).prefix(20).map(\.rowID))
    #expect(truth.intersection(seen.prefix(40).map(\.rowID)).count >= 18, "the near ones come early")
    #expect(stream.counters.rowsScored >= rows.count)
  }

  /// 1 is exact, of every kind; less says how far a stream over a graph looks ahead.
  @Test(arguments: IndexKindCase.all)
  func aStreamHeedsTheRecallAskedFor(_ kind: IndexKindCase) throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition(kind: kind.kind))
    try store.addSegment(IndexStoreTransactionTests.rows(1...3000, seed: 4))
    let query = [Float](repeating: 1, count: 8)
    func start(_ parameters: SearchParameters) throws -> SearchCounters {
      let stream = try store.stream(StoreRequest(query: query, parameters: parameters))
      _ = try stream.next()
      return stream.counters
    }
    let exact = try store.stream(StoreRequest(query: query, parameters: SearchParameters(targetRecall: 1)))
    var distances: [Float] = []
    while let row = try exact.next() { distances.append(row.distance) }
    #expect(distances.count == 3000 && zip(distances, distances.dropFirst()).allSatisfy { $0 <= $1 })
    #expect(exact.counters.nodesExpanded == 0 && exact.counters.listsProbed == 0)
    if kind.kind == .hnsw {
      let usual = try start(SearchParameters())
      let low = try start(SearchParameters(targetRecall: 0.5))
      #expect(low.nodesExpanded > 0 && low.nodesExpanded < usual.nodesExpanded)
      let both = try start(SearchParameters(efSearch: 40, targetRecall: 0.5))
      #expect(both == usual, "efSearch goes before it")
    }
  }

  @Test func answersSayHowTheyWereFound() throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition(kind: .hnsw))
    try store.addSegment(IndexStoreTransactionTests.rows(1...3000, seed: 4))
    let query = [Float](repeating: 1, count: 8)
    func plan(_ filter: [Int64]?, exact: Bool = false) throws -> StorePlan {
      let parameters = SearchParameters(efSearch: 10, exact: exact)
      let answer = try store.search(StoreRequest(query: query, k: 5, filter: filter, parameters: parameters))
      #expect(answer.complete && answer.hits.count == 5 && answer.counters.rowsScored > 0)
      #expect(answer.exact == (answer.plan == .exact))
      return answer.plan
    }
    #expect(try plan(nil) == .graph)
    #expect(try plan(nil, exact: true) == .exact)
    #expect(try plan(Array(1...10)) == .exact)
    #expect(try plan(Array(1...2900)) == .filteredGraph)
  }
}
