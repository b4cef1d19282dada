import VidxSegments
import VidxVectors

/// Builds an inverted file: centroids, and the order of the vectors by list.
///
/// An older segment's centroids are kept while the number of vectors stays between half and twice what they were
/// trained on; beyond that they are trained anew.
struct IVFBuilder {
  /// How much trouble the training takes.
  enum Training {
    /// Until it converges.
    case full
    /// A few steps over a smaller sample: lists that serve beside a graph.
    case brief
  }

  /// The distinct vector at each place in the file: by list, within a list as they were added.
  let order: [UInt32]
  let listStarts: [UInt32]
  let centroids: VectorMatrix
  let parameters: IVFParameters
  private let metric: Metric

  var listCount: Int { centroids.count }

  /// - Parameters:
  ///   - distinct: all vectors of the segment to be.
  ///   - base: the lists of the segment it grows from.
  /// - Throws: `BuildError.cancelled`, `SegmentError` when the base is damaged.
  /// - Complexity: O(vectors x lists x dimensions) as matrix products, the training up to 17 times that of its sample.
  init(
    _ distinct: DistinctVectors, lists asked: Int, _ training: Training, base: IVFLists?, options: BuildOptions
  ) throws {
    let configuration = distinct.configuration
    metric = configuration.metric
    let vectors = unsafe VectorRows(
      distinct.vectors, count: distinct.count, dimensions: configuration.dimensions, owner: distinct.buffer)
    var trained = 0
    if let base, Self.isWorthKeeping(base, lists: asked, vectorCount: distinct.count) {
      centroids = try Self.centroids(of: base)
      parameters = base.parameters
    } else {
      (centroids, trained) = try Self.train(vectors, lists: asked, training, configuration, options)
      parameters = IVFParameters(
        listCount: UInt32(centroids.count), requestedLists: UInt32(asked),
        trainedVectors: UInt32(distinct.count), seed: configuration.seed)
    }
    let lists = try Self.assign(vectors, to: centroids, configuration.metric, after: trained, options)
    let sorted = ListOrder(lists, listCount: centroids.count)
    order = sorted.order
    listStarts = sorted.starts
  }

  /// Takes over the lists of an older segment: its vectors stay in theirs, others are added.
  /// - Parameters:
  ///   - centroids: of `base`.
  ///   - added: of each vector behind the survivors, its list.
  /// - Throws: `SegmentError` when the base is damaged.
  init(
    _ survivors: Survivors, _ base: IVFLists, _ centroids: VectorMatrix, added: [UInt32]
  ) throws(SegmentError) {
    metric = base.metric
    parameters = base.parameters
    self.centroids = centroids
    let sorted = ListOrder(try survivors.lists(in: base) + added, listCount: centroids.count)
    order = sorted.order
    listStarts = sorted.starts
  }

  /// Writes the sections that an inverted file and lists beside a graph have in common; the vectors themselves are the
  /// segment's.
  func write(_ measured: MeasuredLists?, to writer: inout SegmentWriter) throws(SegmentError) {
    try writer.begin(.centroids)
    unsafe try writer.append(centroids.bytes)
    try writer.write(.listStarts, listStarts)
    if let codes = CentroidCodes.encode(centroids, metric) { try writer.write(.centroidCodes, codes) }
    guard let measured else { return }
    try writer.write(.listSpreads, measured.spreads)
    try writer.write(.listReach, measured.reach.encoded)
  }

  /// Lists of another number than asked for, or trained on far fewer or more vectors, are trained anew.
  private static func isWorthKeeping(
    _ base: IVFLists, lists: Int, vectorCount: Int
  ) -> Bool {
    let trained = Int(base.parameters.trainedVectors)
    let isAsked =
      lists == Int(base.parameters.requestedLists) || lists == base.listCount
    return isAsked && vectorCount < 2 * trained && 2 * vectorCount > trained
  }

  static func centroids(of base: IVFLists) throws(SegmentError) -> VectorMatrix {
    try base.verifyCentroids()
    let matrix = VectorMatrix(count: base.listCount, dimensions: base.dimensions)
    for i in 0..<matrix.count { unsafe matrix.setRow(i, to: base.centroids.floats + i * matrix.stride) }
    return matrix
  }

  /// - Returns: the centroids, and the vectors it has assigned in all its steps: what of the stage is done.
  private static func train(
    _ vectors: VectorRows, lists: Int, _ training: Training, _ configuration: IndexConfiguration,
    _ options: BuildOptions
  ) throws(BuildError) -> (centroids: VectorMatrix, assigned: Int) {
    let asked = lists > 0 ? lists : IVFParameters.defaultLists(vectorCount: vectors.count)
    let metric = configuration.metric
    let sample = TrainingSample(
      vectors, metric: metric, lists: asked, perList: training == .full ? TrainingSample.enoughPerList : 32,
      seed: configuration.seed)
    // Nothing with a direction to train on: one list, with the zero vector for a centroid.
    if sample.points.count == 0 { return (VectorMatrix(count: 1, dimensions: vectors.dimensions), 0) }
    var settings = KMeans.Options(
      lists: asked, isSpherical: metric == .cosine || metric == .innerProduct, seed: configuration.seed,
      threads: options.threads)
    if training == .brief { settings.iterations = 4 }
    let pointCount = sample.points.count
    let total = pointCount * settings.iterations + vectors.count
    let outcome = try KMeans.train(sample.points, options: settings, isCancelled: options.isCancelled) { steps in
      options.progress(BuildProgress(stage: .clustering, done: steps * pointCount, total: total))
    }
    let centroids = outcome.centroids
    for i in 0..<centroids.count {
      let row = unsafe centroids.row(i)
      for d in sample.origin.indices { unsafe row[d] += sample.origin[d] }
    }
    return (centroids, total - vectors.count)
  }

  /// - Parameter trained: units of the stage that the training took.
  private static func assign(
    _ vectors: VectorRows, to centroids: VectorMatrix, _ metric: Metric, after trained: Int, _ options: BuildOptions
  ) throws(BuildError) -> [UInt32] {
    var lists = [UInt32](repeating: 0, count: vectors.count)
    let assigner = CentroidAssigner(centroids.rows(), metric: metric, origin: mean(of: centroids))
    unsafe lists.withUnsafeMutableBufferPointer { lists in
      guard let first = lists.baseAddress else { return }
      assigner.assign(
        vectors, to: unsafe CentroidAssigner.Destination(lists: first, scores: nil), threads: options.threads,
        isCancelled: options.isCancelled
      ) { done in
        options.progress(BuildProgress(stage: .clustering, done: trained + done, total: trained + vectors.count))
      }
    }
    options.work.addScores(vectors.count * centroids.count)
    if options.isCancelled() { throw .cancelled }
    return lists
  }

  /// A point amid the data.
  static func mean(of centroids: VectorMatrix) -> [Float] {
    var sum = [Double](repeating: 0, count: centroids.dimensions)
    for i in 0..<centroids.count {
      let row = unsafe centroids.row(i)
      for d in sum.indices { unsafe sum[d] += Double(row[d]) }
    }
    return sum.map { Float($0 / Double(centroids.count)) }
  }
}
