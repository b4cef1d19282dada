import VidxSegments
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
@safe final class DistinctVectors: @unchecked Sendable {
  // @unchecked: one owner changes it; while its threads work, it only reads.
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

  /// Takes over vectors of an older segment, known to be distinct from each other and from all others, without rows.
  /// - Parameter ordinals: of the vectors there, ascending.
  /// - Throws: `BuildError.cancelled`, `SegmentError`.
  /// - Complexity: a copy, shared out to the threads.
  func addVectors(_ ordinals: [UInt32], of index: SegmentIndex, options: BuildOptions) throws {
    let first = count
    let hashes = AlignedBuffer(byteCount: max(ordinals.count, 1) * MemoryLayout<Int>.stride)
    let copies = unsafe CopiedVectors(vectors + first * stride, stride: stride, hashes)
    let failure = Locked<SegmentError?>(nil)
    Parallel.chunks(ordinals.count, chunk: 1024, threads: options.threads) { _, range in
      if options.isCancelled() { return }
      do throws(SegmentError) {
        for i in range { unsafe try copies.copy(i, from: index.vectorPointer(Int(ordinals[i]))) }
      } catch {
        failure.withLock { $0 = error }
      }
    }
    if options.isCancelled() { throw BuildError.cancelled }
    if let error = failure.withLock({ $0 }) { throw error }
    for i in ordinals.indices { _ = keep(copies.hash(i)) }
  }

  /// Where vectors of an older segment are copied to, and their hashes.
  @safe private struct CopiedVectors: @unchecked Sendable {
    // @unchecked: threads write disjoint rows, then one reads.
    private let vectors: UnsafeMutablePointer<Float>
    private let stride: Int
    private let hashes: AlignedBuffer

    init(_ vectors: UnsafeMutablePointer<Float>, stride: Int, _ hashes: AlignedBuffer) {
      unsafe self.vectors = vectors
      self.stride = stride
      self.hashes = hashes
    }

    func copy(_ i: Int, from vector: UnsafePointer<Float>) {
      let slot = unsafe vectors + i * stride
      unsafe slot.update(from: vector, count: stride)
      unsafe hashes.bytes.assumingMemoryBound(to: Int.self)[i] = PreparedRows.hash(slot, stride)
    }

    func hash(_ i: Int) -> Int { unsafe hashes.bytes.assumingMemoryBound(to: Int.self)[i] }
  }

  /// Adds a row of an older segment whose vector is known.
  func addRow(_ rowID: Int64, ordinal: UInt32, norm: Float) {
    rowIDs.append(rowID)
    ordinals.append(ordinal)
    norms.append(norm)
  }

  /// Adds all rows of a source: one thread reads and compares, all check and scale.
  /// - Throws: `BuildError.badVector`, `.cancelled`, or what the source throws.
  func add(_ source: any VectorSource, options: BuildOptions) throws {
    let dimensions = configuration.dimensions
    let total = source.rowIDs.count
    let block = max(1, min(1024, (1 << 20) / stride, total))
    let raw = AlignedBuffer(byteCount: block * dimensions * 4)
    let prepared = PreparedRows(configuration, capacity: block)
    var start = 0
    while start < total {
      if options.isCancelled() { throw BuildError.cancelled }
      let rows = start..<min(start + block, total)
      unsafe try source.copyVectors(rows, to: raw.floats)
      prepared.fill(from: raw, count: rows.count, threads: options.threads)
      for row in rows { try add(row, source.rowIDs[row], prepared, row - start) }
      start = rows.upperBound
      options.progress(BuildProgress(stage: .reading, done: start, total: total))
    }
  }

  private func add(_ row: Int, _ rowID: Int64, _ prepared: PreparedRows, _ place: Int) throws(BuildError) {
    let outcome = unsafe prepared.outcomes[place]
    if let error = outcome.error { throw .badVector(row: row, rowID: rowID, error) }
    if outcome.norm == 0 { return addRow(rowID, ordinal: Self.none, norm: 0) }
    let vector = unsafe prepared.row(place)
    var ordinal = unsafe find(vector, outcome.hash)
    if ordinal == nil {
      unsafe (vectors + count * stride).update(from: vector, count: stride)
      ordinal = keep(outcome.hash)
    }
    addRow(rowID, ordinal: ordinal ?? Self.none, norm: outcome.norm)
  }

  /// The position of an equal vector.
  private func find(_ vector: UnsafePointer<Float>, _ hash: Int) -> UInt32? {
    var i = hash & mask
    while table[i] != Self.none {
      let other = unsafe vectors + Int(table[i]) * stride
      if unsafe memcmp(vector, other, stride * 4) == 0 { return table[i] }
      i = (i + 1) & mask
    }
    return nil
  }

  /// Makes the vector in the free slot the next distinct one.
  private func keep(_ hash: Int) -> UInt32 {
    var i = hash & mask
    while table[i] != Self.none { i = (i + 1) & mask }
    let ordinal = UInt32(count)
    table[i] = ordinal
    count += 1
    return ordinal
  }
}
