internal import VidxIndexes
internal import VidxSQLite

@_exported public import enum VidxVectors.Metric

/// What an index that is made anew has otherwise than before; nil stays as it is.
public struct IndexChanges: Sendable, Equatable {
  /// The embedding model that the vectors are of.
  public var model: String?
  public var metric: Metric?
  public var type: IndexType?
  public var codec: IndexCodec?
  /// All of them, the partition included, which stays one. An index with vectors of its own has values for those it
  /// has had only.
  public var filterColumns: [String]?

  public init(
    model: String? = nil, metric: Metric? = nil, type: IndexType? = nil, codec: IndexCodec? = nil,
    filterColumns: [String]? = nil
  ) {
    self.model = model
    self.metric = metric
    self.type = type
    self.codec = codec
    self.filterColumns = filterColumns
  }
}

/// Where the vectors of an index that is made anew come from.
public enum IndexVectors: Sendable, Equatable {
  /// The index, or the column that it follows. Not for another model than the index names: they are not of it.
  case held
  /// One for each row of the index, by row id; for an index with vectors of its own.
  case rows([Int64: [Float]])
  /// A column of the table that the index follows, and from then on that column.
  case column(String)
}

extension IndexChanges {
  /// - Throws: `.badOption` for the name of a model that is none.
  func apply(to definition: inout IndexDefinition) throws(VidxError) {
    if let model {
      try IndexOptions.check(model: model)
      definition.model = model
    }
    if let metric { definition.configuration.metric = metric }
    type?.apply(to: &definition.configuration)
    codec?.apply(to: &definition.configuration)
    guard let filterColumns else { return }
    let known = definition.filterColumns
    definition.filterColumns = filterColumns.map { name in
      FilterColumn(name, isPartition: known.position(of: name).map { known[$0].isPartition } ?? false)
    }
  }
}
