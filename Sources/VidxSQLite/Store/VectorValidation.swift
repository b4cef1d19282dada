import VidxVectors

/// Refuses what an index of these dimensions cannot take. A zero vector is taken.
func validate(_ vector: [Float], dimensions: Int) throws(VectorError) {
  guard vector.count == dimensions else {
    throw .dimensionMismatch(expected: dimensions, actual: vector.count)
  }
  // A typed error does not cross `withUnsafeBufferPointer`: carry it out.
  let outcome = unsafe vector.withUnsafeBufferPointer { floats in
    Result<Void, VectorError> { () throws(VectorError) in
      if let base = floats.baseAddress { unsafe try requireComparable(base, count: floats.count) }
    }
  }
  try outcome.get()
}
