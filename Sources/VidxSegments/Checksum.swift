import CVidxKernels

/// CRC-32C of some bytes, going on from `seed`: the checksum of what came before.
func crc32c(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
  unsafe vidx_crc32c(seed, bytes.baseAddress, bytes.count)
}

/// The unit of verification: each section is checksummed in blocks of this many bytes, the last one shorter.
enum Block {
  static let shift = 16
  static let byteCount = 1 << shift

  /// How many blocks cover so many bytes.
  static func count(covering byteCount: Int) -> Int {
    byteCount >> shift + (byteCount & (Self.byteCount - 1) == 0 ? 0 : 1)
  }
}
