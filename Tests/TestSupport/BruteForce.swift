package import VidxVectors

/// The distance in double precision, straight from its definition; not a number for a zero vector under cosine.
package func referenceDistance(_ a: [Float], _ b: [Float], _ metric: Metric) -> Double {
  var dot = 0.0
  var squares = 0.0
  var absolute = 0.0
  var normA = 0.0
  var normB = 0.0
  for (x, y) in zip(a, b) {
    let x = Double(x)
    let y = Double(y)
    dot += x * y
    squares += (x - y) * (x - y)
    absolute += (x - y).magnitude
    normA += x * x
    normB += y * y
  }
  switch metric {
  case .cosine: return 1 - dot / (normA * normB).squareRoot()
  case .l2: return squares.squareRoot()
  case .innerProduct: return -dot
  case .l1: return absolute
  }
}

/// All rows, nearest first, by brute force in double precision; zero vectors have no cosine distance.
package func bruteForce(
  _ query: [Float], _ rows: [(id: Int64, vector: [Float])], _ metric: Metric
) -> [(id: Int64, distance: Double)] {
  rows.compactMap { row in
    let distance = referenceDistance(query, row.vector, metric)
    return distance.isNaN ? nil : (row.id, distance)
  }
  .sorted { ($0.distance, $0.id) < ($1.distance, $1.id) }
}

/// The same of rows by their ids, those of a filter.
package func neighbours(
  of query: [Float], in rows: [Int64: [Float]], _ metric: Metric, filter: [Int64]? = nil
) -> [(rowID: Int64, distance: Double)] {
  let allowed = filter.map(Set.init)
  let passing = rows.compactMap { id, vector in
    allowed?.contains(id) ?? true ? (id: id, vector: vector) : nil
  }
  return bruteForce(query, passing, metric).map { (rowID: $0.id, distance: $0.distance) }
}
