import VidxVectors

/// A block of rows on the way into a segment: checked, normalised under cosine, padded, hashed; by several threads.
@safe final class PreparedRows: @unchecked Sendable {
  // @unchecked: threads fill disjoint rows, then one reads.
  struct Outcome {
    /// What is wrong with the vector.
    var error: VectorError?
    /// Its length before normalising; 0 for a zero vector under cosine, 1 under other metrics.
    var norm: Float = 1
    var hash = 0
  }

  let outcomes: UnsafeMutablePointer<Outcome>
  private let configuration: IndexConfiguration
  private let stride: Int
  private let capacity: Int
  private let buffer: AlignedBuffer

  /// Rows one thread takes at a time.
  private static let chunk = 128

  init(_ configuration: IndexConfiguration, capacity: Int) {
    self.configuration = configuration
    self.capacity = capacity
    stride = configuration.stride
    buffer = AlignedBuffer(byteCount: capacity * stride * 4)
    unsafe outcomes = .allocate(capacity: capacity)
    unsafe outcomes.initialize(repeating: Outcome(), count: capacity)
  }

  deinit {
    unsafe outcomes.deinitialize(count: capacity)
    unsafe outcomes.deallocate()
  }

  func row(_ i: Int) -> UnsafePointer<Float> { unsafe UnsafePointer(buffer.floats) + i * stride }

  /// - Parameter raw: `count` rows as they were given, `dimensions` floats each.
  func fill(from raw: AlignedBuffer, count: Int, threads: Int) {
    precondition(count <= capacity, "\(count) rows in room for \(capacity)")
    Parallel.chunks(count, chunk: Self.chunk, threads: threads) { _, range in
      for i in range { unsafe self.prepare(i, raw.floats + i * self.configuration.dimensions) }
    }
  }

  private func prepare(_ i: Int, _ vector: UnsafePointer<Float>) {
    let dimensions = configuration.dimensions
    let slot = unsafe buffer.floats + i * stride
    var outcome = Outcome()
    do throws(VectorError) {
      unsafe try requireComparable(vector, count: dimensions)
      unsafe slot.update(from: vector, count: dimensions)
      unsafe (slot + dimensions).update(repeating: 0, count: stride - dimensions)
      if configuration.metric == .cosine { unsafe outcome.norm = normalise(slot, count: dimensions) }
      unsafe outcome.hash = Self.hash(slot, stride)
    } catch {
      outcome.error = error
    }
    unsafe outcomes[i] = outcome
  }

  /// Four independent multiply-xor lanes over the 64-bit words; rows are whole cache lines.
  static func hash(_ vector: UnsafePointer<Float>, _ stride: Int) -> Int {
    let words = unsafe UnsafeRawPointer(vector).assumingMemoryBound(to: UInt64.self)
    let prime: UInt64 = 0x9E37_79B9_7F4A_7C15
    var a = prime
    var b = ~prime
    var c: UInt64 = 1
    var d: UInt64 = 2
    var i = 0
    while i < stride / 2 {
      a = unsafe (a ^ words[i]) &* prime
      b = unsafe (b ^ words[i + 1]) &* prime
      c = unsafe (c ^ words[i + 2]) &* prime
      d = unsafe (d ^ words[i + 3]) &* prime
      i += 4
    }
    var h = (a ^ (b >> 29)) &* prime ^ (c ^ (d >> 31)) &* prime
    h ^= h >> 32
    return Int(truncatingIfNeeded: (h &* prime) >> 16)
  }
}
