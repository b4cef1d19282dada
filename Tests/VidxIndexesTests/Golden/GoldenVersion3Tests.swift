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

/// A segment as an earlier vidx wrote it: whole, and searched under filters in every way.
@Suite("Segments of earlier releases: version 3") struct GoldenVersion3Tests {
  private let folder = TemporaryFolder()
  private let index: SegmentIndex
  private static let rows = 0..<GoldenVersion3.rowCount

  init() throws {
    let path = folder.path + "/golden.seg"
    let file = unsafe fopen(path, "wb")
    let bytes = GoldenVersion3.bytes
    let written = unsafe fwrite(bytes, 1, bytes.count, file)
    unsafe fclose(file)
    #expect(written == bytes.count)
    index = try SegmentIndex.open(path: path)
  }

  @Test func isReadWholeAndUnchanged() throws {
    #expect(try index.check() == [])
    #expect(GoldenVersion3.bytes[8] == 3)
    #expect(index.configuration.kind == .hnsw && index.configuration.m == 4 && index.coded.codec == .int8)
    #expect(index.entryCount == 54 && index.vectorCount == 48)
    let lists = try #require(index.lists)
    let reach = try #require(lists.reach)
    #expect(lists.listCount == 6 && !reach.steps.isEmpty)
    for i in Self.rows {
      let entry = try #require(try index.entry(ofRowID: GoldenVersion3.rowID(i)))
      for (column, value) in GoldenVersion3.values(i).enumerated() {
        #expect(try index.value(column: column, entry: entry) == value, "row \(i)")
      }
      let vector = try index.vector(ofEntry: entry)
      for (found, stored) in zip(vector, GoldenVersion3.vector(i)) { #expect(abs(found - stored) < 1e-4, "row \(i)") }
    }
  }

  private static let conditions: [[FilterCondition]] = [
    [], [FilterCondition(0, .equals(.integer(3)))], [FilterCondition(0, .isNull)],
    [FilterCondition(0, .range(lower: FilterCondition.Bound(.integer(2), isInclusive: true), upper: nil))],
    [FilterCondition(1, .isIn([.string("red"), .real(2.5)])), FilterCondition(0, .isNotNull)],
    [FilterCondition(1, .range(lower: nil, upper: FilterCondition.Bound(.real(2.5), isInclusive: false)))],
    [FilterCondition(1, .equals(.string("blue")))],
  ]

  @Test(arguments: [SegmentPlan.exact, .graph, .lists, nil])
  func isSearchedUnderFilters(plan: SegmentPlan?) throws {
    let k = 6
    var counters = SearchCounters()
    var plans: Set<SegmentPlan> = []
    for conditions in Self.conditions {
      let passing = Self.rows.filter { i in
        conditions.allSatisfy { $0.passes(GoldenVersion3.values(i)[$0.column]) }
      }
      let filter = conditions.isEmpty ? nil : try EntryFilter(index.entries(passing: conditions), in: index)
      #expect((filter?.entryCount ?? 54) == passing.count, "\(conditions)")
      var found = 0
      for query in stride(from: 0, to: 48, by: 5).map(GoldenVersion3.vector) {
        let answer = try index.search(
          PreparedQuery(query, dimensions: query.count, metric: .cosine), k: k,
          parameters: SearchParameters(plan: plan), filter: filter, counters: &counters)
        plans.insert(answer.plan)
        #expect(answer.hits.count == min(k, passing.count))
        #expect(Set(passing.map(GoldenVersion3.rowID)).isSuperset(of: answer.hits.map(\.rowID)))
        let distances = passing.map { referenceDistance(query, GoldenVersion3.vector($0), .cosine) }.sorted()
        let last = distances.prefix(k).last ?? 0
        let near = answer.hits.count { Double(Metric.cosine.distance(fromScore: $0.score)) <= last + 1e-5 }
        if answer.exact { #expect(near == answer.hits.count, "\(conditions)") }
        found += near
      }
      #expect(Double(found) >= 0.9 * Double(10 * min(k, passing.count)), "\(conditions): \(found)")
    }
    // It was searched in this way; a walk that finds fewer than pass leaves the rest to lists.
    guard let plan else { return }
    #expect(plans.contains(plan))
    #expect((counters.nodesExpanded > 0) == (plan == .graph))
    #expect(plan == .graph || (counters.listsProbed > 0) == (plan == .lists))
  }
}
