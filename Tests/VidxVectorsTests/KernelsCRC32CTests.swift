import CVidxKernels
import TestSupport
import Testing

@Suite struct KernelsCRC32CTests {
  /// RFC 3720, appendix B.4, whose tables list the bytes of the CRC lowest first; and the usual check value.
  static let vectors: [(bytes: [UInt8], crc: UInt32)] = [
    ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
    ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
    ([UInt8](0..<32), 0x46DD_794E),
    ([UInt8]((0..<32).reversed()), 0x113F_DB5C),
    (
      [
        0x01, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0,
        0, 0, 0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
      ], 0xD996_3A56
    ),
    ([UInt8]("123456789".utf8), 0xE306_9283),
    ([], 0),
  ]

  static let noise: [UInt8] = {
    var generator = SplitMix(seed: 10)
    return (0..<80_000).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
  }()

  @Test("Published vectors", arguments: vectors)
  func published(bytes: [UInt8], crc: UInt32) {
    #expect(unsafe vidx_crc32c(0, bytes, bytes.count) == crc)
    #expect(unsafe vidx_crc32c_software(0, bytes, bytes.count) == crc)
  }

  @Test("Hardware agrees with software at every length and alignment")
  func hardwareAgrees() {
    // Around the lengths at which the interleaved lanes begin and end: 3 x 128, 3 x 2048, a block of a segment.
    let lengths =
      Array(0...300) + [383, 384, 385, 767, 768, 1000, 6143, 6144, 6145, 6528, 12_288, 20_000, 65_535, 65_536]
    unsafe Self.noise.withUnsafeBufferPointer { noise in
      for length in lengths {
        for shift in 0..<16 {
          let start = unsafe noise.baseAddress.map { unsafe $0 + shift }
          let hardware = unsafe vidx_crc32c(0, start, length)
          let software = unsafe vidx_crc32c_software(0, start, length)
          #expect(hardware == software, "length \(length), shift \(shift)")
        }
      }
    }
  }

  @Test("In pieces as at once", arguments: [0, 1, 7, 384, 6144, 33_333, 79_999, 80_000])
  func inPieces(cut: Int) {
    let (head, tail) = (Array(Self.noise[..<cut]), Array(Self.noise[cut...]))
    let whole = unsafe vidx_crc32c(0, Self.noise, Self.noise.count)
    #expect(unsafe vidx_crc32c(vidx_crc32c(0, head, head.count), tail, tail.count) == whole)
    #expect(unsafe vidx_crc32c_software(vidx_crc32c(0, head, head.count), tail, tail.count) == whole)
  }

  @Test("Every single flipped bit is noticed")
  func flippedBits() {
    var bytes = Array(Self.noise[..<64])
    let before = unsafe vidx_crc32c(0, bytes, bytes.count)
    for bit in 0..<512 {
      bytes[bit / 8] ^= 1 << (bit % 8)
      #expect(unsafe vidx_crc32c(0, bytes, bytes.count) != before)
      bytes[bit / 8] ^= 1 << (bit % 8)
    }
  }
}
