import Synchronization
import Testing
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Searches of one open index by several threads under filters in SQL that nobody has asked before.
@Suite struct ReaderThreadsTests {
  let database: TestDatabase

  init() throws { database = try TestDatabase() }

  private static let rowCount = Int64(3_000)

  /// Row i at 100,000 + i, labels 0...3.
  private func make() throws -> IndexStore {
    let connection = try database.open()
    let store = try IndexStore.make(connection, definition(1, metric: .l2))
    try connection.execute("CREATE TABLE rows(id INTEGER PRIMARY KEY, label INTEGER)")
    try connection.execute("INSERT INTO v_config(key, value) VALUES ('rows_table', 'rows')")
    try connection.execute(
      """
      WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < \(Self.rowCount))
      INSERT INTO rows SELECT i, i % 4 FROM c
      """)
    try store.addSegment(Dictionary(uniqueKeysWithValues: (1...Self.rowCount).map { ($0, [Float(100_000 + $0)]) }))
    return store
  }

  /// Waits until as many threads as are expected have come, or for ten seconds.
  private final class Meeting: Sendable {
    private let expected: Int
    private let come = Atomic<Int>(0)
    private let met = Atomic<Bool>(false)
    var haveMet: Bool { met.load(ordering: .sequentiallyConsistent) }

    init(of expected: Int) { self.expected = expected }

    func wait() {
      if come.add(1, ordering: .sequentiallyConsistent).newValue >= expected {
        met.store(true, ordering: .sequentiallyConsistent)
      }
      for _ in 0..<10_000 {
        if haveMet { return }
        usleep(1_000)
      }
    }
  }

  private static func ids(_ begun: IndexReader.Begun) throws -> [Int64] {
    switch begun {
    case .answered(let answer, _): return answer.hits.map(\.rowID)
    case .resolved(let resolved):
      var counters = SearchCounters()
      let query = try PreparedQuery([0], dimensions: 1, metric: .l2)
      return try resolved.snapshot.search(
        query, k: 5, parameters: SearchParameters(), filter: resolved.filter, counters: &counters
      ).map(\.rowID)
    }
  }

  /// Every thread waits, on its way to its candidates, for all others to be on theirs: none holds what another needs.
  /// Once for a text that nobody knows, and once for one with other values.
  @Test(arguments: [true, false]) func candidatesAreFoundSideBySide(isFixed: Bool) throws {
    _ = try make()
    let threads = 3
    let meetings = [Meeting(of: threads), Meeting(of: threads)]
    let round = Atomic<Int>(0)
    let reader = try IndexReader(path: database.path, name: "v") {
      meetings[round.load(ordering: .sequentiallyConsistent)].wait()
    }
    let fixed = isFixed ? try reader.snapshot() : nil
    for number in 0..<2 {
      round.store(number, ordering: .sequentiallyConsistent)
      Parallel.run(threads: threads) { thread in
        do {
          // The first time texts of their own.
          let own = number == 0 ? " AND \(thread) = \(thread)" : ""
          let value = FilterValue.real(Double(number * threads + thread) / 100 + 2)
          let filter = ReaderFilter(FilterText(.condition, "label % 2 = 0 AND label < ?1 + 1" + own, [value]))
          let request = StoreRequest(query: [0], k: 5)
          let begun =
            if let fixed {
              try reader.begin(request, under: filter, for: fixed, version: 1)
            } else {
              try reader.begin(request, under: filter)
            }
          guard case .answered(let answer, _) = begun else {
            Issue.record("rows were read")
            return
          }
          #expect(answer.filter?.rowsChecked ?? 0 > 0 && answer.hits.map(\.rowID) == [2, 4, 6, 8, 10])
        } catch { Issue.record("\(error)") }
      }
      #expect(meetings[number].haveMet, "round \(number)")
    }
  }

  /// What was committed before a search began is in its answer, and what was found in one state is not checked in
  /// another.
  @Test func answersAreOfOneState() throws {
    _ = try make()
    let reader = try IndexReader(path: database.path, name: "v")
    let path = database.path
    let written = Atomic<Int>(0)
    Parallel.run(threads: 4) { thread in
      do {
        if thread == 0 {
          let connection = try Connection(path: path)
          let store = try IndexStore.open(connection)
          for number in 1...40 {
            let id = Self.rowCount + Int64(number)
            // In one transaction a nearer row, and that the one before passes no more.
            try store.transaction {
              try store.insert(rowID: id, vector: [Float(1_000 - number)])
              try connection.execute("INSERT INTO rows VALUES (\(id), 2)")
              try connection.execute("UPDATE rows SET label = 3 WHERE id = \(id - 1)")
            }
            written.store(number, ordering: .sequentiallyConsistent)
          }
          return
        }
        for number in 0..<150 {
          let least = written.load(ordering: .sequentiallyConsistent)
          let value = FilterValue.real(Double(number * 4 + thread) / 10_000)
          let filter = ReaderFilter(FilterText(.condition, "label = 2 + 0 * ?1", [value]))
          let found = try Self.ids(reader.begin(StoreRequest(query: [0], k: 5), under: filter))
          let most = written.load(ordering: .sequentiallyConsistent) + 1
          // The last that was added is the only one of those that passes, and the nearest.
          let added = found.filter { $0 > Self.rowCount }.map { Int($0 - Self.rowCount) }
          let others = [Int64(2), 6, 10, 14, 18].prefix(5 - added.count)
          #expect(added.count <= 1 && found.dropFirst(added.count).elementsEqual(others), "\(found)")
          #expect((added.first ?? 0) >= least && (added.first ?? 0) <= most, "\(least), \(added), \(most)")
        }
      } catch { Issue.record("\(error)") }
    }
  }
}
