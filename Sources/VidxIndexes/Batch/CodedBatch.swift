import CVidxKernels
import VidxSegments
import VidxVectors

/// Scans of codes for many queries: a block of codes is fetched once and scored for all of them from the cache, after
/// it has been transposed where that makes scoring faster.
///
/// Where bounds exclude little, candidates would be nearly all vectors for each query. When they have no room, the
/// queries with the most of them are put aside, for the caller to answer in another way.
@safe final class CodedBatch {
  let scans: [CodedScan]
  /// Whether a query, by number, was put aside: its scan is incomplete.
  private(set) var isAside: [Bool]
  /// Candidates that memory is held for, now and at most so far.
  private var held = 0
  private(set) var mostHeld = 0
  private let room: Int
  private let index: SegmentIndex
  private let memory: BatchMemory
  /// The vectors that pass a filter; nil without one.
  private let passing: RowSet?
  /// By number: in plain memory, since most blocks have nothing for most scans.
  private let progress: UnsafeMutablePointer<Progress>
  /// Scans that look at a block together.
  private let looks: UnsafeMutablePointer<vidx_block_scan>
  private let numbers: UnsafeMutablePointer<Int>

  /// Transposing costs as much as scoring for two queries.
  private static let leastScansOfTransposed = 6
  private static let mostLooks = Int(VIDX_BLOCK_SCANS)

  /// Vectors whose codes are scored together.
  @unsafe private struct Block {
    let start: Int
    let count: Int
    /// Their ordinals; nil for those from `start` on.
    let ids: UnsafeMutablePointer<UInt32>?
  }

  @unsafe private struct Progress {
    /// What the scan asks of a block.
    var look: vidx_block_scan
    /// Codes looked at that the scan has not been told of.
    var unreported: Int
    /// How many of them it wants to be told of.
    var due: Int
  }

  /// Of 8 bytes each: 64 MiB.
  static let mostRoom = 1 << 23

  /// - Parameter memory: taken from the index, to which it goes back.
  init(_ index: SegmentIndex, _ scans: [CodedScan], _ memory: BatchMemory, passing: RowSet?, room: Int) {
    self.scans = scans
    self.room = room
    self.index = index
    self.memory = memory
    self.passing = passing
    isAside = Array(repeating: false, count: scans.count)
    unsafe progress = .allocate(capacity: max(scans.count, 1))
    unsafe looks = .allocate(capacity: Self.mostLooks)
    unsafe numbers = .allocate(capacity: Self.mostLooks)
    for (number, scan) in scans.enumerated() {
      let look = unsafe scan.look(memory.found.words, memory.found.floats)
      unsafe (progress + number).initialize(to: Progress(look: look, unreported: 0, due: scan.untilTightened))
    }
  }

  deinit {
    unsafe progress.deallocate()
    unsafe looks.deallocate()
    unsafe numbers.deallocate()
    memory.trim()
    index.batches.give(memory)
  }

  /// Looks at those of a run of vectors that pass, for some scans, by number; nil for all.
  func scan(_ ordinals: Range<Int>, _ some: [UInt32]?, _ scratch: SearchScratch) throws(SegmentError) {
    var rest = ordinals
    while !rest.isEmpty {
      if let passing {
        let ids = unsafe memory.ordinals.words
        let count = unsafe passing.copyMembers(of: &rest, to: ids, limit: SearchScratch.blockCapacity)
        if count > 0 { unsafe try scan(Block(start: 0, count: count, ids: ids), some, scratch) }
      } else {
        let count = min(SearchScratch.blockCapacity, rest.count)
        unsafe try scan(Block(start: rest.lowerBound, count: count, ids: nil), some, scratch)
        rest = rest.lowerBound + count..<rest.upperBound
      }
    }
  }

  private func scan(_ block: Block, _ some: [UInt32]?, _ scratch: SearchScratch) throws(SegmentError) {
    let (progress, count) = unsafe (progress, some?.count ?? scans.count)
    let blockCount = unsafe block.count
    try scratch.scored(blockCount &* count)
    let kernel = unsafe count >= Self.leastScansOfTransposed ? index.coded.kernels.blocks : nil
    if let kernel = unsafe kernel {
      unsafe try transpose(block)
      unsafe scanTransposed(block, some, kernel)
    }
    for i in 0..<count {
      let number = some.map { Int($0[i]) } ?? i
      if isAside[number] { continue }
      if unsafe kernel != nil {
        unsafe progress[number].unreported &+= blockCount
        if unsafe progress[number].unreported >= progress[number].due { try report(number, scratch) }
      } else {
        unsafe try scanRows(block, number, scratch)
      }
    }
  }

  private func scanRows(_ block: Block, _ number: Int, _ scratch: SearchScratch) throws(SegmentError) {
    let scan = scans[number]
    let before = scan.held
    if let ids = unsafe block.ids {
      unsafe try scan.scan(ids, block.count, scratch)
    } else {
      unsafe try scan.scanRun(block.start, block.count, scratch)
      unsafe try scan.addScored(block.count, scratch)
    }
    unsafe progress[number].look.limit = scan.limit
    unsafe progress[number].due = scan.untilTightened
    keepWithinRoom(grown: scan.held - before)
  }

  /// Looks at the block that is transposed, for as many scans at once as the kernel takes.
  private func scanTransposed(_ block: Block, _ some: [UInt32]?, _ kernel: vidx_code_blocks) {
    let (progress, looks, numbers, found) = unsafe (progress, looks, numbers, memory.found)
    let capacity = SearchScratch.blockCapacity
    let count = some?.count ?? scans.count
    var i = 0
    while i < count {
      var together = 0
      while together < Self.mostLooks, i < count {
        let number = some.map { Int($0[i]) } ?? i
        i &+= 1
        if isAside[number] { continue }
        unsafe numbers[together] = number
        unsafe looks[together] = progress[number].look
        unsafe looks[together].ids = found.words + 3 * capacity * together
        unsafe looks[together].scores = found.floats + capacity * (3 * together + 1)
        unsafe looks[together].bounds = found.floats + capacity * (3 * together + 2)
        together &+= 1
      }
      unsafe kernel(looks, together, memory.transposed.bytes, block.count)
      var grown = 0
      for j in 0..<together where unsafe looks[j].found > 0 {
        let number = unsafe numbers[j]
        if let ids = unsafe block.ids {
          for r in 0..<(unsafe looks[j].found) { unsafe looks[j].ids[r] = ids[Int(looks[j].ids[r])] }
        }
        unsafe grown += scans[number].take(looks[j], from: block.start)
        unsafe progress[number].look.limit = scans[number].limit
      }
      keepWithinRoom(grown: grown)
    }
  }

  /// Tells a scan how many codes were looked at for it.
  private func report(_ number: Int, _ scratch: SearchScratch) throws(SegmentError) {
    let scan = scans[number]
    try unsafe scan.addScored(progress[number].unreported, scratch)
    unsafe progress[number].unreported = 0
    unsafe progress[number].due = scan.untilTightened
    unsafe progress[number].look.limit = scan.limit
  }

  /// The hits of a scan that is over and was not put aside; most of its memory is given back.
  func hits(
    _ number: Int, k: Int, _ scratch: SearchScratch, _ counters: inout SearchCounters
  ) throws(SegmentError) -> [Hit] {
    try report(number, scratch)
    let scan = scans[number]
    defer { memory.scans[number].trim() }
    return unsafe try index.collect(k: k) { (hits) throws(SegmentError) in
      unsafe try scan.finish(into: hits, scratch, &counters)
    }
  }

  private func keepWithinRoom(grown: Int) {
    held += grown
    mostHeld = max(mostHeld, held)
    if held > room { makeRoom() }
  }

  /// Drops what is excluded by now, then puts the fullest queries aside until half of the room is free: looking
  /// through all candidates has to pay.
  private func makeRoom() {
    for scan in scans { scan.shrink() }
    var order = scans.indices.filter { !isAside[$0] }.sorted { scans[$0].held < scans[$1].held }
    held = order.reduce(0) { $0 + scans[$1].held }
    while held > room / 2, let fullest = order.popLast() {
      held -= scans[fullest].held
      scans[fullest].release()
      isAside[fullest] = true
    }
  }

  /// Codes that lie scattered are first gathered.
  private func transpose(_ block: Block) throws(SegmentError) {
    let rows = index.coded.rows
    let (start, count, stride) = unsafe (block.start, block.count, rows.stride)
    let transposed = unsafe memory.transposed.bytes
    guard let ids = unsafe block.ids else {
      let bytes = start * stride..<(start + count) * stride
      if let section = rows.section, !section.isVerified { try section.verify(bytes) }
      unsafe vidx_code_transpose(rows.base + bytes.lowerBound, stride, count, transposed)
      return
    }
    if !rows.isVerified { unsafe try rows.verify(ids, count) }
    let gathered = unsafe memory.gathered.bytes
    for i in 0..<count {
      unsafe (gathered + i * stride).copyMemory(from: rows.base + Int(ids[i]) * stride, byteCount: stride)
    }
    unsafe vidx_code_transpose(gathered, stride, count, transposed)
  }
}
