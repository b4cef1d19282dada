import CVidxKernels
import TestSupport
import Testing

@Suite("The candidate pool of a graph search")
struct InsertCandidatesTests {
  /// Merges blocks one candidate at a time, straight from the definition.
  private struct Reference {
    let capacity: Int
    var pool: [(score: Float, tag: UInt32)] = []

    mutating func merge(_ scores: [Float], _ ids: [UInt32]) -> Int {
      var lowest = capacity
      for (score, id) in zip(scores, ids) {
        if pool.count == capacity, !(score < pool[capacity - 1].score) { continue }
        let place = pool.firstIndex { $0.score > score } ?? pool.count
        pool.insert((score, id), at: place)
        if pool.count > capacity { pool.removeLast() }
        lowest = min(lowest, place)
      }
      return lowest
    }
  }

  @Test(arguments: machineISAs, [1, 2, 15, 16, 17, 40, 255, 256, 257, 700])
  func agreesWithItsDefinition(isa: String, capacity: Int) throws {
    let merge = unsafe try #require(vidx_kernels_named(isa)).pointee.insert_candidates
    var random = SplitMix(seed: UInt64(capacity))
    for levels in [3, 1 << 20] {
      var reference = Reference(capacity: capacity)
      var scores = [Float](repeating: .nan, count: capacity + 16)
      var tags = [UInt32](repeating: .max, count: capacity + 16)
      var count = 0
      var next: UInt32 = 0
      while next < 3 * UInt32(capacity) + 40 {
        let width = Int.random(in: 0...40, using: &random)
        // Few levels make ties, which keep their order of arrival.
        let block = (0..<width).map { _ in Float(Int.random(in: -levels...levels, using: &random)) / 7 }
        let ids = (0..<width).map { next + UInt32($0) }
        next += UInt32(max(width, 1))
        let lowest = unsafe merge(&scores, &tags, &count, capacity, block, ids, width)
        #expect(lowest == reference.merge(block, ids))
        #expect(count == reference.pool.count)
        #expect(Array(scores.prefix(count)) == reference.pool.map(\.score))
        #expect(Array(tags.prefix(count)) == reference.pool.map(\.tag))
      }
    }
  }
}
