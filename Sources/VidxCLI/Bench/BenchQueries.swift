import VidxFiles
import VidxIndexes
import VidxSQLite
import VidxVectors

/// What an index is asked, and what it should answer.
struct BenchQueries: Sendable {
  /// What people read of where they come from.
  let source: String
  let prepared: [PreparedQuery]
  let vectors: [[Float]]
  /// The row a query was taken from, which is not to be among its neighbours; nil for queries of a file.
  let own: [Int64]?

  /// Queries of a file.
  /// - Throws: `VidxError` for a query that the index cannot be asked.
  init(file path: String, field: String?, _ snapshot: IndexSnapshot) throws {
    let vectors = try QueryFile.vectors(path, field: field, row: nil)
    source = path
    self.vectors = vectors
    prepared = try vectors.map { try Self.prepare($0, snapshot) }
    own = nil
  }

  /// Rows of the index, drawn at random; the same for the same index.
  ///
  /// Rows with a zero vector, near which nothing is under cosine, are left out.
  init(sample count: Int, _ reader: IndexReader, _ snapshot: IndexSnapshot) throws {
    var rows: [(id: Int64, vector: [Float])] = []
    try reader.withStore { store in
      for id in try Self.draw(count, store) {
        guard let vector = try store.vector(rowID: id), vector.contains(where: { $0 != 0 }) else { continue }
        rows.append((id, vector))
      }
    }
    source = "rows of the index"
    vectors = rows.map(\.vector)
    prepared = try rows.map { try Self.prepare($0.vector, snapshot) }
    own = rows.map(\.id)
  }

  /// Row ids, each set of so many as likely as any other (Vitter's algorithm R).
  private static func draw(_ count: Int, _ store: IndexStore) throws -> [Int64] {
    var random = SeededGenerator(seed: 42)
    var drawn: [Int64] = []
    let scan = try store.scan()
    var seen = 0
    while let id = try scan.next() {
      seen += 1
      if drawn.count < count {
        drawn.append(id)
      } else {
        let place = Int.random(in: 0..<seen, using: &random)
        if place < count { drawn[place] = id }
      }
    }
    return drawn
  }

  private static func prepare(_ vector: [Float], _ snapshot: IndexSnapshot) throws -> PreparedQuery {
    try unsafe vector.withUnsafeBufferPointer { try unsafe snapshot.prepare($0) }
  }

  /// How many neighbours are asked for, so that k are left without the row itself.
  func wanted(_ k: Int) -> Int { own == nil ? k : k + 1 }

  /// The k neighbours of a query among what a search of `wanted(k)` has found.
  func neighbours(_ hits: [Hit], of query: Int, k: Int) -> ArraySlice<Hit> {
    guard let own else { return hits.prefix(k) }
    return hits.filter { $0.rowID != own[query] }.prefix(k)
  }
}

/// The true neighbours.
struct BenchTruth: Sendable {
  /// For each query the score of its k-th neighbour, and how many neighbours there are.
  private let limits: [(score: Float, count: Int)]
  private let k: Int

  init(_ queries: BenchQueries, k: Int, _ snapshot: IndexSnapshot, threads: Int) throws {
    var report = SearchReport()
    let found = try snapshot.search(
      queries.prepared, k: queries.wanted(k), parameters: SearchParameters(exact: true), threads: threads,
      report: &report)
    self.k = k
    limits = found.enumerated().map { query, hits in
      let nearest = queries.neighbours(hits, of: query, k: k)
      return (nearest.last?.score ?? 0, nearest.count)
    }
  }

  /// The share of true neighbours among those found; a row as near as the k-th is one, too.
  func recall(_ hits: ArraySlice<Hit>, of query: Int) -> Double {
    let (score, count) = limits[query]
    if count == 0 { return 1 }
    return Double(min(count, hits.count { $0.score <= score })) / Double(count)
  }
}
