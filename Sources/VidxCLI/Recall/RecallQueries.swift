import Vidx
import VidxIndexes

/// Rows of the index, whose vectors are the queries; none is to be among its own neighbours.
struct RecallQueries {
  let ids: [Int64]
  let vectors: [[Float]]

  /// Rows drawn at random. Those with a zero vector, near which nothing is under cosine, are left out.
  /// - Parameter all: the row ids of the index.
  init(sample count: Int, of all: [Int64], seed: UInt64, index: String, _ session: Session) throws {
    var random = SeededGenerator(seed: seed)
    var places = Array(all.indices)
    var rows: [(id: Int64, vector: [Float])] = []
    // The first steps of a shuffle.
    for i in places.indices where rows.count < count {
      places.swapAt(i, Int.random(in: i..<places.count, using: &random))
      let id = all[places[i]]
      let vector = try session.vector(of: id, in: index)
      if vector.contains(where: { $0 != 0 }) { rows.append((id, vector)) }
    }
    ids = rows.map(\.id)
    vectors = rows.map(\.vector)
  }

  /// The k neighbours of a query among what a search of k + 1 has found.
  func neighbours(_ hits: [SearchHit], of query: Int, k: Int) -> [SearchHit] {
    Array(hits.filter { $0.id != ids[query] }.prefix(k))
  }
}
