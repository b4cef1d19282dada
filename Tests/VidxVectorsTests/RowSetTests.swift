import Testing

@testable import VidxVectors

@Suite struct RowSetTests {
  @Test(arguments: [0, 1, 63, 64, 65, 128, 1_000, 84_594]) func counts(_ capacity: Int) {
    let (set, full) = (RowSet(capacity: capacity), RowSet(capacity: capacity, full: true))
    #expect(set.isEmptyByLook && full.count == capacity)
    var members = Set<Int>()
    var state: UInt64 = 9
    for _ in 0..<capacity / 3 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let position = Int(state >> 33) % capacity
      set.insert(position)
      full.remove(position)
      members.insert(position)
    }
    #expect(set.count == members.count && full.count == capacity - members.count)
    var found: [Int] = []
    set.forEach { found.append($0) }
    #expect(found == members.sorted())
  }
}

extension RowSet {
  fileprivate var isEmptyByLook: Bool {
    var isEmpty = true
    forEach { _ in isEmpty = false }
    return isEmpty && count == 0
  }
}
