import VidxSegments
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The lists of a segment to be: how far their vectors are spread, and how far searches under filters have to go
/// through them for a recall (`ListReach`).
///
/// Questions are vectors of the index, each without itself; the truth under each filter is that of their full scores.
struct MeasuredLists: Sendable {
  let spreads: [Float]
  let reach: ListReach

  /// - Throws: `BuildError.cancelled`.
  /// - Complexity: O(questions x vectors x dimensions), from the cache, shared out to the threads. Memory: 5 bytes a
  ///   vector, and for each question at most k floats a list and filter: together 60 bytes a vector for 68,024 in 256
  ///   lists, 11 for 10 million in 3,162, and at most 192 MiB beside the 5 bytes for as many lists as there may be,
  ///   and as much again for the questions that threads are at: 16 together, or one each.
  init(_ distinct: DistinctVectors, _ lists: IVFBuilder, options: BuildOptions) throws {
    let spreads = Self.spreads(distinct, lists)
    self.spreads = spreads
    var reach = ListReach()
    reach.trainedVectors = lists.parameters.trainedVectors
    if distinct.count >= Self.leastVectors {
      let trials = try Self.trials(distinct, lists, options: options)
      reach = try Self.fitted(reach, trials, spreads, distinct.configuration.metric, options)
    }
    self.reach = reach
  }

  /// Takes over what was measured of an older segment's lists, for as many vectors as there are now; their spreads with
  /// the vectors that were added.
  /// - Parameter lists: those of `base`, taken over by `IVFBuilder`.
  /// - Throws: `SegmentError` when the base is damaged.
  init(
    _ distinct: DistinctVectors, _ lists: IVFBuilder, inheriting base: IVFLists, _ reach: ListReach, from first: Int
  ) throws(SegmentError) {
    self.reach = reach.scaled(by: Float(distinct.count) / Float(max(base.vectorCount, 1)))
    guard let old = base.spreads else { throw .missingSection(section: .listSpreads, path: base.starts.path) }
    try old.verifyAll()
    spreads = (0..<lists.listCount).map { list in
      let members = lists.order[Int(lists.listStarts[list])..<Int(lists.listStarts[list + 1])]
      let added = members.filter { $0 >= first }
      let spread = unsafe Double(old.floats[list])
      if added.isEmpty { return Float(spread) }
      let sum = Self.squares(distinct, added, from: lists.centroids, list)
      return Float(((spread * spread * Double(members.count - added.count) + sum) / Double(members.count)).squareRoot())
    }
  }

  /// The sum of the squared distances of vectors from the centroid of a list.
  private static func squares(
    _ distinct: DistinctVectors, _ members: [UInt32], from centroids: VectorMatrix, _ list: Int
  ) -> Double {
    let kernels = VectorKernels(.l2)
    let stride = distinct.stride
    let centroid = unsafe centroids.row(list)
    return members.reduce(0) { sum, member in
      unsafe sum + Double(kernels.one(distinct.vectors + Int(member) * stride, centroid, stride))
    }
  }

  private static let questions = 96
  /// That questions keep together, as long as there are 16.
  private static let mostBytes = 128 << 20
  static let k = 10
  /// Below, a search scores all that pass.
  private static let leastVectors = 2_000
  private static let slopes: [Float] = [0.03, 0.05, 0.07]
  private static let bases: [Float] = (4...40).map { Float($0) * 0.025 }

  /// Root mean square distances of each list's vectors from its centroid.
  private static func spreads(_ distinct: DistinctVectors, _ lists: IVFBuilder) -> [Float] {
    (0..<lists.listCount).map { list in
      let members = lists.order[Int(lists.listStarts[list])..<Int(lists.listStarts[list + 1])]
      if members.isEmpty { return 0 }
      // Of a long list some hundred say enough.
      let step = max(members.count / 256, 1)
      let some = stride(from: members.startIndex, to: members.endIndex, by: step).map { members[$0] }
      return Float((squares(distinct, some, from: lists.centroids, list) / Double(some.count)).squareRoot())
    }
  }

  /// The smallest bases for the recalls, with the slope by which the fewest vectors are scored.
  private static func fitted(
    _ reach: ListReach, _ trials: [ListTrial], _ spreads: [Float], _ metric: Metric, _ options: BuildOptions
  ) throws(BuildError) -> ListReach {
    var best = reach
    var leastCost = Double.infinity
    for slope in slopes {
      var candidate = reach
      candidate.slope = slope
      for base in bases {
        if options.isCancelled() { throw .cancelled }
        let outcomes = Parallel.map(trials.count, threads: options.threads) {
          trials[$0].run((base: base, slope: slope), spreads, metric)
        }
        var sums = [ListTrial.Outcome](repeating: .init(), count: ListTrial.filterCount)
        for outcome in outcomes { for i in sums.indices { sums[i] += outcome[i] } }
        let recall = sums.map { $0.wanted == 0 ? 1 : Float($0.found) / Float($0.wanted) }.min() ?? 1
        if let last = candidate.steps.last, recall <= last.recall { continue }
        candidate.steps.append(
          ListReach.Step(
            base: base, recall: recall,
            scored: SIMD4(sums.prefix(4).map { Float($0.scored) / Float(max(trials.count, 1)) })))
        if recall >= 0.9995 { break }
      }
      let base = candidate.base(recall: 0.96)
      let cost = ListReach.shares.indices.reduce(0) { sum, i in
        sum + log(max(candidate.scored(base: base, share: Double(ListReach.shares[i])), 1))
      }
      if cost < leastCost { (best, leastCost) = (candidate, cost) }
    }
    return best
  }

  /// How many questions there are, so that what they keep stays within bounds however many lists there are.
  static func questionCount(bytesPerTrial: Int) -> Int {
    max(16, min(questions, mostBytes / max(bytesPerTrial, 1)))
  }

  /// The questions, spread over the vectors, with what they keep of the scores of all.
  private static func trials(
    _ distinct: DistinctVectors, _ lists: IVFBuilder, options: BuildOptions
  ) throws -> [ListTrial] {
    let configuration = distinct.configuration
    let sample = ListSample(vectorCount: distinct.count, lists)
    let questions = questionCount(bytesPerTrial: sample.bytesPerTrial)
    let step = distinct.count / questions
    let found = Locked([ListTrial?](repeating: nil, count: questions))
    let failure = Locked<VectorError?>(nil)
    // Of each thread: eight share the reading of the vectors, fewer where many threads would hold more together.
    let chunk = max(1, min(8, questions / max(options.threads, 1)))
    Parallel.chunks(questions, chunk: chunk, threads: options.threads) { _, range in
      if options.isCancelled() { return }
      do throws(VectorError) {
        let positions = range.map { $0 * step + ($0 * 7919) % step }
        let queries = try positions.map { (position) throws(VectorError) in
          let vector = unsafe UnsafeBufferPointer(
            start: distinct.vectors + position * distinct.stride, count: configuration.dimensions)
          return unsafe try PreparedQuery(
            vector, dimensions: configuration.dimensions, metric: configuration.metric)
        }
        let nearest = sample.nearest(queries, positions, distinct, isCancelled: options.isCancelled)
        if options.isCancelled() { return }
        options.work.addScores(range.count * distinct.count)
        for (i, number) in range.enumerated() {
          let own = unsafe Array(UnsafeBufferPointer(start: nearest.floats + i * sample.room, count: sample.room))
          let trial = ListTrial(queries[i], position: positions[i], own, sample, distinct, lists)
          found.withLock { $0[number] = trial }
        }
      } catch {
        failure.withLock { $0 = error }
      }
    }
    if options.isCancelled() { throw BuildError.cancelled }
    if let error = failure.withLock({ $0 }) { throw error }
    return found.withLock { $0.compactMap { $0 } }
  }
}
