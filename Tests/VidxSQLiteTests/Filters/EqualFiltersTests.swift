import Foundation
import TestSupport
import Testing
import VidxFiles
import VidxIndexes
import VidxSegments
import VidxVectors

@testable import VidxSQLite

/// The same rows pass, however that is said: as a text that is asked for once or again, as row ids, as conditions on
/// filter columns, for one query or many. Over the demo data.
@Suite struct EqualFiltersTests {
  private struct Fixture {
    let database: TestDatabase
    let store: IndexStore
    let queries: [[Float]]
    /// Of each query the nearest of a dozen topics, and the farthest.
    let topics: [(own: Int, other: Int)]
  }

  /// Rows with a topic, which says where they lie, and `u`, which does not: numbers below 1,000.
  private static func make() throws -> Fixture {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../../datasets/debian-packages").standardized
    func read(_ name: String) throws -> [[Float]] {
      let file = try NPYFile(path: folder.appending(path: name).path(percentEncoded: false))
      return try (0..<file.count).map { try file.vector($0) }
    }
    let (rows, queries) = (try read("packages.npy"), try read("queries.npy"))
    let centres = queries.prefix(12)
    func ordered(_ vector: [Float]) -> [Int] {
      let products = centres.map { centre in zip(vector, centre).reduce(Float(0)) { $0 + $1.0 * $1.1 } }
      return products.indices.sorted { products[$0] > products[$1] }
    }
    var random = SplitMix(seed: 3)
    let u = rows.map { _ in Int64.random(in: 0..<1_000, using: &random) }
    let topic = rows.map { Int64(ordered($0)[0]) }
    let ids = rows.indices.map { Int64($0 + 1) }

    let database = try TestDatabase()
    let connection = try database.open()
    var definition = definition(384, kind: .hnsw)
    definition.filterColumns = [FilterColumn("u"), FilterColumn("topic")]
    let store = try IndexStore.make(connection, definition)
    try connection.execute("CREATE TABLE rows(id INTEGER PRIMARY KEY, u INTEGER, topic INTEGER)")
    try connection.execute("INSERT INTO v_config(key, value) VALUES ('rows_table', 'rows')")
    try connection.transaction {
      let insert = try connection.prepare("INSERT INTO rows VALUES (?1, ?2, ?3)")
      for (i, id) in ids.enumerated() {
        for (place, value) in [id, u[i], topic[i]].enumerated() { try insert.bind(value, at: Int32(place + 1)) }
        try insert.run()
      }
    }
    let columns = [ValueColumn(u.map { .integer($0) }), ValueColumn(topic.map { .integer($0) })]
    try store.transaction {
      try store.load(
        ArraySource(rowIDs: ids, vectors: rows.flatMap { $0 }, dimensions: 384, filterColumns: columns),
        options: .serial)
    }
    let topics = queries.map { query in
      let order = ordered(query)
      return (own: order[0], other: order[order.count - 1])
    }
    return Fixture(database: database, store: store, queries: queries, topics: topics)
  }

  private enum Filter: CustomStringConvertible {
    case below(Int64)
    case near, far

    var description: String { sql(0, 0) }

    func sql(_ own: Int, _ other: Int) -> String {
      switch self {
      case .below(let u): "u < \(u)"
      case .near: "topic = \(own)"
      case .far: "topic = \(other)"
      }
    }

    func condition(_ own: Int, _ other: Int) -> FilterCondition {
      switch self {
      case .below(let u): FilterCondition(0, .range(lower: nil, upper: .init(.integer(u), isInclusive: false)))
      case .near: FilterCondition(1, .equals(.integer(Int64(own))))
      case .far: FilterCondition(1, .equals(.integer(Int64(other))))
      }
    }
  }

  @Test(arguments: [nil, 0.99] as [Double?]) func answersAgree(_ target: Double?) throws {
    let made = try Self.make()
    let (store, floor) = (made.store, target ?? 0.95)
    let parameters = SearchParameters(targetRecall: target)
    var checked = 0
    let filters = [Filter.below(500), .below(200), .below(50), .below(5), .near, .far]
    for (filter, k) in filters.flatMap({ [($0, 10), ($0, 100)] }) {
      var (first, later, wanted) = (0, 0, 0)
      var plans: Set<String> = []
      try store.connection.transaction(isImmediate: false) {
        var passing: [String: [Int64]] = [:]
        for (number, query) in made.queries.prefix(k == 10 ? 100 : 25).enumerated() {
          let (own, other) = made.topics[number]
          var request = StoreRequest(query: query, k: k, parameters: parameters)
          let text = FilterText(
            .condition, filter.sql(own, other) + " AND ?1 = ?1", [.integer(Int64(number * 1_000 + k))])
          // Asked for the first time: found and checked, or read.
          let asked = try answer(store, request, text)
          if asked.filter?.rowsChecked ?? 0 > 0 { checked += 1 }
          // For the second and third, for many queries, as row ids and by filter columns: all these are one.
          let again = try answer(store, request, text)
          let third = try answer(store, request, text)
          let sql = "SELECT id FROM rows WHERE " + filter.sql(own, other)
          let ids = try passing[sql] ?? store.connection.prepare(sql).rowIDs().sorted()
          passing[sql] = ids
          request.filter = ids
          let named = try store.search(request)
          let batch = try store.search(
            StoreBatch(queries: [query, query, query], k: k, filter: request.filter, parameters: parameters))
          request.filter = nil
          request.conditions = [filter.condition(own, other)]
          let conditions = try store.search(request)
          for same in [third, named, conditions] + batch {
            #expect(same.hits == again.hits && same.plan == again.plan, "\(filter), k \(k), query \(number)")
          }
          if asked.exact && again.exact { #expect(asked.hits == again.hits) }
          request.parameters.exact = true
          let truth = Set(try store.search(request).hits.map(\.rowID))
          #expect(asked.hits.count == truth.count && again.hits.count == truth.count)
          wanted += truth.count
          plans.formUnion([asked.plan.rawValue, again.plan.rawValue])
          first += asked.hits.count { truth.contains($0.rowID) }
          later += again.hits.count { truth.contains($0.rowID) }
        }
      }
      let recalls = (Double(first) / Double(wanted), Double(later) / Double(wanted))
      #expect(min(recalls.0, recalls.1) >= floor, "\(filter), k \(k): \(recalls) by \(plans)")
      #expect(abs(recalls.0 - recalls.1) <= 0.01 + 1e-9, "\(filter), k \(k): \(recalls) by \(plans)")
    }
    #expect(checked > 0)
  }

  private func answer(_ store: IndexStore, _ request: StoreRequest, _ text: FilterText) throws -> StoreAnswer {
    switch try store.search(request, under: text) {
    case .answer(let answer): return answer
    case .filter(let resolved):
      var request = request
      request.prepared = resolved.filter
      return try store.search(request)
    }
  }
}
