package import VidxSegments
package import VidxVectors

extension SegmentIndex {
  /// The k nearest of the rows that pass, or all of them: a graph may be torn and lists may run out, and whoever asks
  /// for k rows gets them when there are as many.
  /// - Parameters:
  ///   - passing: how many rows pass the filter.
  ///   - hits: room for k, or for all rows.
  /// - Returns: how many there are.
  package func searchAll(
    _ query: PreparedQuery, k: Int, parameters: SearchParameters, filter: EntryFilter?, passing: Int,
    into hits: UnsafeMutablePointer<Hit>, counters: inout SearchCounters
  ) throws(SegmentError) -> Int {
    let outcome = unsafe try search(
      query, k: k, parameters: parameters, filter: filter, into: hits, counters: &counters)
    if outcome.exact || outcome.count >= min(k, passing) { return outcome.count }
    return unsafe try searchExact(query, k: k, filter: filter, into: hits, counters: &counters)
  }

  /// The same for each of many queries, in their order.
  package func searchAll(
    _ queries: [PreparedQuery], k: Int, parameters: SearchParameters, filter: EntryFilter?, passing: Int, threads: Int
  ) throws(SegmentError) -> [[Hit]] {
    let answers = try search(queries, k: k, parameters: parameters, filter: filter, threads: threads)
    var found: [[Hit]] = []
    found.reserveCapacity(queries.count)
    for (query, answer) in zip(queries, answers) {
      if answer.answer.exact || answer.answer.hits.count >= min(k, passing) {
        found.append(answer.answer.hits)
      } else {
        var counters = SearchCounters()
        found.append(try searchExact(query, k: k, filter: filter, counters: &counters))
      }
    }
    return found
  }
}
