import VidxIndexes
import VidxSQLite
import VidxSegments

/// One thing that can be set of a search, and its value.
struct BenchSetting: Equatable, Sendable {
  enum Name: String, Sendable {
    case efSearch = "ef_search"
    case probes
    /// Nothing can be set: every row is compared.
    case exact
  }

  let name: Name
  let value: Int

  var parameters: SearchParameters {
    switch name {
    case .efSearch: SearchParameters(efSearch: value)
    case .probes: SearchParameters(probes: value)
    case .exact: SearchParameters(exact: true)
    }
  }

  /// As the command line takes it.
  var spelling: String {
    switch name {
    case .efSearch: "--ef-search \(value)"
    case .probes: "--probes \(value)"
    case .exact: "exact"
    }
  }

  /// What is measured of an index, fastest first: three values for each doubling of the work.
  /// - Parameter lists: how many there are (ivfflat).
  static func sweep(_ configuration: IndexConfiguration, lists: Int, k: Int) -> [BenchSetting] {
    switch configuration.kind {
    case .flat: [BenchSetting(name: .exact, value: 0)]
    // Fewer candidates than neighbours are as many as neighbours.
    case .hnsw: scale(from: max(k, 10), through: max(k, 2000)).map { BenchSetting(name: .efSearch, value: $0) }
    case .ivfflat: scale(from: 1, through: max(lists, 1)).map { BenchSetting(name: .probes, value: $0) }
    }
  }

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
