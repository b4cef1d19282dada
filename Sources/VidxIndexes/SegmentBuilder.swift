package import VidxSegments
import VidxVectors

/// The segment that a build starts from: its structure is kept and grown, its dead rows are left out.
package struct GrowthBase: Sendable {
  package var index: SegmentIndex
  /// The rows to keep; nil for all.
  package var live: EntryFilter?

  package init(index: SegmentIndex, live: EntryFilter? = nil) {
    self.index = index
    self.live = live
  }
}

/// Builds segments.
///
/// Memory: the distinct vectors (f32), their codes, about 40 bytes a row; while a graph is built, a byte a component, 8
/// bytes a link, and what `LeafNeighbours` says where leaves are built (740 bytes a vector by default).
package enum SegmentBuilder {
  /// Builds one segment from rows, optionally on top of an older segment, and publishes its file.
  /// - Parameters:
  ///   - source: rows to add; their ids must not occur in the live rows of `base`.
  ///   - base: a segment of the same dimensions and metric to grow.
  ///   - directory: the database's segment folder; made when it does not exist.
  ///   - fileName: the final name inside it.
  /// - Returns: the file, still locked against sweeping: release it when the manifest names it.
  /// - Throws: `BuildError`, `SegmentError`, or what the source throws. Nothing is left behind then.
  package static func build(
    _ source: any VectorSource, configuration: IndexConfiguration, base: GrowthBase? = nil,
    options: BuildOptions = BuildOptions(), directory: String, fileName: String,
    fileSystem: any FileSystem = POSIXFileSystem()
  ) throws -> PublishedSegment {
    let baseRows = base.map { $0.live?.entryCount ?? $0.index.entryCount } ?? 0
    let distinct = try DistinctVectors(
      configuration: configuration, capacity: baseRows + source.rowIDs.count)
    let survivors = try base.map { try Survivors($0, into: distinct, options: options) }
    try distinct.add(source, options: options)
    let structure = try Structure(distinct, survivors, options)
    let measured = try Measured(distinct, structure, options)
    let rows = try RowTableWriter(
      rowIDs: distinct.rowIDs, ordinals: structure.placed(distinct.ordinals), norms: distinct.norms,
      vectorCount: distinct.count)
    let columns = FilterColumnsWriter(
      try filterColumns(survivors, source, rowCount: distinct.rowIDs.count), entryOf: rows.entryOf)
    var writer = try SegmentWriter(
      directory: directory, fileName: fileName,
      description: SegmentDescription(
        identifier: .random(), indexKind: configuration.kind, metric: configuration.metric.code,
        codec: measured.coding.codec.code, dimensions: configuration.dimensions, vectorCount: distinct.count,
        entryCount: distinct.rowIDs.count),
      fileSystem: fileSystem)
    try VectorWriting(distinct, order: structure.order).write(to: &writer, options)
    try rows.write(to: &writer)
    try columns.write(to: &writer)
    try structure.write(to: &writer)
    try measured.write(order: structure.order, to: &writer)
    if options.isCancelled() { throw BuildError.cancelled }
    return try writer.publish()
  }

  /// The filter columns of the rows that survive, and of the new ones behind them.
  private static func filterColumns(
    _ survivors: Survivors?, _ source: any VectorSource, rowCount: Int
  ) throws -> [ValueColumn] {
    let old = try survivors?.filterColumns() ?? []
    let new = source.filterColumns
    return (0..<max(old.count, new.count)).map { i in
      let count = source.rowIDs.count
      var column = i < old.count ? old[i] : ValueColumn(nulls: rowCount - count)
      column.append(i < new.count ? new[i] : ValueColumn(nulls: count))
      return column
    }
  }

  /// The codes of the vectors, and what searches that use them find and cost.
  private struct Measured {
    let coding: VectorCoding
    let calibration: Calibration?

    init(_ distinct: DistinctVectors, _ structure: Structure, _ options: BuildOptions) throws {
      let sample = try structure.wantsSample ? SearchSample(distinct, options: options) : SearchSample([])
      let mean = Self.needsMean(distinct.configuration.codec) ? distinct.mean() : []
      let codec =
        switch distinct.configuration.codec {
        case .fixed(let codec): codec
        case .auto: try structure.chooseCodec(distinct, sample, mean, options)
        }
      options.progress(BuildProgress(stage: .coding, done: 0, total: distinct.count))
      coding = try Self.code(distinct, codec, mean, options)
      options.progress(BuildProgress(stage: .coding, done: distinct.count, total: distinct.count))
      guard case .graph(let builder, _, _) = structure, distinct.count > 0 else {
        calibration = nil
        return
      }
      let reranker = unsafe Reranker(
        coded: coding.coded, vectors: RowMemory(distinct.vectors, stride: distinct.stride * 4),
        kernels: VectorKernels(distinct.configuration.metric))
      options.progress(BuildProgress(stage: .measuring, done: 0, total: 1))
      calibration = try Calibrator(
        layers: builder.layers, reranker: reranker, vectors: distinct, sample: sample, options: options
      ).run()
      options.progress(BuildProgress(stage: .measuring, done: 1, total: 1))
    }

    /// What is coded around the mean, or may come to be.
    private static func needsMean(_ codec: CodecChoice) -> Bool {
      switch codec {
      case .fixed(let codec): codec.isRotated
      case .auto: true
      }
    }

    private static func code(
      _ distinct: DistinctVectors, _ codec: Codec, _ mean: [Float], _ options: BuildOptions
    ) throws(BuildError) -> VectorCoding {
      let (count, configuration) = (distinct.count, distinct.configuration)
      let coding = Result { () throws(BuildError) in
        unsafe try VectorCoding(distinct.vectors, count: count, codec, origin: mean, configuration, options: options)
      }
      // A sample chose halves, and another vector is beyond them: nobody asked for halves.
      if case .failure(.codec(.beyondHalf)) = coding, configuration.codec == .auto {
        return unsafe try VectorCoding(
          distinct.vectors, count: count, .f32, origin: mean, configuration, options: options)
      }
      return try coding.get()
    }

    func write(order: [UInt32]?, to writer: inout SegmentWriter) throws(SegmentError) {
      try coding.write(order: order, to: &writer)
      if let calibration { try writer.write(.calibration, calibration.encoded) }
    }
  }

  /// What lies over the vectors, and the order it wants them in.
  private enum Structure {
    case flat
    case lists(IVFBuilder, MeasuredLists?)
    /// A graph, and lists beside it for searches under filters.
    case graph(HNSWBuilder, IVFBuilder?, MeasuredLists?)

    init(_ distinct: DistinctVectors, _ survivors: Survivors?, _ options: BuildOptions) throws {
      switch distinct.configuration.kind {
      case .flat:
        self = .flat
      case .ivfflat:
        let lists = try IVFBuilder(
          distinct, lists: distinct.configuration.lists, .full, base: survivors?.lists, options: options)
        self = .lists(lists, try Self.measure(distinct, lists, options))
      case .hnsw:
        let graph = try HNSWBuilder.build(distinct, survivors, options)
        guard distinct.count >= Self.leastVectorsOfLists, distinct.configuration.metric != .l1 else {
          self = .graph(graph, nil, nil)
          return
        }
        let asked = IVFParameters.listsBesideGraph(vectorCount: distinct.count)
        let lists = try IVFBuilder(distinct, lists: asked, .brief, base: survivors?.lists, options: options)
        self = .graph(graph, lists, try Self.measure(distinct, lists, options))
      }
    }

    /// Below so many vectors, those that pass a filter are soon scored.
    private static let leastVectorsOfLists = 4_096

    /// Distances of l1 say nothing of angles.
    private static func measure(
      _ distinct: DistinctVectors, _ lists: IVFBuilder, _ options: BuildOptions
    ) throws -> MeasuredLists? {
      if distinct.configuration.metric == .l1 { return nil }
      return try MeasuredLists(distinct, lists, options: options)
    }

    /// Whether searches are to be measured on a sample.
    var wantsSample: Bool {
      if case .graph = self { return true }
      return false
    }

    /// The codec that searches of this structure are fastest by, measured on these vectors.
    func chooseCodec(
      _ distinct: DistinctVectors, _ sample: SearchSample, _ mean: [Float], _ options: BuildOptions
    ) throws -> Codec {
      switch self {
      case .flat:
        return try ScanCodecChooser(distinct, mean: mean, share: nil, options: options).choose(options: options)
      case .lists(let builder, _):
        let share = Double(IVFParameters.defaultProbes(lists: builder.listCount)) / Double(builder.listCount)
        return try ScanCodecChooser(distinct, mean: mean, share: share, options: options).choose(options: options)
      case .graph:
        return try CodecChooser(vectors: distinct, sample: sample, mean: mean).choose(options: options)
      }
    }

    /// The distinct vector at each place in the file; nil for their own order.
    var order: [UInt32]? {
      switch self {
      case .flat: nil
      case .lists(let lists, _): lists.order
      case .graph(_, let lists, _): lists?.order
      }
    }

    /// Where vectors went in the file.
    func placed(_ ordinals: [UInt32]) -> [UInt32] {
      guard let order else { return ordinals }
      var places = [UInt32](repeating: 0, count: order.count)
      for (place, ordinal) in order.enumerated() { places[Int(ordinal)] = UInt32(place) }
      return ordinals.map { $0 == DistinctVectors.none ? $0 : places[Int($0)] }
    }

    func write(to writer: inout SegmentWriter) throws(SegmentError) {
      switch self {
      case .flat: break
      case .lists(let lists, let measured):
        try writer.write(.parameters, lists.parameters.encoded)
        try lists.write(measured, to: &writer)
      case .graph(let graph, let lists, let measured):
        try graph.write(order: lists?.order, to: &writer)
        try lists?.write(measured, to: &writer)
      }
    }
  }
}

/// The vectors and rows of an older segment that go on living in the next.
struct Survivors {
  /// The new ordinal of each old one; `DistinctVectors.none` for a vector whose rows are all dead.
  let newOrdinals: [UInt32]
  let count: Int
  let graph: HNSWGraph?
  let lists: IVFLists?
  private let index: SegmentIndex
  /// The entries that live on, in the order of their rows.
  private let entries: [UInt32]

  init(_ base: GrowthBase, into distinct: DistinctVectors, options: BuildOptions) throws {
    let index = base.index
    let expected = distinct.configuration
    precondition(
      index.configuration.dimensions == expected.dimensions && index.configuration.metric == expected.metric,
      "a base of other dimensions or another metric")
    var map = [UInt32](repeating: DistinctVectors.none, count: index.vectorCount)
    for ordinal in 0..<index.vectorCount where base.live?.ordinals.contains(ordinal) ?? true {
      if ordinal & 0xFFF == 0, options.isCancelled() { throw BuildError.cancelled }
      unsafe try map[ordinal] = distinct.addVector(index.vectorPointer(ordinal))
    }
    var owner = 0
    var entries: [UInt32] = []
    let searchable = try index.rows.searchableCount()
    for entry in 0..<index.entryCount {
      while owner < index.vectorCount, try entry >= index.rows.entries(ordinal: owner).upperBound { owner += 1 }
      if let live = base.live, !live.entries.contains(entry) { continue }
      guard entry >= searchable || owner < index.vectorCount else {
        throw SegmentError.invalidContent(section: .entryStarts, offset: owner * 4, path: index.file.path)
      }
      entries.append(UInt32(entry))
      distinct.addRow(
        try index.rows.rowID(entry: entry), ordinal: entry < searchable ? map[owner] : DistinctVectors.none,
        norm: try index.rows.norm(entry: entry))
    }
    self.index = index
    self.entries = entries
    newOrdinals = map
    count = distinct.count
    if case .hnsw(let graph) = index.structure { self.graph = graph } else { graph = nil }
    lists = index.lists
  }

  /// The filter columns of the rows that live on.
  fileprivate func filterColumns() throws(SegmentError) -> [ValueColumn] {
    guard let columns = index.columns else { return [] }
    return try (0..<columns.count).map { (i) throws(SegmentError) in try columns.column(i, entries: entries) }
  }
}
