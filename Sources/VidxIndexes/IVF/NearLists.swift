import VidxVectors

/// The lists of a segment to be, and the nearest of them to each vector that an older segment did not have.
struct NearLists: Sendable {
  /// Lists of each vector.
  let width: Int
  /// The first of the vectors; those before it are the older segment's.
  let first: Int
  /// `width` lists of each vector, nearest first.
  private let lists: [UInt32]
  /// Vectors by list, ascending within each.
  private let order: [UInt32]
  private let starts: [UInt32]

  var listCount: Int { starts.count - 1 }

  /// How many lists new vectors look into for neighbours: as many as leaves; where these would not do, their own only.
  static func width(_ configuration: IndexConfiguration, lists: Int, vectorCount: Int) -> Int {
    min(HNSWBuilder.overlap(configuration, vectorCount: vectorCount) ?? 1, lists)
  }

  /// The lists nearest to each vector from `first` on, nearest first: `width` of each.
  /// - Throws: `BuildError.cancelled`.
  /// - Complexity: O(new vectors x lists x dimensions), as matrix products.
  static func nearest(
    _ centroids: VectorMatrix, to distinct: DistinctVectors, from first: Int, width: Int, _ options: BuildOptions
  ) throws(BuildError) -> [UInt32] {
    let configuration = distinct.configuration
    let vectors = unsafe VectorRows(
      distinct.vectors + first * distinct.stride, count: distinct.count - first, dimensions: configuration.dimensions,
      owner: distinct.buffer)
    let assigner = CentroidAssigner(
      centroids.rows(), metric: configuration.metric, origin: IVFBuilder.mean(of: centroids))
    let lists = assigner.nearest(
      vectors, width: width, threads: options.threads, isCancelled: options.isCancelled)
    options.work.addScores(vectors.count * centroids.count)
    if options.isCancelled() { throw .cancelled }
    return lists
  }

  /// - Throws: `BuildError.cancelled`.
  init(
    _ builder: IVFBuilder, _ distinct: DistinctVectors, from first: Int, _ options: BuildOptions
  ) throws(BuildError) {
    let width = Self.width(distinct.configuration, lists: builder.listCount, vectorCount: distinct.count)
    let nearest = try Self.nearest(builder.centroids, to: distinct, from: first, width: width, options)
    self.init(builder, from: first, nearest: nearest, width: width)
  }

  /// - Parameter nearest: what `nearest` gave for the centroids of the lists.
  init(_ builder: IVFBuilder, from first: Int, nearest: [UInt32], width: Int) {
    self.width = width
    self.first = first
    lists = nearest
    order = builder.order
    starts = builder.listStarts
  }

  /// The vectors of a list.
  func members(of list: Int) -> ArraySlice<UInt32> { order[Int(starts[list])..<Int(starts[list + 1])] }

  /// The lists of a vector, nearest first.
  func lists(of ordinal: Int) -> ArraySlice<UInt32> {
    lists[(ordinal - first) * width..<(ordinal - first + 1) * width]
  }

  /// Of each vector its lists, one vector after the other.
  var all: [UInt32] { lists }

  /// The vectors that the older segment did not have, list by list: near ones follow each other.
  var added: [UInt32] { order.filter { $0 >= first } }

  /// How many vectors are scored when each is compared with all of its lists.
  var comparisons: Int { lists.reduce(0) { $0 + members(of: Int($1)).count } }
}
