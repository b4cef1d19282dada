import Vidx
import VidxFiles
import VidxIndexes
import VidxSegments
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// One database with one index over one set of vectors, driven by the commands in main.swift.
///
/// Everything goes through the session that the library and the command line use: a search pays for its snapshot of the
/// database, its filter and its result as a user's does.
final class Worker {
  private var base: (any VectorFile)?
  private var queries: [[Float]] = []
  private var database: ScratchDatabase?

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
    case "filtered": return try filtered(options)
    case "bandwidth": return try bandwidth()
    case "writes": return try writes(options)
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
    func number(_ key: String, _ fallback: Int) -> Int { options[key].flatMap { Int($0) } ?? fallback }
    let types: [String: IndexType] = [
      "flat": .flat, "ivfflat": .ivfflat(lists: number("lists", 0)),
      "hnsw": .hnsw(m: number("m", 16), efConstruction: number("efc", 200)),
    ]
    guard let type = types[kind] else { throw UsageError(description: "build flat|ivfflat|hnsw") }
    // In memory first, as the peers have them: the clock covers the build, not the reading of the file.
    let vectors = try MemoryBlocks(base)
    database = nil
    let scratch = try ScratchDatabase(folder: options["directory"] ?? ".build")
    database = scratch
    let start = now()
    _ = try scratch.session.build(
      "vectors",
      IndexOptions(
        dimensions: base.dimensions, metric: options["metric"].flatMap { Metric(rawValue: $0) } ?? .cosine, type: type,
        codec: options["codec"].flatMap { IndexCodec(rawValue: $0) } ?? .auto),
      vectors: vectors, build: BuildOptions(threads: number("threads", 2)))
    let seconds = now() - start
    let summary = try scratch.session.summary(of: "vectors")
    let bytes = summary.segments.reduce(0) { $0 + $1.bytes }
    return
      "{\"seconds\": \(seconds), \"bytes\": \(bytes), \"rows\": \(summary.rows), \"isa\": \"\(VectorKernels.isa)\"}"
  }

  private func search(_ options: [String: String]) throws -> String {
    guard let database else { throw UsageError(description: "build first") }
    let k = options["k"].flatMap { Int($0) } ?? 10
    let settings = SearchSettings(
      efSearch: options["ef"].flatMap { Int($0) }, targetRecall: options["recall"].flatMap { Double($0) },
      probes: options["probes"].flatMap { Int($0) })
    let threads = options["threads"].flatMap { Int($0) } ?? 1
    let start = now()
    let answers =
      options["batch"] == "1"
      ? try database.session.search("vectors", nearEach: queries, k: k, settings: settings, threads: threads)
      : try database.session.snapshot {
        try queries.map { try database.session.search("vectors", near: $0, k: k, settings: settings) }
      }
    let seconds = now() - start
    if let path = options["out"] { try write(answers.map { $0.hits.map(\.id) }, k: k, to: path) }
    let computed = answers.reduce(0) { $0 + $1.counters.distanceComputations }
    let read = answers.reduce(0) { $0 + $1.counters.bytesRead }
    let (distances, bytes) = (Double(computed) / Double(queries.count), Double(read) / Double(queries.count))
    return "{\"seconds\": \(seconds), \"queries\": \(queries.count), \"distances_per_query\": \(distances), "
      + "\"bytes_per_query\": \(bytes)}"
  }

  private func filtered(_ options: [String: String]) throws -> String {
    guard let database, let segment = try database.session.summary(of: "vectors").segments.first,
      let masks = options["masks"], let numbers = options["of"]
    else { throw UsageError(description: "build first; filtered masks=FILE of=FILE") }
    let index = try SegmentIndex.open(path: "\(database.path)-vidx/\(segment.file)")
    let searches = try FilteredSearches(index, masks: masks, numbers: numbers)
    let k = options["k"].flatMap { Int($0) } ?? 10
    let parameters = SearchParameters(
      efSearch: options["ef"].flatMap { Int($0) }, targetRecall: options["recall"].flatMap { Double($0) },
      probes: options["probes"].flatMap { Int($0) }, plan: options["plan"].flatMap { SegmentPlan(rawValue: $0) })
    var lines: [String] = []
    // The first pass warms up.
    for pass in 0..<4 {
      let (hits, seconds, counters, plans) = try searches.run(queries, k: k, parameters)
      if pass == 0 { continue }
      if let path = options["out"] { try write(hits.map { $0.map(\.rowID) }, k: k, to: path) }
      let count = Double(queries.count)
      let chosen = plans.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ")
      let each = { (number: Int) in Double(number) / count }
      lines.append(
        "{\"seconds\": \(seconds), \"queries\": \(queries.count), "
          + "\"distances\": \(each(counters.distanceComputations)), "
          + "\"rows\": \(each(counters.rowsScored)), \"reranked\": \(each(counters.reranked)), "
          + "\"lists\": \(each(counters.listsProbed)), \"plans\": {\(chosen)}}")
    }
    return "[\(lines.joined(separator: ", "))]"
  }

  /// Little-endian int64 row numbers (from 0), queries x k; -1 where there is none.
  private func write(_ answers: [[Int64]], k: Int, to path: String) throws {
    var ids: [Int64] = []
    for answer in answers {
      // The session numbers rows from 1.
      ids += answer.map { $0 - 1 }
      ids += Array(repeating: -1, count: k - answer.count)
    }
    guard let file = unsafe fopen(path, "wb") else { throw UsageError(description: "cannot write \(path)") }
    let written = unsafe fwrite(ids, 8, ids.count, file)
    guard unsafe fclose(file) == 0, written == ids.count else { throw UsageError(description: "cannot write \(path)") }
  }

  /// The median of nine passes that do nothing but read the index's vectors, from the mapped file.
  private func bandwidth() throws -> String {
    guard let database, let segment = try database.session.summary(of: "vectors").segments.first else {
      throw UsageError(description: "build first")
    }
    let index = try SegmentIndex.open(path: "\(database.path)-vidx/\(segment.file)")
    let section = try index.file.section(.vectors, expecting: index.vectorCount * index.configuration.stride * 4)
    let words = unsafe section.bytes.bindMemory(to: UInt64.self)
    var passes: [Double] = []
    var sum: UInt64 = 0
    for _ in 0..<9 {
      let start = now()
      unsafe sum &+= Self.sum(words)
      passes.append(now() - start)
    }
    let gigabytes = Double(section.byteCount) / 1e9
    let median = passes.sorted()[passes.count / 2]
    return "{\"gigabytes_per_second\": \(gigabytes / median), \"gigabytes\": \(gigabytes), \"checksum\": \(sum)}"
  }

  private static func sum(_ words: UnsafeBufferPointer<UInt64>) -> UInt64 {
    var a: UInt64 = 0
    var b: UInt64 = 0
    var c: UInt64 = 0
    var d: UInt64 = 0
    var i = 0
    // Two words of each line: the memory system is what is measured.
    while i &+ 32 <= words.count {
      unsafe a &+= words[i] &+ words[i &+ 4]
      unsafe b &+= words[i &+ 8] &+ words[i &+ 12]
      unsafe c &+= words[i &+ 16] &+ words[i &+ 20]
      unsafe d &+= words[i &+ 24] &+ words[i &+ 28]
      i &+= 32
    }
    return a &+ b &+ c &+ d
  }

  private func writes(_ options: [String: String]) throws -> String {
    guard let base, base.count > 22_000 else { throw UsageError(description: "load 22,000 vectors or more first") }
    let writes = Writes(file: base, folder: options["directory"] ?? ".build", settled: base.count - 11_000)
    return "[\(try writes.run().joined(separator: ", "))]"
  }
}

/// Seconds on a clock that does not jump.
func now() -> Double {
  var time = timespec()
  unsafe clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
