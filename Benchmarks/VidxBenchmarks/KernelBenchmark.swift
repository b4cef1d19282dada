import VidxVectors

/// How fast each codec's kernels go through stored bytes at each level of the memory, beside reading alone.
///
///     VidxBenchmarks kernels [isa=NAME] [seconds=0.2]
///
/// Prints the same figures twice: GB/s, and bytes a cycle of the core with their share of what reading alone reaches.
struct KernelBenchmark {
  private let isa: String?
  private let clock: PieceClock
  private static let levels = [("L1", 24 << 10), ("L2", 512 << 10), ("L3", 8 << 20), ("DRAM", 256 << 20)]
  private static let piece = 1 << 20
  private static let idsPerCall = 32

  init(_ words: [String]) {
    func value(_ key: String) -> String? {
      words.first { $0.hasPrefix("\(key)=") }.map { String($0.dropFirst(key.count + 1)) }
    }
    isa = value("isa")
    clock = PieceClock(seconds: value("seconds").flatMap { Double($0) } ?? 0.2)
  }

  /// One line of the tables: GB/s of rows in order, where the kernel has that form, and of scattered rows.
  private struct Line {
    let dimensions: Int
    let kernel: String
    let rows: [Double]?
    let ids: [Double]
    let bytes: Int
  }

  func run() throws {
    let gigahertz = PieceClock.cyclesPerNanosecond()
    let memory = AlignedBuffer(byteCount: Self.levels.last!.1, zeroed: true)
    unsafe memory.bytes.initializeMemory(as: UInt8.self, repeating: 7, count: memory.byteCount)
    let read = unsafe CodeKernels.readMemory(isa: isa)
    let ceilings = Self.levels.map { _, bytes in
      clock.rate(pieces: max(bytes / Self.piece, 1), bytes: min(bytes, Self.piece)) { i in
        unsafe _ = read(memory.bytes + i * Self.piece, min(bytes, Self.piece))
      }
    }
    var lines: [Line] = []
    for dimensions in [384, 1536] {
      for (codec, metric) in Self.kernels { lines.append(try measure(codec, metric, dimensions, memory)) }
      for codec in [Codec.rabitq2, .rabitq4, .rabitq6] { lines.append(try measureRefined(codec, dimensions, memory)) }
    }
    print("instruction set \(CodeKernels.isa(isa)), \(Self.rounded(gigahertz, 2)) GHz")
    print("ids: scattered rows, \(Self.idsPerCall) a call\n\nGB/s:\n")
    printTable(ceilings, lines) { speed, _ in Self.rounded(speed, 1) }
    print("\nBytes a cycle, and their share of reading alone:\n")
    printTable(ceilings, lines) { speed, ceiling in
      "\(Self.rounded(speed / gigahertz, 1)) (\(Self.rounded(speed / ceiling, 2)))"
    }
  }

  private func printTable(_ ceilings: [Double], _ lines: [Line], _ cell: (Double, Double) -> String) {
    func cells(_ speeds: [Double]) -> String {
      zip(speeds, ceilings).map { cell($0, $1) }.joined(separator: " | ")
    }
    print("| dimensions | kernel | L1 | L2 | L3 | DRAM | ids in L1 | L2 | L3 | DRAM | ns a row in DRAM |")
    print("|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    print("| | reading alone | \(cells(ceilings)) | | | | | |")
    for line in lines {
      let nanoseconds = Self.rounded(Double(line.bytes) / line.ids.last!, 0)
      print(
        "| \(line.dimensions) | \(line.kernel) | \(line.rows.map(cells) ?? "| | | ") | \(cells(line.ids)) "
          + "| \(nanoseconds) |")
    }
  }

  private static let kernels: [(Codec, Metric)] = [
    (.f32, .cosine), (.f32, .l2), (.f16, .cosine), (.f16, .l2), (.int8, .cosine), (.int4, .cosine), (.rabitq, .cosine),
  ]

  private func measure(_ codec: Codec, _ metric: Metric, _ dimensions: Int, _ memory: AlignedBuffer) throws -> Line {
    let kernels = try CodeKernels(codec, metric, isa: isa)
    let (rows, ids) = unsafe (kernels.rows, kernels.ids)
    let stride = codec.rowBytes(dimensions: dimensions)
    let query = try fill(memory, codec, metric, dimensions)
    let out = AlignedBuffer(byteCount: 4 * memory.byteCount / stride)
    let inOrder = Self.levels.map { _, bytes in
      let count = min(bytes, Self.piece) / stride
      return clock.rate(pieces: max(bytes / Self.piece, 1), bytes: count * stride) { i in
        unsafe rows(query.raw, memory.bytes + i * count * stride, stride, count, out.floats)
      }
    }
    let scattered = unsafe scatteredRates(rowBytes: stride, memory) { order, many, _ in
      unsafe ids(query.raw, memory.bytes, stride, order, many, out.floats)
    }
    return Line(
      dimensions: dimensions, kernel: "\(codec.rawValue) \(metric.rawValue)", rows: inOrder, ids: scattered,
      bytes: stride)
  }

  /// One-bit rows with their extensions, which are only ever read by id.
  private func measureRefined(_ codec: Codec, _ dimensions: Int, _ memory: AlignedBuffer) throws -> Line {
    let refine = try unsafe CodeKernels(codec, .cosine, isa: isa).refine!
    let stride = codec.rowBytes(dimensions: dimensions)
    let extensionStride = codec.extensionRowBytes(dimensions: dimensions)
    let query = try fill(memory, codec, .cosine, dimensions)
    let out = AlignedBuffer(byteCount: 4 * memory.byteCount / stride)
    let bytes = stride + extensionStride
    let scattered = unsafe scatteredRates(rowBytes: bytes, memory) { order, many, rows in
      // Any bytes are codes: the extensions are what lies behind the rows.
      unsafe refine(
        query.raw, memory.bytes, stride, memory.bytes + (rows * stride + 63) / 64 * 64, extensionStride, order, many,
        out.floats, nil)
    }
    return Line(
      dimensions: dimensions, kernel: "\(codec.rawValue) refined", rows: nil, ids: scattered, bytes: bytes)
  }

  /// GB/s of `work` at each level, which is called with ids, their number (at most `idsPerCall`), and that of all rows.
  private func scatteredRates(
    rowBytes: Int, _ memory: AlignedBuffer, _ work: (UnsafePointer<UInt32>, Int, Int) -> Void
  ) -> [Double] {
    let order = AlignedBuffer(byteCount: 4 * memory.byteCount / rowBytes)
    return Self.levels.map { _, bytes in
      let all = (bytes - 64) / rowBytes
      let count = min(bytes, Self.piece) / rowBytes
      shuffle(order, count: all)
      return clock.rate(pieces: max(all / count, 1), bytes: min(count, all) * rowBytes) { i in
        var done = 0
        while done < min(count, all) {
          let many = min(Self.idsPerCall, min(count, all) - done)
          unsafe work(order.words + i * count + done, many, all)
          done += many
        }
      }
    }
  }

  /// Fills the memory with coded rows and makes a query.
  private func fill(
    _ memory: AlignedBuffer, _ codec: Codec, _ metric: Metric, _ dimensions: Int
  ) throws -> CodedQuery {
    var generator = SystemRandomNumberGenerator()
    let different = 64
    let vectors = (0..<different * dimensions).map { _ in Float.random(in: -0.1...0.1, using: &generator) }
    let space = CodecSpace(
      try .standard(codec, metric, dimensions: dimensions, origin: Array(repeating: 0, count: dimensions)), isa: isa)
    let stride = codec.rowBytes(dimensions: dimensions)
    let coded = AlignedBuffer(byteCount: different * stride)
    let extensionStride = codec.extensionRowBytes(dimensions: dimensions)
    let extensions = AlignedBuffer(byteCount: max(different * extensionStride, 64))
    try unsafe CodeEncoder(space).encode(
      vectors, stride: dimensions, count: different, rows: coded.bytes, rowStride: stride,
      extensions: extensionStride == 0 ? nil : extensions.bytes, extensionStride: extensionStride)
    for row in 0..<memory.byteCount / stride {
      unsafe (memory.bytes + row * stride)
        .copyMemory(from: coded.bytes + row % different * stride, byteCount: stride)
    }
    let query = CodedQuery(space)
    unsafe query.prepare(vectors)
    return query
  }

  private func shuffle(_ order: AlignedBuffer, count: Int) {
    var words = unsafe UnsafeMutableBufferPointer(start: order.words, count: count)
    for i in 0..<count { unsafe words[i] = UInt32(i) }
    unsafe words.shuffle()
  }

  private static func rounded(_ value: Double, _ digits: Int) -> String {
    let scale = [1, 10, 100][digits]
    let units = Int((value * Double(scale)).rounded())
    guard digits > 0 else { return "\(units)" }
    let fraction = String(units % scale)
    return "\(units / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
  }
}

/// Times short pieces of work. Others' work on the machine shows in the slower ones.
struct PieceClock {
  let seconds: Double

  /// GB/s of `work`, which is called with 0..<pieces in turn, each of so many bytes: of the time that nine in ten
  /// pieces exceed.
  func rate(pieces: Int, bytes: Int, _ work: (Int) -> Void) -> Double {
    // Short pieces are repeated: the clock takes some 30 ns.
    let repeats = max(1, 64 << 10 / bytes)
    var times: [Double] = []
    let end = now() + seconds
    repeat {
      for piece in 0..<pieces {
        let start = now()
        for _ in 0..<repeats { work(piece) }
        times.append((now() - start) / Double(repeats))
      }
    } while now() < end
    times.sort()
    return Double(bytes) / times[times.count / 10] * 1e-9
  }

  /// The core's clock, by instructions that take a cycle each and wait for one another; the best of a hundred tries.
  static func cyclesPerNanosecond() -> Double {
    let additions = CodeKernels.additionsInSequence
    var best = 0.0
    for _ in 0..<100 {
      let start = now()
      additions(160_000)
      best = max(best, 160_000 / (now() - start) * 1e-9)
    }
    return best
  }
}
