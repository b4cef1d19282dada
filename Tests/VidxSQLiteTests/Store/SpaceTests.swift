import CSQLite
import Foundation
import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

extension TestDatabase {
  /// Bytes of the database, its log and its segments. SQLite removes the log when the last connection closes.
  func byteCount() throws -> Int {
    let names = try FileManager.default.subpathsOfDirectory(atPath: folder)
    return try names.reduce(0) { sum, name in
      let attributes = try FileManager.default.attributesOfItem(atPath: folder + "/" + name)
      guard attributes[.type] as? FileAttributeType == .typeRegular else { return sum }
      return sum + (attributes[.size] as? Int ?? 0)
    }
  }
}

/// Files after everything was deleted and inserted again are as large as fresh ones, with what SQL does by itself.
@Suite("Space comes back") struct SpaceTests {
  struct Layout: Sendable, CustomTestStringConvertible {
    var kind: String
    var hasContent: Bool
    var journalMode = "WAL"
    var testDescription: String { "\(kind)\(hasContent ? " over a table" : "") \(journalMode)" }
  }

  private static let dimensions = 48
  private static let rowCount = 2_000
  private static let batch = 250

  private let vectors: [[Float]]

  init() {
    var random = SplitMix(seed: 8)
    vectors = (0..<Self.rowCount).map { _ in random.vector(Self.dimensions) }
  }

  private func open(_ database: TestDatabase) throws -> Connection {
    let connection = try database.open()
    #expect(unsafe Extension.register(on: connection.handle) { .serial } == SQLITE_OK)
    try connection.execute("PRAGMA synchronous = OFF")
    return connection
  }

  private func createIndex(_ layout: Layout, _ connection: Connection) throws {
    try connection.execute(
      "CREATE VIRTUAL TABLE v USING vidx(dimensions = \(Self.dimensions), metric = l2, index = \(layout.kind)"
        + (layout.hasContent ? ", content = docs, column = e)" : ")"))
  }

  private func createTable(_ layout: Layout, _ connection: Connection) throws {
    try connection.execute("PRAGMA journal_mode = \(layout.journalMode)")
    if layout.hasContent { try connection.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, e BLOB)") }
  }

  private func insert(_ rows: Range<Int>, _ layout: Layout, _ connection: Connection) throws {
    let statement = try connection.prepare(
      layout.hasContent ? "INSERT INTO docs VALUES (?1, ?2)" : "INSERT INTO v(rowid, vector) VALUES (?1, ?2)")
    try connection.transaction {
      for row in rows {
        try statement.bind(row + 1, at: 1)
        try statement.bind(floats: vectors[row], at: 2)
        try statement.run()
      }
    }
  }

  /// In batches, each settled when it is worth it.
  private func insertAll(_ layout: Layout, _ connection: Connection) throws {
    for start in stride(from: 0, to: Self.rowCount, by: Self.batch) {
      try insert(start..<start + Self.batch, layout, connection)
      try connection.execute("INSERT INTO v(v) VALUES ('merge = \(Self.batch)')")
    }
  }

  /// The files that a merge has replaced go with the next.
  private func settle(_ connection: Connection) throws {
    try connection.execute("INSERT INTO v(v) VALUES ('optimize')")
    try connection.execute("INSERT INTO v(v) VALUES ('merge')")
  }

  static let layouts =
    ["flat", "ivfflat", "hnsw"].map { Layout(kind: $0, hasContent: false) } + [
      Layout(kind: "hnsw", hasContent: true), Layout(kind: "flat", hasContent: true, journalMode: "DELETE"),
    ]

  /// - Returns: bytes of all files after each round.
  private func sizes(_ database: TestDatabase, rounds: Int, _ round: (Int, Connection) throws -> Void) throws -> [Int] {
    try (0..<rounds).map { number in
      try { try round(number, open(database)) }()
      return try database.byteCount()
    }
  }

  @Test("Deleted and inserted again, as pgvector's 002 and 011 do", arguments: layouts)
  func deletedAndInsertedAgain(layout: Layout) throws {
    let database = try TestDatabase()
    let sizes = try sizes(database, rounds: 3) { round, connection in
      if round == 0 {
        try createTable(layout, connection)
        try createIndex(layout, connection)
      } else {
        try connection.execute("DELETE FROM \(layout.hasContent ? "docs" : "v")")
        try settle(connection)
        #expect(try database.segmentFiles() == [], "no row is left, so no file is")
      }
      try insertAll(layout, connection)
      try settle(connection)
      #expect(try database.segmentFiles().count == 1)
      #expect(try IndexStore.open(connection).integrityCheck(deep: true) == [])
    }
    #expect(sizes[0] > Self.rowCount * Self.dimensions * 4)
    for size in sizes.dropFirst() { #expect(Double(size) <= 1.1 * Double(sizes[0]), "\(sizes)") }
  }

  /// An index made over rows that are there needs no delta; inserted again in one transaction they all go through it,
  /// and SQLite keeps its pages for later. Once, not each time; VACUUM gives them back.
  @Test func pagesAreKeptForLater() throws {
    let layout = Layout(kind: "hnsw", hasContent: true)
    let database = try TestDatabase()
    var freeBytes = 0
    var segmentBytes: [Int] = []
    let sizes = try sizes(database, rounds: 4) { round, connection in
      switch round {
      case 0:
        try createTable(layout, connection)
        try insert(0..<Self.rowCount, layout, connection)
        try createIndex(layout, connection)
      case 3: try connection.execute("VACUUM")
      default:
        try connection.transaction {
          try connection.execute("DELETE FROM docs")
          try insert(0..<Self.rowCount, layout, connection)
        }
      }
      try settle(connection)
      #expect(try IndexStore.open(connection).integrityCheck(deep: true) == [])
      let free = try connection.prepare(
        "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size")
      #expect(try free.step())
      if round == 2 { freeBytes = Int(free.int64(0)) }
      let segments = try connection.prepare("SELECT sum(bytes) FROM v_segments")
      #expect(try segments.step())
      segmentBytes.append(Int(segments.int64(0)))
    }
    // What pgvector compares: the index without the table.
    #expect(Double(segmentBytes[2]) <= 1.02 * Double(segmentBytes[0]), "\(segmentBytes)")
    let fresh = Double(sizes[0])
    #expect(Double(sizes[2] - freeBytes) <= 1.1 * fresh, "\(sizes), \(freeBytes) free")
    #expect(Double(sizes[2]) <= 1.02 * Double(sizes[1]), "\(sizes)")
    #expect(Double(sizes[3]) <= 1.1 * fresh, "\(sizes)")
  }
}

/// What inserts write, of a database that merges by itself: what MergePolicyTests say, in bytes.
@Suite("What inserts write") struct AmplificationTests {
  private static let dimensions = 128
  private static let batch = 100

  /// Pages that this connection has written.
  private func pagesWritten(_ connection: Connection) -> Int {
    var now: Int32 = 0
    var highest: Int32 = 0
    let code = unsafe sqlite3_db_status(connection.handle, SQLITE_DBSTATUS_CACHE_WRITE, &now, &highest, 0)
    #expect(code == SQLITE_OK)
    return Int(now)
  }

  @Test func isBounded() throws {
    let database = try TestDatabase()
    let connection = try database.open()
    try connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF")
    var definition = definition(Self.dimensions, metric: .l2)
    definition.configuration.codec = .fixed(.f32)
    let store = try IndexStore.make(connection, definition)
    var random = SplitMix(seed: 4)
    var seen = Set<String>()
    var (rows, bytes, most) = (0, 0, 0)
    for batch in 0..<100 {
      let first = Int64(batch * Self.batch) + 1
      try store.add(
        Dictionary(
          uniqueKeysWithValues: (first..<first + Int64(Self.batch)).map { ($0, random.vector(Self.dimensions)) }))
      #expect(try store.maintain(MergePolicy(deltaRows: Self.batch), options: .serial))
      let manifest = try connection.prepare("SELECT file, entries, bytes FROM v_segments")
      var count = 0
      while try manifest.step() {
        count += 1
        guard seen.insert(manifest.text(0) ?? "").inserted else { continue }
        rows += Int(manifest.int64(1))
        bytes += Int(manifest.int64(2))
      }
      most = max(most, count)
    }
    #expect(try store.rowCount() == 10_000)
    let vectors = Double(10_000 * Self.dimensions * 4)
    // As simulated: a row is written seven times at most, and there are three segments.
    #expect(Double(rows) <= 7 * 10_000 && most <= 3, "\(rows) rows, \(most) segments")
    #expect(Double(bytes) <= 8 * vectors, "\(Double(bytes) / vectors)")
    // The delta: each vector is written to it once, and what tells that it has left.
    let pages = Double(pagesWritten(connection) * 4_096)
    #expect(pages <= 4 * vectors, "\(pages / vectors)")
    #expect(try database.segmentFiles().count <= 3, "replaced files go")
  }
}
