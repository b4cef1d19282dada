@testable import VidxSegments

/// A segment as the first release wrote it. Never changed: what is stored in it must stay readable for ever.
enum GoldenVersion1 {
  /// What is in it.
  static let sample = SampleSegment(
    description: SegmentDescription(
      identifier: SegmentIdentifier(low: 0x7766_5544_3322_1100, high: 0xFFEE_DDCC_BBAA_9988), indexKind: .ivfflat,
      metric: 1, dimensions: 3, vectorCount: 3, entryCount: 5),
    sections: [
      (.vectors, rows([[1, 0, 0], [0, 0.6, 0.8], [-0.28, 0, 0.96]])),
      (.rowIDs, littleEndian([40, 7, 1_000_000_007, -3, 12] as [Int64])),
      (.sortedRowIDs, littleEndian([-3, 7, 12, 40, 1_000_000_007] as [Int64])),
      (.sortedEntries, littleEndian([3, 1, 4, 0, 2] as [UInt32])),
      (.entryStarts, littleEndian([0, 2, 3, 4] as [UInt32])),
      (.norms, littleEndian([1, 2, 0.5, 25, 0] as [Float])),
      (.centroids, rows([[1, 0, 0], [0, 0.6, 0.8]])),
      (.listStarts, littleEndian([0, 1, 3] as [UInt32])),
      // Longer than a block, so that there is more than one checksum.
      (.baseLinks, Array(repeating: 0, count: 65_536) + [1, 2, 3, 4]),
      (.upperLinks, []),
    ])

  /// Rows of 3 floats, padded to a stride of 16.
  private static func rows(_ rows: [[Float]]) -> [UInt8] {
    rows.flatMap { littleEndian($0 + Array(repeating: 0, count: 13)) }
  }

  static let byteCount = 106_536

  /// The file: offsets and bytes in hexadecimal. All else is zero.
  static let pieces: [(offset: Int, hexadecimal: String)] = [
    // Magic, version, header length; identifier; kind, metric, codec, dimensions; counts; length; sections, block.
    (0, "56494458534547000100000000100000"),
    (16, "00112233445566778899aabbccddeeff"),
    (32, "02000000010000000100000003000000"),
    (48, "03000000000000000500000000000000"),
    (64, "28a00100000000000a000000000001"),
    // Section table: kind, checksum of checksums, offset, length, offset of checksums.
    (128, "01000000ec994ca70010000000000000c00000000000000000a0010000000000"),
    (160, "020000009f3204210020000000000000280000000000000004a0010000000000"),
    (192, "030000002d2a66510030000000000000280000000000000008a0010000000000"),
    (224, "04000000957cf82c004000000000000014000000000000000ca0010000000000"),
    (256, "050000000ec5be2f0050000000000000100000000000000010a0010000000000"),
    (288, "0600000057bbd1b10060000000000000140000000000000014a0010000000000"),
    (320, "0c000000951d56280070000000000000800000000000000018a0010000000000"),
    (352, "0d000000b3c945a800800000000000000c000000000000001ca0010000000000"),
    (384, "080000009a2a74f60090000000000000040001000000000020a0010000000000"),
    (416, "0a0000000000000000a0010000000000000000000000000028a001"),
    // Header checksum and first vector.
    (4092, "3b203b9a0000803f"),
    (4164, "9a99193fcdcc4c3f"),
    (4224, "295c8fbe000000008fc2753f"),
    // rowIDs.
    (8192, "2800000000000000070000000000000007ca9a3b00000000fdffffffffffffff0c"),
    // sortedRowIDs.
    (12288, "fdffffffffffffff07000000000000000c00000000000000280000000000000007ca9a3b"),
    // sortedEntries.
    (16384, "0300000001000000040000000000000002"),
    // entryStarts.
    (20484, "020000000300000004"),
    // norms.
    (24578, "803f000000400000003f0000c841"),
    // centroids.
    (28674, "803f"),
    (28740, "9a99193fcdcc4c3f"),
    // listStarts.
    (32772, "0100000003"),
    // baseLinks, second block.
    (102400, "01020304"),
    // Checksum arrays.
    (106496, "fac637f5d6e2ab635e90ace64630ad6d1084f58061aca8df52778ca543417e00a4c4c072f48c3029"),
  ]

  static var bytes: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: byteCount)
    for piece in pieces {
      let digits = piece.hexadecimal.utf8.map { $0 < 0x3A ? $0 - 0x30 : $0 - 0x57 }
      for index in 0..<digits.count / 2 {
        bytes[piece.offset + index] = digits[2 * index] << 4 | digits[2 * index + 1]
      }
    }
    return bytes
  }
}
