import TestSupport
import Testing
import VidxVectors

@testable import VidxIndexes

@Suite struct ListOrderTests {
  @Test func groupsByListAndKeepsTheOrder() {
    let order = ListOrder([2, 0, 2, 3, 0, 2], listCount: 5)
    #expect(order.starts == [0, 2, 2, 5, 6, 6])
    #expect(order.order == [1, 4, 0, 2, 5, 3])
    #expect(Array(order.ordinals(of: 2)) == [0, 2, 5])
    #expect(order.isEmpty(1) && order.isEmpty(4) && !order.isEmpty(3))
    #expect(ListOrder([], listCount: 2).starts == [0, 0, 0])
  }

  /// With scores, and with bounds below them, some of which are the scores themselves.
  @Test(arguments: [false, true])
  func queueHandsOutListsNearestFirst(areBounds: Bool) {
    for count in [0, 1, 2, 3, 7, 16, 17, 64, 1000] {
      var random = SplitMix(seed: UInt64(count))
      // Few different scores: ties must come by number.
      let scores = (0..<count).map { _ in Float(Int.random(in: -20..<30, using: &random)) }
      let given = scores.map { areBounds ? $0 - Float(Int.random(in: 0..<4, using: &random)) : $0 }
      var scored: [Int] = []
      let popped = drain(given, areBounds) { list in
        scored.append(list)
        return scores[list]
      }
      #expect(popped == scores.indices.sorted { (scores[$0], $0) < (scores[$1], $1) })
      #expect(scored.count == (areBounds ? count : 0) && Set(scored).count == scored.count)
    }
  }

  /// Only what may come next is scored.
  @Test func queueScoresLittle() {
    let scores = (0..<1000).map { Float(($0 * 7) % 1000) }
    var scored = 0
    let popped = drain(scores.map { $0 - 2.5 }, true, limit: 10) { list in
      scored += 1
      return scores[list]
    }
    #expect(popped.map { scores[$0] } == (0..<10).map(Float.init))
    #expect(scored <= 13)
  }

  @Test func queueTakesScoresThatAreNoNumbersLast() {
    let scores: [Float] = [.nan, 3, .infinity, -1, .nan]
    #expect(drain(scores, false) { _ in 0 }.prefix(2) == [3, 1])
    #expect(Set(drain(scores, false) { _ in 0 }) == Set(0..<5))
    #expect(drain([0, 0, 0, 0, 0], true) { scores[$0] }.prefix(2) == [3, 1])
  }

  private func drain(
    _ scores: [Float], _ areBounds: Bool, limit: Int = .max, _ score: (Int) -> Float
  ) -> [Int] {
    let memory = AlignedBuffer(byteCount: ListQueue.byteCount(lists: scores.count))
    unsafe memory.floats.update(from: scores, count: scores.count)
    var queue = unsafe ListQueue(memory.floats, count: scores.count, areBounds: areBounds)
    var result: [Int] = []
    while result.count < limit, let list = queue.pop(score) { result.append(list) }
    #expect(queue.count == scores.count - result.count)
    return result
  }
}

@Suite struct RowSetRangeTests {
  @Test func countsAndCopiesMembersOfARange() {
    var random = SplitMix(seed: 12)
    let set = RowSet(capacity: 500)
    var members: [Int] = []
    for i in 0..<500 where Int.random(in: 0..<3, using: &random) == 0 || (128..<192).contains(i) {
      set.insert(i)
      members.append(i)
    }
    for (start, end) in [(0, 500), (0, 0), (63, 65), (64, 128), (128, 192), (1, 499), (130, 131), (500, 500)] {
      let expected = members.filter { (start..<end).contains($0) }
      #expect(set.count(in: start..<end) == expected.count)
      for limit in [1, 7, 64, 512] {
        var rest = start..<end
        var copied: [Int] = []
        var ids = [UInt32](repeating: 0, count: limit)
        while true {
          let count = unsafe ids.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return 0 }
            return unsafe set.copyMembers(of: &rest, to: base, limit: limit)
          }
          if count == 0 { break }
          copied += ids[..<count].map { Int($0) }
        }
        #expect(copied == expected)
      }
    }
  }
}
