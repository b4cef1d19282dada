import CVidxKernels
import Testing
import VidxVectors

@Suite struct CodeKernelsTests {
  /// Codes, queries and estimates of one instruction set, as bits.
  private static func outcome(
    _ codec: Codec, _ metric: Metric, dimensions: Int, isa: String, shift: Int = 0
  ) throws -> [UInt32] {
    let vectors = modelVectors(count: 7, dimensions: dimensions, unit: metric == .cosine, seed: 1)
    let space = try standardSpace(codec, metric, dimensions: dimensions, origin: mean(vectors), isa: isa)
    let rows = try CodedRows(space, vectors, shift: shift, padding: shift % 3 * 16)
    let query = prepared(
      space, modelVectors(count: 1, dimensions: dimensions, unit: metric == .cosine, seed: 2)[0])
    let whole = try rows.estimates(query, isa: isa)
    let first = try rows.estimates(query, isa: isa, refined: false)
    return rows.bytes.map { UInt32($0) } + (whole + first).flatMap { [$0.score.bitPattern, $0.bound.bitPattern] }
  }

  @Test("Codes, estimates and bounds have the scalar kernels' bits", arguments: codeISAs, integerCodecs)
  func bitsAgree(isa: String, codec: Codec) throws {
    for dimensions in codedDimensions {
      let metric = codedMetrics[dimensions % 3]
      let expected = try Self.outcome(codec, metric, dimensions: dimensions, isa: "scalar")
      let actual = try Self.outcome(codec, metric, dimensions: dimensions, isa: isa)
      #expect(actual == expected, "dimensions \(dimensions)")
    }
  }

  @Test("Alignment changes nothing", arguments: codeISAs, integerCodecs)
  func alignmentChangesNothing(isa: String, codec: Codec) throws {
    for dimensions in [1, 31, 64, 130, 200, 384] {
      let expected = try Self.outcome(codec, .l2, dimensions: dimensions, isa: isa)
      for shift in [1, 2, 4, 15, 16, 33, 48] {
        let shifted = try Self.outcome(codec, .l2, dimensions: dimensions, isa: isa, shift: shift)
        #expect(shifted == expected, "dimensions \(dimensions), shift \(shift)")
      }
    }
  }

  @Test("The estimate is the formula's", arguments: codeISAs, integerCodecs)
  func formula(isa: String, codec: Codec) throws {
    for dimensions in [1, 2, 15, 16, 17, 63, 64, 65, 127, 128, 129, 384] {
      let vectors = modelVectors(count: 5, dimensions: dimensions, unit: false, seed: 3)
      let space = try standardSpace(codec, .l2, dimensions: dimensions, origin: mean(vectors), isa: isa)
      let rows = try CodedRows(space, vectors)
      let query = prepared(space, modelVectors(count: 1, dimensions: dimensions, unit: false, seed: 4)[0])
      let q = unsafe query.raw.pointee
      for (row, estimate) in try rows.estimates(query, isa: isa).enumerated() {
        // What the row decodes to, in the space of the residuals, is offset + scale * code.
        var decoded = [Float](repeating: 0, count: dimensions + 32)
        let add = unsafe Self.decode(rows, row, &decoded)
        let isCoarse = codec == .rabitq
        let dot = (0..<dimensions).reduce(0.0) { sum, i in
          let value = unsafe isCoarse ? Self.coarseValue(q.planes!, i) : Int(q.values![i])
          return sum + Double(value) * Double(decoded[i])
        }
        let expected = unsafe q.constant + add - 2 * (isCoarse ? q.coarse_scale : q.scale) * dot
        let room = unsafe 1e-5 * (abs(q.constant) + abs(add) + 1)
        #expect(abs(Double(estimate.score) - expected) <= room, "dimensions \(dimensions), row \(row)")
      }
    }
  }

  /// Dimension i of a query's bit planes.
  private static func coarseValue(_ planes: UnsafePointer<UInt8>, _ i: Int) -> Int {
    let bits = (0..<4).map { unsafe Int(planes[i / 128 * 64 + 16 * $0 + i / 8 % 16]) >> (i % 8) & 1 }
    return bits[0] + 2 * bits[1] + 4 * bits[2] - 8 * bits[3]
  }

  @Test("The coarse query is near the query", arguments: codeISAs)
  func coarseQuery(isa: String) throws {
    for dimensions in [3, 64, 100, 128, 129, 384, 1000] {
      let space = try standardSpace(.rabitq, .l2, dimensions: dimensions, isa: isa)
      let query = prepared(space, modelVectors(count: 1, dimensions: dimensions, unit: false, seed: 4)[0])
      let q = unsafe query.raw.pointee
      var (lost, norm, sum) = (0.0, 0.0, 0)
      for i in 0..<dimensions {
        let fine = unsafe q.scale * Double(q.values![i])
        let coarse = unsafe Self.coarseValue(q.planes!, i)
        unsafe lost += (fine - q.coarse_scale * Double(coarse)) * (fine - q.coarse_scale * Double(coarse))
        norm += fine * fine
        sum += coarse
      }
      #expect(lost < 0.03 * norm, "\(dimensions) dimensions: \(lost) of \(norm)")
      #expect(unsafe q.coarse_sum == Double(sum))
      let planes = (0..<(dimensions + 127) / 128 * 128).map { unsafe Self.coarseValue(q.planes!, $0) }
      #expect(planes[dimensions...].allSatisfy { $0 == 0 })
    }
  }

  /// Decodes into the space of the residuals, by rotating the decoded vector as the encoder does; returns `add`.
  private static func decode(_ rows: CodedRows, _ row: Int, _ out: UnsafeMutablePointer<Float>) -> Double {
    let parameters = rows.space.parameters
    unsafe rows.space.decode(rows.row(row), extension: rows.extensionRow(row), into: out)
    for i in 0..<parameters.dimensions { unsafe out[i] -= parameters.origin?[i] ?? 0 }
    if let seed = parameters.rotationSeed {
      unsafe Rotation(dimensions: parameters.dimensions, seed: seed).apply(out)
    }
    let codec = parameters.codec
    let tail =
      unsafe rows.extensionRow(row).map { unsafe $0 + codec.extensionRowBytes(dimensions: parameters.dimensions) - 16 }
      ?? (rows.row(row) + codec.codeBytes(dimensions: parameters.dimensions))
    return unsafe Double(tail.loadUnaligned(as: Float.self))
  }

  @Test("All forms and counts agree", arguments: codeISAs, Codec.allCases)
  func formsAgree(isa: String, codec: Codec) throws {
    for dimensions in [1, 16, 50, 129, 384] {
      for metric in Metric.allCases where codec.supports(metric) {
        let vectors = modelVectors(count: 23, dimensions: dimensions, unit: metric == .cosine, seed: 5)
        let space = try standardSpace(codec, metric, dimensions: dimensions, origin: mean(vectors), isa: isa)
        let rows = try CodedRows(space, vectors, padding: codec.isInteger ? 16 : 64)
        let query = prepared(space, vectors[3])
        let expected = try rows.estimates(query, isa: isa, refined: false)
        try Self.check(rows, query, isa: isa, expected: expected.map(\.score), bounds: expected.map(\.bound))
      }
    }
  }

  private static func check(
    _ rows: CodedRows, _ query: CodedQuery, isa: String, expected: [Float], bounds: [Float]
  ) throws {
    let kernels = try CodeKernels(rows.space.parameters.codec, rows.space.parameters.metric, isa: isa)
    for count in 0...23 {
      let ids = (0..<count).map { UInt32($0 * 5 % 23) }
      let picked = ids.map { expected[Int($0)] }
      var plain = [Float](repeating: -7, count: 24)
      var (bounded, bound) = (plain, plain)
      unsafe kernels.ids(query.raw, rows.first, rows.stride, ids, count, &plain)
      unsafe kernels.boundedIDs(query.raw, rows.first, rows.stride, ids, count, &bounded, &bound)
      #expect(plain[..<count].elementsEqual(picked) && bounded == plain)
      #expect(bound[..<count].elementsEqual(ids.map { bounds[Int($0)] }))
      #expect((plain[count...] + bound[count...]).allSatisfy { $0 == -7 }, "count \(count): wrote beyond")
      unsafe kernels.rows(query.raw, rows.first, rows.stride, count, &plain)
      unsafe kernels.boundedRows(query.raw, rows.first, rows.stride, count, &bounded, &bound)
      #expect(plain[..<count] == expected[..<count] && bounded == plain)
      #expect(bound[..<count] == bounds[..<count])
      #expect((plain[count...] + bound[count...]).allSatisfy { $0 == -7 }, "count \(count): wrote beyond")
    }
  }

  @Test("No byte beyond the last row is touched")
  func staysInside() async {
    await #expect(processExitsWith: .success) { try CodeKernelsTests.scoreBeforeTraps() }
  }

  private static func scoreBeforeTraps() throws {
    let memory = try #require(GuardedFloats())
    let extensionMemory = try #require(GuardedFloats())
    var out = [Float](repeating: 0, count: 5)
    var bounds = out
    for (codec, dimensions) in Codec.allCases.flatMap({ codec in (1...130).map { (codec, $0) } }) {
      let vectors = modelVectors(count: 5, dimensions: dimensions, unit: true, seed: 6)
      let space = try standardSpace(codec, .cosine, dimensions: dimensions, origin: vectors[0])
      let coded = try CodedRows(space, vectors)
      let query = prepared(space, vectors[1])
      let rows = unsafe UnsafeMutableRawPointer(memory.last(5 * coded.stride / 4))
      let extensions = unsafe UnsafeMutableRawPointer(extensionMemory.last(5 * coded.extensionStride / 4))
      unsafe rows.copyMemory(from: coded.first, byteCount: 5 * coded.stride)
      if let first = unsafe coded.firstExtension {
        unsafe extensions.copyMemory(from: first, byteCount: 5 * coded.extensionStride)
      }
      for isa in codeISAs {
        let kernels = try CodeKernels(codec, .cosine, isa: isa)
        unsafe kernels.rows(query.raw, rows, coded.stride, 5, &out)
        unsafe kernels.boundedIDs(query.raw, rows, coded.stride, [4, 3, 4, 0, 4], 5, &out, &bounds)
        if let refine = unsafe kernels.refine {
          unsafe refine(
            query.raw, rows, coded.stride, extensions, coded.extensionStride, [4, 3, 4, 0, 4], 5, &out, nil)
        }
      }
    }
  }

  @Test("Refinement writes as many as asked, with and without bounds", arguments: machineISAs)
  func refineForms(isa: String) throws {
    for codec: Codec in [.rabitq2, .rabitq4, .rabitq6] {
      let vectors = modelVectors(count: 11, dimensions: 77, unit: true, seed: 6)
      let space = try standardSpace(codec, .cosine, dimensions: 77, origin: mean(vectors), isa: isa)
      let rows = try CodedRows(space, vectors)
      let query = prepared(space, vectors[0])
      let expected = try rows.estimates(query, isa: isa).map(\.score)
      let refine = try unsafe #require(CodeKernels(codec, .cosine, isa: isa).refine)
      for count in 0...11 {
        let ids = (0..<count).map { UInt32($0 * 3 % 11) }
        var scores = [Float](repeating: -7, count: 12)
        unsafe refine(
          query.raw, rows.first, rows.stride, rows.firstExtension!, rows.extensionStride, ids, count, &scores, nil)
        #expect(scores[..<count].elementsEqual(ids.map { expected[Int($0)] }))
        #expect(scores[count...].allSatisfy { $0 == -7 })
      }
    }
  }

  @Test("Rows of halves score as the halves do", arguments: machineISAs, Metric.allCases)
  func halves(isa: String, metric: Metric) throws {
    for dimensions in codedDimensions {
      let vectors = modelVectors(count: 5, dimensions: dimensions, unit: metric == .cosine, seed: 7)
      let space = try standardSpace(.f16, metric, dimensions: dimensions, isa: isa)
      let rows = try CodedRows(space, vectors, shift: dimensions % 2 * 2)
      let query = modelVectors(count: 1, dimensions: dimensions, unit: metric == .cosine, seed: 8)[0]
      for (row, estimate) in try rows.estimates(prepared(space, query), isa: isa).enumerated() {
        var decoded = [Float](repeating: 0, count: dimensions + 16)
        unsafe space.decode(rows.row(row), into: &decoded)
        let reference = unsafe ReferenceScore(metric, query, decoded, dimensions)
        let room = (Double(dimensions / 16 + 16) * 0x1p-24) * reference.magnitude
        #expect(abs(Double(estimate.score) - reference.score) <= room, "dimensions \(dimensions), row \(row)")
      }
    }
  }

  @Test("f32 as a codec is the f32 kernels", arguments: machineISAs, Metric.allCases)
  func floats(isa: String, metric: Metric) throws {
    let vectors = modelVectors(count: 9, dimensions: 50, unit: metric == .cosine, seed: 9)
    let rows = try CodedRows(try standardSpace(.f32, metric, dimensions: 50, isa: isa), vectors)
    let kernels = VectorKernels(metric, isa: isa)
    for (row, estimate) in try rows.estimates(prepared(rows.space, vectors[1]), isa: isa).enumerated() {
      let score = unsafe kernels.one(vectors[1], vectors[row], 50)
      #expect(estimate.score == score && estimate.bound == 0)
    }
  }

  @Test("Halves convert as the hardware does", arguments: machineISAs)
  func halfConversion(isa: String) throws {
    let table = try unsafe #require(vidx_codes_named(isa)).pointee
    let all: ClosedRange<UInt16> = 0...UInt16.max
    var halves = all.filter { (half: UInt16) -> Bool in half & 0x7C00 != 0x7C00 || half & 0x3FF == 0 }
    halves += Array(repeating: 0, count: (16 - halves.count % 16) % 16)
    var floats = [Float](repeating: 0, count: halves.count)
    unsafe table.from_half(halves, halves.count, &floats)
    var back = [UInt16](repeating: 1, count: halves.count)
    unsafe table.to_half(floats, halves.count, &back)
    #expect(back == halves)
    #expect(floats[1] == 0x1p-24 && floats[0x3C00] == 1 && floats[0x7BFF] == 65_504)
    // Between two halves: the nearer, and the even one half way; 65,520 is half way to what would come next.
    let between: [Float] = [
      1 + 0x1p-11, 1 + 0x1p-10 + 0x1p-11, 1 + 0x1.8p-11, 65_519, 65_520, 0x1p-25, 0x1.8p-25, 0x3p-25, 0, -0x1p-15,
      0x1p-14 - 0x1p-26, 3, 0, 0, 0, 0,
    ]
    unsafe table.to_half(between, 16, &back)
    #expect(
      Array(back[..<12]) == [
        0x3C00, 0x3C02, 0x3C01, 0x7BFF, 0x7C00, 0, 1, 2, 0, 0x8200, 0x0400, 0x4200,
      ])
  }
}
