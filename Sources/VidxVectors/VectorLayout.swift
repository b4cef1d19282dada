import CVidxKernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// How a vector of some dimensions lies in memory: rows of whole cache lines, zero padded.
package enum VectorLayout {
  /// Floats from one row to the next: the dimensions rounded up to 16 (64 bytes), so that no load splits a line.
  @inlinable
  package static func stride(dimensions: Int) -> Int { (dimensions + 15) & ~15 }

  /// The most dimensions a vector may have, as in pgvector's storage type.
  package static let maxDimensions = 16_000
}

/// What is wrong with a vector somebody gave us.
package enum VectorError: Error, Equatable, Sendable {
  /// The vector has another number of dimensions than the index.
  case dimensionMismatch(expected: Int, actual: Int)
  /// The component at this index (from 0) is NaN or infinite.
  case notFinite(index: Int)
  /// The vector is so long that distances from it overflow a 32-bit float.
  case tooLarge
  /// Cosine distance from a zero vector is undefined, so nothing is nearest to it.
  case zeroQuery
}

extension VectorError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .dimensionMismatch(let expected, let actual):
      "expected \(expected) dimensions, not \(actual): use vectors of the model the index was made for"
    case .notFinite(let index):
      "component \(index) (counted from 0) is NaN or infinite: every component must be a finite number"
    case .tooLarge:
      "the vector is too long: distances from it would overflow a 32-bit float; scale the vectors down"
    case .zeroQuery:
      "the query is a zero vector, from which cosine distance is undefined: give one with a direction"
    }
  }
}

/// Scales a vector to unit length in place and returns its length before; a zero vector stays and gives 0.
///
/// The length is summed in double: the result depends on the components only, not on the instruction set, so equal
/// vectors stay equal whoever wrote the index. A vector whose length is 1 within float rounding is left as it is.
/// - Parameters:
///   - vector: one that `requireComparable` lets pass.
///   - squaredLength: what `requireComparable` has returned, when it is known.
/// - Complexity: O(count).
package func normalise(_ vector: UnsafeMutablePointer<Float>, count: Int, squaredLength: Double? = nil) -> Float {
  let sum = unsafe squaredLength ?? vidx_sum_of_squares(vector, count)
  if sum == 0 { return 0 }
  let length = sum.squareRoot()
  if abs(length - 1) < 5e-8 { return 1 }
  let scale = 1 / length
  for i in 0..<count { unsafe vector[i] = Float(Double(vector[i]) * scale) }
  return Float(length)
}

/// The position of the first NaN or infinite component, if there is one.
package func firstNonFinite(_ vector: UnsafePointer<Float>, count: Int) -> Int? {
  for i in 0..<count where unsafe !vector[i].isFinite { return i }
  return nil
}

/// Refuses vectors that no distance can be computed from in 32-bit floats.
///
/// With lengths up to 2^62 no score overflows: squared distances stay below (2 x 2^62)^2 = 2^126, dot products below
/// 2^124, and so does every partial sum. Beyond, infinities would meet and make NaN, which has no order.
/// - Returns: the squared length.
/// - Throws: `VectorError.notFinite`, `.tooLarge`.
/// - Complexity: O(count).
@discardableResult
package func requireComparable(_ vector: UnsafePointer<Float>, count: Int) throws(VectorError) -> Double {
  // Squares of 32-bit floats do not overflow in double: the sum is finite when all components are.
  let sum = unsafe vidx_sum_of_squares(vector, count)
  if sum <= 0x1p124 { return sum }
  if let index = unsafe firstNonFinite(vector, count: count) { throw .notFinite(index: index) }
  throw .tooLarge
}
