import VidxIndexes
import VidxSegments
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// SplitMix64: the same numbers on every machine.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var x = state
    x = (x ^ (x >> 30)) &* 0xBF58_476D_1CE4_E5B9
    x = (x ^ (x >> 27)) &* 0x94D0_49BB_1331_11EB
    return x ^ (x >> 31)
  }
}

/// Vectors in clusters of low intrinsic dimension, as embeddings are (independent Gaussians are not and mislead).
struct TestVectors {
  let dimensions: Int
  var rows: [[Float]]

  init(count: Int, dimensions: Int, seed: UInt64, clusters: Int = 20) {
    self.dimensions = dimensions
    var random = SeededGenerator(seed: seed)
    let factors = min(dimensions, 12)
    func vector(_ scale: Float, _ length: Int) -> [Float] {
      (0..<length).map { _ in Float.random(in: -scale...scale, using: &random) }
    }
    let basis = (0..<factors).map { _ in vector(1, dimensions) }
    let centres = (0..<clusters).map { _ in vector(2, factors) }
    rows = (0..<count).map { _ in
      let centre = centres[Int.random(in: 0..<clusters, using: &random)]
      let own = vector(0.7, factors)
      var result = vector(0.02, dimensions)
      for factor in 0..<factors {
        let weight = centre[factor] + own[factor]
        for i in 0..<dimensions { result[i] += weight * basis[factor][i] }
      }
      return result
    }
  }

  /// Row i has id `firstID + i * step`.
  func source(firstID: Int64 = 1, step: Int64 = 1) -> ArraySource {
    ArraySource(
      rowIDs: rows.indices.map { firstID + Int64($0) * step }, vectors: rows.flatMap { $0 }, dimensions: dimensions)
  }
}

/// The distance in double precision, straight from its definition.
func referenceDistance(_ a: [Float], _ b: [Float], _ metric: Metric) -> Double {
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

/// All rows that pass, nearest first, by brute force in double precision; zero vectors have no cosine distance.
func bruteForce(
  _ query: [Float], _ rows: [(id: Int64, vector: [Float])], _ metric: Metric
) -> [(id: Int64, distance: Double)] {
  rows.compactMap { row in
    let distance = referenceDistance(query, row.vector, metric)
    return distance.isNaN ? nil : (row.id, distance)
  }
  .sorted { ($0.distance, $0.id) < ($1.distance, $1.id) }
}

/// How far a computed distance may be off: rounding grows with the sizes summed, not with the result.
func tolerance(_ query: [Float], _ metric: Metric) -> Double {
  let scale = query.reduce(0.0) { $0 + Double($1.magnitude) }
  return metric == .cosine ? 1e-5 : 1e-4 * max(1, scale)
}

/// The share of the true k nearest that came back; ties by distance are hits.
func recall(_ hits: [Hit], _ truth: [(id: Int64, distance: Double)], k: Int, _ metric: Metric, _ slack: Double)
  -> Double
{
  let wanted = min(k, truth.count)
  if wanted == 0 { return 1 }
  let worst = truth[wanted - 1].distance + slack
  let found = Set(hits.map(\.rowID)).count
  let near = hits.filter { Double(metric.distance(fromScore: $0.score)) <= worst }.count
  return Double(min(found, near, wanted)) / Double(wanted)
}

/// A folder that goes away with the object.
final class TemporaryFolder {
  let path: String

  init() {
    let base = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
    path = "\(base)/vidx-tests-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    unsafe mkdir(path, 0o700)
  }

  deinit {
    guard let folder = unsafe opendir(path) else { return }
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      unsafe unlink("\(path)/\(name)")
    }
    unsafe closedir(folder)
    unsafe rmdir(path)
  }

  func build(
    _ source: any VectorSource, _ configuration: IndexConfiguration, base: GrowthBase? = nil, threads: Int = 1
  ) throws -> SegmentIndex {
    let name = "test-\(UInt64.random(in: 0...UInt64.max)).seg"
    let file = try SegmentBuilder.build(
      source, configuration: configuration, base: base, options: BuildOptions(threads: threads), directory: path,
      fileName: name)
    file.release()
    return try SegmentIndex.open(path: file.path)
  }
}

extension SegmentIndex {
  func nearest(
    _ query: [Float], k: Int, _ parameters: SearchParameters = SearchParameters(), filter: EntryFilter? = nil
  ) throws -> SegmentAnswer {
    var counters = SearchCounters()
    return try search(
      PreparedQuery(query, dimensions: configuration.dimensions, metric: configuration.metric), k: k,
      parameters: parameters, filter: filter, counters: &counters)
  }

  /// A filter of the rows with these ids.
  func filter(_ ids: [Int64]) throws -> EntryFilter {
    let set = RowSet(capacity: entryCount)
    let sorted = ids.sorted()
    _ = try unsafe sorted.withUnsafeBufferPointer { unsafe try insertEntries(ofSortedRowIDs: $0, into: set) }
    return try EntryFilter(set, in: self)
  }
}
