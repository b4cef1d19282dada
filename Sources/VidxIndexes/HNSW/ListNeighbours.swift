import VidxVectors

/// For each vector that is added to a graph the nearest ones of the lists it is nearest to: what its links are chosen
/// from.
///
/// Memory: for each vector and list 4 x (`nearest` + 3) bytes, more where lists are longer than `largest`.
@safe final class ListNeighbours: LinkCandidates, @unchecked Sendable {
  // @unchecked: threads fill the slots of different lists; then it is only read.
  private static let none = UInt32.max
  /// Vectors that are compared at once; of a longer list the nearest of each part are taken.
  private static let largest = 512

  private let near: NearLists
  /// The vectors that look into each list, those of list i from `starts[i]` on; and where each is there, for each list.
  private let visitors: AlignedBuffer
  private let starts: [Int]
  private let places: AlignedBuffer
  /// Of each list: how many slots a visitor has, and where those of the first are.
  private let widths: [Int]
  private let slotStarts: [Int]
  private let slots: AlignedBuffer

  /// - Parameter nearest: how many a vector takes of a list.
  /// - Throws: `BuildError.cancelled`.
  /// - Complexity: O(`near.comparisons`) scores, as matrix products.
  init(_ near: NearLists, nearest: Int, _ bytes: ByteRows, _ options: BuildOptions) throws(BuildError) {
    self.near = near
    let all = near.all
    let sorted = ListOrder(all, listCount: near.listCount)
    starts = sorted.starts.map { Int($0) }
    visitors = AlignedBuffer(byteCount: all.count * 4)
    places = AlignedBuffer(byteCount: all.count * 4)
    for (place, pair) in sorted.order.enumerated() {
      unsafe visitors.words[place] = UInt32(near.first + Int(pair) / near.width)
      unsafe places.words[Int(pair)] = UInt32(place)
    }
    widths = (0..<near.listCount).map { list in
      let (parts, taken) = Self.share(near.members(of: list).count, nearest)
      return parts * taken
    }
    var slotStarts = [0]
    for list in widths.indices {
      slotStarts.append(slotStarts[list] + widths[list] * (starts[list + 1] - starts[list]))
    }
    self.slotStarts = slotStarts
    slots = AlignedBuffer(byteCount: slotStarts[near.listCount] * 4)
    let filling = self
    let workers = (0..<options.threads).map { _ in Worker(bytes) }
    Parallel.chunks(near.listCount, chunk: 1, threads: options.threads) { worker, range in
      if options.isCancelled() { return }
      for list in range { filling.fill(list, nearest: nearest, workers[worker]) }
    }
    options.work.addScores(near.comparisons)
    if options.isCancelled() { throw .cancelled }
  }

  /// What a thread works with.
  private final class Worker: Sendable {
    let columns: ByteColumns
    let scratch = ByteColumns.PanelScratch()
    init(_ bytes: ByteRows) { columns = ByteColumns(bytes, capacity: ListNeighbours.largest) }
  }

  /// Into how many parts a list goes, and how many of each a visitor takes: one more than wanted, since it may be among
  /// them; and about twice as many of all parts as of one.
  private static func share(_ members: Int, _ nearest: Int) -> (parts: Int, taken: Int) {
    let parts = (members + largest - 1) / largest
    let wanted = parts <= 1 ? nearest : max(min(nearest, 2 * nearest / parts), 4)
    return (parts, min(wanted + 1, ByteColumns.mostNearest))
  }

  /// Finds the nearest vectors of a list to each of its visitors.
  private func fill(_ list: Int, nearest: Int, _ worker: Worker) {
    let count = starts[list + 1] - starts[list]
    let members = near.members(of: list)
    if count == 0 || members.isEmpty { return }
    let (parts, taken) = Self.share(members.count, nearest)
    let width = widths[list]
    let slots = unsafe self.slots.words + slotStarts[list]
    unsafe slots.initialize(repeating: Self.none, count: count * width)
    let rows = unsafe visitors.words + starts[list]
    unsafe members.withUnsafeBufferPointer { members in
      guard let base = members.baseAddress else { return }
      for part in 0..<parts {
        let begin = part * members.count / parts
        let size = (part + 1) * members.count / parts - begin
        unsafe worker.columns.pack(base + begin, size)
        unsafe worker.columns.nearest(rows, count, k: taken, areColumns: false, worker.scratch) { i, found, number in
          let own = unsafe slots + (i &* width &+ part &* taken)
          var j = 0
          while j < number {
            unsafe own[j] = base[begin &+ Int(found[j])]
            j &+= 1
          }
        }
      }
    }
  }

  /// Lists share no vector, so that none is met twice.
  func gather(
    _ ordinal: Int, met: UnsafeMutablePointer<UInt64>, into ids: UnsafeMutablePointer<UInt32>, limit: Int
  ) -> Int {
    let slots = unsafe self.slots.words
    let places = unsafe self.places.words + (ordinal - near.first) * near.width
    var count = 0
    for (i, list) in near.lists(of: ordinal).enumerated() {
      let list = Int(list)
      let own = unsafe slots + slotStarts[list] + (Int(places[i]) - starts[list]) * widths[list]
      var j = 0
      while j < widths[list], count < limit {
        let id = unsafe own[j]
        j &+= 1
        if id == Self.none || Int(id) == ordinal { continue }
        unsafe ids[count] = id
        count &+= 1
      }
    }
    return count
  }
}
