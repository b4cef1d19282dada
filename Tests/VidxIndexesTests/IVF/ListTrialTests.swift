import TestSupport
import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// What questions keep of their scores says the same of searches of lists as all scores would.
@Suite struct ListTrialTests {
  /// Lists over some vectors, and what a question knows of them.
  private struct Fixture {
    let metric: Metric
    let distinct: DistinctVectors
    let lists: IVFBuilder
    let sample: ListSample
    let spreads: [Float]

    init(_ metric: Metric, lists asked: Int) throws {
      self.metric = metric
      let data = TestVectors(count: 1_500, dimensions: 12, seed: 23)
      let configuration = IndexConfiguration(dimensions: 12, metric: metric, kind: .ivfflat)
      distinct = try DistinctVectors(configuration: configuration, capacity: data.rows.count)
      try distinct.add(data.source(), options: BuildOptions(threads: 1))
      lists = try IVFBuilder(distinct, lists: asked, .brief, base: nil, options: BuildOptions(threads: 1))
      sample = ListSample(vectorCount: distinct.count, lists)
      spreads = (0..<lists.listCount).map { 0.2 + 0.01 * Float($0 % 7) }
    }

    func query(_ position: Int) throws -> PreparedQuery {
      unsafe try PreparedQuery(
        UnsafeBufferPointer(start: distinct.vectors + position * distinct.stride, count: 12), dimensions: 12,
        metric: metric)
    }

    /// Searches that score everything, by the definition.
    func outcomes(_ position: Int, _ reach: (base: Float, slope: Float)) throws -> [ListTrial.Outcome] {
      let query = try query(position)
      let kernels = VectorKernels(metric)
      let scores = (0..<distinct.count).map { row in
        unsafe kernels.one(query.floats, distinct.vectors + row * distinct.stride, distinct.stride)
      }
      let centroids = (0..<lists.listCount).map { list in
        unsafe kernels.one(query.floats, lists.centroids.row(list), distinct.stride)
      }
      let byDistance = centroids.indices.sorted { (centroids[$0], $0) < (centroids[$1], $1) }
      let farCount = max(byDistance.count / 20, 1)
      let first = byDistance.count / 2 + (position * 31) % max(byDistance.count / 2 - farCount, 1)
      let far = byDistance[first..<first + farCount]
      return (0..<5).map { filter in
        let members = (0..<lists.listCount).map { list in
          lists.order[Int(lists.listStarts[list])..<Int(lists.listStarts[list + 1])].map { Int($0) }.filter {
            $0 != position && (filter == 4 ? far.contains(list) : sample.passes[$0] & 1 << UInt8(filter) != 0)
          }
        }
        let sorted = members.flatMap { $0 }.map { scores[$0] }.sorted()
        let wanted = min(10, sorted.count)
        let bound = ListBound(metric, queryLength: query.length, base: reach.base, slope: reach.slope)
        let order = members.indices.filter { !members[$0].isEmpty }.map { list in
          (bound: bound(centroids[list], spreads[list], Float(members[list].count).logarithm), list: list)
        }.sorted { $0 < $1 }
        var outcome = ListTrial.Outcome(found: 0, wanted: wanted, scored: 0)
        var found: [Float] = []
        for (bound, list) in order {
          if wanted == 0 || (found.count >= wanted && bound > found[wanted - 1]) { break }
          found = (found + members[list].map { scores[$0] }).sorted()
          outcome.scored += members[list].count
        }
        if wanted > 0 { outcome.found = min(wanted, found.count { $0 <= sorted[wanted - 1] }) }
        return outcome
      }
    }
  }

  @Test(arguments: [Metric.cosine, .l2, .innerProduct], [3, 40, 400])
  func isWhatScoringEverythingWouldSay(metric: Metric, lists: Int) throws {
    let fixture = try Fixture(metric, lists: lists)
    let positions = [0, 1, 700, fixture.distinct.count - 1]
    let queries = try positions.map { try fixture.query($0) }
    let nearest = fixture.sample.nearest(queries, positions, fixture.distinct, isCancelled: { false })
    var isPartial = false
    for (i, position) in positions.enumerated() {
      let room = fixture.sample.room
      let own = unsafe Array(UnsafeBufferPointer(start: nearest.floats + i * room, count: room))
      let trial = ListTrial(
        queries[i], position: position, own, fixture.sample, fixture.distinct, fixture.lists)
      for reach in [(base: Float(0.1), slope: Float(0.03)), (0.3, 0.05), (0.6, 0.07), (1, 0.05)] {
        let outcomes = trial.run(reach, fixture.spreads, metric)
        #expect(try outcomes == fixture.outcomes(position, reach), "\(position), \(reach)")
        isPartial = isPartial || outcomes.contains { $0.found < $0.wanted }
      }
    }
    #expect(isPartial || lists == 3, "only searches that miss something put this to the test")
  }

  @Test func keepsWithinBoundsWhateverTheLists() throws {
    // What they keep at k = 10, most of four filters' lists full.
    for (lists, expected) in [(256, 96), (3_162, 96), (65_536, 16)] {
      let bytes = lists * (40 + 5) * 4
      let questions = MeasuredLists.questionCount(bytesPerTrial: bytes)
      #expect(questions == expected)
      #expect(questions * bytes <= 192 << 20)
    }
    let fixture = try Fixture(.cosine, lists: 40)
    #expect(fixture.sample.bytesPerTrial <= 40 * (40 + 5) * 4)
  }
}

extension Float {
  fileprivate var logarithm: Float { logf(self) }
}
