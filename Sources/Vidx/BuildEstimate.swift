package import VidxIndexes
internal import VidxSegments
internal import VidxVectors

/// What making an index is expected to take, before it is begun.
package struct BuildEstimate: Sendable, Equatable {
  package let rows: Int
  /// Bytes, at most.
  package let memory: Int
  /// Segments that memory makes necessary.
  package let segments: Int
  /// Within a factor of two of what it takes on two cores of 2024.
  package let seconds: Double
}

extension IndexOptions {
  /// - Parameter build: its threads and memory are what the build has.
  /// - Throws: `.badOption` when the memory is too small for any.
  package func estimate(rows: Int, build: BuildOptions) throws(VidxError) -> BuildEstimate {
    let columns = filterColumns.count + (partition == nil ? 0 : 1)
    let memory = BuildMemory(configuration, filterColumns: columns, threads: build.threads)
    let parts = try wrappingErrors { try memory.parts(of: rows, within: build.memory) }
    let largest = parts.map(\.count).max() ?? 0
    return BuildEstimate(
      rows: rows, memory: memory.bytes(rows: largest), segments: parts.count,
      seconds: Double(rows) * microsecondsPerRow / 1e6 / Double(build.threads))
  }

  /// Of one thread. Measured from 96 to 1,536 dimensions (docs/BENCHMARKS.md, Scaling); by insertion, as where a
  /// graph's efConstruction is large, in proportion to that.
  private var microsecondsPerRow: Double {
    let byDimension = 33 + 0.078 * Double(dimensions)
    return switch type {
    case .flat: 0.2 * byDimension
    case .ivfflat: byDimension
    case .hnsw(_, let efConstruction): max(1, Double(efConstruction) / 128) * byDimension
    }
  }

  private var configuration: IndexConfiguration {
    var result = IndexConfiguration(
      dimensions: dimensions, metric: metric, codec: CodecChoice(name: codec.rawValue) ?? .auto)
    switch type {
    case .flat: result.kind = .flat
    case .ivfflat(let lists): (result.kind, result.lists) = (.ivfflat, lists ?? 0)
    case .hnsw(let m, let efConstruction):
      (result.kind, result.m, result.efConstruction) = (.hnsw, m, efConstruction)
    }
    return result
  }
}
