import CVidxKernels
import Testing
import VidxVectors

/// Blocks of sixteen rows: what is below a limit, with the bits that rows by themselves have.
@Suite struct CodeBlocksTests {
  private struct Row: Equatable {
    var id: UInt32
    var score: UInt32
    var bound: UInt32
  }

  @Test("Blocks have the rows' bits, and what is below the limit", arguments: codeISAs, integerCodecs)
  func agreeWithRows(isa: String, codec: Codec) throws {
    for dimensions in codedDimensions + [16_000] {
      let metric = codedMetrics[dimensions % 3]
      let vectors = modelVectors(count: 53, dimensions: dimensions, unit: metric == .cosine, seed: 5)
      let space = try standardSpace(codec, metric, dimensions: dimensions, origin: mean(vectors), isa: isa)
      let queries = (0..<4).map { prepared(space, vectors[3 * $0]) }
      for (count, share) in [(1, 1), (15, 0.5), (16, 1), (17, 1), (53, 0.25)] as [(Int, Float)] {
        guard let blocks = try Blocks(CodedRows(space, Array(vectors[..<count])), isa) else { return }
        let scans = 1 + count % 4
        for place in [0, count / 2, count - 1] {
          try blocks.check(Array(queries[..<scans]), share: share) { $0.sorted()[place] }
        }
      }
    }
  }

  @Test("A limit at a score, or beside it, parts rows as it does without blocks", arguments: codeISAs, integerCodecs)
  func limitsAtScores(isa: String, codec: Codec) throws {
    for (dimensions, metric) in zip([3, 40, 384], codedMetrics) {
      for scale in [1, 1e-6, 1e9] as [Float] where metric != .cosine || scale == 1 {
        // Far from the origin, what is left of the terms of an estimate is small.
        let vectors = modelVectors(count: 64, dimensions: dimensions, unit: metric == .cosine, seed: 6)
          .map { $0.map { (metric == .cosine ? $0 : $0 * 0.01 + 30) * scale } }
        for origin in [mean(vectors), nil] {
          let space = try standardSpace(codec, metric, dimensions: dimensions, origin: origin, isa: isa)
          guard let blocks = try Blocks(CodedRows(space, vectors), isa) else { return }
          let queries = [0, 17, 40].map { prepared(space, vectors[$0]) }
          for place in 0..<64 {
            for moved in [0, -1, 1] {
              try blocks.check(queries, share: place % 2 == 0 ? 1 : 0.125) { lowers in
                moved == 0 ? lowers[place] : moved < 0 ? lowers[place].nextDown : lowers[place].nextUp
              }
            }
          }
        }
      }
    }
  }

  @Test("Extremes part as they do without blocks", arguments: codeISAs, integerCodecs)
  func extremes(isa: String, codec: Codec) throws {
    for dimensions in [1, 5, 48, 384] {
      let vectors = CodeExtremesTests.extremes(dimensions)
      for (metric, origin) in [(Metric.l2, nil), (.innerProduct, vectors[13]), (.l2, vectors[3])] {
        let space = try standardSpace(codec, metric, dimensions: dimensions, origin: origin, isa: isa)
        guard let blocks = try Blocks(CodedRows(space, vectors), isa) else { return }
        for vector in vectors {
          for place in vectors.indices { try blocks.check([prepared(space, vector)], share: 1) { $0[place] } }
          for limit in [Float.infinity, -.infinity, 0, .greatestFiniteMagnitude, 0x1p-149] {
            try blocks.check([prepared(space, vector)], share: 0.5) { _ in limit }
          }
        }
      }
    }
  }

  @Test("A query without bounds gets every row", arguments: codeISAs, integerCodecs)
  func unbounded(isa: String, codec: Codec) throws {
    let vectors = modelVectors(count: 20, dimensions: 64, unit: true, seed: 7)
    let space = try standardSpace(codec, .cosine, dimensions: 64, origin: mean(vectors), isa: isa)
    let rows = try CodedRows(space, vectors)
    guard let blocks = try Blocks(rows, isa) else { return }
    let query = CodedQuery(space)
    unsafe query.prepare(row: rows.row(3), extension: rows.extensionRow(3))
    try blocks.check([query], share: 1) { _ in -1 }
  }

  /// Coded rows in blocks, and what scoring them as rows says.
  @safe private struct Blocks {
    private let rows: CodedRows
    private let transposed: AlignedBuffer
    private let kernel: vidx_code_blocks
    private let isa: String

    /// Nil where there is no kernel for blocks.
    init?(_ rows: CodedRows, _ isa: String) throws {
      let parameters = rows.space.parameters
      guard let kernel = unsafe try CodeKernels(parameters.codec, parameters.metric, isa: isa).blocks else {
        return nil
      }
      unsafe self.kernel = kernel
      self.rows = rows
      self.isa = isa
      transposed = AlignedBuffer(byteCount: (rows.count + 15) / 16 * 16 * rows.stride)
      unsafe vidx_code_transpose(rows.first, rows.stride, rows.count, transposed.bytes)
      let block = unsafe UnsafeRawPointer(transposed.bytes + (rows.count - 1) / 16 * 16 * rows.stride)
      #expect(unsafe Self.isFilled(block, words: rows.stride / 4, from: (rows.count - 1) % 16), "\(rows.count) rows")
    }

    /// Whether the rows of a block after `last` are copies of it.
    private static func isFilled(_ block: UnsafeRawPointer, words: Int, from last: Int) -> Bool {
      (0..<words).allSatisfy { word in
        (last..<16).allSatisfy { row in
          unsafe block.load(fromByteOffset: 64 * word + 4 * row, as: UInt32.self)
            == block.load(fromByteOffset: 64 * word + 4 * last, as: UInt32.self)
        }
      }
    }

    /// Compares with rows at a limit that the rows' lower bounds choose.
    func check(_ queries: [CodedQuery], share: Float, limit: ([Float]) -> Float) throws {
      let expected = try queries.map { try rows.estimates($0, isa: isa, refined: false) }
      let limits = expected.map { limit($0.map { $0.score - $0.bound * share }) }
      for (number, found) in look(queries, share: share, limits: limits).enumerated() {
        let wanted = expected[number].enumerated()
          .filter { $0.element.score - $0.element.bound * share <= limits[number] }
          .map {
            Row(
              id: UInt32($0.offset), score: $0.element.score.bitPattern,
              bound: ($0.element.bound * share).bitPattern)
          }
        #expect(found == wanted, "\(rows.space.parameters.dimensions) dimensions, limit \(limits[number])")
      }
    }

    private func look(_ queries: [CodedQuery], share: Float, limits: [Float]) -> [[Row]] {
      let room = rows.count
      let found = AlignedBuffer(byteCount: queries.count * (room + 1) * 12)
      let untouched = UInt32.max
      for i in 0..<found.byteCount / 4 { unsafe found.words[i] = untouched }
      func column(_ number: Int, _ part: Int) -> Int { (3 * number + part) * (room + 1) }
      var scans = unsafe queries.indices.map { i in
        unsafe vidx_block_scan(
          query: queries[i].raw, share: share, limit: limits[i], ids: found.words + column(i, 0),
          scores: found.floats + column(i, 1), bounds: found.floats + column(i, 2), found: 7)
      }
      unsafe kernel(&scans, scans.count, transposed.bytes, room)
      return queries.indices.map { i in
        let count = unsafe scans[i].found
        for part in 0..<3 { #expect(unsafe found.words[column(i, part) + count] == untouched, "wrote beyond") }
        return (0..<count).map { row in
          unsafe Row(
            id: found.words[column(i, 0) + row], score: found.words[column(i, 1) + row],
            bound: found.words[column(i, 2) + row])
        }
      }
    }
  }
}
