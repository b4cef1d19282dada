package import VidxSegments
import VidxVectors

/// What one query of a batch found, and what finding it took.
package struct BatchAnswer: Sendable {
  package var answer: SegmentAnswer
  package var counters: SearchCounters
}

extension SegmentIndex {
  /// Many searches with the same settings, on several threads.
  ///
  /// Each answer, scores to the last bit and counters included, is that of `search` for its query alone (an exact
  /// answer from codes may count vectors instead). Where vectors are scanned, exactly or by lists, a block of them, or
  /// of their codes, is read once for many queries. Vectors are scored by a matrix product, whose best are scored again
  /// as a single search would; graphs are walked query by query.
  /// - Parameters:
  ///   - parameters: whose stop is asked by the calling thread.
  ///   - threads: at least 1.
  /// - Complexity: memory beyond the answers: some megabytes a thread, k hits for each of its queries (at most 64 MiB
  ///   together, or those of one), and where codes are scanned, their candidates (the same).
  package func search(
    _ queries: [PreparedQuery], k: Int, parameters: SearchParameters = SearchParameters(), filter: EntryFilter? = nil,
    threads: Int
  ) throws(SegmentError) -> [BatchAnswer] {
    precondition(
      queries.allSatisfy { $0.dimensions == configuration.dimensions }, "queries of other dimensions")
    let isTiled =
      k > 0 && vectorCount > 0 && filter?.ordinalCount != 0 && isScanned(parameters, filter) && queries.count > 1
    let size = isTiled ? tileQueries(queries.count, k: k, threads: threads) : 8
    try parameters.stop?.check()
    let parts = SharedStop.sharing(parameters.stop) { stop in
      var parameters = parameters
      parameters.stop = stop
      return Parallel.map((queries.count + size - 1) / size, threads: threads) { [parameters] part in
        let range = part * size..<min((part + 1) * size, queries.count)
        return Result { () throws(SegmentError) in
          try parameters.stop?.check()
          return try self.answers(Array(queries[range]), k: k, parameters, filter, isTiled: isTiled)
        }
      }
    }
    var answers: [BatchAnswer] = []
    answers.reserveCapacity(queries.count)
    for part in parts { answers += try part.get() }
    return answers
  }

  /// Whether which vectors a query scans is known beforehand.
  private func isScanned(_ parameters: SearchParameters, _ filter: EntryFilter?) -> Bool {
    if parameters.isExact { return true }
    return switch structure {
    case .flat: true
    case .ivfflat: !usesReach(parameters, filter)
    case .hnsw: false
    }
  }

  /// Queries to a tile: an equal share for each thread, within what memory the hits may take.
  private func tileQueries(_ count: Int, k: Int, threads: Int) -> Int {
    let share = (count + max(threads, 1) - 1) / max(threads, 1)
    let affordable = Self.hitsHeld / min(max(k, 1), entryCount)
    return max(1, min(share, affordable, Self.mostTileQueries))
  }

  private func answers(
    _ queries: [PreparedQuery], k: Int, _ parameters: SearchParameters, _ filter: EntryFilter?, isTiled: Bool
  ) throws(SegmentError) -> [BatchAnswer] {
    if isTiled {
      if case .ivfflat(let lists) = structure, !parameters.isExact {
        return try searchLists(
          lists, queries, k: k, probes: parameters.probes, filter: filter, stop: parameters.stop)
      }
      return try searchExact(queries, k: k, filter: filter, stop: parameters.stop)
    }
    var answers: [BatchAnswer] = []
    answers.reserveCapacity(queries.count)
    for query in queries {
      var counters = SearchCounters()
      let answer = try search(query, k: k, parameters: parameters, filter: filter, counters: &counters)
      answers.append(BatchAnswer(answer: answer, counters: counters))
    }
    return answers
  }

  /// A product of a tile is 512 KiB then, and stays in the second cache.
  private static let mostTileQueries = 512
  /// Hits that the queries of one tile may hold together: 64 MiB.
  private static let hitsHeld = 1 << 22
}
