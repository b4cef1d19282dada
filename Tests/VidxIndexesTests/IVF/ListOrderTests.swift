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

  @Test func queueHandsOutListsNearestFirst() {
    for count in [0, 1, 2, 3, 7, 64, 1000] {
      var random = SeededGenerator(seed: UInt64(count))
      // Few different scores: ties must come by number.
      let scores = (0..<count).map { _ in Float(Int.random(in: 0..<50, using: &random)) }
      var items = scores.enumerated().map { Candidate($1, UInt32($0)) }
      let popped = unsafe items.withUnsafeMutableBufferPointer { buffer in
        var result: [Int] = []
        guard let base = buffer.baseAddress else { return result }
        var queue = unsafe ListQueue(base, count: buffer.count)
        while let list = queue.pop() { result.append(list) }
        #expect(queue.count == 0)
        return result
      }
      #expect(popped == scores.indices.sorted { (scores[$0], $0) < (scores[$1], $1) })
    }
  }
}

@Suite struct RowSetRangeTests {
  @Test func countsAndCopiesMembersOfARange() {
    var random = SeededGenerator(seed: 12)
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
