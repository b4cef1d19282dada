/// The checksums of a section's blocks, gathered while it is written.
struct BlockChecksums {
  /// Of the complete blocks.
  private(set) var values: [UInt32] = []
  /// Of the bytes after those.
  private var partial: UInt32 = 0
  /// How many bytes there have been.
  private(set) var byteCount = 0

  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    var start = 0
    while start < bytes.count {
      let room = Block.byteCount - byteCount & (Block.byteCount - 1)
      let end = min(start + room, bytes.count)
      partial = unsafe crc32c(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), seed: partial)
      byteCount += end - start
      start = end
      if byteCount & (Block.byteCount - 1) == 0 { closeBlock() }
    }
  }

  /// Ends the section: a last block that is not full gets its checksum too.
  mutating func finish() {
    if byteCount & (Block.byteCount - 1) != 0 { closeBlock() }
  }

  private mutating func closeBlock() {
    values.append(partial)
    partial = 0
  }
}
