import TestSupport
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

/// Random changes to an index, mirrored in a dictionary: after each, both agree.
struct IndexStoreModelTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var metric: Metric
    var kind: IndexKind
    var seed: UInt64
    var testDescription: String { "\(metric) \(kind.name) seed \(seed)" }
  }

  static let cases: [Case] =
    Metric.allCases.map { Case(metric: $0, kind: .flat, seed: 1) }
    + [.cosine, .l2].flatMap { [Case(metric: $0, kind: .hnsw, seed: 2), Case(metric: $0, kind: .ivfflat, seed: 3)] }

  @Test(arguments: cases)
  func everyChangeIsSeen(_ test: Case) throws {
    let database = try TestDatabase()
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition(7, metric: test.metric, kind: test.kind))
    var model = Model(store: store, seed: test.seed)
    for step in 0..<120 {
      try model.step()
      if step % 6 == 0 { try expectAgreement(store, model.rows, seed: UInt64(step), "step \(step)") }
    }
    try expectAgreement(store, model.rows, seed: 9)
    try expectAgreement(IndexStore.open(connection), model.rows, seed: 9, "opened anew")
    #expect(try store.integrityCheck(deep: true) == [])
  }
}

/// Changes an index and a dictionary alike.
struct Model {
  let store: IndexStore
  var rows: [Int64: [Float]] = [:]
  private var random: SplitMix

  init(store: IndexStore, seed: UInt64) {
    self.store = store
    random = SplitMix(seed: seed)
  }

  mutating func step() throws {
    let old = rows
    let isDoomed = Int.random(in: 0..<5, using: &random) == 0
    do {
      try store.transaction {
        for _ in 0..<Int.random(in: 1...6, using: &random) { try change() }
        if isDoomed { throw Doom() }
      }
    } catch is Doom {
      rows = old
    }
    switch Int.random(in: 0..<20, using: &random) {
    case 0: try store.optimizeOutsideTransaction(options: .serial)
    case 1: try store.transaction { try store.optimize(options: .serial) }
    case 2: try store.transaction { try store.rebuild(options: .serial) }
    case 3: try loadSegment()
    default: break
    }
  }

  private struct Doom: Error {}

  private mutating func change() throws {
    let vector = newVector()
    guard let victim = rows.keys.sorted().randomElement(using: &random), Int.random(in: 0..<3, using: &random) > 0
    else {
      return try insert(vector)
    }
    switch Int.random(in: 0..<5, using: &random) {
    case 0:
      #expect(try store.delete(rowID: victim))
      rows[victim] = nil
    case 1:
      try store.update(rowID: victim, to: victim, vector: vector)
      rows[victim] = vector
    case 2:
      let target = Int64.random(in: 1...500, using: &random)
      try store.update(rowID: victim, to: target, onConflict: .replace)
      let moved = rows.removeValue(forKey: victim)
      rows[target] = moved
    case 3:
      try store.insert(rowID: victim, vector: vector, onConflict: .replace)
      rows[victim] = vector
    default:
      #expect(throws: StoreError.rowExists(index: "v", rowID: victim)) {
        try store.insert(rowID: victim, vector: vector)
      }
      #expect(try store.insert(rowID: victim, vector: vector, onConflict: .ignore) == victim)
    }
  }

  private mutating func insert(_ vector: [Float]) throws {
    let rowID = try store.insert(rowID: nil, vector: vector)
    #expect(rowID > rows.keys.max() ?? 0)
    rows[rowID] = vector
  }

  private mutating func loadSegment() throws {
    let first = (rows.keys.max() ?? 0) + 1
    var new: [Int64: [Float]] = [:]
    for i in 0..<20 { new[first + Int64(i)] = newVector() }
    try store.addSegment(new)
    rows.merge(new) { $1 }
  }

  /// Every tenth is a copy of another row's, every twentieth is zero.
  private mutating func newVector() -> [Float] {
    switch Int.random(in: 0..<20, using: &random) {
    case 0: return [Float](repeating: 0, count: store.definition.configuration.dimensions)
    case 1, 2:
      let rowID = rows.keys.sorted().randomElement(using: &random)
      return rowID.flatMap { rows[$0] } ?? random.vector(store.definition.configuration.dimensions)
    default: return random.vector(store.definition.configuration.dimensions)
    }
  }
}
