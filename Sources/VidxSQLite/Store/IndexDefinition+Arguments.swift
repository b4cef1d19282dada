import VidxIndexes
import VidxSegments
import VidxVectors

extension IndexDefinition {
  /// The arguments of `CREATE VIRTUAL TABLE ... USING vidx(...)` that make an index like this: what `IndexArguments`
  /// understands.
  package var arguments: [String] {
    var arguments = [
      "dimensions = \(configuration.dimensions)", "metric = \(configuration.metric.rawValue)",
      "index = \(configuration.kind.name)",
    ]
    switch configuration.kind {
    case .flat: break
    case .ivfflat: if configuration.lists > 0 { arguments.append("lists = \(configuration.lists)") }
    case .hnsw: arguments += ["m = \(configuration.m)", "ef_construction = \(configuration.efConstruction)"]
    }
    if configuration.codec != .auto { arguments.append("codec = \(quoted(literal: configuration.codec.name))") }
    let seed = configuration.seed
    if seed != IndexConfiguration(dimensions: 1).seed { arguments.append("seed = \(seed)") }
    if let model { arguments.append("model = \(quoted(literal: model))") }
    if let content, let column {
      arguments += ["content = \(quoted(literal: content))", "column = \(quoted(literal: column))"]
    }
    return arguments
      + filterColumns.map { "\($0.isPartition ? "partition" : "filter") \(quoted(identifier: $0.name))" }
  }
}
