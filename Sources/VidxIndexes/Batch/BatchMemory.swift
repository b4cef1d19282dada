import CVidxKernels
import VidxVectors

/// What a batch over codes works in: kept from batch to batch, since most of what its queries need is the same. Belongs
/// to one batch at a time.
final class BatchMemory {
  private(set) var queries: [CodedQuery] = []
  private(set) var scans: [ScanMemory] = []
  /// A block of codes, transposed.
  let transposed: AlignedBuffer
  /// The same in rows, where they lie scattered.
  let gathered: AlignedBuffer
  /// The ordinals of a block.
  let ordinals: AlignedBuffer
  /// What VIDX_BLOCK_SCANS queries find in a block: ordinals, estimates and bounds of each.
  let found: AlignedBuffer
  private let space: CodecSpace

  init(_ coded: CodedVectors) {
    let block = SearchScratch.blockCapacity
    precondition(block % Int(VIDX_BLOCK_ROWS) == 0)
    space = coded.space
    transposed = AlignedBuffer(byteCount: block * coded.rows.stride)
    gathered = AlignedBuffer(byteCount: block * coded.rows.stride)
    ordinals = AlignedBuffer(byteCount: block * 4)
    found = AlignedBuffer(byteCount: Int(VIDX_BLOCK_SCANS) * block * 12)
  }

  /// Makes room for so many queries.
  func reserve(_ count: Int) {
    while queries.count < count {
      queries.append(CodedQuery(space))
      scans.append(ScanMemory())
    }
  }

  /// Gives back what few batches need.
  func trim() {
    let kept = min(queries.count, Self.keptBytes / (16 * space.parameters.dimensions))
    queries.removeLast(queries.count - kept)
    scans.removeLast(scans.count - kept)
    for scan in scans { scan.trim() }
  }

  /// A prepared query has some 11 bytes a dimension.
  private static let keptBytes = 4 << 20
}
