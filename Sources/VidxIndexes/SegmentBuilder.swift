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
    let inheritance = try survivors.flatMap {
      try Inheritance($0, distinct, wantsLists: Structure.hasListsBesideGraph(distinct), options)
    }
    let target = Target(directory: directory, fileName: fileName, fileSystem: fileSystem)
    let ahead = try vectorsAhead(inheritance, distinct, target, options)
    let (structure, measured) = try VectorsAhead.write(ahead, options) { options in
      try measuredStructure(distinct, survivors, inheritance, options)
    }
    let rows = try RowTableWriter(
      rowIDs: distinct.rowIDs, ordinals: structure.placed(distinct.ordinals), norms: distinct.norms,
      vectorCount: distinct.count)
    let columns = FilterColumnsWriter(
      try filterColumns(survivors, source, rowCount: distinct.rowIDs.count), entryOf: rows.entryOf)
    var writer: SegmentWriter
    if let ahead, measured.isInherited {
      writer = ahead.take()
    } else {
      ahead?.drop()
      writer = try target.writer(distinct, measured.coding.codec)
      try VectorWriting(distinct, order: structure.order).write(to: &writer, options)
    }
    try rows.write(to: &writer)
    try columns.write(to: &writer)
    try structure.write(to: &writer)
    try measured.write(order: structure.order, to: &writer)
    if options.isCancelled() { throw BuildError.cancelled }
    return try writer.publish()
  }

  /// Where the file goes.
  private struct Target {
    let directory: String
    let fileName: String
    let fileSystem: any FileSystem

    func writer(_ distinct: DistinctVectors, _ codec: Codec) throws(SegmentError) -> SegmentWriter {
      let configuration = distinct.configuration
      return try SegmentWriter(
        directory: directory, fileName: fileName,
        description: SegmentDescription(
          identifier: .random(), indexKind: configuration.kind, metric: configuration.metric.code, codec: codec.code,
          dimensions: configuration.dimensions, vectorCount: distinct.count, entryCount: distinct.rowIDs.count),
        fileSystem: fileSystem)
    }
  }

  /// The file, where the order of its vectors is known and there is a thread to write them.
  private static func vectorsAhead(
    _ inheritance: Inheritance?, _ distinct: DistinctVectors, _ target: Target, _ options: BuildOptions
  ) throws(SegmentError) -> VectorsAhead? {
    guard let inheritance, let lists = inheritance.lists, options.threads > 1 else { return nil }
    let codec = inheritance.survivors.index.coded.codec
    let vectors = VectorWriting(distinct, order: lists.builder.order)
    return VectorsAhead(try target.writer(distinct, codec), vectors, options)
  }

  /// The structure and what is measured of it: taken over where that holds, otherwise measured anew.
  private static func measuredStructure(
    _ distinct: DistinctVectors, _ survivors: Survivors?, _ inheritance: Inheritance?, _ options: BuildOptions
  ) throws -> (Structure, Measured) {
    var structure = try Structure(distinct, survivors, inheritance, options)
    if let inheritance {
      if let measured = try Measured(inheriting: inheritance, distinct, structure, options) {
        return (structure, measured)
      }
      structure = try structure.withListsAnew(distinct, options)
    }
    return (structure, try Measured(distinct, structure, options))
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
    /// Taken over from an older segment, with its lists.
    let isInherited: Bool

    init(_ distinct: DistinctVectors, _ structure: Structure, _ options: BuildOptions) throws {
      isInherited = false
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
      options.progress(BuildProgress(stage: .measuring, done: 0, total: 1))
      calibration = try Calibrator(
        layers: builder.layers, reranker: Self.reranker(coding, distinct), vectors: distinct, sample: sample,
        options: options
      ).run()
      options.progress(BuildProgress(stage: .measuring, done: 1, total: 1))
    }

    /// What an older segment had, for its vectors and those that were added.
    /// - Returns: nil when it does not hold for these.
    init?(
      inheriting inheritance: Inheritance, _ distinct: DistinctVectors, _ structure: Structure, _ options: BuildOptions
    ) throws {
      options.progress(BuildProgress(stage: .coding, done: 0, total: distinct.count))
      guard case .graph(let builder, _, _) = structure, let coding = try inheritance.coding(distinct, options) else {
        return nil
      }
      options.progress(BuildProgress(stage: .coding, done: distinct.count, total: distinct.count))
      let calibrator = Calibrator(
        layers: builder.layers, reranker: Self.reranker(coding, distinct), vectors: distinct,
        sample: try inheritance.sample(distinct, options), options: options)
      let old = inheritance.calibration
      guard let calibration = try calibrator.confirmed(old, from: inheritance.survivors.count) else { return nil }
      isInherited = true
      self.coding = coding
      self.calibration = calibration
    }

    private static func reranker(_ coding: VectorCoding, _ distinct: DistinctVectors) -> Reranker {
      unsafe Reranker(
        coded: coding.coded, vectors: RowMemory(distinct.vectors, stride: distinct.stride * 4),
        kernels: VectorKernels(distinct.configuration.metric))
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

    init(
      _ distinct: DistinctVectors, _ survivors: Survivors?, _ inheritance: Inheritance?, _ options: BuildOptions
    ) throws {
      switch distinct.configuration.kind {
      case .flat:
        self = .flat
      case .ivfflat:
        let lists = try IVFBuilder(
          distinct, lists: distinct.configuration.lists, .full, base: survivors?.index.lists, options: options)
        self = .lists(lists, try Self.measure(distinct, lists, options))
      case .hnsw:
        self = try Self.graph(distinct, survivors, inheritance, options)
      }
    }

    /// A graph, with lists beside it where the segment has them. One that grows has its lists first: they say where new
    /// vectors have their neighbours.
    private static func graph(
      _ distinct: DistinctVectors, _ survivors: Survivors?, _ inheritance: Inheritance?, _ options: BuildOptions
    ) throws -> Structure {
      if let lists = inheritance?.lists {
        let graph = try HNSWBuilder.build(distinct, survivors, lists.near, options)
        return .graph(graph, lists.builder, lists.measured)
      }
      guard hasListsBesideGraph(distinct) else {
        return .graph(try HNSWBuilder.build(distinct, survivors, nil, options), nil, nil)
      }
      guard let survivors, survivors.graphToGrow(distinct.configuration) != nil else {
        let graph = try HNSWBuilder.build(distinct, survivors, nil, options)
        let lists = try listsBesideGraph(distinct, options)
        return .graph(graph, lists, try measure(distinct, lists, options))
      }
      let lists = try listsBesideGraph(distinct, options)
      let near = try NearLists(lists, distinct, from: survivors.count, options)
      let graph = try HNSWBuilder.build(distinct, survivors, near, options)
      return .graph(graph, lists, try measure(distinct, lists, options))
    }

    private static func listsBesideGraph(
      _ distinct: DistinctVectors, _ options: BuildOptions
    ) throws -> IVFBuilder {
      let asked = IVFParameters.listsBesideGraph(vectorCount: distinct.count)
      return try IVFBuilder(distinct, lists: asked, .brief, base: nil, options: options)
    }

    /// Below some thousand vectors, those that pass a filter are soon scored; under l1 nothing is known of lists.
    static func hasListsBesideGraph(_ distinct: DistinctVectors) -> Bool {
      distinct.configuration.kind == .hnsw && distinct.count >= 4_096 && distinct.configuration.metric != .l1
    }

    /// The same graph; lists beside it, if there are any, trained and measured anew.
    func withListsAnew(_ distinct: DistinctVectors, _ options: BuildOptions) throws -> Structure {
      guard case .graph(let graph, .some, _) = self else { return self }
      let lists = try Self.listsBesideGraph(distinct, options)
      return .graph(graph, lists, try Self.measure(distinct, lists, options))
    }

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
