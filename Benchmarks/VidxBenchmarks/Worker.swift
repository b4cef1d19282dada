import VidxFiles
import VidxIndexes
import VidxSegments
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// One index over one set of vectors, driven by the commands in main.swift.
final class Worker {
  private var base: (any VectorFile)?
  private var queries: [[Float]] = []
  private var index: SegmentIndex?
  private var published: PublishedSegment?

  struct UsageError: Error, CustomStringConvertible {
    let description: String
  }

  func run(_ command: String, _ words: [String]) throws -> String {
    var options: [String: String] = [:]
    for word in words where word.contains("=") {
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      options[parts[0]] = parts.count == 2 ? parts[1] : ""
    }
    switch command {
    case "load": return try load(words)
    case "build": return try build(words.first ?? "", options)
    case "search": return try search(options)
    case "bandwidth": return try bandwidth()
    default: throw UsageError(description: "unknown command \(command)")
    }
  }

  private func load(_ words: [String]) throws -> String {
    guard words.count == 2 else { throw UsageError(description: "load BASE QUERIES") }
    let file = try VectorFormat.open(words[0])
    let asked = try VectorFormat.open(words[1])
    base = file
    queries = try (0..<asked.count).map { try asked.vector($0) }
    return "{\"rows\": \(file.count), \"dimensions\": \(file.dimensions), \"queries\": \(queries.count)}"
  }

  private func build(_ kind: String, _ options: [String: String]) throws -> String {
    guard let base else { throw UsageError(description: "load first") }
    let kinds: [String: IndexKind] = ["flat": .flat, "ivfflat": .ivfflat, "hnsw": .hnsw]
    guard let indexKind = kinds[kind] else { throw UsageError(description: "build flat|ivfflat|hnsw") }
    var configuration = IndexConfiguration(
      dimensions: base.dimensions, metric: Metric(rawValue: options["metric"] ?? "cosine") ?? .cosine, kind: indexKind)
    configuration.m = Int(options["m"] ?? "") ?? configuration.m
    configuration.efConstruction = Int(options["efc"] ?? "") ?? 200
    configuration.lists = Int(options["lists"] ?? "") ?? 0
    // In memory first, as the peers have them: the clock covers the build, not the reading of the file.
    var vectors = [Float](repeating: 0, count: base.count * base.dimensions)
    try unsafe vectors.withUnsafeMutableBufferPointer { unsafe try base.read(rows: 0..<base.count, into: $0) }
    let source = ArraySource(
      rowIDs: (0..<base.count).map { Int64($0) }, vectors: vectors, dimensions: base.dimensions)
    try published?.discard()
    let start = now()
    let file = try SegmentBuilder.build(
      source, configuration: configuration, options: BuildOptions(threads: Int(options["threads"] ?? "") ?? 2),
      directory: options["directory"] ?? ".build/benchmarks", fileName: "worker-\(getpid()).seg")
    let seconds = now() - start
    published = file
    let opened = try SegmentIndex.open(path: file.path)
    index = opened
    return """
      {"seconds": \(seconds), "bytes": \(file.byteCount), "vectors": \(opened.vectorCount), \
      "rows": \(opened.entryCount), "isa": "\(VectorKernels.isa)"}
      """
  }

  private func search(_ options: [String: String]) throws -> String {
    guard let index else { throw UsageError(description: "build first") }
    let k = Int(options["k"] ?? "") ?? 10
    let parameters = SearchParameters(
      efSearch: Int(options["ef"] ?? ""), probes: Int(options["probes"] ?? ""), exact: options["exact"] != nil)
    var counters = SearchCounters()
    var answers: [SegmentAnswer] = []
    answers.reserveCapacity(queries.count)
    let start = now()
    for query in queries {
      let prepared = try PreparedQuery(
        query, dimensions: index.configuration.dimensions, metric: index.configuration.metric)
      answers.append(try index.search(prepared, k: k, parameters: parameters, counters: &counters))
    }
    let seconds = now() - start
    if let path = options["out"] { try write(answers, k: k, to: path) }
    let perQuery = Double(counters.distanceComputations) / Double(queries.count)
    return "{\"seconds\": \(seconds), \"queries\": \(queries.count), \"distances_per_query\": \(perQuery)}"
  }

  /// Little-endian int64 ids, queries x k; -1 where there is none.
  private func write(_ answers: [SegmentAnswer], k: Int, to path: String) throws {
    var ids: [Int64] = []
    for answer in answers {
      ids += answer.hits.map(\.rowID)
      ids += Array(repeating: -1, count: k - answer.hits.count)
    }
    guard let file = unsafe fopen(path, "wb") else { throw UsageError(description: "cannot write \(path)") }
    let written = unsafe fwrite(ids, 8, ids.count, file)
    guard unsafe fclose(file) == 0, written == ids.count else { throw UsageError(description: "cannot write \(path)") }
  }

  /// The best of five passes that do nothing but read the index's vectors.
  private func bandwidth() throws -> String {
    guard let index else { throw UsageError(description: "build first") }
    let section = try index.file.section(
      .vectors, expecting: index.vectorCount * index.configuration.stride * 4)
    let words = unsafe section.bytes.bindMemory(to: UInt64.self)
    var best = Double.infinity
    var sum: UInt64 = 0
    for _ in 0..<5 {
      let start = now()
      var a: UInt64 = 0
      var b: UInt64 = 0
      var c: UInt64 = 0
      var d: UInt64 = 0
      var i = 0
      while i &+ 32 <= words.count {
        // One word of each half line: the memory system is what is measured.
        unsafe a &+= words[i] &+ words[i &+ 4]
        unsafe b &+= words[i &+ 8] &+ words[i &+ 12]
        unsafe c &+= words[i &+ 16] &+ words[i &+ 20]
        unsafe d &+= words[i &+ 24] &+ words[i &+ 28]
        i &+= 32
      }
      sum &+= a &+ b &+ c &+ d
      best = min(best, now() - start)
    }
    return "{\"gigabytes_per_second\": \(Double(section.byteCount) / best / 1e9), \"checksum\": \(sum)}"
  }

  private func now() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
