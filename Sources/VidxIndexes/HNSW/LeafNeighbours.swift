import VidxVectors

/// For each vector the nearest ones of every leaf it is in, and those it is near to: what its links are chosen from.
///
/// Memory: 4 x (2 `nearest` + 3) bytes for each vector and leaf it is in.
@safe final class LeafNeighbours: LinkCandidates, @unchecked Sendable {
  // @unchecked: threads fill the slots of different leaves; then it is only read.
  /// Vectors, leaf after leaf, each where it comes first: near ones follow each other.
  let order: [UInt32]

  private static let none = UInt32.max
  /// Vectors of each leaf.
  private let starts: [Int]
  private let members: AlignedBuffer
  /// The places of a vector in `members`: `places[placeStarts[v]..<placeStarts[v + 1]]`.
  private let placeStarts: [UInt32]
  private let places: AlignedBuffer
  /// `width` of each place.
  private let slots: AlignedBuffer
  private let width: Int

  /// - Parameters:
  ///   - leaves: of vectors 0..<count, less than 2^32 members in all, each vector at most once in a leaf.
  ///   - nearest: how many of its leaf a vector takes, at most `ByteColumns.mostNearest`; as many may take it.
  /// - Throws: `BuildError.cancelled`.
  /// - Complexity: O(members x leaf) scores, as matrix products.
  init(
    _ leaves: [[UInt32]], count: Int, nearest: Int, _ bytes: ByteRows, _ progress: ProgressCounter,
    _ options: BuildOptions
  ) throws(BuildError) {
    let starts = leaves.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
    let total = starts[leaves.count]
    self.starts = starts
    width = 2 * nearest
    members = AlignedBuffer(byteCount: total * 4)
    places = AlignedBuffer(byteCount: total * 4)
    slots = AlignedBuffer(byteCount: total * width * 4)
    for (i, leaf) in leaves.enumerated() {
      for (j, id) in leaf.enumerated() { unsafe members.words[starts[i] + j] = id }
    }
    (placeStarts, order) = unsafe Self.sort(members.words, total, count, into: places.words)
    let filling = self
    let workers = (0..<options.threads).map { _ in Worker(bytes) }
    Parallel.chunks(leaves.count, chunk: 1, threads: options.threads) { worker, range in
      if options.isCancelled() { return }
      for leaf in range {
        filling.fill(leaf, nearest: nearest, workers[worker])
        let members = starts[leaf + 1] - starts[leaf]
        options.work.addScores(members * members)
        progress.add(members)
      }
    }
    if options.isCancelled() { throw .cancelled }
  }

  /// Writes where each vector is, by counting.
  /// - Returns: where the places of each vector start, and the vectors in order of their first places.
  private static func sort(
    _ members: UnsafePointer<UInt32>, _ total: Int, _ count: Int, into places: UnsafeMutablePointer<UInt32>
  ) -> (starts: [UInt32], order: [UInt32]) {
    var next = [UInt32](repeating: 0, count: count + 1)
    for i in 0..<total { unsafe next[Int(members[i]) + 1] += 1 }
    for id in 0..<count { next[id + 1] += next[id] }
    let starts = next
    var order: [UInt32] = []
    order.reserveCapacity(count)
    for i in 0..<total {
      let id = unsafe Int(members[i])
      if next[id] == starts[id] { order.append(UInt32(id)) }
      unsafe places[Int(next[id])] = UInt32(i)
      next[id] += 1
    }
    return (starts, order)
  }

  /// What a thread works with.
  private final class Worker: Sendable {
    let columns: ByteColumns
    let scratch = ByteColumns.PanelScratch()
    init(_ bytes: ByteRows) { columns = ByteColumns(bytes, capacity: LeafPartition.largest) }
  }

  /// Finds the nearest of each vector within a leaf, and enters the vector with those.
  private func fill(_ leaf: Int, nearest: Int, _ worker: Worker) {
    let start = starts[leaf]
    let count = starts[leaf + 1] - start
    let ids = unsafe members.words + start
    let slots = unsafe self.slots.words + start * width
    let width = self.width
    unsafe slots.initialize(repeating: Self.none, count: count * width)
    unsafe worker.columns.pack(ids, count)
    unsafe worker.columns.nearest(ids, count, k: nearest, areColumns: true, worker.scratch) { i, near, found in
      unsafe (slots + i &* width).update(from: near, count: found)
    }
    // The nearest first: where more want in than there is room, the farthest stay out.
    for rank in 0..<nearest {
      for i in 0..<count {
        let other = unsafe slots[i &* width &+ rank]
        if other != Self.none { unsafe Self.enter(UInt32(i), slots + Int(other) &* width, nearest, width) }
      }
    }
    for i in 0..<(count * width) where unsafe slots[i] != Self.none { unsafe slots[i] = ids[Int(slots[i])] }
  }

  /// Enters a vector among those that are near to another, unless it is one of its nearest already.
  @inline(__always)
  private static func enter(_ place: UInt32, _ slots: UnsafeMutablePointer<UInt32>, _ nearest: Int, _ width: Int) {
    var i = 0
    while i < nearest {
      if unsafe slots[i] == place { return }
      i &+= 1
    }
    while i < width {
      if unsafe slots[i] == none {
        unsafe slots[i] = place
        return
      }
      i &+= 1
    }
  }

  func gather(
    _ ordinal: Int, met: UnsafeMutablePointer<UInt64>, into ids: UnsafeMutablePointer<UInt32>, limit: Int
  ) -> Int {
    let slots = unsafe self.slots.words
    let places = unsafe self.places.words
    var count = 0
    unsafe met[ordinal &>> 6] |= 1 &<< UInt64(ordinal & 63)
    var place = Int(placeStarts[ordinal])
    let end = Int(placeStarts[ordinal + 1])
    while place < end {
      let own = unsafe slots + Int(places[place]) &* width
      place &+= 1
      var i = 0
      while i < width, count < limit {
        let id = unsafe own[i]
        i &+= 1
        if id == Self.none { continue }
        let bit: UInt64 = 1 &<< UInt64(id & 63)
        if unsafe met[Int(id &>> 6)] & bit != 0 { continue }
        unsafe met[Int(id &>> 6)] |= bit
        unsafe ids[count] = id
        count &+= 1
      }
    }
    for i in 0..<count { unsafe met[Int(ids[i] &>> 6)] = 0 }
    unsafe met[ordinal &>> 6] = 0
    return count
  }
}
