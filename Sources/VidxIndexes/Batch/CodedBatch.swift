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
  private let coded: CodedVectors
  private let isFiltered: Bool
  /// A block, transposed.
  private let transposed: AlignedBuffer
  /// By number: in plain memory, since most blocks have nothing for most scans.
  private let progress: UnsafeMutablePointer<Progress>
  /// Scans that look at a block together, and room for what they find.
  private let looks: UnsafeMutablePointer<vidx_block_scan>
  private let numbers: UnsafeMutablePointer<Int>
  private let found: AlignedBuffer

  /// Transposing costs as much as scoring for two queries.
  private static let leastScansOfTransposed = 6
  private static let mostLooks = Int(VIDX_BLOCK_SCANS)

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

  init(_ index: SegmentIndex, _ scans: [CodedScan], isFiltered: Bool, room: Int) {
    self.scans = scans
    self.room = room
    isAside = Array(repeating: false, count: scans.count)
    self.isFiltered = isFiltered
    coded = index.coded
    let capacity = SearchScratch.blockCapacity
    let rows = (capacity + Int(VIDX_BLOCK_ROWS) - 1) / Int(VIDX_BLOCK_ROWS) * Int(VIDX_BLOCK_ROWS)
    transposed = AlignedBuffer(byteCount: rows * index.coded.rows.stride)
    found = AlignedBuffer(byteCount: Self.mostLooks * capacity * 12)
    unsafe progress = .allocate(capacity: max(scans.count, 1))
    unsafe looks = .allocate(capacity: Self.mostLooks)
    unsafe numbers = .allocate(capacity: Self.mostLooks)
    for (number, scan) in scans.enumerated() {
      let look = unsafe scan.look(found.words, found.floats)
      unsafe (progress + number).initialize(to: Progress(look: look, unreported: 0, due: scan.untilTightened))
    }
  }

  deinit {
    unsafe progress.deallocate()
    unsafe looks.deallocate()
    unsafe numbers.deallocate()
  }

  /// Looks at a run of vectors for some scans, by number; nil for all.
  func scan(_ ordinals: Range<Int>, _ some: [UInt32]?, _ scratch: SearchScratch) throws(SegmentError) {
    let count = some?.count ?? scans.count
    let isTransposed = !isFiltered && count >= Self.leastScansOfTransposed
    let kernel = unsafe isTransposed ? coded.kernels.blocks : nil
    var rest = ordinals
    while !rest.isEmpty {
      let block = rest.lowerBound..<min(rest.lowerBound + SearchScratch.blockCapacity, rest.upperBound)
      if let kernel = unsafe kernel {
        try transpose(block)
        unsafe scanTransposed(block, some, kernel)
      }
      for i in 0..<count {
        let number = some.map { Int($0[i]) } ?? i
        if isAside[number] { continue }
        if unsafe kernel != nil {
          unsafe progress[number].unreported &+= block.count
          if unsafe progress[number].unreported >= progress[number].due { try report(number, scratch) }
        } else {
          let before = scans[number].held
          _ = try scans[number].scan(block, scratch)
          keepWithinRoom(grown: scans[number].held - before)
          unsafe progress[number].look.limit = scans[number].limit
        }
      }
      rest = block.upperBound..<rest.upperBound
    }
  }

  /// Looks at the block that is transposed, for as many scans at once as the kernel takes.
  private func scanTransposed(_ block: Range<Int>, _ some: [UInt32]?, _ kernel: vidx_code_blocks) {
    let (progress, looks, numbers) = unsafe (progress, looks, numbers)
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
      unsafe kernel(looks, together, transposed.bytes, block.count)
      var grown = 0
      for j in 0..<together where unsafe looks[j].found > 0 {
        let number = unsafe numbers[j]
        unsafe grown += scans[number].take(looks[j], from: block.lowerBound)
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

  /// A scan that is over.
  func finished(_ number: Int, _ scratch: SearchScratch) throws(SegmentError) -> CodedScan {
    try report(number, scratch)
    return scans[number]
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

  private func transpose(_ ordinals: Range<Int>) throws(SegmentError) {
    let rows = coded.rows
    let bytes = ordinals.lowerBound * rows.stride..<ordinals.upperBound * rows.stride
    if let section = rows.section, !section.isVerified { try section.verify(bytes) }
    unsafe vidx_code_transpose(rows.base + bytes.lowerBound, rows.stride, ordinals.count, transposed.bytes)
  }
}
