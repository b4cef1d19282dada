import CVidxKernels
import VidxVectors

/// Chooses the codec of a flat index, or of lists, by what a search would cost: a scan of the codes, and the full
/// vectors that their bounds leave over, counted for some questions on this data.
///
/// Costs are a model of counts: bytes, rows and candidates. No clock is read, so the choice is the same on every run
/// and machine.
struct ScanCodecChooser {
  private let vectors: DistinctVectors
  /// Of the vectors.
  private let mean: [Float]
  /// Vectors that a search looks at.
  private let scanned: Double
  private let mustBeExact: Bool
  private let sample: SearchSample
  /// The vectors that codes are tried on: the nearest of each question, then some of all, evenly.
  private let tried: VectorMatrix
  private let restCount: Int

  static let exactCandidates: [Codec] = [.int8, .int4, .f16]
  static let listCandidates: [Codec] = [.int8, .int4, .rabitq4, .f16]

  private static let questions = 16
  /// The nearest of a question that are all tried; of the others, one stands for many.
  private static let nearest = 100
  private static let mostOthers = 2_048
  /// A code must save a fifth: it costs space, and time to build.
  private static let leastGain = 0.8

  /// Nanoseconds; fitted on an AMD EPYC with AVX-512 to scans of 68,024 vectors of 384 dimensions, and not again since
  /// kernels became faster (int4 rows 1.5 times, one-bit rows 1.7 to 1.9 times): what they choose still measures best
  /// there, or nearly (docs/decisions/0003-ivf.md, "Codes").
  private enum Cost {
    /// Of a cache line that follows others.
    static let line = 2.2
    /// Of one that does not.
    static let farLine = 5.0
    /// Of all else there is to do for a row, more where codes are smaller than bytes, and for a row by its number.
    static let row = 1.5
    static let smallCode = 3.0
    static let farRow = 20.0
    /// Of a row that bounds do not exclude at once.
    static let candidate = 8.0
  }

  /// - Parameter share: of the vectors, what a search of lists looks at; nil for a flat index, which looks at all and
  ///   is to be exact.
  /// - Throws: `BuildError.cancelled`.
  init(_ vectors: DistinctVectors, mean: [Float], share: Double?, options: BuildOptions) throws {
    self.vectors = vectors
    self.mean = mean
    scanned = Double(vectors.count) * (share ?? 1)
    mustBeExact = share == nil
    sample = try SearchSample(vectors, size: Self.questions, options: options)
    restCount = sample.questions.isEmpty ? 0 : min(vectors.count, Self.mostOthers)
    let positions = sample.questions.flatMap { question in
      question.nearest.prefix(Self.nearest).map { Int($0.rowID) }
    }
    tried = VectorMatrix(count: positions.count + restCount, dimensions: vectors.configuration.dimensions)
    for (i, position) in positions.enumerated() {
      unsafe tried.setRow(i, to: vectors.vectors + position * vectors.stride)
    }
    for i in 0..<restCount {
      unsafe tried.setRow(
        positions.count + i, to: vectors.vectors + i * vectors.count / restCount * vectors.stride)
    }
  }

  /// - Throws: `BuildError.cancelled`.
  func choose(options: BuildOptions) throws(BuildError) -> Codec {
    var best = (codec: Codec.f32, cost: Self.leastGain * scan(of: .f32))
    if sample.questions.isEmpty { return best.codec }
    let metric = vectors.configuration.metric
    for codec in mustBeExact ? Self.exactCandidates : Self.listCandidates where codec.supports(metric) {
      // What reads more than the best so far costs in all need not be tried.
      guard scan(of: codec) < best.cost else { continue }
      let measured = Result { () throws(BuildError) in try measure(codec, options: options) }
      // Components beyond halves: not a code for these vectors.
      if case .failure(.codec(.beyondHalf)) = measured { continue }
      let left = try measured.get()
      // Lists may miss some of what full vectors find: of a hundred, one at most.
      if left.missed > (mustBeExact ? 0 : 0.01) { continue }
      let cost = cost(of: codec, left)
      if cost < best.cost { best = (codec, cost) }
    }
    return best.codec
  }

  private func scan(of codec: Codec) -> Double {
    let lines = Double(codec.rowBytes(dimensions: vectors.configuration.dimensions)) / 64
    let isSmall = codec.isInteger && codec != .int8
    return scanned * (lines * Cost.line + Cost.row + (isSmall ? Cost.smallCode : 0))
  }

  private func cost(of codec: Codec, _ left: Left) -> Double {
    func far(_ bytes: Int) -> Double { Double(bytes + 63) / 64 * Cost.farLine + Cost.farRow }
    let further = codec.extensionRowBytes(dimensions: vectors.configuration.dimensions)
    return scan(of: codec) + left.byCode * (Cost.candidate + (further == 0 ? 0 : far(further)))
      + left.inAll * far(vectors.stride * 4)
  }

  /// What the bounds of codes leave over, on average.
  struct Left: Equatable {
    /// Vectors that rows do not exclude.
    var byCode = 0.0
    /// Those that rows and extension rows do not exclude: full vectors to score.
    var inAll = 0.0
    /// The share of the true nearest that is excluded.
    var missed = 0.0
  }

  /// Asks the questions of some vectors in a code.
  /// - Throws: `BuildError.cancelled`, `.codec`.
  func measure(_ codec: Codec, options: BuildOptions) throws(BuildError) -> Left {
    let coding = unsafe try VectorCoding(
      tried.row(0), count: tried.count, codec, origin: mean, vectors.configuration, options: options)
    // The rows are in its memory.
    defer { withExtendedLifetime(coding) {} }
    let coded = coding.coded
    var left = Left()
    let query = CodedQuery(coded.space)
    var first = 0
    for question in sample.questions {
      unsafe query.prepare(question.query.floats)
      let near = first..<first + min(question.nearest.count, Self.nearest)
      first = near.upperBound
      let ids = near.map { UInt32($0) } + (tried.count - restCount..<tried.count).map { UInt32($0) }
      let lower = Lowers(coded, query, ids, near: near.count, share: boundShare(coded.codec))
      let limits = (lower.limit, refined: question.nearest[SearchSample.k - 1].score)
      let isFar = areFarther(question, ids, than: question.nearest[near.count - 1].score)
      let weight = Double(vectors.count) / Double(restCount)
      for i in ids.indices where i < near.count || isFar[i] {
        let isLeft = lower.byCode[i] <= limits.0
        let isLeftInAll = isLeft && lower.inAll[i] <= limits.refined
        let weight = i < near.count ? 1 : weight
        if isLeft { left.byCode += weight }
        if isLeftInAll { left.inAll += weight } else if i < SearchSample.k { left.missed += 1 }
      }
    }
    let count = Double(sample.questions.count)
    left.byCode /= count
    left.inAll /= count
    left.missed /= count * Double(SearchSample.k)
    return left
  }

  private func boundShare(_ codec: Codec) -> Float {
    mustBeExact ? 1 : codec.listBoundShare(dimensions: vectors.configuration.dimensions)
  }

  /// Whether each of the vectors is farther from a question than `score`.
  private func areFarther(_ question: SearchSample.Question, _ ids: [UInt32], than score: Float) -> [Bool] {
    let stride = vectors.stride
    var scores = [Float](repeating: 0, count: ids.count)
    let kernels = VectorKernels(vectors.configuration.metric)
    unsafe kernels.ids(question.query.floats, tried.row(0), stride, ids, ids.count, stride, &scores)
    return scores.map { $0 > score }
  }

  /// The lower bounds of some vectors' scores.
  private struct Lowers {
    var byCode: [Float]
    /// With the bits of the extension, where there is one.
    var inAll: [Float]
    /// The k-th least upper bound of the first `near`.
    let limit: Float

    init(_ coded: CodedVectors, _ query: CodedQuery, _ ids: [UInt32], near: Int, share: Float) {
      var scores = [Float](repeating: 0, count: ids.count)
      var errors = scores
      let rows = coded.rows
      unsafe coded.kernels.boundedIDs(query.raw, rows.base, rows.stride, ids, ids.count, &scores, &errors)
      limit = (0..<near).map { scores[$0] + errors[$0] * share }.sorted()[SearchSample.k - 1]
      byCode = ids.indices.map { scores[$0] - errors[$0] * share }
      inAll = byCode
      guard let refine = unsafe coded.kernels.refine, let extensions = coded.extensions else { return }
      unsafe refine(
        query.raw, rows.base, rows.stride, extensions.base, extensions.stride, ids, ids.count, &scores, &errors)
      inAll = ids.indices.map { scores[$0] - errors[$0] * share }
    }
  }
}
