import CVidxKernels
import VidxSegments
import VidxVectors

extension SegmentIndex {
  /// A scan of codes for each of many queries.
  func scans(of queries: [PreparedQuery], k: Int, filter: EntryFilter?, mustBeExact: Bool) -> CodedBatch {
    CodedBatch(
      self,
      queries.map {
        CodedScan(self, $0, CodedQuery(coded.space), ScanMemory(), k: k, filter: filter, mustBeExact: mustBeExact)
      },
      isFiltered: (filter?.ordinalCount ?? vectorCount) < vectorCount)
  }

  /// The hits of a scan that is over.
  func collect(
    _ scan: CodedScan, k: Int, _ scratch: SearchScratch, _ counters: inout SearchCounters
  ) throws(SegmentError) -> [Hit] {
    unsafe try collect(k: k) { (hits) throws(SegmentError) in
      unsafe try scan.finish(into: hits, scratch, &counters)
    }
  }
}

/// Scans of codes for many queries: a block of codes is fetched once and scored for all of them from the cache, after
/// it has been transposed where that makes scoring faster.
@safe final class CodedBatch {
  let scans: [CodedScan]
  private let coded: CodedVectors
  private let isFiltered: Bool
  /// A block, transposed.
  private let transposed: AlignedBuffer

  /// Transposing costs as much as scoring for two queries.
  private static let leastScansOfTransposed = 6

  init(_ index: SegmentIndex, _ scans: [CodedScan], isFiltered: Bool) {
    self.scans = scans
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
        let scan = scans[numbers.map { Int($0[i]) } ?? i]
        if let kernel = unsafe kernel {
          unsafe scan.scan(blocks: transposed.bytes, kernel, block.lowerBound, block.count, scratch)
        } else {
          _ = try scan.scan(block, scratch)
        }
      }
      rest = block.upperBound..<rest.upperBound
    }
  }

  private func transpose(_ ordinals: Range<Int>) throws(SegmentError) {
    let rows = coded.rows
    let bytes = ordinals.lowerBound * rows.stride..<ordinals.upperBound * rows.stride
    if let section = rows.section, !section.isVerified { try section.verify(bytes) }
    unsafe vidx_code_transpose(rows.base + bytes.lowerBound, rows.stride, ordinals.count, transposed.bytes)
  }
}
