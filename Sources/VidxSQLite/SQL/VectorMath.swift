internal import VidxVectors

/// Distances between two vectors of SQL, defined as pgvector defines them.
///
/// Sums are taken in 32-bit floats by the kernels, and again in doubles where they leave the range of a float.
/// A NaN or an infinity in an argument always shows in the sum, so arguments are looked through only then.
enum VectorMath {
  private static let dot = VectorKernels(.innerProduct)
  private static let squares = VectorKernels(.l2)
  private static let absolutes = VectorKernels(.l1)

  static func innerProduct(_ a: SQLVector, _ b: SQLVector) -> Double {
    let sum = unsafe -dot.one(a.floats, b.floats, a.count)
    return sum.isFinite ? Double(sum) : exact(a, b) { $0 * $1 }
  }

  static func squaredDistance(_ a: SQLVector, _ b: SQLVector) -> Double {
    let sum = unsafe squares.one(a.floats, b.floats, a.count)
    return sum.isFinite ? Double(sum) : exact(a, b) { ($0 - $1) * ($0 - $1) }
  }

  static func l1Distance(_ a: SQLVector, _ b: SQLVector) -> Double {
    let sum = unsafe absolutes.one(a.floats, b.floats, a.count)
    return sum.isFinite ? Double(sum) : exact(a, b) { abs($0 - $1) }
  }

  /// 1 - cos(a, b), in [0, 2]; infinity when one is a zero vector, which has no direction.
  ///
  /// pgvector gives NaN there, which PostgreSQL sorts after every number. SQLite has no NaN (it becomes NULL, which
  /// sorts first), and infinity is the value that sorts and compares here as NaN does there.
  static func cosineDistance(_ a: SQLVector, _ b: SQLVector) -> Double {
    let product = unsafe -dot.one(a.floats, b.floats, a.count)
    let normA = unsafe -dot.one(a.floats, a.floats, a.count)
    let normB = unsafe -dot.one(b.floats, b.floats, b.count)
    let normal = Float.leastNormalMagnitude...Float.greatestFiniteMagnitude
    if product.isFinite, normal.contains(normA), normal.contains(normB) {
      return distance(product: Double(product), squaredNorms: Double(normA) * Double(normB))
    }
    let squares = exact(a, a) { $0 * $1 } * exact(b, b) { $0 * $1 }
    return distance(product: exact(a, b) { $0 * $1 }, squaredNorms: squares)
  }

  /// The length of a vector, in doubles.
  static func norm(_ a: SQLVector) -> Double { exact(a, a) { $0 * $1 }.squareRoot() }

  private static func distance(product: Double, squaredNorms: Double) -> Double {
    if squaredNorms == 0 { return .infinity }
    // NaN stays NaN, for the caller to see.
    let similarity = product / squaredNorms.squareRoot()
    return similarity > 1 ? 0 : similarity < -1 ? 2 : 1 - similarity
  }

  private static func exact(_ a: SQLVector, _ b: SQLVector, _ term: (Double, Double) -> Double) -> Double {
    var sum = 0.0
    for i in 0..<a.count { sum += unsafe term(Double(a.floats[i]), Double(b.floats[i])) }
    return sum
  }
}
