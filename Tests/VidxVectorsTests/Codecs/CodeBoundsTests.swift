import Testing
import VidxVectors

@Suite struct CodeBoundsTests {
  private static let hardCodecs: [Codec] = [.f16, .int8, .int4]

  @Test("Hard bounds bind the exact score and that of the f32 kernels", arguments: hardCodecs, Metric.allCases)
  func hardBounds(codec: Codec, metric: Metric) throws {
    guard codec.supports(metric) else { return }
    for dimensions in [1, 2, 3, 7, 16, 33, 100, 384, 1536] {
      let vectors = modelVectors(count: 60, dimensions: dimensions, unit: metric == .cosine, seed: 1)
      let queries = modelVectors(count: 6, dimensions: dimensions, unit: metric == .cosine, seed: 2) + vectors[..<3]
      let space = try standardSpace(codec, metric, dimensions: dimensions, origin: mean(vectors))
      let rows = try CodedRows(space, vectors)
      for query in queries {
        for (row, estimate) in try rows.estimates(prepared(space, query)).enumerated() {
          let error = abs(Double(estimate.score) - exactScore(metric, query, vectors[row]))
          #expect(error <= Double(estimate.bound), "dimensions \(dimensions), row \(row)")
          let kernelScore = unsafe VectorKernels(metric).one(query, vectors[row], dimensions)
          #expect(abs(estimate.score - kernelScore) <= estimate.bound, "dimensions \(dimensions), row \(row)")
        }
      }
    }
  }

  @Test("Hard bounds bind around other centres and far from the origin", arguments: [Codec.int8, .int4], codedMetrics)
  func boundsOfMovedCentres(codec: Codec, metric: Metric) throws {
    let dimensions = 96
    for offset: Float in [0, 3] {
      let vectors = modelVectors(count: 60, dimensions: dimensions, unit: metric == .cosine, seed: 3)
        .map { metric == .cosine ? $0 : $0.map { $0 + offset } }
      let queries = modelVectors(count: 6, dimensions: dimensions, unit: metric == .cosine, seed: 4)
      let centre = vectors[7]
      let parameters = try CodecParameters(
        codec: codec, metric: metric, dimensions: dimensions, rotationSeed: 5, origin: mean(vectors))
      let space = CodecSpace(parameters)
      let rows = try CodedRows(space, vectors, centre: centre)
      for vector in queries {
        let query = prepared(space, vector)
        unsafe query.moveCentre(centre)
        let estimates = try rows.estimates(query)
        let score = Float(exactScore(metric == .l2 ? .l2 : .innerProduct, vector, centre))
        query.moveCentre(score: score, squaredDistance: Float(exactScore(.l2, vector, centre)))
        let again = try rows.estimates(query)
        for (row, estimate) in estimates.enumerated() {
          let exact = exactScore(metric, vector, vectors[row])
          #expect(abs(Double(estimate.score) - exact) <= Double(estimate.bound))
          #expect(abs(estimate.score - again[row].score) < 1e-5 * (abs(estimate.score) + abs(score) + 1))
        }
      }
    }
  }

  @Test("Bounds are of use: a small part of what scores differ by", arguments: codedMetrics)
  func boundsAreTight(metric: Metric) throws {
    let vectors = modelVectors(count: 200, dimensions: 384, unit: metric == .cosine, seed: 5)
    let query = modelVectors(count: 1, dimensions: 384, unit: metric == .cosine, seed: 6)[0]
    let scores = vectors.map { exactScore(metric, query, $0) }
    let spread = scores.max()! - scores.min()!
    for (codec, share) in [(Codec.f16, 0.01), (.int8, 0.15), (.int4, 2)] {
      let space = try standardSpace(codec, metric, dimensions: 384, origin: mean(vectors))
      let estimates = try CodedRows(space, vectors).estimates(prepared(space, query))
      let average = estimates.reduce(0) { $0 + Double($1.bound) } / 200
      #expect(average < share * spread, "\(codec): \(average) of \(spread)")
    }
  }

  /// Errors of RaBitQ estimates over `trials` rotations: the mean, in standard errors, and the share beyond the bound.
  private static func errors(
    _ codec: Codec, _ metric: Metric, refined: Bool, trials: UInt64
  ) throws -> (bias: Double, beyond: Double) {
    let dimensions = 128
    let vectors = modelVectors(count: 20, dimensions: dimensions, unit: metric == .cosine, seed: 7)
    let queries = modelVectors(count: 4, dimensions: dimensions, unit: metric == .cosine, seed: 8)
    let exact = queries.map { query in vectors.map { exactScore(metric, query, $0) } }
    var sums = [Double](repeating: 0, count: 80)
    var squares = sums
    var beyond = 0
    for seed in 0..<trials {
      let space = CodecSpace(
        try .standard(codec, metric, dimensions: dimensions, origin: mean(vectors), seed: seed))
      let rows = try CodedRows(space, vectors)
      for (q, query) in queries.enumerated() {
        for (row, estimate) in try rows.estimates(prepared(space, query), refined: refined).enumerated() {
          let error = Double(estimate.score) - exact[q][row]
          sums[q * 20 + row] += error
          squares[q * 20 + row] += error * error
          if abs(error) > Double(estimate.bound) { beyond += 1 }
        }
      }
    }
    // Mean over pairs of the squared mean error in units of its variance: 1 when there is no bias.
    let bias = (0..<80).reduce(0.0) { $0 + sums[$1] * sums[$1] / squares[$1] } / 80
    return (bias, Double(beyond) / Double(80 * trials))
  }

  @Test("RaBitQ is unbiased and keeps its bound", arguments: codedMetrics)
  func rabitq(metric: Metric) throws {
    let (bias, beyond) = try Self.errors(.rabitq, metric, refined: false, trials: 200)
    #expect(bias < 2, "squared bias \(bias)")
    // 1.9 standard deviations of a normal distribution leave 5.7 %.
    #expect(beyond > 0.01 && beyond < 0.08, "\(beyond) beyond the bound")
  }

  @Test("So are its extensions, and each is closer", arguments: [Codec.rabitq2, .rabitq4, .rabitq6])
  func extensions(codec: Codec) throws {
    let (bias, beyond) = try Self.errors(codec, .cosine, refined: true, trials: 100)
    #expect(bias < 2, "squared bias \(bias)")
    #expect(beyond < 0.08, "\(beyond) beyond the bound")
    let (_, ofSigns) = try Self.errors(codec, .cosine, refined: false, trials: 20)
    #expect(ofSigns < 0.08)
  }

  @Test("Near vectors do not seem farther than they are", arguments: integerCodecs, codedMetrics)
  func nearIsUnbiased(codec: Codec, metric: Metric) throws {
    let vectors = modelVectors(count: 200, dimensions: 192, unit: metric == .cosine, seed: 11)
    let space = try standardSpace(codec, metric, dimensions: 192, origin: mean(vectors))
    let rows = try CodedRows(space, vectors)
    let noise = modelVectors(count: 200, dimensions: 192, unit: true, seed: 12)
    var (sum, squares) = (0.0, 0.0)
    for row in 0..<200 {
      let length = Float(exactScore(.l2, vectors[row], Array(repeating: 0, count: 192)).squareRoot())
      let near = zip(vectors[row], noise[row]).map { $0 + 0.3 * length * $1 }
      let estimate = try rows.estimates(prepared(space, near))[row]
      let error = Double(estimate.score) - exactScore(metric, near, vectors[row])
      sum += error
      squares += error * error
    }
    // Without bias the mean of 200 is some 0.07 of the root mean square.
    #expect(abs(sum / 200) < 0.3 * (squares / 200).squareRoot())
  }

  @Test("More bits, smaller errors", arguments: codedMetrics)
  func ordered(metric: Metric) throws {
    let vectors = modelVectors(count: 100, dimensions: 384, unit: metric == .cosine, seed: 9)
    let query = modelVectors(count: 1, dimensions: 384, unit: metric == .cosine, seed: 10)[0]
    let errors = try [Codec.rabitq, .rabitq2, .int4, .rabitq4, .rabitq6, .int8, .f16].map { codec in
      let space = try standardSpace(codec, metric, dimensions: 384, origin: mean(vectors))
      let estimates = try CodedRows(space, vectors).estimates(prepared(space, query))
      let squares = zip(estimates, vectors).map { pow2(Double($0.score) - exactScore(metric, query, $1)) }
      return squares.reduce(0, +)
    }
    #expect(errors.dropLast(2).last! > errors.last!, "halves are closer than codes of seven bits")
    for (more, fewer) in [(1, 0), (2, 1), (3, 2), (4, 3)] { #expect(errors[more] < errors[fewer], "\(errors)") }
  }

  private func pow2(_ x: Double) -> Double { x * x }
}
