import CVidxKernels
import VidxVectors

/// Distinct vectors as rows of signed bytes with a scale each, to build a graph on (CVidxBytes.h has the formulas).
///
/// A visit fetches a quarter of the bytes, and bytes are what an insertion waits for. The centre of the vectors is
/// subtracted first, so that the bytes resolve what distinguishes them.
///
/// Memory: the dimensions rounded up to 64, and 16 bytes, for each vector.
@safe final class ByteRows: @unchecked Sendable {
  // @unchecked: filled before it is shared.
  private let codes: AlignedBuffer
  private let tails: AlignedBuffer
  private let sums: AlignedBuffer
  private let noiseMemory: AlignedBuffer
  /// What the kernels take.
  let rows: UnsafeMutablePointer<vidx_byte_rows>
  let scores: vidx_byte_scores
  /// Of each vector: the standard deviation of the error of its scores, roughly.
  let noise: UnsafeMutablePointer<Float>

  /// Codes all vectors; nil when their bytes would not tell near from far (see `isFaithful`), and for l1.
  /// - Complexity: O(vectors x dimensions), spread over the threads.
  init?(_ distinct: DistinctVectors, threads: Int) {
    let configuration = distinct.configuration
    if configuration.metric == .l1 || distinct.count == 0 { return nil }
    let count = distinct.count
    let dimensions = configuration.dimensions
    let stride = (dimensions + 63) & ~63
    codes = AlignedBuffer(byteCount: count * stride)
    tails = AlignedBuffer(byteCount: count * MemoryLayout<vidx_byte_tail>.stride)
    sums = AlignedBuffer(byteCount: count * 4)
    noiseMemory = AlignedBuffer(byteCount: count * 4)
    unsafe noise = noiseMemory.floats
    unsafe scores = vidx_bytes_active().pointee.scores
    unsafe rows = .allocate(capacity: 1)
    unsafe rows.initialize(
      to: vidx_byte_rows(
        codes: codes.bytes.assumingMemoryBound(to: UInt8.self),
        tails: tails.bytes.assumingMemoryBound(to: vidx_byte_tail.self),
        sums: sums.bytes.assumingMemoryBound(to: Int32.self), stride: stride))
    let centre = Self.centre(distinct)
    let coder = self
    Parallel.chunks(count, chunk: 256, threads: threads) { _, range in
      for ordinal in range { coder.encode(ordinal, distinct, centre) }
    }
    if !isFaithful(distinct) { return nil }
  }

  deinit { unsafe rows.deallocate() }

  /// The mean of some thousand vectors, spread evenly.
  private static func centre(_ distinct: DistinctVectors) -> [Float] {
    let dimensions = distinct.configuration.dimensions
    var sum = [Double](repeating: 0, count: dimensions)
    let sampled = min(distinct.count, 4096)
    for i in 0..<sampled {
      let vector = unsafe distinct.vectors + i * distinct.count / sampled * distinct.stride
      for j in 0..<dimensions { unsafe sum[j] += Double(vector[j]) }
    }
    return sum.map { Float($0 / Double(sampled)) }
  }

  private func encode(_ ordinal: Int, _ distinct: DistinctVectors, _ centre: [Float]) {
    let configuration = distinct.configuration
    let isL2 = configuration.metric == .l2
    let dimensions = configuration.dimensions
    let vector = unsafe distinct.vectors + ordinal * distinct.stride
    var scale: Float = 0
    var sum: Int32 = 0
    var error = 0.0
    let stride = unsafe rows.pointee.stride
    let norm = unsafe vidx_byte_encode(
      vector, centre, dimensions, stride, isL2 ? Double(2).squareRoot() : 1,
      codes.bytes.assumingMemoryBound(to: UInt8.self) + ordinal * stride, &scale, &sum, &error)
    var add = norm
    if !isL2 {
      add = 0
      for i in 0..<dimensions {
        let c = Double(centre[i])
        unsafe add -= (Double(vector[i]) - c / 2) * c
      }
    }
    unsafe tails.bytes.assumingMemoryBound(to: vidx_byte_tail.self)[ordinal] = vidx_byte_tail(
      add: Float(add), scale: scale)
    unsafe sums.bytes.assumingMemoryBound(to: Int32.self)[ordinal] = sum
    // <x, y> with x and y off by independent errors; twice that in a squared distance.
    unsafe noise[ordinal] = Float((2 * error * norm / Double(dimensions)).squareRoot() * (isL2 ? 2 : 1))
  }

  /// Whether the bytes rank some thousand vectors as the floats do: of the ten nearest of some of them, nine in ten
  /// must be among the ten nearest by bytes. One component that outweighs the others takes all levels for itself.
  private func isFaithful(_ distinct: DistinctVectors) -> Bool {
    let sampled = min(distinct.count, 1024)
    let near = min(10, sampled)
    let ids = (0..<sampled).map { UInt32($0 * distinct.count / sampled) }
    let kernels = VectorKernels(distinct.configuration.metric)
    var estimates = [Float](repeating: 0, count: sampled)
    var exact = estimates
    var agreed = 0
    let queries = min(32, sampled)
    for i in 0..<queries {
      let own = Int(ids[i * sampled / queries])
      unsafe scores(rows, own, ids, sampled, &estimates)
      unsafe kernels.ids(
        distinct.vectors + own * distinct.stride, distinct.vectors, distinct.stride, ids, sampled, distinct.stride,
        &exact)
      if !estimates.allSatisfy(\.isFinite) { return false }
      let bound = estimates.sorted()[near - 1]
      let farthest = exact.sorted()[near - 1]
      agreed += min(near, ids.indices.count { estimates[$0] <= bound && exact[$0] <= farthest })
    }
    return agreed * 10 >= queries * near * 9
  }
}
