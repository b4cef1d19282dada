import Foundation
import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

/// A database file in a folder of its own, gone with the object.
final class TestDatabase {
  let folder: String
  var path: String { folder + "/app.db" }
  var segments: String { path + "-vidx" }

  init() throws {
    folder = NSTemporaryDirectory() + "vidx-store-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  deinit {
    do { try FileManager.default.removeItem(atPath: folder) } catch { Issue.record("\(folder): \(error)") }
  }

  func open(busyTimeout: Int32 = 2_000) throws -> Connection {
    try Connection(path: path, busyTimeout: busyTimeout)
  }

  /// Names of the segments beside the database.
  func segmentFiles() throws -> [String] {
    guard FileManager.default.fileExists(atPath: segments) else { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: segments).sorted()
  }
}

func definition(
  _ dimensions: Int = 8, metric: Metric = .cosine, kind: IndexKind = .flat, content: String? = nil,
  column: String? = nil
) -> IndexDefinition {
  IndexDefinition(
    configuration: IndexConfiguration(dimensions: dimensions, metric: metric, kind: kind), content: content,
    column: column)
}

extension Statement {
  /// The row ids that it answers.
  func rowIDs() throws -> [Int64] {
    let reading = FilterReading(self, limit: StatementLimit(seconds: nil))
    defer { reading.end() }
    return try reading.finish()
  }
}

extension IndexStore {
  /// An index in the main schema.
  static func make(_ connection: Connection, _ definition: IndexDefinition, table: String = "v") throws -> IndexStore {
    try connection.transaction {
      let store = try create(connection, schema: "main", table: table, definition: definition)
      store.commit()
      return store
    }
  }

  static func open(_ connection: Connection, _ table: String = "v") throws -> IndexStore {
    try open(connection, schema: "main", table: table)
  }

  func add(_ rows: [Int64: [Float]]) throws {
    try transaction {
      for (rowID, vector) in rows.sorted(by: { $0.key < $1.key }) { try insert(rowID: rowID, vector: vector) }
    }
  }

  /// Adds rows as one segment.
  func addSegment(_ rows: [Int64: [Float]]) throws {
    let rowIDs = rows.keys.sorted()
    let source = ArraySource(
      rowIDs: rowIDs, vectors: rowIDs.flatMap { rows[$0] ?? [] }, dimensions: definition.configuration.dimensions)
    try transaction { try load(source, options: .serial) }
  }
}

extension BuildOptions {
  static var serial: BuildOptions { BuildOptions(threads: 1) }
}

/// Asserts that an index holds exactly these rows and answers as brute force does.
func expectAgreement(
  _ store: IndexStore, _ rows: [Int64: [Float]], seed: UInt64, _ comment: Comment? = nil,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  var random = SplitMix(seed: seed)
  let configuration = store.definition.configuration
  let scan = try store.scan()
  var scanned: [Int64] = []
  while let (rowID, vector) = try scan.nextRow() {
    scanned.append(rowID)
    let expected = rows[rowID] ?? []
    let isSame = expected.count == vector.count && zip(expected, vector).allSatisfy { abs($0 - $1) <= 1e-5 }
    #expect(isSame, "row \(rowID): \(vector), not \(expected)", sourceLocation: sourceLocation)
  }
  #expect(scanned == rows.keys.sorted(), comment, sourceLocation: sourceLocation)
  #expect(try store.rowCount() == rows.count, comment, sourceLocation: sourceLocation)

  for k in [1, 7, rows.count + 5] {
    let query = random.vector(configuration.dimensions)
    let filter = k == 7 ? rows.keys.filter { $0 % 3 == 0 }.sorted() + [Int64.max] : nil
    let answer = try store.search(StoreRequest(query: query, k: k, filter: filter))
    let expected = neighbours(of: query, in: rows, configuration.metric, filter: filter)
    expect(
      answer.hits, are: expected, k: k, rows, query, configuration.metric, comment, sourceLocation: sourceLocation)
    let stream = try store.stream(StoreRequest(query: query, filter: filter))
    var streamed: [StoreHit] = []
    while let (rowID, distance) = try stream.next() { streamed.append(StoreHit(rowID: rowID, distance: distance)) }
    #expect(
      Set(streamed.map(\.rowID)) == Set(expected.map(\.rowID)) && streamed.count == expected.count, comment,
      sourceLocation: sourceLocation)
  }
}

/// Hits are the first k neighbours, where float rounding leaves no doubt.
func expect(
  _ hits: [StoreHit], are expected: [(rowID: Int64, distance: Double)], k: Int, _ rows: [Int64: [Float]],
  _ query: [Float], _ metric: Metric, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(hits.count == min(k, expected.count), comment, sourceLocation: sourceLocation)
  #expect(Set(hits.map(\.rowID)).count == hits.count, "a row twice", sourceLocation: sourceLocation)
  for (hit, best) in zip(hits, expected) {
    let distance = rows[hit.rowID].map { referenceDistance(query, $0, metric) } ?? .nan
    #expect(abs(Double(hit.distance) - distance) < 1e-4, comment, sourceLocation: sourceLocation)
    #expect(abs(distance - best.distance) < 1e-4, comment, sourceLocation: sourceLocation)
  }
}
