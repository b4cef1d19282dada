import VidxSegments
import VidxVectors

/// Parts of some hundred vectors that are near each other and overlap, so that nearly all neighbours of a vector are in
/// a part with it: randomised ball carving (PiPNN, arXiv 2602.21247, section 4.1).
///
/// Every vector joins the nearest `overlap` of some leaders, vectors drawn at random. What is too large is split again,
/// each vector to one leader: the overlap is multiplied once only.
///
/// Memory: 4 bytes for each vector and part it is in, twice while the first split is taken apart.
struct LeafPartition: Sendable {
  let overlap: Int
  let seed: UInt64
  let bytes: ByteRows

  /// The most vectors of a leaf, how many a leader is meant to gather, and below how many leaves are put together.
  /// Leaves of half the size miss more neighbours, of twice the size cost twice the products (docs/decisions/0004).
  static let largest = 512
  static let intended = 256
  static let smallest = 64
  /// The most leaders of a split. With few, leaves come from the second split, where each cluster has leaders of its
  /// own: borders differ more, and vectors meet more others.
  static let mostLeaders = 128

  private static let none = UInt32.max

  /// The leaves of vectors 0..<count; the same for a seed, whatever the threads.
  /// - Throws: `BuildError.cancelled`.
  /// - Complexity: O(count x leaders) scores at the first split, and few more below.
  func leaves(count: Int, options: BuildOptions) throws(BuildError) -> [[UInt32]] {
    let all = (0..<count).map { UInt32($0) }
    if count <= Self.largest { return [all] }
    let clusters = split(all, each: overlap, seed: seed, options)
    let parts = Slots(clusters.count)
    let tools = (0..<options.threads).map { _ in Tools(bytes) }
    Parallel.chunks(clusters.count, chunk: 1, threads: options.threads) { worker, range in
      if options.isCancelled() { return }
      for i in range where clusters[i].count > Self.largest {
        let leaves = carve(clusters[i], seed: seed &+ UInt64(i + 1), tools[worker])
        parts.leaves.withLock { $0[i] = leaves }
      }
    }
    if options.isCancelled() { throw .cancelled }
    let carved = parts.leaves.withLock { $0 }
    return gathered(clusters.indices.flatMap { clusters[$0].count > Self.largest ? carved[$0] : [clusters[$0]] })
  }

  /// Splits what is too large until nothing is.
  private func carve(_ points: [UInt32], seed: UInt64, _ tools: Tools) -> [[UInt32]] {
    if points.count <= Self.largest { return [points] }
    var leaves: [[UInt32]] = []
    for (i, cluster) in split(points, each: 1, seed: seed, nil, tools).enumerated() {
      if cluster.count * 4 > points.count * 3 {
        // Leaders that are no use, as among vectors that are nearly the same: any parts are as good.
        for start in stride(from: 0, to: cluster.count, by: Self.intended) {
          leaves.append(Array(cluster[start..<min(start + Self.intended, cluster.count)]))
        }
      } else {
        leaves += carve(cluster, seed: seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(i), tools)
      }
    }
    return gathered(leaves)
  }

  /// Puts small leaves together.
  private func gathered(_ leaves: [[UInt32]]) -> [[UInt32]] {
    var result = leaves.filter { $0.count >= Self.smallest }
    var small: [UInt32] = []
    for leaf in leaves where leaf.count < Self.smallest {
      if small.count + leaf.count > Self.largest {
        result.append(Self.distinct(small))
        small = []
      }
      small += leaf
    }
    if !small.isEmpty { result.append(Self.distinct(small)) }
    return result
  }

  private static func distinct(_ ids: [UInt32]) -> [UInt32] {
    let sorted = ids.sorted()
    return sorted.indices.filter { $0 == 0 || sorted[$0] != sorted[$0 - 1] }.map { sorted[$0] }
  }

  /// What each leader gathers when every point joins the nearest `each` of them; nothing empty. Nothing at all when it
  /// was cancelled.
  /// - Parameter options: nil for one thread.
  private func split(
    _ points: [UInt32], each: Int, seed: UInt64, _ options: BuildOptions?, _ tools: Tools? = nil
  ) -> [[UInt32]] {
    let wanted = max(each + 1, (points.count * each + Self.intended / 2) / Self.intended)
    let leaders = sample(points, min(wanted, Self.mostLeaders), seed: seed)
    let columns = tools?.columns ?? ByteColumns(bytes, capacity: leaders.count)
    unsafe columns.pack(leaders, leaders.count)
    let joined = AlignedBuffer(byteCount: points.count * each * 4)
    Parallel.chunks(points.count, chunk: 1024, threads: options?.threads ?? 1) { _, range in
      if options?.isCancelled() == true { return }
      let scratch = tools?.scratch ?? ByteColumns.PanelScratch()
      unsafe points.withUnsafeBufferPointer { points in
        guard let base = points.baseAddress else { return }
        unsafe columns.nearest(
          base + range.lowerBound, range.count, k: each, areColumns: false, scratch
        ) { i, places, found in
          let own = unsafe joined.words + (range.lowerBound + i) * each
          for j in 0..<each { unsafe own[j] = j < found ? places[j] : Self.none }
          if found == 0 { unsafe own[0] = 0 }
        }
      }
    }
    if options?.isCancelled() == true { return [] }
    var clusters = [[UInt32]](repeating: [], count: leaders.count)
    for (i, point) in points.enumerated() {
      for j in 0..<each {
        let place = unsafe joined.words[i * each + j]
        if place != Self.none { clusters[Int(place)].append(point) }
      }
    }
    return clusters.filter { !$0.isEmpty }
  }

  /// Some of the points, drawn without putting back.
  private func sample(_ points: [UInt32], _ count: Int, seed: UInt64) -> [UInt32] {
    var points = points
    var generator = LeaderGenerator(state: seed)
    for i in 0..<count { points.swapAt(i, Int.random(in: i..<points.count, using: &generator)) }
    return Array(points[..<count])
  }

  /// SplitMix64.
  private struct LeaderGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var x = state
      x = (x ^ (x >> 30)) &* 0xBF58_476D_1CE4_E5B9
      x = (x ^ (x >> 27)) &* 0x94D0_49BB_1331_11EB
      return x ^ (x >> 31)
    }
  }

  /// What a thread splits with.
  private final class Tools: Sendable {
    let columns: ByteColumns
    let scratch = ByteColumns.PanelScratch()
    init(_ bytes: ByteRows) { columns = ByteColumns(bytes, capacity: LeafPartition.mostLeaders) }
  }

  private final class Slots: Sendable {
    let leaves: Locked<[[[UInt32]]]>
    init(_ count: Int) { leaves = Locked(Array(repeating: [], count: count)) }
  }
}
