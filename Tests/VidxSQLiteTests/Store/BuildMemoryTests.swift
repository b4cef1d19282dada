import Synchronization
import Testing
import VidxIndexes
import VidxSegments

@testable import VidxSQLite

/// Builds that do not get the memory for all rows at once make several segments, and hold what one would.
@Suite("Builds within memory")
struct BuildMemoryTests {
  private static let rows = IndexStoreTransactionTests.rows(1...2_600, seed: 31)

  /// Memory for so many rows in one segment.
  private func options(_ store: IndexStore, rows: Int) -> BuildOptions {
    BuildOptions(threads: 1, memory: store.buildMemory(threads: 1).bytes(rows: rows))
  }

  private func source(_ rows: [Int64: [Float]]) -> ArraySource {
    let rowIDs = rows.keys.sorted()
    return ArraySource(rowIDs: rowIDs, vectors: rowIDs.flatMap { rows[$0] ?? [] }, dimensions: 8)
  }

  private func segmentRows(_ store: IndexStore) throws -> [Int] {
    _ = try store.rowCount()
    return (store.settled?.views ?? []).map(\.liveCount)
  }

  @Test("A load is shared out evenly, in one transaction", arguments: IndexKindCase.all)
  func loads(_ kind: IndexKindCase) throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition(kind: kind.kind))
    let parts = Locked<Set<Int>>([])
    var some = options(store, rows: 1_000)
    some.progress = { progress in parts.withLock { _ = $0.insert(progress.part * 10 + progress.parts) } }
    try store.transaction { try store.load(source(Self.rows), options: some) }
    #expect(try segmentRows(store) == [866, 867, 867])
    #expect(parts.withLock { $0 } == [13, 23, 33])
    try expectAgreement(store, Self.rows, seed: 1)
    #expect(try store.integrityCheck(deep: true) == [])
  }

  @Test("A load that fails at its second segment leaves nothing")
  func failingLoadsLeaveNothing() throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition())
    var rows = Self.rows
    rows[2_000] = [.nan, 1, 1, 1, 1, 1, 1, 1]
    #expect(throws: BuildError.self) {
      try store.transaction { try store.load(source(rows), options: options(store, rows: 1_000)) }
    }
    #expect(try store.rowCount() == 0 && database.segmentFiles() == [])
  }

  @Test("Optimizing merges what fits, and no more")
  func optimizes() throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition(kind: .hnsw))
    var rows = Self.rows
    for part in [1...1_200, 1_201...2_000, 2_001...2_300] as [ClosedRange<Int64>] {
      try store.addSegment(rows.filter { part.contains($0.key) })
    }
    try store.add(rows.filter { $0.key > 2_300 })
    try store.transaction { try store.delete(rowID: 5) }
    rows[5] = nil
    // 300 of the delta, 300 and 800 are 1,400; 1,199 more would be too many, and are written without the dead one.
    let some = options(store, rows: 1_500)
    try store.optimizeOutsideTransaction(options: some)
    #expect(try segmentRows(store).sorted() == [1_199, 1_400])
    #expect(try store.deltaCount() == 0 && database.segmentFiles().count == 2)
    #expect(store.settled?.views.contains(where: \.hasTombstones) == false)
    try expectAgreement(store, rows, seed: 2)
    let files = try database.segmentFiles()
    try store.optimizeOutsideTransaction(options: some)
    #expect(try database.segmentFiles() == files)
    try store.transaction { try store.optimize(options: options(store, rows: 3_000)) }
    #expect(try segmentRows(store) == [2_599])
    try expectAgreement(store, rows, seed: 3)
  }

  @Test("Cancelled at any moment, optimizing keeps the merges that are done and loses nothing")
  func cancelledOptimizing() throws {
    var (limit, isDone, states) = (1, false, Set<[Int]>())
    while !isDone {
      let database = try TestDatabase()
      let store = try IndexStore.make(database.open(), definition())
      var rows = Self.rows.filter { $0.key <= 2_300 }
      for part in [1...1_200, 1_201...2_000, 2_001...2_300] as [ClosedRange<Int64>] {
        try store.addSegment(rows.filter { part.contains($0.key) })
      }
      try store.transaction { try store.delete(rowID: 5) }
      rows[5] = nil
      let asked = Atomic<Int>(0)
      var some = options(store, rows: 1_200)
      some.isCancelled = { [limit] in asked.wrappingAdd(1, ordering: .relaxed).newValue >= limit }
      do {
        try store.optimizeOutsideTransaction(options: some)
        isDone = true
      } catch BuildError.cancelled {
        // What this is about.
      }
      let sizes = try segmentRows(store).sorted()
      states.insert(sizes + [store.settled?.views.contains(where: \.hasTombstones) == true ? 1 : 0])
      #expect(try store.integrityCheck(deep: true) == [])
      #expect(try store.rowCount() == rows.count)
      try store.optimizeOutsideTransaction(options: options(store, rows: 1_200))
      try expectAgreement(store, rows, seed: 6)
      #expect(try segmentRows(store).sorted() == [1_100, 1_199] && database.segmentFiles().count == 2)
      limit += 1 + limit / 8
    }
    // Untouched, the two small ones merged, and the dead row gone, too.
    #expect(states == [[300, 800, 1_199, 1], [1_100, 1_199, 1], [1_100, 1_199, 0]])
  }

  @Test("What is made anew is shared out, too: of its own vectors, and of a table's")
  func rebuilds() throws {
    let database = try TestDatabase()
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition(kind: .ivfflat))
    try store.addSegment(Self.rows)
    try store.transaction { try store.rebuild(options: options(store, rows: 1_300)) }
    #expect(try segmentRows(store) == [1_300, 1_300])
    try expectAgreement(store, Self.rows, seed: 4)

    try connection.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, embedding)")
    let insert = try connection.prepare("INSERT INTO docs VALUES (?, ?)")
    try connection.transaction {
      for (rowID, vector) in Self.rows {
        try insert.bind(rowID, at: 1)
        try insert.bind("\(vector)", at: 2)
        try insert.run()
      }
    }
    let small = options(store, rows: 1_000)
    let content = try connection.transaction {
      let content = try IndexStore.create(
        connection, schema: "main", table: "c", definition: definition(content: "docs", column: "embedding"),
        options: small)
      content.commit()
      return content
    }
    #expect(try segmentRows(content).count == 3)
    try expectAgreement(content, Self.rows, seed: 5)
    try content.transaction { try content.rebuild(options: small) }
    #expect(try segmentRows(content).count == 3 && content.integrityCheck(deep: true) == [])
  }

  @Test("Memory for a handful of rows is refused, and says what is needed")
  func tooLittle() throws {
    let database = try TestDatabase()
    let store = try IndexStore.make(database.open(), definition())
    let memory = store.buildMemory(threads: 1)
    let (given, needed) = (memory.bytes(rows: 999), memory.bytes(rows: 1_000))
    let error = #expect(throws: BuildError.tooLittleMemory(bytes: given, needed: needed)) {
      try store.load(source(Self.rows), options: BuildOptions(threads: 1, memory: given))
    }
    #expect("\(String(describing: error))".contains("give it"))
    // Fewer rows than that need no more.
    try store.transaction {
      try store.load(source(Self.rows.filter { $0.key < 900 }), options: BuildOptions(threads: 1, memory: given))
    }
    #expect(try store.rowCount() == 899)
  }

  @Test("Merges by themselves stay within it")
  func policies() {
    typealias Segment = MergePolicy.Segment
    var policy = MergePolicy(deltaRows: 100)
    policy.mostRows = 1_000
    let segments = [Segment(live: 800, dead: 0), Segment(live: 300, dead: 0)]
    #expect(policy.choose(delta: 100, segments: segments) == [1])
    #expect(policy.choose(delta: 100, segments: [Segment(live: 5_000, dead: 5_000)]) == [])
    #expect(policy.choose(delta: 0, segments: [Segment(live: 5_000, dead: 5_000)]) == nil)
    #expect(policy.choose(delta: 0, segments: [Segment(live: 700, dead: 700), Segment(live: 600, dead: 300)]) == [1])
    #expect(MergePolicy(mostRows: .max).chooseAll(delta: 0, segments: [Segment(live: 10, dead: 0)]) == nil)
    #expect(MergePolicy(mostRows: 5).chooseAll(delta: 10, segments: [Segment(live: 10, dead: 1)]) == [])
    #expect(MergePolicy(mostRows: 20).chooseAll(delta: 0, segments: [Segment(live: 10, dead: 1)]) == [0])
  }

  @Test("Of all kinds of index, and more for more")
  func estimates() {
    func bytes(_ dimensions: Int, _ kind: IndexKind, m: Int = 16) -> Int {
      BuildMemory(IndexConfiguration(dimensions: dimensions, kind: kind, m: m), threads: 2).bytesPerRow
    }
    // The vector and its half-size codes, 4 + 2 bytes a component, and little else.
    #expect((2_304..<2_500).contains(bytes(384, .flat)))
    #expect(bytes(384, .flat) < bytes(384, .ivfflat) && bytes(384, .ivfflat) < bytes(384, .hnsw))
    #expect(bytes(384, .hnsw, m: 16) < bytes(384, .hnsw, m: 32))
    #expect(bytes(1_536, .hnsw) > 3 * bytes(384, .hnsw))
  }
}
