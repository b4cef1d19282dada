import TestSupport
import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

/// Searches are ended between blocks of work, whichever way they go, and seldom ask whether they are to be.
@Suite struct SearchStopTests {
  /// Counts how often it is asked, and ends the search from a number on.
  @safe private final class Asked: @unchecked Sendable {
    // @unchecked: only the thread that has begun a search asks.
    var count = 0
    let most: Int

    init(most: Int) { self.most = most }

    var stop: SearchStop {
      unsafe SearchStop(context: Unmanaged.passUnretained(self).toOpaque()) { context in
        guard let context = unsafe context else { return 0 }
        let asked = unsafe Unmanaged<Asked>.fromOpaque(context).takeUnretainedValue()
        asked.count += 1
        return asked.count > asked.most ? 1 : 0
      }
    }
  }

  private static let count = 40_000
  private static let data = TestVectors(count: count, dimensions: 8, seed: 4)

  private struct Case {
    var name: String
    var parameters = SearchParameters()
    var share = 1.0
    var k = 10
  }

  private static func cases(_ kind: IndexKind) -> [Case] {
    let exact = [
      Case(name: "exact", parameters: SearchParameters(exact: true)),
      Case(name: "exact among half", parameters: SearchParameters(exact: true), share: 0.5),
    ]
    switch kind {
    case .flat: return exact
    case .ivfflat:
      let all = SearchParameters(probes: 1_000)
      return exact + [
        Case(name: "lists", parameters: all), Case(name: "lists among half", parameters: all, share: 0.5),
      ]
    case .hnsw:
      return exact + [
        Case(name: "graph", parameters: SearchParameters(efSearch: 2_000, plan: .graph)),
        Case(name: "graph among half", parameters: SearchParameters(efSearch: 2_000, plan: .graph), share: 0.5),
        Case(name: "lists", parameters: SearchParameters(targetRecall: 0.999, plan: .lists), share: 0.9, k: 9_000),
      ]
    }
  }

  @Test(arguments: [IndexKind.flat, .ivfflat, .hnsw], [CodecChoice.fixed(.f32), .fixed(.int8)])
  func endsSearches(kind: IndexKind, codec: CodecChoice) throws {
    let folder = TemporaryFolder()
    var configuration = IndexConfiguration(dimensions: 8, metric: .l2, kind: kind)
    configuration.codec = codec
    let index = try folder.build(Self.data.source(), configuration, threads: 2)
    let queries = try (0..<40).map { try PreparedQuery(Self.data.rows[$0 * 31], dimensions: 8, metric: .l2) }
    for test in Self.cases(kind) {
      let filter = try filter(test.share, index)
      try checkOne(index, queries[1], test, filter)
      try checkBatch(index, queries, test, filter)
      try checkStream(index, queries[2], test, filter)
    }
  }

  private func filter(_ share: Double, _ index: SegmentIndex) throws -> EntryFilter? {
    if share == 1 { return nil }
    var random = SplitMix(seed: 8)
    let set = RowSet(capacity: index.entryCount)
    for entry in 0..<index.entryCount where Double.random(in: 0..<1, using: &random) < share { set.insert(entry) }
    return try EntryFilter(set, in: index)
  }

  private func checkOne(_ index: SegmentIndex, _ query: PreparedQuery, _ test: Case, _ filter: EntryFilter?) throws {
    func hits(_ stop: SearchStop?) throws -> (hits: [Hit], counters: SearchCounters) {
      var parameters = test.parameters
      parameters.stop = stop
      var counters = SearchCounters()
      let answer = try index.search(query, k: test.k, parameters: parameters, filter: filter, counters: &counters)
      return (answer.hits, counters)
    }
    let expected = try hits(nil)
    let patient = Asked(most: .max)
    #expect(try hits(patient.stop).hits == expected.hits, "\(test.name)")
    // Once in some thousand scores, and once in 256 nodes of a walk.
    let most = 2 + expected.counters.distanceComputations / 4_000 + expected.counters.nodesExpanded / 256
    #expect((1...most).contains(patient.count), "\(test.name): \(patient.count) of \(most)")
    // What an earlier search has left may put a question off.
    for _ in 0..<2 {
      let hasty = Asked(most: 0)
      #expect(throws: SegmentError.stopped, "\(test.name)") { try hits(hasty.stop) }
      #expect(hasty.count == 1)
    }
    #expect(try hits(nil).hits == expected.hits, "\(test.name), after one that was ended")
  }

  private func checkBatch(
    _ index: SegmentIndex, _ queries: [PreparedQuery], _ test: Case, _ filter: EntryFilter?
  ) throws {
    func answers(_ stop: SearchStop?, threads: Int) throws -> [[Hit]] {
      var parameters = test.parameters
      parameters.stop = stop
      return try index.search(queries, k: 3, parameters: parameters, filter: filter, threads: threads)
        .map(\.answer.hits)
    }
    let expected = try answers(nil, threads: 2)
    for threads in [1, 2] {
      let patient = Asked(most: .max)
      #expect(try answers(patient.stop, threads: threads) == expected, "\(test.name)")
      #expect(patient.count > 0, "\(test.name)")
      // In the middle of the batch, and at its beginning.
      for most in [patient.count / 2, 0] {
        let hasty = Asked(most: most)
        if threads == 1 { #expect(throws: SegmentError.stopped) { try answers(hasty.stop, threads: 1) } }
        if threads == 1 { #expect(hasty.count == most + 1, "\(test.name)") }
      }
      #expect(try answers(nil, threads: threads) == expected, "\(test.name), after one that was ended")
    }
  }

  private func checkStream(
    _ index: SegmentIndex, _ query: PreparedQuery, _ test: Case, _ filter: EntryFilter?
  ) throws {
    let asked = Asked(most: 1)
    var parameters = test.parameters
    parameters.stop = asked.stop
    let stream = index.stream(query, parameters: parameters, filter: filter)
    let error = #expect(throws: SegmentError.self, "\(test.name)") { while try stream.next() != nil {} }
    #expect(error == .stopped)
    #expect(asked.count == 2)
    withExtendedLifetime(asked) {}
  }
}
