import Testing
import VidxIndexes
import VidxVectors

@testable import VidxSQLite

@Suite("Rows that pass conditions on filter columns")
struct ConditionSetsTests {
  private let database: TestDatabase
  private let store: IndexStore

  init() throws {
    database = try TestDatabase()
    var definition = definition(1, metric: .l2)
    definition.filterColumns = [FilterColumn("kind")]
    store = try IndexStore.make(try database.open(), definition)
    try store.transaction {
      for row in 1...20 {
        try store.insert(rowID: Int64(row), vector: [Float(row)], values: [.integer(Int64(row % 2))])
      }
    }
  }

  private func resolved(_ test: FilterCondition.Test, in store: IndexStore) throws -> PreparedFilter {
    try store.refreshToSearch()
    return try #require(
      try store.resolve(StoreRequest(query: [0], k: 50, conditions: [FilterCondition(0, test)])))
  }

  private func found(_ test: FilterCondition.Test, in store: IndexStore) throws -> [Int64] {
    try store.search(StoreRequest(query: [0], k: 50, conditions: [FilterCondition(0, test)])).hits.map(\.rowID)
  }

  @Test func areMadeOnceForAState() throws {
    let odd = try resolved(.equals(.integer(1)), in: store)
    #expect(try resolved(.equals(.integer(1)), in: store) === odd)
    #expect(try resolved(.equals(.integer(0)), in: store) !== odd)
    // 1 and 1.0 pass alike, and are told apart all the same.
    #expect(try resolved(.equals(.real(1)), in: store) !== odd)
  }

  @Test("Nothing old is found after a change, a merge, a rollback or the change of another connection")
  func areOfOneState() throws {
    let other = try IndexStore.open(database.open())
    func expect(_ rows: [Int64]) throws {
      for store in [store, other] { #expect(try found(.equals(.integer(1)), in: store) == rows) }
    }
    try expect([1, 3, 5, 7, 9, 11, 13, 15, 17, 19])
    try store.transaction { _ = try store.delete(rowID: 3) }
    try expect([1, 5, 7, 9, 11, 13, 15, 17, 19])
    try store.optimizeOutsideTransaction(options: .serial)
    try expect([1, 5, 7, 9, 11, 13, 15, 17, 19])
    try other.transaction { try other.update(rowID: 5, to: 5, values: [.integer(0)]) }
    try expect([1, 7, 9, 11, 13, 15, 17, 19])
    struct Undo: Error {}
    #expect(throws: Undo.self) {
      try store.transaction {
        _ = try store.delete(rowID: 7)
        #expect(try found(.equals(.integer(1)), in: store) == [1, 9, 11, 13, 15, 17, 19])
        throw Undo()
      }
    }
    try expect([1, 7, 9, 11, 13, 15, 17, 19])
  }

  @Test func takeNoMoreThanTheirLimit() throws {
    let sets = ConditionSets(limit: 2_000)
    try store.refreshToSearch()
    var made = 0
    for value in 0..<30 {
      for _ in 0..<2 {
        _ = try sets.rows(passing: [FilterCondition(0, .equals(.integer(Int64(value))))], of: store.state) {
          made += 1
          return try store.preparedFilter(rowIDs: [Int64(value)])
        }
      }
    }
    #expect(made == 30 && sets.count < 10 && sets.count > 0)
  }

  @Test func whatAnotherModuleTellsIsNotKept() throws {
    let sets = ConditionSets()
    try store.refreshToSearch()
    let condition = FilterCondition(0, .matches(ValuePredicate(name: [1]) { _ in true }))
    for _ in 0..<2 {
      _ = try sets.rows(passing: [condition], of: store.state) { try store.preparedFilter(rowIDs: nil) }
    }
    #expect(sets.count == 0)
  }
}
