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
  public var content: IndexContent
  /// The table whose rows the index's row ids are, for `where:` conditions. With `content: .column` it is that table.
  public var rowTable: String?

  public init(
    dimensions: Int, metric: Metric = .cosine, type: IndexType = .hnsw(), content: IndexContent = .own,
    rowTable: String? = nil
  ) {
    self.dimensions = dimensions
    self.metric = metric
    self.type = type
    self.content = content
    self.rowTable = rowTable
  }
}

extension IndexOptions {
  /// Refuses what no index can be, before anything is written.
  func validate() throws(VidxError) {
    try Self.check("dimensions", dimensions, in: IndexLimits.dimensions)
    switch type {
    case .flat: break
    case .ivfflat(let lists): try Self.check("lists", lists ?? 0, in: IndexLimits.lists)
    case .hnsw(let m, let efConstruction):
      try Self.check("m", m, in: IndexLimits.m)
      try Self.check("ef_construction", efConstruction, in: IndexLimits.efConstruction)
    }
  }

  private static func check(_ name: String, _ value: Int, in range: ClosedRange<Int>) throws(VidxError) {
    guard range.contains(value) else {
      throw VidxError(
        .badOption, "\(name) is \(value); give a number from \(range.lowerBound) to \(range.upperBound)")
    }
  }

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
    if case .column(let column, let table) = content {
      arguments += ["content = \(quoted(literal: table))", "column = \(quoted(literal: column))"]
    }
    return arguments.joined(separator: ", ")
  }
}
