import VidxSegments

/// Rows of one size, by ordinal: mapped from a segment, or in a builder's memory.
@safe struct RowMemory: Sendable {
  // Read only, and kept alive by whoever owns the section or the buffer.
  nonisolated(unsafe) let base: UnsafeRawPointer
  /// Bytes from one row to the next.
  let stride: Int
  /// Where the rows are mapped, to be verified when they are first touched; nil for memory.
  let section: Section?

  init(_ section: Section, stride: Int) {
    unsafe base = section.bytes.baseAddress.unsafelyUnwrapped
    self.stride = stride
    self.section = section
  }

  init(_ memory: UnsafeRawPointer, stride: Int) {
    unsafe base = memory
    self.stride = stride
    section = nil
  }

  /// Whether every row has been verified.
  var isVerified: Bool { section?.isVerified ?? true }

  /// Verifies scattered rows; near free when that has been done.
  @inline(__always)
  func verify(_ ordinals: UnsafePointer<UInt32>, _ count: Int) throws(SegmentError) {
    if let section { unsafe try section.verify(rows: ordinals, count: count, rowByteCount: stride) }
  }
}
