import Vidx
import VidxIndexes
import VidxSQLite
import VidxSegments

/// One thing that can be set of a search, and its value.
struct BenchSetting: Equatable, Sendable {
  enum Name: String, Sendable {
    case efSearch = "ef_search"
    case targetRecall = "target_recall"
    case probes
    /// Nothing can be set: every row is compared.
    case exact
  }

  let name: Name
  /// A share of target_recall, a whole number otherwise.
  let value: Double

  var parameters: SearchParameters {
    switch name {
    case .efSearch: SearchParameters(efSearch: Int(value))
    case .targetRecall: SearchParameters(targetRecall: value)
    case .probes: SearchParameters(probes: Int(value))
    case .exact: SearchParameters(exact: true)
    }
  }

  var settings: SearchSettings {
    switch name {
    case .efSearch: SearchSettings(efSearch: Int(value))
    case .targetRecall: SearchSettings(targetRecall: value)
    case .probes: SearchSettings(probes: Int(value))
    case .exact: SearchSettings(exact: true)
    }
  }

  /// As people write it.
  var valueText: String {
    switch name {
    case .efSearch, .probes: grouped(Int(value))
    case .targetRecall: "\(value)"
    case .exact: "-"
    }
  }

  /// As the command line takes it.
  var spelling: String {
    switch name {
    case .efSearch: "--ef-search \(Int(value))"
    case .targetRecall: "--target-recall \(value)"
    case .probes: "--probes \(Int(value))"
    case .exact: "exact"
    }
  }

  /// What is measured of an index, for each thing that can be set, the least work first: three values for each doubling
  /// of it.
  /// - Parameter lists: how many there are (ivfflat).
  static func sweeps(_ configuration: IndexConfiguration, lists: Int, k: Int) -> [[BenchSetting]] {
    switch configuration.kind {
    case .flat: [[BenchSetting(name: .exact, value: 0)]]
    // Fewer candidates than neighbours are as many as neighbours.
    case .hnsw:
      [
        scale(from: max(k, 10), through: max(k, 2000)).map { BenchSetting(name: .efSearch, value: Double($0)) },
        targets.map { BenchSetting(name: .targetRecall, value: $0) },
      ]
    case .ivfflat: [scale(from: 1, through: max(lists, 1)).map { BenchSetting(name: .probes, value: Double($0)) }]
    }
  }

  /// The same for an index of so many rows that is not open.
  static func sweeps(_ type: IndexType, rows: Int, k: Int) -> [[BenchSetting]] {
    switch type {
    case .flat: return []
    case .hnsw: return sweeps(IndexConfiguration(dimensions: 1, metric: .l2, kind: .hnsw), lists: 0, k: k)
    case .ivfflat(let lists):
      let lists = lists ?? max(rows / 1_000, Int(Double(rows).squareRoot()))
      // The target first: one holds under every filter, while as many probes find less the fewer rows pass.
      return [
        targets.map { BenchSetting(name: .targetRecall, value: $0) },
        scale(from: 1, through: max(lists, 1)).map { BenchSetting(name: .probes, value: Double($0)) },
      ]
    }
  }

  private static let targets = [0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995]

  /// 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, ... between the ends, and the ends.
  private static func scale(from first: Int, through last: Int) -> [Int] {
    var values = [first]
    for exponent in 0..<20 {
      for quarters in 4...6 where (quarters << exponent) % 4 == 0 {
        let value = (quarters << exponent) / 4
        if value > values[values.count - 1], value < last { values.append(value) }
      }
    }
    return last > first ? values + [last] : values
  }
}
