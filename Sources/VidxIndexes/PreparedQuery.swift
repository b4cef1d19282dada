package import VidxVectors

/// A query ready for the kernels: checked, normalised under cosine, aligned and zero padded. Immutable, but for who has
/// it alone (`prepare`).
@safe package final class PreparedQuery: Sendable {
  package let metric: Metric
  package let dimensions: Int
  private let buffer: AlignedBuffer

  /// Its length; 1 under cosine.
  package var length: Float {
    if metric == .cosine { return 1 }
    var sum = 0.0
    for i in 0..<dimensions { unsafe sum += Double(floats[i]) * Double(floats[i]) }
    return Float(sum.squareRoot())
  }

  /// The padded query: `VectorLayout.stride(dimensions:)` floats, valid while the object lives.
  package var floats: UnsafePointer<Float> { unsafe UnsafePointer(buffer.floats) }

  /// - Parameter vector: as many floats as the index has dimensions.
  /// - Throws: `VectorError` for wrong dimensions, NaN or infinity, and a zero vector under cosine.
  package convenience init(
    _ vector: UnsafeBufferPointer<Float>, dimensions: Int, metric: Metric
  ) throws(VectorError) {
    self.init(unpreparedOf: dimensions, metric: metric)
    unsafe try prepare(vector)
  }

  /// Memory for one query after the other; none is ready yet.
  package init(unpreparedOf dimensions: Int, metric: Metric) {
    self.metric = metric
    self.dimensions = dimensions
    buffer = AlignedBuffer(byteCount: VectorLayout.stride(dimensions: dimensions) * 4)
  }

  /// Makes another query ready in the same memory; for its only user, between two searches.
  /// - Throws: as `init`; no query is ready then.
  package func prepare(_ vector: UnsafeBufferPointer<Float>) throws(VectorError) {
    guard vector.count == dimensions, let source = vector.baseAddress else {
      throw .dimensionMismatch(expected: dimensions, actual: vector.count)
    }
    let stride = VectorLayout.stride(dimensions: dimensions)
    let floats = unsafe buffer.floats
    unsafe floats.initialize(from: source, count: dimensions)
    unsafe (floats + dimensions).initialize(repeating: 0, count: stride - dimensions)
    let sum = unsafe try requireComparable(floats, count: dimensions)
    if metric == .cosine, unsafe normalise(floats, count: dimensions, squaredLength: sum) == 0 { throw .zeroQuery }
  }

  package convenience init(_ vector: [Float], dimensions: Int, metric: Metric) throws(VectorError) {
    // A typed throw does not cross withUnsafeBufferPointer's rethrow on every toolchain: carry it in a result.
    let made = unsafe vector.withUnsafeBufferPointer { source in
      Result<AlignedBuffer, VectorError> { () throws(VectorError) in
        unsafe try PreparedQuery(source, dimensions: dimensions, metric: metric).buffer
      }
    }
    try self.init(buffer: made.get(), dimensions: dimensions, metric: metric)
  }

  private init(buffer: AlignedBuffer, dimensions: Int, metric: Metric) {
    self.buffer = buffer
    self.dimensions = dimensions
    self.metric = metric
  }
}
