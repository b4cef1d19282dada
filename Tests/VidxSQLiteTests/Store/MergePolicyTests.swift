import Testing
import VidxIndexes

@testable import VidxSQLite

@Suite("What is merged by itself")
struct MergePolicyTests {
  private typealias Segment = MergePolicy.Segment

  @Test func littleIsLeft() {
    let policy = MergePolicy(deltaRows: 100)
    #expect(policy.choose(delta: 0, segments: []) == nil)
    #expect(policy.choose(delta: 99, segments: [Segment(live: 1_000, dead: 250)]) == nil)
    #expect(policy.choose(delta: 100, segments: []) == [])
    // A segment much larger than the delta stays as it is, and one that is not goes in, with those it then outgrows.
    #expect(policy.choose(delta: 100, segments: [Segment(live: 10_000, dead: 0)]) == [])
    #expect(policy.choose(delta: 100, segments: [Segment(live: 10_000, dead: 0), Segment(live: 300, dead: 0)]) == [1])
    #expect(
      policy.choose(delta: 100, segments: [Segment(live: 1_500, dead: 0), Segment(live: 300, dead: 0)]) == [0, 1])
  }

  @Test func manyDeadRowsAreWrittenOut() {
    let policy = MergePolicy(deltaRows: 100)
    #expect(policy.choose(delta: 0, segments: [Segment(live: 700, dead: 300), Segment(live: 9_000, dead: 10)]) == [0])
    #expect(policy.choose(delta: 0, segments: [Segment(live: 0, dead: 1)]) == [0])
  }

  @Test("What came in bulk is merged as the delta is")
  func unbuiltRowsAreNew() {
    let policy = MergePolicy(deltaRows: 100)
    let built = Segment(live: 10_000, dead: 0)
    func unbuilt(_ rows: Int) -> Segment { Segment(live: rows, dead: 0, isUnbuilt: true) }
    #expect(policy.choose(delta: 9, segments: [built, unbuilt(90)]) == nil)
    #expect(policy.choose(delta: 10, segments: [built, unbuilt(90)]) == [1])
    #expect(policy.choose(delta: 0, segments: [unbuilt(70), built, unbuilt(60)]) == [0, 2])
    #expect(policy.choose(delta: 0, segments: [unbuilt(3_000), built]) == [0, 1])
    #expect(policy.chooseAll(delta: 0, segments: [unbuilt(1)]) == [0])
    #expect(policy.chooseAll(delta: 0, segments: [built]) == nil)
    #expect(MergePolicy(mostRows: 2_000).choose(delta: 0, segments: [unbuilt(3_000), unbuilt(500), built]) == [0, 1])
    #expect(
      MergePolicy(mostRows: 2_000).chooseAll(delta: 5, segments: [unbuilt(3_000), Segment(live: 9, dead: 0)]) == [0])
  }

  @Test("Flat segments that came in bulk do not get more and more")
  func fewSegments() {
    let policy = MergePolicy(deltaRows: 100)
    #expect(policy.choose(delta: 0, segments: (0..<16).map { Segment(live: 1_000 + $0, dead: 0) }) == nil)
    #expect(policy.choose(delta: 0, segments: (0..<17).map { Segment(live: 1_000 + $0, dead: 0) })?.count == 17)
    let steep = (0..<17).map { Segment(live: 1 << (3 * $0), dead: 0) }
    #expect(policy.choose(delta: 0, segments: steep) == nil)
    #expect(policy.choose(delta: 1, segments: steep) == nil)
    var limited = policy
    limited.mostRows = 1_500
    #expect(limited.choose(delta: 1, segments: (0..<17).map { _ in Segment(live: 1_400, dead: 0) }) == nil)
  }

  /// Rows written for each inserted, and segments at most, of steady inserts.
  private func insert(_ batches: Int, of rows: Int, _ policy: MergePolicy) -> (amplification: Double, segments: Int) {
    var segments: [Segment] = []
    var delta = 0
    var written = 0
    var most = 0
    for _ in 0..<batches {
      delta += rows
      guard let chosen = policy.choose(delta: delta, segments: segments) else { continue }
      let merged = chosen.reduce(delta) { $0 + segments[$1].live }
      segments =
        segments.indices.filter { !chosen.contains($0) }.map { segments[$0] } + [Segment(live: merged, dead: 0)]
      (written, delta) = (written + merged, 0)
      most = max(most, segments.count)
    }
    return (Double(written) / Double(batches * rows), most)
  }

  @Test("A row is written a few times, and there are few segments, also after millions of rows")
  func isBounded() {
    for (batches, writes, segments) in [(100, 7.0, 3), (1_000, 10.5, 5), (10_000, 13.5, 6)] {
      let found = insert(batches, of: 2_730, MergePolicy(deltaRows: 2_730))
      #expect(found.amplification <= writes && found.segments <= segments, "\(batches) batches: \(found)")
      #expect(found.amplification > 2)
    }
  }

  @Test func itIsMoreRowsOfSmallVectors() {
    #expect(MergePolicy.standard(dimensions: 384).deltaRows == 2_730)
    #expect(MergePolicy.standard(dimensions: 1_536).deltaRows == 1_000)
    #expect(MergePolicy.standard(dimensions: 4).deltaRows > 30_000)
  }
}
