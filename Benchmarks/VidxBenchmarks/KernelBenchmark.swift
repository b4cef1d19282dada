import VidxVectors

/// Bytes a second of each codec's kernels at each level of the memory, beside those of reading alone.
///
///     VidxBenchmarks kernels [isa=NAME] [seconds=0.2]
///
/// Each cell is the time that nine in ten pieces of work exceed (a pass over what fits a cache, a MiB of what does
/// not): others' work on the machine shows in the rest.
struct KernelBenchmark {
  let isa: String?
  let seconds: Double
  private static let levels = [("L1", 24 << 10), ("L2", 512 << 10), ("L3", 8 << 20), ("DRAM", 256 << 20)]
  private static let piece = 1 << 20
  private static let idsPerCall = 32

  init(_ words: [String]) {
    func value(_ key: String) -> String? {
      words.first { $0.hasPrefix("\(key)=") }.map { String($0.dropFirst(key.count + 1)) }
    }
    isa = value("isa")
    seconds = value("seconds").flatMap { Double($0) } ?? 0.2
  }

  func run() throws {
    print("instruction set \(isa ?? VectorKernels.isa); GB/s, ids: scattered rows, \(Self.idsPerCall) a call\n")
    print("| dimensions | kernel | L1 | L2 | L3 | DRAM | ids in L1 | L2 | L3 | DRAM | ns a row in DRAM |")
    print("|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    let memory = AlignedBuffer(byteCount: Self.levels.last!.1, zeroed: true)
    unsafe memory.bytes.initializeMemory(as: UInt8.self, repeating: 7, count: memory.byteCount)
    let read = unsafe CodeKernels.readMemory(isa: isa)
    let ceilings = Self.levels.map { _, bytes in
      rate(pieces: max(bytes / Self.piece, 1), bytes: min(bytes, Self.piece)) { i in
        unsafe _ = read(memory.bytes + i * Self.piece, min(bytes, Self.piece))
      }
    }
    print("| | reading alone | \(cells(ceilings)) | | | | | |")
    for dimensions in [384, 1536] {
      for (codec, metric) in Self.kernels { try measure(codec, metric, dimensions, memory) }
    }
  }

  private static let kernels: [(Codec, Metric)] = [
    (.f32, .cosine), (.f32, .l2), (.f16, .cosine), (.f16, .l2), (.int8, .cosine), (.int4, .cosine), (.rabitq, .cosine),
  ]

  private func measure(_ codec: Codec, _ metric: Metric, _ dimensions: Int, _ memory: AlignedBuffer) throws {
    let kernels = try CodeKernels(codec, metric, isa: isa)
    let (rows, ids) = unsafe (kernels.rows, kernels.ids)
    let stride = codec.rowBytes(dimensions: dimensions)
    let query = try fill(memory, codec, metric, dimensions)
    let out = AlignedBuffer(byteCount: 4 * memory.byteCount / stride)
    let order = AlignedBuffer(byteCount: 4 * memory.byteCount / stride)
    var speeds: [Double] = []
    for (_, bytes) in Self.levels {
      let count = min(bytes, Self.piece) / stride
      speeds.append(
        rate(pieces: max(bytes / Self.piece, 1), bytes: count * stride) { i in
          unsafe rows(query.raw, memory.bytes + i * count * stride, stride, count, out.floats)
        })
    }
    for (_, bytes) in Self.levels {
      let count = min(bytes, Self.piece) / stride
      shuffle(order, count: bytes / stride)
      speeds.append(
        rate(pieces: max(bytes / Self.piece, 1), bytes: count * stride) { i in
          var done = 0
          while done < count {
            let many = min(Self.idsPerCall, count - done)
            unsafe ids(query.raw, memory.bytes, stride, order.words + i * count + done, many, out.floats)
            done += many
          }
        })
    }
    let nanoseconds = Double(stride) / speeds.last!
    print(
      "| \(dimensions) | \(codec.rawValue) \(metric.rawValue) | \(cells(speeds)) | \(Self.rounded(nanoseconds, 0)) |")
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
    try unsafe CodeEncoder(space).encode(
      vectors, stride: dimensions, count: different, rows: coded.bytes, rowStride: stride)
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

  /// GB/s of `work`, which is called with 0..<pieces in turn, each of so many bytes.
  private func rate(pieces: Int, bytes: Int, _ work: (Int) -> Void) -> Double {
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

  private func cells(_ speeds: [Double]) -> String { speeds.map { Self.rounded($0, 1) }.joined(separator: " | ") }

  private static func rounded(_ value: Double, _ digits: Int) -> String {
    let tenths = Int((value * (digits == 0 ? 1 : 10)).rounded())
    return digits == 0 ? "\(tenths)" : "\(tenths / 10).\(tenths % 10)"
  }
}
