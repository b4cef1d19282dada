import VidxIndexes
import VidxSegments
import VidxVectors

extension IndexDefinition {
  /// The latest layout of the shadow tables that this code reads.
  static let schemaVersion: Int64 = 3

  /// The layout it writes: 2 with filter columns, which earlier versions would not fill; 3 with a model, which they
  /// would not compare.
  private var requiredVersion: Int64 { model != nil ? 3 : filterColumns.isEmpty ? 1 : 2 }

  /// Stores the definition in t_config.
  func write(to tables: ShadowTables) throws(SQLiteError) {
    let statement = try tables.statement(.writeConfig)
    func put(_ key: String, _ bind: (Statement) throws(SQLiteError) -> Void) throws(SQLiteError) {
      try statement.bind(key, at: 1)
      try bind(statement)
      try statement.run()
    }
    func put(_ key: String, _ value: Int64) throws(SQLiteError) {
      try put(key) { (statement) throws(SQLiteError) in try statement.bind(value, at: 2) }
    }
    func put(_ key: String, _ value: String) throws(SQLiteError) {
      try put(key) { (statement) throws(SQLiteError) in try statement.bind(value, at: 2) }
    }
    try put("version", requiredVersion)
    try put("dimensions", Int64(configuration.dimensions))
    try put("metric", configuration.metric.rawValue)
    try put("index", configuration.kind.name)
    try put("m", Int64(configuration.m))
    try put("ef_construction", Int64(configuration.efConstruction))
    try put("lists", Int64(configuration.lists))
    try put("codec", configuration.codec.name)
    try put("seed", Int64(bitPattern: configuration.seed))
    if let content { try put("content", content) }
    if let column { try put("column", column) }
    if let model { try put("model", model) }
    if requiredVersion == 1 { return }
    try put("filter_columns", Int64(filterColumns.count))
    for (i, column) in filterColumns.enumerated() {
      try put("\(column.isPartition ? "partition" : "filter"):\(i)", column.name)
    }
  }

  /// Reads the definition from t_config.
  /// - Throws: `StoreError.newerSchema`, `.damagedDefinition`; `SQLiteError`.
  init(reading tables: ShadowTables) throws {
    let reader = DefinitionReader(tables: tables)
    let version = try reader.integer("version", in: 1...Int64.max)
    guard version <= Self.schemaVersion else {
      throw StoreError.newerSchema(index: tables.table, found: version, supported: Self.schemaVersion)
    }
    let metric = try reader.value("metric") { try $0.textOrNull(0).flatMap(Metric.init(rawValue:)) }
    let kind = try reader.value("index") { try $0.textOrNull(0).flatMap(IndexKind.init(name:)) }
    let configuration = IndexConfiguration(
      dimensions: try reader.int("dimensions", in: IndexLimits.dimensions), metric: metric, kind: kind,
      m: try reader.int("m", in: IndexLimits.m),
      efConstruction: try reader.int("ef_construction", in: IndexLimits.efConstruction),
      lists: try reader.int("lists", in: IndexLimits.lists), codec: try reader.codec(),
      seed: UInt64(bitPattern: try reader.integer("seed", in: .min ... .max)))
    let content = try reader.optionalText("content")
    let column = try reader.optionalText("column")
    guard (content == nil) == (column == nil) else {
      throw StoreError.damagedDefinition(index: tables.table, key: "content")
    }
    self.init(
      configuration: configuration, content: content, column: column,
      filterColumns: version == 1 ? [] : try reader.filterColumns(), model: try reader.optionalText("model"))
  }
}

/// Reads single values of t_config.
private struct DefinitionReader {
  let tables: ShadowTables

  func value<Value>(_ key: String, _ read: (Statement) throws -> Value?) throws -> Value {
    let statement = try tables.statement(.readConfig)
    defer { statement.reset() }
    try statement.bind(key, at: 1)
    guard try statement.step(), let value = try read(statement) else {
      throw StoreError.damagedDefinition(index: tables.table, key: key)
    }
    return value
  }

  func integer(_ key: String, in limits: ClosedRange<Int64>) throws -> Int64 {
    try value(key) { statement in
      guard statement.type(0) == .integer, limits.contains(statement.int64(0)) else { return nil }
      return statement.int64(0)
    }
  }

  func int(_ key: String, in limits: ClosedRange<Int>) throws -> Int {
    Int(try integer(key, in: Int64(limits.lowerBound)...Int64(limits.upperBound)))
  }

  /// Indexes from before there were codecs have f32.
  func codec() throws -> CodecChoice {
    guard let name = try optionalText("codec") else { return .fixed(.f32) }
    guard let codec = CodecChoice(name: name) else {
      throw StoreError.damagedDefinition(index: tables.table, key: "codec")
    }
    return codec
  }

  func filterColumns() throws -> [FilterColumn] {
    try (0..<int("filter_columns", in: 0...IndexLimits.filterColumns)).map { i in
      if let name = try optionalText("filter:\(i)") { return FilterColumn(name) }
      guard let name = try optionalText("partition:\(i)") else {
        throw StoreError.damagedDefinition(index: tables.table, key: "filter:\(i)")
      }
      return FilterColumn(name, isPartition: true)
    }
  }

  func optionalText(_ key: String) throws -> String? {
    let statement = try tables.statement(.readConfig)
    defer { statement.reset() }
    try statement.bind(key, at: 1)
    return try statement.step() ? statement.textOrNull(0) : nil
  }
}

extension IndexKind {
  /// The name of the kind in SQL and on the command line.
  package var name: String {
    switch self {
    case .flat: "flat"
    case .ivfflat: "ivfflat"
    case .hnsw: "hnsw"
    }
  }

  package init?(name: String) {
    guard let kind = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = kind
  }
}
