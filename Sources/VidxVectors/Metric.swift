/// How far apart two vectors are. Smaller is nearer, always; the values are pgvector's.
public enum Metric: String, Sendable, CaseIterable {
  /// 1 - cos(a, b), in [0, 2]. Vectors are normalised on the way in.
  case cosine
  /// Euclidean distance: the root, not the square.
  case l2
  /// The negated dot product.
  case innerProduct = "ip"
  /// Sum of absolute differences.
  case l1

  /// The distance that a kernel's score stands for. Monotone: ordering by score is ordering by distance.
  ///
  /// Scores are -dot for cosine (of unit vectors) and inner product, the squared distance for l2, the sum for l1.
  @inlinable
  public func distance(fromScore score: Float) -> Float {
    switch self {
    case .cosine: min(max(1 + score, 0), 2)
    case .l2: max(score, 0).squareRoot()
    case .innerProduct, .l1: score
    }
  }

  /// The score a distance stands for: the inverse of `distance(fromScore:)`.
  @inlinable
  public func score(fromDistance distance: Float) -> Float {
    switch self {
    case .cosine: distance - 1
    case .l2: distance < 0 ? -.infinity : distance * distance
    case .innerProduct, .l1: distance
    }
  }
}
