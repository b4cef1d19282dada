import Testing

@testable import VidxSegments

@Suite("Checksums")
struct ChecksumTests {
  private func checksum(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 {
    unsafe bytes.withUnsafeBytes { unsafe crc32c($0, seed: seed) }
  }

  // RFC 3720, B.4, and the check value of the CRC catalogues.
  @Test(
    "CRC-32C is that of the RFC",
    arguments: [
      (Array("123456789".utf8), 0xE306_9283), (Array(repeating: 0, count: 32), 0x8A91_36AA),
      (Array(repeating: 0xFF, count: 32), 0x62A8_AB43), (Array(0...31), 0x46DD_794E), ([], 0),
    ] as [([UInt8], UInt32)])
  func vectors(bytes: [UInt8], expected: UInt32) {
    #expect(checksum(bytes) == expected)
    for split in 0...bytes.count {
      #expect(checksum(Array(bytes[split...]), seed: checksum(Array(bytes[..<split]))) == expected, "split \(split)")
    }
  }

  @Test(
    "Blocks count what they cover",
    arguments: [(0, 0), (1, 1), (65_535, 1), (65_536, 1), (65_537, 2), (131_072, 2), (Int.max, (Int.max >> 16) + 1)])
  func blockCount(byteCount: Int, expected: Int) {
    #expect(Block.count(covering: byteCount) == expected)
  }

  @Test("The first byte that is not zero is found, wherever it is")
  func firstNonZeroByte() {
    for count in 0..<40 {
      var bytes = [UInt8](repeating: 0, count: count)
      #expect(unsafe bytes.withUnsafeBytes { unsafe firstNonZero(in: $0) } == nil)
      for position in bytes.indices.reversed() {
        bytes[position] = 0x80
        #expect(unsafe bytes.withUnsafeBytes { unsafe firstNonZero(in: $0) } == position, "\(position) of \(count)")
      }
    }
  }
}
