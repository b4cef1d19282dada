import VidxVectors

/// Refuses what an index of these dimensions and this metric cannot take. A zero vector is taken.
func validate(_ vector: [Float], dimensions: Int, metric: Metric) throws(VectorError) {
  guard vector.count == dimensions else {
    throw .dimensionMismatch(expected: dimensions, actual: vector.count)
  }
  if let index = vector.firstIndex(where: { !$0.isFinite }) { throw .notFinite(index: index) }
  guard metric == .cosine else { return }
  // As `normalise` sums and judges it.
  let square = vector.reduce(0.0) { $0 + Double($1) * Double($1) }
  if square.squareRoot() > Double(Float.greatestFiniteMagnitude) { throw .tooLarge }
}
