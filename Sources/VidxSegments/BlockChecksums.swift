/// The checksums of a section's blocks, gathered while it is written.
struct BlockChecksums {
  /// Of the complete blocks.
  private(set) var values: [UInt32] = []
  /// Of the bytes after those.
  private var partial: UInt32 = 0
  /// How many bytes there have been.
  private(set) var byteCount = 0
  /// The checksum of a last block that is not full is among the values.
  private var isClosed = false

  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    precondition(!isClosed, "bytes behind the last block of a section")
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

  /// Bytes whose checksums are known, after whole blocks. Unless whole blocks themselves, they end the section.
  mutating func append(byteCount count: Int, values: [UInt32]) {
    precondition(byteCount & (Block.byteCount - 1) == 0, "blocks that do not begin at a block")
    precondition(values.count == (count + Block.byteCount - 1) / Block.byteCount, "checksums of other bytes")
    self.values += values
    byteCount += count
    isClosed = byteCount & (Block.byteCount - 1) != 0
  }

  /// Ends the section: a last block that is not full gets its checksum too.
  mutating func finish() {
    if byteCount & (Block.byteCount - 1) != 0, !isClosed { closeBlock() }
  }

  private mutating func closeBlock() {
    values.append(partial)
    partial = 0
  }
}
