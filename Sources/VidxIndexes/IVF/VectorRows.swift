import CVidxKernels
import VidxVectors

/// A view of f32 vectors in memory: `count` rows, `stride` floats apart, the first `dimensions` of each in use.
///
/// Keeps the memory alive. Nobody may write it while the view is used; then any thread may read.
@safe struct VectorRows: @unchecked Sendable {
  // @unchecked: a constant pointer to memory that nobody writes while the view is used.
  let base: UnsafePointer<Float>
  private let owner: AnyObject
  let count: Int
  let dimensions: Int
  let stride: Int

  /// - Parameter owner: frees the memory when it goes away.
  init(_ base: UnsafePointer<Float>, count: Int, dimensions: Int, owner: AnyObject) {
    unsafe self.base = base
    self.owner = owner
    self.count = count
    self.dimensions = dimensions
    stride = VectorLayout.stride(dimensions: dimensions)
  }

  @inline(__always)
  func row(_ i: Int) -> UnsafePointer<Float> { unsafe base + i &* stride }
}

/// Owner of vectors in memory: padded with zeros, aligned for the kernels. Written by one thread, then only read.
@safe final class VectorMatrix: @unchecked Sendable {
  // @unchecked: filled by its maker (threads write disjoint rows), then only read.
  let count: Int
  let dimensions: Int
  let stride: Int
  private let buffer: AlignedBuffer

  /// All zero.
  init(count: Int, dimensions: Int) {
    self.count = count
    self.dimensions = dimensions
    stride = VectorLayout.stride(dimensions: dimensions)
    buffer = AlignedBuffer(byteCount: count * stride * 4, zeroed: true)
  }

  func row(_ i: Int) -> UnsafeMutablePointer<Float> {
    precondition(i >= 0 && i < count, "row \(i) of \(count)")
    return unsafe buffer.floats + i * stride
  }

  /// Copies a whole row, padding included, from memory with the same stride.
  func setRow(_ i: Int, to source: UnsafePointer<Float>) {
    unsafe row(i).update(from: source, count: stride)
  }

  /// - Parameter limit: only that many, from the first; nil for all.
  func rows(first limit: Int? = nil) -> VectorRows {
    unsafe VectorRows(buffer.floats, count: limit ?? count, dimensions: dimensions, owner: buffer)
  }

  /// Every float, padding included, in row order.
  var bytes: UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(start: buffer.bytes, count: count * stride * 4)
  }
}

/// The squared Euclidean length, summed in double.
func squaredLength(_ vector: UnsafePointer<Float>, _ dimensions: Int) -> Double {
  unsafe vidx_sum_of_squares(vector, dimensions)
}

/// target = vector - origin, component by component.
func subtract(_ origin: [Float], from vector: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>) {
  for d in origin.indices { unsafe target[d] = vector[d] - origin[d] }
}
