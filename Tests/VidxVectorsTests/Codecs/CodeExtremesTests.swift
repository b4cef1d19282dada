import Testing
import VidxVectors

@Suite struct CodeExtremesTests {
  /// Vectors at the limits of what an index takes, by name.
  static func extremes(_ dimensions: Int) -> [[Float]] {
    let huge = Float(0x1p62) / Float(dimensions).squareRoot()
    func oneHot(_ at: Int, _ value: Float) -> [Float] { (0..<dimensions).map { $0 == at ? value : 0 } }
    let wave = (0..<dimensions).map { Float($0 % 7) - 3 }
    return [
      Array(repeating: 0, count: dimensions), Array(repeating: -0.0, count: dimensions),
      Array(repeating: 0.25, count: dimensions), Array(repeating: huge * 0.99, count: dimensions),
      Array(repeating: -huge * 0.99, count: dimensions), oneHot(0, 0x1p62), oneHot(dimensions - 1, -0x1p62),
      oneHot(dimensions / 2, 1), oneHot(0, 0x1p-149), Array(repeating: 0x1p-149, count: dimensions),
      wave.map { $0 * 0x1p-147 }, wave.map { $0 * 0x1p-126 }, wave.map { $0 * huge / 4 }, wave,
      wave.map { $0 * 0x1p-70 },
    ]
  }

  @Test("Estimates are finite, whatever is coded and asked", arguments: codeISAs, integerCodecs)
  func finite(isa: String, codec: Codec) throws {
    for dimensions in [1, 2, 5, 48, 384, 2000] {
      let vectors = Self.extremes(dimensions)
      for metric in [Metric.innerProduct, .l2] {
        for origin in [nil, vectors[13], vectors[3]] {
          let space = try standardSpace(codec, metric, dimensions: dimensions, origin: origin, isa: isa)
          let rows = try CodedRows(space, vectors)
          for vector in vectors {
            let query = prepared(space, vector)
            for refined in [true, false] {
              for (row, estimate) in try rows.estimates(query, isa: isa, refined: refined).enumerated() {
                #expect(estimate.score.isFinite, "\(metric), \(dimensions) dimensions, row \(row)")
                #expect(!estimate.bound.isNaN && estimate.bound >= 0)
              }
            }
          }
        }
      }
    }
  }

  @Test("Hard bounds bind extremes too", arguments: [Codec.int8, .int4], [Metric.innerProduct, .l2])
  func bounds(codec: Codec, metric: Metric) throws {
    for dimensions in [1, 2, 5, 48, 384] {
      let vectors = Self.extremes(dimensions)
      let space = try standardSpace(codec, metric, dimensions: dimensions)
      let rows = try CodedRows(space, vectors)
      for vector in vectors {
        for (row, estimate) in try rows.estimates(prepared(space, vector)).enumerated() {
          let exact = exactScore(metric, vector, vectors[row])
          let error = abs(Double(estimate.score) - exact)
          // Below 2^-126 a float's steps are absolute.
          #expect(error <= Double(estimate.bound) + 0x1p-120, "\(dimensions) dimensions, row \(row): \(error)")
        }
      }
    }
  }

  @Test("Halves refuse what they cannot hold, and take all else")
  func halves() throws {
    let space = try standardSpace(.f16, .l2, dimensions: 4)
    #expect(throws: CodecError.beyondHalf(row: 1)) {
      try CodedRows(space, [[0, 0, 0, 0], [0, 0, 65_520, 0]])
    }
    #expect(throws: CodecError.beyondHalf(row: 0)) { try CodedRows(space, [[0, 0, 0, .nan]]) }
    let rows = try CodedRows(space, [[65_519, -65_504, 0x1p-24, -0x1p-30]])
    var decoded = [Float](repeating: 1, count: 16)
    unsafe space.decode(rows.row(0), into: &decoded)
    #expect(decoded[..<4] == [65_504, -65_504, 0x1p-24, 0])
  }
}

@Suite struct CodeRoundTripTests {
  @Test("A row decodes to its vector, as far as its bits go", arguments: Codec.allCases)
  func decodes(codec: Codec) throws {
    let limits: [Codec: Double] = [
      .f32: 0, .f16: 0.0005, .int8: 0.02, .int4: 0.14, .rabitq: 0.9, .rabitq2: 0.22, .rabitq4: 0.06, .rabitq6: 0.017,
    ]
    for dimensions in codedDimensions where dimensions > 60 {
      let vectors = modelVectors(count: 4, dimensions: dimensions, unit: true, seed: 1)
      let space = try standardSpace(codec, .cosine, dimensions: dimensions, origin: vectors[3].map { 0.1 * $0 })
      let rows = try CodedRows(space, vectors)
      for row in 0..<4 {
        var decoded = [Float](repeating: 0, count: dimensions + 16)
        unsafe space.decode(rows.row(row), extension: rows.extensionRow(row), into: &decoded)
        let error = exactScore(.l2, vectors[row], Array(decoded[..<dimensions])).squareRoot()
        #expect(error <= limits[codec]! * 1.4, "dimensions \(dimensions)")
      }
    }
  }

  @Test("Blocks and threads make the same rows as one call", arguments: Codec.allCases)
  func blocks(codec: Codec) throws {
    let vectors = modelVectors(count: 9, dimensions: 70, unit: true, seed: 2)
    let space = try standardSpace(codec, .cosine, dimensions: 70, origin: mean(vectors))
    let whole = try CodedRows(space, vectors).bytes
    let single = try vectors.flatMap { try CodedRows(space, [$0]).bytes }
    #expect(whole == single)
  }

  @Test("A stored row as the query scores as its decoded vector", arguments: Codec.allCases, codedMetrics)
  func rowAsQuery(codec: Codec, metric: Metric) throws {
    for dimensions in [3, 64, 130, 384] {
      let vectors = modelVectors(count: 12, dimensions: dimensions, unit: metric == .cosine, seed: 3)
      let space = try standardSpace(codec, metric, dimensions: dimensions, origin: mean(vectors))
      let rows = try CodedRows(space, vectors)
      let query = CodedQuery(space)
      for row in 0..<12 {
        unsafe query.prepare(row: rows.row(row), extension: rows.extensionRow(row))
        let estimates = try rows.estimates(query).map(\.score)
        var decoded = [Float](repeating: 0, count: dimensions + 16)
        unsafe space.decode(rows.row(row), extension: rows.extensionRow(row), into: &decoded)
        let expected = try rows.estimates(prepared(space, Array(decoded[..<dimensions]))).map(\.score)
        // They differ by what rows keep of the vector itself, and by the same amount for all rows.
        let shifts = zip(estimates, expected).map { $0 - $1 }
        let scale = Float(expected.map(\.magnitude).max()!)
        #expect(shifts.max()! - shifts.min()! <= 2e-3 * scale, "\(dimensions) dimensions")
      }
    }
  }
}
