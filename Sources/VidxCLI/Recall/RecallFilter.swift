import Vidx
import VidxIndexes

/// Rows to search among, for some of the queries.
struct RecallGroup {
  /// Positions of the queries.
  let queries: [Int]
  /// Ascending; nil for all rows.
  let ids: [Int64]?
}

/// A filter whose recall is measured. Filters that depend on the query are several groups.
struct RecallFilter {
  let name: String
  let groups: [RecallGroup]
  /// As it was asked for, where it was: it may be answered without reading its rows.
  var condition: RowFilter?

  /// Row ids that pass, a query on average; nil for all.
  var yielded: Double? {
    var sum = 0
    for group in groups {
      guard let ids = group.ids else { return nil }
      sum += ids.count * group.queries.count
    }
    return Double(sum) / Double(max(groups.reduce(0) { $0 + $1.queries.count }, 1))
  }
}

/// Makes the filters that a measurement without a condition tries: seeded, so the same for the same index.
struct RecallFilters {
  let session: Session
  let index: String
  let queries: RecallQueries
  /// All row ids, ascending.
  let all: [Int64]
  let k: Int
  let seed: UInt64

  /// Uniform filters of 50, 10, 1 and 0.1 %, as far as they let enough rows through; then rows near the query and rows
  /// far from it, 1 % of all where that is enough.
  func made() throws -> [RecallFilter] {
    var random = SeededGenerator(seed: seed)
    let shares: [(String, Double)] = [("50 %", 0.5), ("10 %", 0.1), ("1 %", 0.01), ("0.1 %", 0.001)]
    var filters: [RecallFilter] = []
    for (name, share) in shares where Double(all.count) * share >= Double(k + 1) {
      let ids = all.filter { _ in Double.random(in: 0..<1, using: &random) < share }
      filters.append(RecallFilter(name: "uniform \(name)", groups: [RecallGroup(queries: everyQuery, ids: ids)]))
    }
    return filters + (try correlated(&random))
  }

  private var everyQuery: [Int] { Array(queries.vectors.indices) }

  /// The rows around a few rows; for each query those around the nearest and around the farthest of these.
  private func correlated(_ random: inout SeededGenerator) throws -> [RecallFilter] {
    let size = max(all.count / 100, 2 * (k + 1))
    guard size <= all.count / 4, queries.vectors.count > 1 else { return [] }
    let anchors = Array(everyQuery.shuffled(using: &random).prefix(8))
    var places: [[Int64]] = []
    for anchor in anchors {
      let hits = try session.search(
        index, near: queries.vectors[anchor], k: size, settings: SearchSettings(exact: true)
      ).hits
      places.append(hits.map(\.id).sorted())
    }
    let distances = try anchors.map { try self.distances(to: $0) }
    func group(_ isBetter: (Float, Float) -> Bool) -> [RecallGroup] {
      let chosen = everyQuery.map { query in
        anchors.indices.min { isBetter(distances[$0][query], distances[$1][query]) } ?? 0
      }
      return anchors.indices.compactMap { anchor in
        let members = everyQuery.filter { chosen[$0] == anchor }
        return members.isEmpty ? nil : RecallGroup(queries: members, ids: places[anchor])
      }
    }
    let share = BenchReport.fixed(100 * Double(size) / Double(all.count), 1)
    return [
      RecallFilter(name: "near, \(share) %", groups: group(<)), RecallFilter(name: "far, \(share) %", groups: group(>)),
    ]
  }

  /// From one query to all of them, as the index measures.
  private func distances(to anchor: Int) throws -> [Float] {
    let own = queries.ids
    let hits = try session.search(
      index, near: queries.vectors[anchor], k: own.count, filter: .ids(own),
      settings: SearchSettings(exact: true)
    ).hits
    let byID = Dictionary(hits.map { ($0.id, $0.distance) }, uniquingKeysWith: { first, _ in first })
    return own.map { byID[$0] ?? .infinity }
  }
}
