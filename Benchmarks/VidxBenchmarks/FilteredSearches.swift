import VidxIndexes
import VidxSegments
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Searches of one segment under filters that are ready: what the engine takes, without SQLite and without a session.
struct FilteredSearches {
  let index: SegmentIndex
  /// One for each kind of row that may be a neighbour.
  let filters: [EntryFilter]
  /// Of each query, its filter.
  let filterOfQuery: [Int]

  /// - Parameters:
  ///   - masks: a byte for each row, in the order of the row ids, for one filter after the other.
  ///   - numbers: a byte for each query: its filter.
  init(_ index: SegmentIndex, masks: String, numbers: String) throws {
    self.index = index
    let bytes = try Self.bytes(of: masks)
    let rows = index.entryCount
    guard !bytes.isEmpty, bytes.count.isMultiple(of: rows) else {
      throw Worker.UsageError(description: "\(masks) has \(bytes.count) bytes: give a multiple of \(rows)")
    }
    var entries: [Int] = []
    for i in 0..<rows { entries.append(try index.sortedRow(i).entry) }
    filters = try (0..<bytes.count / rows).map { number in
      let set = RowSet(capacity: rows)
      for i in 0..<rows where bytes[number * rows + i] != 0 { set.insert(entries[i]) }
      return try EntryFilter(set, in: index)
    }
    filterOfQuery = try Self.bytes(of: numbers).map { Int($0) }
  }

  private static func bytes(of path: String) throws -> [UInt8] {
    guard let file = unsafe fopen(path, "rb") else { throw Worker.UsageError(description: "cannot read \(path)") }
    defer { unsafe fclose(file) }
    unsafe fseek(file, 0, SEEK_END)
    var bytes = [UInt8](repeating: 0, count: unsafe ftell(file))
    unsafe rewind(file)
    guard unsafe fread(&bytes, 1, bytes.count, file) == bytes.count else {
      throw Worker.UsageError(description: "cannot read \(path)")
    }
    return bytes
  }

  /// - Returns: the answers, the seconds they took, what they cost, and how many had which plan.
  func run(
    _ queries: [[Float]], k: Int, _ parameters: SearchParameters
  ) throws -> (hits: [[Hit]], seconds: Double, counters: SearchCounters, plans: [String: Int]) {
    let prepared = try queries.map {
      try PreparedQuery($0, dimensions: index.configuration.dimensions, metric: index.configuration.metric)
    }
    var answers: [[Hit]] = []
    var counters = SearchCounters()
    var plans: [String: Int] = [:]
    var seconds = 0.0
    for (i, query) in prepared.enumerated() {
      let start = now()
      let answer = try index.search(
        query, k: k, parameters: parameters, filter: filters[filterOfQuery[i]], counters: &counters)
      seconds += now() - start
      answers.append(answer.hits)
      plans[answer.plan.rawValue, default: 0] += 1
    }
    return (answers, seconds, counters, plans)
  }
}
