import CVidxKernels
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The filters under which the reach of lists is measured, for all questions: which vectors pass, how many of a list.
///
/// Of a list, a search for k needs its k nearest that pass and how many pass, no more: that is all a question keeps
/// of its scores. At 68,024 vectors in 256 lists it is 38 KiB, where the scores would be 440.
struct ListSample: Sendable {
  /// Filters that pass a share of the vectors, chosen at random.
  static let uniformCount = ListReach.shares.scalarCount
  private static let k = MeasuredLists.k

  let listCount: Int
  /// Of each vector: its list; a bit for each uniform filter that it passes.
  let lists: [UInt32]
  let passes: [UInt8]
  /// By filter and list: how many pass, the logarithm of that, and where the nearest are kept; `starts` has one more.
  private let counts: [UInt32]
  private let logCounts: [Float]
  private let starts: [Int]

  /// Room for the nearest of a question, in floats.
  var room: Int { starts[starts.count - 1] }

  /// Bytes that a question keeps: beside its nearest, the scores of centroids and numbers of lists.
  var bytesPerTrial: Int { (room + (1 + Self.uniformCount) * listCount) * 4 }

  /// - Complexity: O(vectors), 5 bytes each.
  init(vectorCount: Int, _ builder: IVFBuilder) {
    listCount = builder.listCount
    var lists = [UInt32](repeating: 0, count: vectorCount)
    var passes = [UInt8](repeating: 0, count: vectorCount)
    var counts = [UInt32](repeating: 0, count: Self.uniformCount * listCount)
    for list in 0..<listCount {
      for place in Int(builder.listStarts[list])..<Int(builder.listStarts[list + 1]) {
        let member = Int(builder.order[place])
        lists[member] = UInt32(list)
        passes[member] = Self.passes(member)
        for filter in 0..<Self.uniformCount where passes[member] & 1 << UInt8(filter) != 0 {
          counts[filter * listCount + list] += 1
        }
      }
    }
    var starts = [0]
    for count in counts { starts.append(starts[starts.count - 1] + min(Int(count), Self.k)) }
    self.lists = lists
    self.passes = passes
    self.counts = counts
    self.starts = starts
    logCounts = counts.map { Self.log(Int($0)) }
  }

  /// A bit for each uniform filter that a vector passes, by numbers in 0..<1 that belong to it.
  private static func passes(_ member: Int) -> UInt8 {
    var bits: UInt8 = 0
    for filter in 0..<uniformCount {
      var generator = SeededGenerator(seed: UInt64(member) &* 8 &+ UInt64(filter))
      if Float(generator.nextUnit()) < ListReach.shares[filter] { bits |= 1 << UInt8(filter) }
    }
    return bits
  }

  private static func log(_ count: Int) -> Float { count == 0 ? -.infinity : logf(Float(count)) }

  /// Places of the nearest of a list.
  func places(_ filter: Int, _ list: Int) -> Range<Int> {
    starts[filter * listCount + list]..<starts[filter * listCount + list + 1]
  }

  /// How many vectors of a list pass, but for one, and the logarithm of that.
  /// - Parameter position: of the one.
  func count(_ filter: Int, _ list: Int, without position: Int) -> (count: Int, log: Float) {
    let place = filter * listCount + list
    guard Int(lists[position]) == list, passes[position] & 1 << UInt8(filter) != 0 else {
      return (Int(counts[place]), logCounts[place])
    }
    let count = Int(counts[place]) - 1
    return (count, Self.log(count))
  }

  /// Of each query, row after row: of each list the k least scores that pass, ascending; infinity where it has fewer.
  /// - Parameters:
  ///   - positions: of the queries among the vectors: none is an answer to itself.
  ///   - isCancelled: ends the work.
  /// - Complexity: O(queries x vectors x dimensions); vectors are read once for all queries.
  func nearest(
    _ queries: [PreparedQuery], _ positions: [Int], _ distinct: DistinctVectors, isCancelled: () -> Bool
  ) -> AlignedBuffer {
    let (count, stride) = (distinct.count, distinct.stride)
    let found = AlignedBuffer(byteCount: queries.count * room * 4)
    for i in 0..<queries.count * room { unsafe found.floats[i] = .infinity }
    let rows = unsafe VectorKernels(distinct.configuration.metric).rows
    let block = max(16, (256 << 10) / (stride * 4))
    let scores = AlignedBuffer(byteCount: block * 4)
    var start = 0
    while start < count, !isCancelled() {
      let width = min(block, count - start)
      for (i, query) in queries.enumerated() {
        unsafe rows(query.floats, distinct.vectors + start * stride, stride, width, stride, scores.floats)
        let own = positions[i] - start
        if own >= 0, own < width { unsafe scores.floats[own] = .infinity }
        unsafe keep(scores.floats, of: start..<start + width, in: found.floats + i * room)
      }
      start += width
    }
    return found
  }

  /// Takes scores of vectors into the nearest of a query.
  private func keep(_ scores: UnsafePointer<Float>, of vectors: Range<Int>, in nearest: UnsafeMutablePointer<Float>) {
    let listCount = listCount
    unsafe lists.withUnsafeBufferPointer { lists in
      unsafe passes.withUnsafeBufferPointer { passes in
        unsafe starts.withUnsafeBufferPointer { starts in
          var i = 0
          while i < vectors.count {
            let score = unsafe scores[i]
            var bits = unsafe passes[vectors.lowerBound &+ i]
            let list = unsafe Int(lists[vectors.lowerBound &+ i])
            while bits != 0 {
              let place = bits.trailingZeroBitCount &* listCount &+ list
              unsafe Self.keep(score, nearest + starts[place], count: starts[place &+ 1] &- starts[place])
              bits &= bits &- 1
            }
            i &+= 1
          }
        }
      }
    }
  }

  /// Puts a score into its place among `count` that ascend, the last of which leaves; count is above 0.
  @inline(__always)
  private static func keep(_ score: Float, _ scores: UnsafeMutablePointer<Float>, count: Int) {
    var place = count &- 1
    if unsafe !(score < scores[place]) { return }
    while place > 0, unsafe scores[place &- 1] > score {
      unsafe scores[place] = scores[place &- 1]
      place &-= 1
    }
    unsafe scores[place] = score
  }
}
