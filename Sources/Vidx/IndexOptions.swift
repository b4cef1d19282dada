internal import VidxIndexes
internal import VidxSQLite
internal import VidxSegments

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
  /// The embedding model that all vectors are of, by any name. Inserting or searching for a vector that is said to be
  /// of another model is an error then, also where the dimensions agree.
  public var model: String?

  public init(
    dimensions: Int, metric: Metric = .cosine, type: IndexType = .hnsw(), codec: IndexCodec = .auto,
    content: IndexContent = .own, rowTable: String? = nil, filterColumns: [String] = [], partition: String? = nil,
    model: String? = nil
  ) {
    self.dimensions = dimensions
    self.metric = metric
    self.type = type
    self.codec = codec
    self.content = content
    self.rowTable = rowTable
    self.filterColumns = filterColumns
    self.partition = partition
    self.model = model
  }
}

extension IndexOptions {
  /// What the index keeps of them.
  var definition: IndexDefinition {
    var definition = IndexDefinition(
      configuration: IndexConfiguration(dimensions: dimensions, metric: metric),
      filterColumns: filterColumns.map { FilterColumn($0) }
        + (partition.map { [FilterColumn($0, isPartition: true)] } ?? []),
      model: model)
    type.apply(to: &definition.configuration)
    codec.apply(to: &definition.configuration)
    if case .column(let column, let table) = content { (definition.content, definition.column) = (table, column) }
    return definition
  }
}

extension IndexType {
  /// Makes a configuration one of this type.
  func apply(to configuration: inout IndexConfiguration) {
    switch self {
    case .flat: configuration.kind = .flat
    case .ivfflat(let lists):
      configuration.kind = .ivfflat
      configuration.lists = lists ?? 0
    case .hnsw(let m, let efConstruction):
      configuration.kind = .hnsw
      (configuration.m, configuration.efConstruction) = (m, efConstruction)
    }
  }
}

extension IndexCodec {
  func apply(to configuration: inout IndexConfiguration) {
    // Their names are the same.
    if let codec = CodecChoice(name: rawValue) { configuration.codec = codec }
  }
}
