import Testing
import VidxVectors

@Suite struct CodecParametersTests {
  private static let samples: [CodecParameters] = {
    var samples: [CodecParameters] = []
    for codec in Codec.allCases {
      for metric in Metric.allCases {
        for origin: [Float]? in [nil, [1, -0.5, 0x1p-140]] {
          if let sample = try? CodecParameters.standard(codec, metric, dimensions: 3, origin: origin, seed: .max - 5) {
            samples.append(sample)
          }
        }
      }
    }
    return samples
  }()

  @Test("What is written is read")
  func roundTrip() throws {
    #expect(Self.samples.count == 2 * (2 * 4 + 6 * 3))
    for sample in Self.samples { #expect(try CodecParameters(decoding: sample.encoded()) == sample) }
  }

  @Test("Every other byte is refused, or means something else")
  func damage() throws {
    let sample = try CodecParameters.standard(.int4, .cosine, dimensions: 3, origin: [1, 2, 3])
    let bytes = sample.encoded()
    for position in bytes.indices {
      for bit in 0..<8 {
        var damaged = bytes
        damaged[position] ^= 1 << UInt8(bit)
        if let read = try? CodecParameters(decoding: damaged) { #expect(read != sample) }
      }
    }
    for count in 0..<bytes.count {
      #expect(throws: CodecError.self) { try CodecParameters(decoding: bytes[..<count]) }
    }
    #expect(throws: CodecError.self) { try CodecParameters(decoding: bytes + [0]) }
  }

  @Test("What makes no sense is refused")
  func refusals() throws {
    for codec in integerCodecs {
      #expect(throws: CodecError.unsupported(codec, .l1)) {
        try CodecParameters(codec: codec, metric: .l1, dimensions: 4)
      }
      #expect(throws: CodecError.unsupported(codec, .l1)) { try CodeKernels(codec, .l1) }
    }
    #expect(throws: CodecError.badParameters("0 dimensions")) {
      try CodecParameters(codec: .int8, metric: .l2, dimensions: 0)
    }
    #expect(throws: CodecError.self) { try CodecParameters(codec: .int8, metric: .l2, dimensions: 2, origin: [1]) }
    #expect(throws: CodecError.self) { try CodecParameters(codec: .int4, metric: .l2, dimensions: 1, origin: [.nan]) }
    #expect(throws: CodecError.self) {
      try CodecParameters(codec: .f16, metric: .l2, dimensions: 1, rotationSeed: 1)
    }
  }

  @Test(
    "Rows have the bytes of the table",
    arguments: [
      (Codec.f32, 1536, 6144, 0, 0), (.f16, 768, 3072, 0, 0), (.int8, 400, 1552, 0, 0), (.int4, 208, 784, 0, 0),
      (.rabitq, 64, 208, 0, 0), (.rabitq2, 64, 208, 112, 400), (.rabitq4, 64, 208, 208, 784),
      (.rabitq6, 64, 208, 304, 1168),
    ])
  func rowBytes(codec: Codec, at384: Int, at1536: Int, extension384: Int, extension1536: Int) {
    #expect(codec.rowBytes(dimensions: 384) == at384 && codec.rowBytes(dimensions: 1536) == at1536)
    #expect(codec.extensionRowBytes(dimensions: 384) == extension384)
    #expect(codec.extensionRowBytes(dimensions: 1536) == extension1536)
    for dimensions in 1...300 {
      #expect(codec.rowBytes(dimensions: dimensions) % 16 == 0)
      #expect(codec.extensionRowBytes(dimensions: dimensions) % 16 == 0)
    }
  }
}
