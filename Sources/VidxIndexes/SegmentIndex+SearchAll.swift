package import VidxSegments
package import VidxVectors

extension SegmentIndex {
  /// The k nearest of the rows that pass, or all of them: a graph may be torn and lists may run out, and whoever asks
  /// for k rows gets them when there are as many.
  /// - Parameter passing: how many rows pass the filter.
  package func searchAll(
    _ query: PreparedQuery, k: Int, parameters: SearchParameters, filter: EntryFilter?, passing: Int,
    counters: inout SearchCounters
  ) throws(SegmentError) -> SegmentAnswer {
    let answer = try search(query, k: k, parameters: parameters, filter: filter, counters: &counters)
    if answer.exact || answer.hits.count >= min(k, passing) { return answer }
    return SegmentAnswer(
      hits: try searchExact(query, k: k, filter: filter, counters: &counters), plan: .exact)
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
