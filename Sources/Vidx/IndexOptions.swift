internal import VidxIndexes
internal import VidxSQLite

@_exported public import enum VidxVectors.Metric

/// How an index finds neighbours.
public enum IndexType: Sendable, Equatable {
  /// Every vector is compared: exact, and its cost grows with the rows.
  case flat
  /// Inverted lists (k-means): quick to build, little memory beside the vectors.
  /// - Parameter lists: nil for one per thousand rows, the square root of the rows above a million.
  case ivfflat(lists: Int? = nil)
  /// A navigable graph: the fastest at high recall, dearer to build.
  /// - Parameters:
  ///   - m: links per node, twice that at the base.
  ///   - efConstruction: candidates kept while inserting; more is better and slower.
  case hnsw(m: Int = 16, efConstruction: Int = 128)
}

/// How an index codes its vectors for comparison. The vectors themselves are kept: what codes select is compared again
/// in full, so distances are exact.
public enum IndexCodec: String, Sendable, CaseIterable {
  /// Chosen for each segment by measuring which code keeps the order of the nearest.
  case auto
  /// 32-bit floats: no code.
  case f32
  /// Half the bytes.
  case f16
  /// A byte a dimension.
  case int8
  /// Half a byte a dimension.
  case int4
  /// RaBitQ: a bit a dimension.
  case rabitq
  /// RaBitQ with 2, 4 or 6 further bits for a second look.
  case rabitq2 = "rabitq+2"
  case rabitq4 = "rabitq+4"
  case rabitq6 = "rabitq+6"
}

/// Where an index's vectors come from.
public enum IndexContent: Sendable, Equatable {
  /// The index holds them itself; rows are inserted into it.
  case own
  /// A column of a table of yours (BLOB of 32-bit floats, little-endian, or JSON text), kept in step by triggers. The
  /// table needs an INTEGER PRIMARY KEY.
  case column(String, ofTable: String)
}

/// What an index is. Fixed when it is made.
public struct IndexOptions: Sendable, Equatable {
  /// Components of every vector.
  public var dimensions: Int
  public var metric: Metric
  public var type: IndexType
  public var codec: IndexCodec
  public var content: IndexContent
  /// The table whose rows the index's row ids are, for `where:` conditions. With `content: .column` it is that table.
  public var rowTable: String?
  /// Columns whose values are kept beside the vectors, for `RowFilter.columns`; with `content: .column` columns of that
  /// table.
  public var filterColumns: [String]
  /// A filter column that searches are expected to be restricted to one value of.
  public var partition: String?

  public init(
    dimensions: Int, metric: Metric = .cosine, type: IndexType = .hnsw(), codec: IndexCodec = .auto,
    content: IndexContent = .own, rowTable: String? = nil, filterColumns: [String] = [], partition: String? = nil
  ) {
    self.dimensions = dimensions
    self.metric = metric
    self.type = type
    self.codec = codec
    self.content = content
    self.rowTable = rowTable
    self.filterColumns = filterColumns
    self.partition = partition
  }
}

extension IndexOptions {
  /// The arguments of CREATE VIRTUAL TABLE ... USING vidx(...).
  var moduleArguments: String {
    var arguments = ["dimensions = \(dimensions)", "metric = \(metric.rawValue)"]
    switch type {
    case .flat: arguments.append("index = flat")
    case .ivfflat(let lists):
      arguments.append("index = ivfflat")
      if let lists, lists > 0 { arguments.append("lists = \(lists)") }
    case .hnsw(let m, let efConstruction):
      arguments += ["index = hnsw", "m = \(m)", "ef_construction = \(efConstruction)"]
    }
    if codec != .auto { arguments.append("codec = \(quoted(literal: codec.rawValue))") }
    if case .column(let column, let table) = content {
      arguments += ["content = \(quoted(literal: table))", "column = \(quoted(literal: column))"]
    }
    arguments += filterColumns.map { "filter \(quoted(identifier: $0))" }
    if let partition { arguments.append("partition \(quoted(identifier: partition))") }
    return arguments.joined(separator: ", ")
  }
}
