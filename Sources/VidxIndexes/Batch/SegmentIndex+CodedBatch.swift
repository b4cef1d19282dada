import CVidxKernels
import VidxSegments
import VidxVectors

extension SegmentIndex {
  /// A scan of codes for each of many queries.
  /// - Parameter room: candidates that they may hold memory for together.
  func scans(
    of queries: [PreparedQuery], k: Int, filter: EntryFilter?, mustBeExact: Bool, room: Int = CodedBatch.mostRoom
  ) -> CodedBatch {
    CodedBatch(
      self,
      queries.map {
        CodedScan(self, $0, CodedQuery(coded.space), ScanMemory(), k: k, filter: filter, mustBeExact: mustBeExact)
      },
      isFiltered: (filter?.ordinalCount ?? vectorCount) < vectorCount, room: room)
  }

  /// The hits of a scan that is over; its memory is given back.
  func collect(
    _ scan: CodedScan, k: Int, _ scratch: SearchScratch, _ counters: inout SearchCounters
  ) throws(SegmentError) -> [Hit] {
    defer { scan.release() }
    return unsafe try collect(k: k) { (hits) throws(SegmentError) in
      unsafe try scan.finish(into: hits, scratch, &counters)
    }
  }
}

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

  /// Transposing costs as much as scoring for two queries.
  private static let leastScansOfTransposed = 6

  /// Of 8 bytes each: 64 MiB.
  static let mostRoom = 1 << 23

  init(_ index: SegmentIndex, _ scans: [CodedScan], isFiltered: Bool, room: Int) {
    self.scans = scans
    self.room = room
    isAside = Array(repeating: false, count: scans.count)
    self.isFiltered = isFiltered
    coded = index.coded
    let rows = (SearchScratch.blockCapacity + Int(VIDX_BLOCK_ROWS) - 1) / Int(VIDX_BLOCK_ROWS) * Int(VIDX_BLOCK_ROWS)
    transposed = AlignedBuffer(byteCount: rows * index.coded.rows.stride)
  }

  /// Looks at a run of vectors for some scans, by number; nil for all.
  func scan(_ ordinals: Range<Int>, _ numbers: [UInt32]?, _ scratch: SearchScratch) throws(SegmentError) {
    let count = numbers?.count ?? scans.count
    let isTransposed = !isFiltered && count >= Self.leastScansOfTransposed
    let kernel = unsafe isTransposed ? coded.kernels.blocks : nil
    var rest = ordinals
    while !rest.isEmpty {
      let block = rest.lowerBound..<min(rest.lowerBound + SearchScratch.blockCapacity, rest.upperBound)
      if unsafe kernel != nil { try transpose(block) }
      for i in 0..<count {
        let number = numbers.map { Int($0[i]) } ?? i
        if isAside[number] { continue }
        let scan = scans[number]
        let before = scan.held
        if let kernel = unsafe kernel {
          unsafe scan.scan(blocks: transposed.bytes, kernel, block.lowerBound, block.count, scratch)
        } else {
          _ = try scan.scan(block, scratch)
        }
        held += scan.held - before
        mostHeld = max(mostHeld, held)
        if held > room { makeRoom() }
      }
      rest = block.upperBound..<rest.upperBound
    }
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
