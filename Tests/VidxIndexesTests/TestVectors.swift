import TestSupport
import VidxIndexes
import VidxSegments
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

extension TestVectors {
  /// Row i has id `firstID + i * step`.
  func source(firstID: Int64 = 1, step: Int64 = 1) -> ArraySource {
    ArraySource(
      rowIDs: rows.indices.map { firstID + Int64($0) * step }, vectors: rows.flatMap { $0 }, dimensions: dimensions)
  }
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
