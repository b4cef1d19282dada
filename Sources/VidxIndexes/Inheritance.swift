import VidxSegments
import VidxVectors

/// What was chosen and measured of a segment and still holds for the one that grows from it: the codec, its parameters
/// and the codes; the calibration; the lists, and how far searches go through them.
///
/// Measuring takes time in proportion to all vectors, so a merge of few would cost as much as a build. What is taken
/// over is tried on some of the new vectors (`Calibrator.confirmed`) and measured anew when a quarter of the vectors
/// have come or gone since it was measured.
struct Inheritance {
  let survivors: Survivors
  /// With what has changed since.
  let calibration: Calibration
  /// The lists with the new vectors in them, and which of them are nearest to each; nil where the segment has none.
  let lists: Lists?

  struct Lists {
    let builder: IVFBuilder
    let near: NearLists
    let measured: MeasuredLists
  }

  /// Questions that what is taken over is tried on.
  private static let questions = 64
  /// A list that has doubled is too long from so many times the mean on.
  private static let lopsided = 8

  /// - Parameter wantsLists: the segment to be has lists beside its graph.
  /// - Returns: nil when all has to be measured anew.
  /// - Throws: `SegmentError` when the older segment is damaged, `BuildError.cancelled`.
  /// - Complexity: O(vectors) and, of the new ones, O(new x lists x dimensions).
  init?(_ survivors: Survivors, _ distinct: DistinctVectors, wantsLists: Bool, _ options: BuildOptions) throws {
    guard distinct.configuration.kind == .hnsw, let graph = survivors.graphToGrow(distinct.configuration),
      !graph.calibration.steps.isEmpty,
      Self.isWanted(survivors.index.coded.codec, distinct.configuration.codec)
    else { return nil }
    var calibration = graph.calibration
    calibration.changes += graph.vectorCount - survivors.count + distinct.count - survivors.count
    guard calibration.changes * 4 <= distinct.count else { return nil }
    self.survivors = survivors
    self.calibration = calibration
    guard wantsLists else {
      self.lists = nil
      return
    }
    guard let lists = try Self.lists(survivors, distinct, options) else { return nil }
    self.lists = lists
  }

  private static func isWanted(_ codec: Codec, _ choice: CodecChoice) -> Bool {
    switch choice {
    case .auto: true
    case .fixed(let wanted): codec == wanted
    }
  }

  private static func lists(
    _ survivors: Survivors, _ distinct: DistinctVectors, _ options: BuildOptions
  ) throws -> Lists? {
    guard let base = survivors.index.lists, let reach = base.reach, !reach.steps.isEmpty else { return nil }
    let first = survivors.count
    let centroids = try IVFBuilder.centroids(of: base)
    let width = NearLists.width(distinct.configuration, lists: centroids.count, vectorCount: distinct.count)
    let nearest = try NearLists.nearest(centroids, to: distinct, from: first, width: width, options)
    let added = stride(from: 0, to: nearest.count, by: width).map { nearest[$0] }
    let builder = try IVFBuilder(survivors, base, centroids, added: added)
    if isLopsided(builder, from: first) { return nil }
    return Lists(
      builder: builder, near: NearLists(builder, from: first, nearest: nearest, width: width),
      measured: try MeasuredLists(distinct, builder, inheriting: base, reach, from: first))
  }

  /// Whether new vectors crowd into few lists, as those of another kind do.
  private static func isLopsided(_ builder: IVFBuilder, from first: Int) -> Bool {
    let mean = builder.order.count / builder.listCount
    return (0..<builder.listCount).contains { list in
      let members = builder.order[Int(builder.listStarts[list])..<Int(builder.listStarts[list + 1])]
      return members.count > lopsided * max(mean, 1) && 2 * members.count { $0 >= first } > members.count
    }
  }

  /// The codes of all vectors.
  /// - Returns: nil when a new vector is beyond what the codec can hold, and nobody asked for this codec.
  /// - Throws: `BuildError`, `SegmentError`.
  func coding(_ distinct: DistinctVectors, _ options: BuildOptions) throws -> VectorCoding? {
    do {
      return try VectorCoding(distinct, inheriting: survivors, options: options)
    } catch BuildError.codec(.beyondHalf) where distinct.configuration.codec == .auto {
      return nil
    }
  }

  /// New vectors as questions; old ones, too, where there are few new.
  func sample(_ distinct: DistinctVectors, _ options: BuildOptions) throws -> SearchSample {
    let new = SearchSample.spread(Self.questions, over: survivors.count..<distinct.count)
    let old = SearchSample.spread(Self.questions - new.count, over: 0..<survivors.count)
    return try SearchSample(
      distinct, positions: new + old, depth: Calibrator.yardstick, options: options)
  }
}
