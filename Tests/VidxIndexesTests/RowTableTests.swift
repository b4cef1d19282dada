import TestSupport
import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

/// Many rows at a time looked for in a segment: before and after where they lie has been counted.
@Suite struct RowTableTests {
  /// How row ids follow each other, whether rows share vectors, and whether where ids lie can be counted.
  enum Gaps: CaseIterable {
    case none, few, wide

    func id(_ i: Int) -> Int64 {
      switch self {
      case .none: -700 + Int64(i)
      case .few: -700 + Int64(i) * 3 + Int64(i % 7 / 5)
      case .wide: (Int64(i) - 1_000) &* 4_000_000_000_000_037
      }
    }
  }

  private static let rowCount = 3_000

  /// Every sixth row has the vector of another, and some have none to be near to.
  private func make(_ gaps: Gaps, shares: Bool, _ folder: TemporaryFolder) throws -> SegmentIndex {
    var rows = TestVectors(count: Self.rowCount, dimensions: 6, seed: 17).rows
    if shares {
      for i in stride(from: 0, to: Self.rowCount, by: 6) { rows[i] = rows[(i * 7 + 1) % Self.rowCount] }
      for i in stride(from: 5, to: Self.rowCount, by: 500) { rows[i] = [Float](repeating: 0, count: 6) }
    }
    let source = ArraySource(
      rowIDs: rows.indices.map(gaps.id), vectors: rows.flatMap { $0 }, dimensions: 6)
    return try folder.build(source, IndexConfiguration(dimensions: 6, metric: .cosine, kind: .ivfflat, lists: 20))
  }

  private func members(_ set: RowSet) -> [Int] {
    var result: [Int] = []
    set.forEach { result.append($0) }
    return result
  }

  private func entries(_ ids: [Int64], _ rows: RowTable) throws -> (count: Int, set: RowSet) {
    let set = RowSet(capacity: rows.entryCount)
    let count = try unsafe ids.withUnsafeBufferPointer { unsafe try rows.insertEntries(ofSortedRowIDs: $0, into: set) }
    return (count, set)
  }

  @Test(arguments: Gaps.allCases, [true, false])
  func findsTheSameEachTime(_ gaps: Gaps, shares: Bool) throws {
    let folder = TemporaryFolder()
    let index = try make(gaps, shares: shares, folder)
    #expect(index.rows.hasSharedVectors == shares)
    var random = SplitMix(seed: 3)
    // From a few of them to all, so that what is counted is made on the way.
    for share in [0, 1, 2, 3, 20, 400, 1_000] {
      let places = (0..<Self.rowCount).filter { _ in Int.random(in: 0..<1_000, using: &random) < share }
      var ids = places.map(gaps.id)
      // Beside them such as are not there, one within and two at the ends.
      if gaps != .none { ids.append(gaps.id(share) + 1) }
      ids = Set(ids + [.min, .max]).sorted()
      let (count, set) = try entries(ids, index.rows)
      let expected = try ids.compactMap { try index.rows.entry(rowID: $0) }.sorted()
      #expect(count == expected.count && members(set) == expected)
      if share == 1_000 { #expect(index.rows.idRanks.isMade == (gaps == .few)) }
      #expect(expected.count >= places.count)
      if !shares { continue }
      let ordinals = RowSet(capacity: index.vectorCount)
      try index.rows.insertOrdinals(of: set, count: set.count, into: ordinals)
      #expect(try members(ordinals) == Set(expected.compactMap { try index.rows.ordinal(entry: $0) }).sorted())
      if share == 1_000 { #expect(index.rows.vectorRanks.isMade) }
    }
  }

  /// Row ids that do not ascend are searched for as they were before they are counted; nothing traps.
  @Test(arguments: [0, 700, 2_999], [Int64.min, -700, 0, .max])
  func doesNotCountIDsOutOfOrder(place: Int, id: Int64) throws {
    let folder = TemporaryFolder()
    let index = try make(.few, shares: true, folder)
    var ids = try #require(try SegmentIndexDamageTests.section(.sortedRowIDs, of: index.file))
    for i in 0..<8 { ids[place * 8 + i] = UInt8(truncatingIfNeeded: id >> (8 * Int64(i))) }
    let path = try SegmentIndexDamageTests.forge(index.file, .sortedRowIDs, ids, folder)
    let forged = try SegmentIndex(SegmentFile(path: path))
    let asked = (0..<Self.rowCount).map(Gaps.few.id)
    for _ in 0..<3 {
      let (count, set) = try entries(asked, forged.rows)
      #expect(count <= Self.rowCount && set.count <= count)
      if place == 700 { #expect(!forged.rows.idRanks.isMade && count < Self.rowCount) }
    }
  }

  /// Two vectors that begin at one entry are not counted: their rows are searched for.
  @Test func doesNotCountVectorsWithoutRows() throws {
    let folder = TemporaryFolder()
    let index = try make(.none, shares: true, folder)
    var starts = try #require(try SegmentIndexDamageTests.section(.entryStarts, of: index.file))
    starts.replaceSubrange(400..<404, with: starts[396..<400])
    let path = try SegmentIndexDamageTests.forge(index.file, .entryStarts, starts, folder)
    let forged = try SegmentIndex(SegmentFile(path: path))
    let (set, ordinals) = (RowSet(capacity: forged.entryCount, full: true), RowSet(capacity: forged.vectorCount))
    for _ in 0..<2 { try forged.rows.insertOrdinals(of: set, count: set.count, into: ordinals) }
    #expect(!forged.rows.vectorRanks.isMade && ordinals.count > 0)
  }

  @Test func countsMembersBefore() throws {
    for capacity in [1, 63, 64, 65, 700] {
      let members = (0..<capacity).filter { $0 % 5 == 2 || $0 % 64 == 63 }
      let bits = RankedBits(capacity: capacity) { insert in
        for member in members where !insert(member) { Issue.record("\(member) is new") }
        if let last = members.last, insert(last) { Issue.record("\(last) is known") }
        if insert(capacity) || insert(-1) { Issue.record("outside") }
      }
      for position in 0..<capacity {
        let before = members.count { $0 < position }
        #expect(bits.rank(ofMember: position) == (members.contains(position) ? before : nil))
        #expect(bits.count(through: position) == before + (members.contains(position) ? 1 : 0))
      }
      #expect(bits.rank(ofMember: -1) == nil && bits.rank(ofMember: capacity) == nil)
    }
  }
}
