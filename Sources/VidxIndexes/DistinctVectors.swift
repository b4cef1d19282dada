import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The rows of a segment to be: distinct vectors in memory, and which of them each row has.
///
/// Rows whose (normalised) vectors agree bit for bit share one. In conversations a fifth of the rows do ("Yes,
/// please."); a graph over rows would make cliques of them that a search does not leave.
@safe final class DistinctVectors {
  /// Marks a row whose vector is zero under cosine: kept, but nothing is near it.
  static let none = UInt32.max

  let configuration: IndexConfiguration
  let stride: Int
  /// `count` vectors, `stride` floats apart, normalised under cosine, zero padded.
  let buffer: AlignedBuffer
  private(set) var count = 0
  /// Of each row: its id, the position of its vector (`none` for a zero vector), its length before normalising.
  private(set) var rowIDs: [Int64] = []
  private(set) var ordinals: [UInt32] = []
  private(set) var norms: [Float] = []

  /// Open addressing: positions of vectors by hash, `none` where free.
  private var table: [UInt32]
  private let mask: Int

  var vectors: UnsafeMutablePointer<Float> { unsafe buffer.floats }

  /// - Parameter capacity: rows that will be added at most.
  init(configuration: IndexConfiguration, capacity: Int) throws(BuildError) {
    guard capacity <= IndexLimits.entries else { throw .tooManyRows(capacity) }
    self.configuration = configuration
    stride = configuration.stride
    // Zeroed memory that is not touched costs nothing: duplicates only leave address space unused.
    buffer = AlignedBuffer(byteCount: max(capacity, 1) * stride * 4, zeroed: true)
    var slots = 64
    while slots < capacity * 2 { slots *= 2 }
    table = [UInt32](repeating: Self.none, count: slots)
    mask = slots - 1
    rowIDs.reserveCapacity(capacity)
    ordinals.reserveCapacity(capacity)
    norms.reserveCapacity(capacity)
  }

  /// Takes over a vector of an older segment, known to be distinct from all others, without rows.
  func addVector(_ vector: UnsafePointer<Float>) -> UInt32 {
    let slot = unsafe vectors + count * stride
    unsafe slot.update(from: vector, count: stride)
    return unsafe keep(slot)
  }

  /// Adds a row of an older segment whose vector is known.
  func addRow(_ rowID: Int64, ordinal: UInt32, norm: Float) {
    rowIDs.append(rowID)
    ordinals.append(ordinal)
    norms.append(norm)
  }

  /// Adds all rows of a source.
  /// - Throws: `BuildError.badVector`, `.cancelled`, or what the source throws.
  func add(_ source: any VectorSource, options: BuildOptions) throws {
    let dimensions = configuration.dimensions
    let block = max(1, min(1024, (1 << 20) / dimensions))
    let raw = AlignedBuffer(byteCount: block * dimensions * 4)
    let total = source.rowIDs.count
    var start = 0
    while start < total {
      if options.isCancelled() { throw BuildError.cancelled }
      let rows = start..<min(start + block, total)
      unsafe try source.copyVectors(rows, to: raw.floats)
      for row in rows {
        unsafe try addRow(row, source.rowIDs[row], raw.floats + (row - start) * dimensions)
      }
      start = rows.upperBound
      options.progress(BuildProgress(stage: .reading, done: start, total: total))
    }
  }

  private func addRow(_ row: Int, _ rowID: Int64, _ vector: UnsafePointer<Float>) throws(BuildError) {
    let dimensions = configuration.dimensions
    do {
      unsafe try requireComparable(vector, count: dimensions)
    } catch {
      throw .badVector(row: row, rowID: rowID, error)
    }
    let slot = unsafe vectors + count * stride
    unsafe slot.update(from: vector, count: dimensions)
    unsafe (slot + dimensions).update(repeating: 0, count: stride - dimensions)
    let norm = configuration.metric == .cosine ? unsafe normalise(slot, count: dimensions) : 1
    let ordinal = norm == 0 ? Self.none : unsafe find(slot) ?? keep(slot)
    addRow(rowID, ordinal: ordinal, norm: norm)
  }

  /// The position of a vector equal to the one in the free slot.
  private func find(_ slot: UnsafeMutablePointer<Float>) -> UInt32? {
    var i = unsafe hash(slot) & mask
    while table[i] != Self.none {
      let other = unsafe vectors + Int(table[i]) * stride
      if unsafe memcmp(slot, other, stride * 4) == 0 { return table[i] }
      i = (i + 1) & mask
    }
    return nil
  }

  /// Makes the vector in the free slot the next distinct one.
  private func keep(_ slot: UnsafeMutablePointer<Float>) -> UInt32 {
    var i = unsafe hash(slot) & mask
    while table[i] != Self.none { i = (i + 1) & mask }
    let ordinal = UInt32(count)
    table[i] = ordinal
    count += 1
    return ordinal
  }

  /// Four independent multiply-xor lanes over the 64-bit words; rows are whole cache lines.
  private func hash(_ vector: UnsafeMutablePointer<Float>) -> Int {
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
