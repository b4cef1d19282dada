package import VidxIndexes

/// How the parts of an index answer one search.
package struct StoreExplanation: Sendable {
  /// What a way to search a segment would cost.
  package struct Estimate: Sendable {
    package var plan: SegmentPlan
    /// Vectors, codes and centroids scored.
    package var scores: Double
    package var nanoseconds: Double
  }

  /// One segment.
  package struct Part: Sendable {
    /// Its file.
    package var name: String
    /// Rows that live, and those of them that pass the filter.
    package var rows: Int
    package var passing: Int
    /// Cheapest first.
    package var estimates: [Estimate]
    /// What answered in the end.
    package var plan: SegmentPlan
    package var counters: SearchCounters
    package var duration: Duration
  }

  package var segments: [Part] = []
  /// Rows not in a segment yet: all that pass are scored.
  package var deltaRows = 0
  package var deltaPassing = 0
}

extension IndexStore {
  /// Searches each part for itself and says what was planned and what it took. For people who ask; the search itself
  /// says what it did in its answer.
  /// - Throws: as `search`.
  package func explain(_ request: StoreRequest) throws -> StoreExplanation {
    try check(request)
    let query = try prepare(request.query)
    try refreshToSearch()
    var parameters = stoppable(request.parameters)
    if request.after != nil { parameters.exact = true }
    let k = min(request.k, liveCount)
    let filter = try resolve(request)
    var explanation = StoreExplanation()
    for view in views {
      var part = StoreExplanation.Part(
        name: view.fileName, rows: view.liveCount, passing: 0, estimates: [], plan: .exact, counters: SearchCounters(),
        duration: .zero)
      if let passing = try settling({ try passing(filter, in: view) }) {
        part.passing = passing.count
        part.estimates = view.index.estimates(k: k, parameters: parameters, filter: passing.rows).map {
          StoreExplanation.Estimate(plan: $0.plan, scores: $0.scores, nanoseconds: $0.nanoseconds)
        }
        part.duration = try settling {
          try ContinuousClock().measure {
            part.plan = try view.index.search(
              query, k: k, parameters: parameters, filter: passing.rows, counters: &part.counters
            ).plan
          }
        }
      }
      explanation.segments.append(part)
    }
    if let delta {
      explanation.deltaRows = delta.cache.count
      explanation.deltaPassing = filter?.deltaSlots.count ?? delta.cache.count
    }
    return explanation
  }
}
