import CVidxKernels
import VidxSegments
import VidxVectors

/// Vectors of an index to be, asked as queries, and their true neighbours: what a builder measures codes and graphs by.
struct SearchSample: Sendable {
  /// One query: a position, and its nearest others, nearest first; their row ids are positions.
  struct Question: Sendable {
    var position: Int
    var query: PreparedQuery
    var nearest: [Hit]
  }

  /// Neighbours that a search is taken to ask for.
  static let k = 10
  /// Queries for a recall: it is measured to about half a hundredth.
  static let size = 256
  /// Below so many vectors a search is exact, or next to it.
  private static let smallest = 2_000
  /// The nearest neighbours of each query that are known.
  private static let depth = 200

  private(set) var questions: [Question]

  init(_ questions: [Question]) { self.questions = questions }

  /// - Parameter size: questions.
  /// - Returns: without questions when there are too few vectors to ask.
  /// - Complexity: O(vectors x size x dimensions), from the cache, shared out to the threads.
  /// - Throws: `BuildError.cancelled`.
  init(_ vectors: DistinctVectors, size: Int = Self.size, options: BuildOptions) throws {
    let isWorthIt = vectors.count >= Self.smallest
    let positions = isWorthIt ? Self.spread(size, over: 0..<vectors.count) : []
    try self.init(vectors, positions: positions, depth: Self.depth, options: options)
  }

  /// Positions that lie about evenly in a range; all of them where there are no more.
  static func spread(_ count: Int, over range: Range<Int>) -> [Int] {
    if count >= range.count { return Array(range) }
    let step = range.count / max(count, 1)
    // Off the grid, so that a period in the data does not pick one kind of row.
    return (0..<count).map { range.lowerBound + $0 * step + ($0 * 7919) % step }
  }

  /// - Parameters:
  ///   - positions: of the questions.
  ///   - depth: how many of the nearest of each are to be known.
  /// - Complexity: O(vectors x positions x dimensions), from the cache, shared out to the threads.
  /// - Throws: `BuildError.cancelled`.
  init(_ vectors: DistinctVectors, positions: [Int], depth: Int = Self.k, options: BuildOptions) throws {
    questions = []
    let configuration = vectors.configuration
    for position in positions {
      let vector = unsafe UnsafeBufferPointer(
        start: vectors.vectors + position * vectors.stride, count: configuration.dimensions)
      let query = unsafe try PreparedQuery(
        vector, dimensions: configuration.dimensions, metric: configuration.metric)
      questions.append(Question(position: position, query: query, nearest: []))
    }
    let asked = questions
    let answers = Locked(questions)
    let memory = unsafe RowMemory(vectors.vectors, stride: vectors.stride * 4)
    let count = vectors.count
    let rows = unsafe VectorKernels(configuration.metric).rows
    Parallel.chunks(asked.count, chunk: min(32, max(asked.count / 2, 1)), threads: options.threads) { _, range in
      if options.isCancelled() { return }
      let found = unsafe Self.nearest(to: asked[range], depth: depth, memory, count, rows)
      options.work.addScores(range.count * count)
      answers.withLock { answers in
        for (i, hits) in zip(range, found) { answers[i].nearest = hits }
      }
    }
    if options.isCancelled() { throw BuildError.cancelled }
    questions = answers.withLock { $0 }
  }

  /// By brute force, over blocks of vectors that stay in the cache for all questions.
  private static func nearest(
    to questions: ArraySlice<Question>, depth: Int, _ vectors: RowMemory, _ count: Int, _ rows: vidx_score_rows_f32
  ) -> [[Hit]] {
    let stride = vectors.stride / 4
    let base = unsafe vectors.base.assumingMemoryBound(to: Float.self)
    let block = max(16, (256 << 10) / (stride * 4))
    var nearest = questions.map { _ in TopK(k: depth) }
    let scores = UnsafeMutablePointer<Float>.allocate(capacity: block)
    defer { unsafe scores.deallocate() }
    var start = 0
    while start < count {
      let width = min(block, count - start)
      for (i, question) in questions.enumerated() {
        unsafe rows(question.query.floats, base + start * stride, stride, width, stride, scores)
        for j in 0..<width where unsafe scores[j] <= nearest[i].threshold && start + j != question.position {
          unsafe nearest[i].offer(Hit(score: scores[j], rowID: Int64(start + j)))
        }
      }
      start += width
    }
    return nearest.map { $0.sorted() }
  }
}

extension SearchSample {
  /// Calls `body` with each question and the estimates of its nearest, in their order.
  /// - Parameter refined: with the bits of the codec's extension.
  func estimate(with coded: CodedVectors, refined: Bool, _ body: (Question, [Float]) -> Void) {
    let query = CodedQuery(coded.space)
    let rows = coded.rows
    for question in questions {
      unsafe query.prepare(question.query.floats)
      let ids = question.nearest.map { UInt32($0.rowID) }
      var estimates = [Float](repeating: 0, count: ids.count)
      if refined, let refine = unsafe coded.kernels.refine, let extensions = coded.extensions {
        unsafe refine(
          query.raw, rows.base, rows.stride, extensions.base, extensions.stride, ids, ids.count, &estimates, nil)
      } else {
        unsafe coded.kernels.ids(query.raw, rows.base, rows.stride, ids, ids.count, &estimates)
      }
      body(question, estimates)
    }
  }

  /// How many of the nearest by estimate hold the true k nearest, in nineteen of twenty questions; of those known.
  func depthNeeded(by coded: CodedVectors, refined: Bool) -> Int {
    var depths: [Int] = []
    estimate(with: coded, refined: refined) { _, estimates in
      let worst = estimates.prefix(Self.k).max() ?? 0
      depths.append(estimates.count { $0 <= worst })
    }
    depths.sort()
    return depths.isEmpty ? Self.k : depths[depths.count * 19 / 20]
  }

  /// Candidates that a walk has to keep beyond what it is asked for.
  static func spare(_ depth: Int) -> Int { max(depth - k, 0) }
}
