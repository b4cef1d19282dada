import CVidxKernels

/// CRC-32C of some bytes, going on from `seed`: the checksum of what came before.
func crc32c(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
  unsafe vidx_crc32c(seed, bytes.baseAddress, bytes.count)
}

/// Where the first byte is that is not zero, eight at a time.
func firstNonZero(in bytes: UnsafeRawBufferPointer) -> Int? {
  var offset = 0
  while offset + 8 <= bytes.count, unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) == 0 {
    offset += 8
  }
  return (offset..<bytes.count).first { unsafe bytes[$0] != 0 }
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
