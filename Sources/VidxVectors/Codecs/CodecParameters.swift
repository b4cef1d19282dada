/// What must be known of a codec, beside the rows, to score them: a small block of bytes in a segment.
package struct CodecParameters: Sendable, Equatable {
  package let codec: Codec
  package let metric: Metric
  package let dimensions: Int
  /// Seed of the rotation; nil: none.
  package let rotationSeed: UInt64?
  /// What is subtracted from queries, and from vectors when the encoder is given no centre of their own; nil: nothing.
  package let origin: [Float]?

  /// - Parameters:
  ///   - origin: the mean of the vectors, as a rule. Codecs that are not rotated take none.
  /// - Throws: `CodecError.unsupported` for l1 and an integer codec, `.badParameters`.
  package init(
    codec: Codec, metric: Metric, dimensions: Int, rotationSeed: UInt64? = nil, origin: [Float]? = nil
  ) throws(CodecError) {
    guard codec.supports(metric) else { throw .unsupported(codec, metric) }
    guard (1...VectorLayout.maxDimensions).contains(dimensions) else {
      throw .badParameters("\(dimensions) dimensions")
    }
    guard codec.isInteger || (rotationSeed == nil && origin == nil) else {
      throw .badParameters("a rotation or an origin with codec \(codec.rawValue)")
    }
    if let origin {
      guard origin.count == dimensions else { throw .badParameters("an origin of \(origin.count) dimensions") }
      guard origin.allSatisfy({ $0.magnitude < 0x1p63 }) else { throw .badParameters("an origin that is not finite") }
    }
    self.codec = codec
    self.metric = metric
    self.dimensions = dimensions
    self.rotationSeed = rotationSeed
    self.origin = origin
  }

  /// The parameters a codec has by itself: rotated ones get the seed and the origin, others neither.
  package static func standard(
    _ codec: Codec, _ metric: Metric, dimensions: Int, origin: [Float]?, seed: UInt64 = 1
  ) throws(CodecError) -> CodecParameters {
    try CodecParameters(
      codec: codec, metric: metric, dimensions: dimensions, rotationSeed: codec.isRotated ? seed : nil,
      origin: codec.isRotated ? origin : nil)
  }
}

// The block, little-endian (docs/CODECS.md): version, codec, metric, flags, dimensions, seed, origin.
extension CodecParameters {
  private static let version: UInt8 = 1
  private static let headerBytes = 16
  private static let codecs: [Codec] = [.f32, .f16, .int8, .int4, .rabitq, .rabitq2, .rabitq4, .rabitq6]
  private static let metrics: [Metric] = [.cosine, .l2, .innerProduct, .l1]

  package func encoded() -> [UInt8] {
    let flags: UInt8 = (rotationSeed == nil ? 0 : 1) | (origin == nil ? 0 : 2)
    var bytes: [UInt8] = [
      Self.version, UInt8(Self.codecs.firstIndex(of: codec)!), UInt8(Self.metrics.firstIndex(of: metric)!), flags,
    ]
    bytes += (0..<4).map { UInt8(truncatingIfNeeded: dimensions >> (8 * $0)) }
    bytes += (0..<8).map { UInt8(truncatingIfNeeded: (rotationSeed ?? 0) >> (8 * UInt64($0))) }
    for component in origin ?? [] {
      bytes += (0..<4).map { UInt8(truncatingIfNeeded: component.bitPattern >> (8 * UInt32($0))) }
    }
    return bytes
  }

  /// - Throws: `CodecError.badParameters`, `.unsupported`.
  package init(decoding bytes: some Collection<UInt8>) throws(CodecError) {
    let bytes = Array(bytes)
    guard bytes.count >= Self.headerBytes else { throw .badParameters("\(bytes.count) bytes") }
    guard bytes[0] == Self.version else { throw .badParameters("version \(bytes[0])") }
    guard bytes[1] < Self.codecs.count, bytes[2] < Self.metrics.count, bytes[3] < 4 else {
      throw .badParameters("codec \(bytes[1]), metric \(bytes[2]), flags \(bytes[3])")
    }
    func word(_ at: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << (8 * UInt32($1)) } }
    let dimensions = Int(word(4))
    let isCentred = bytes[3] & 2 != 0
    guard bytes.count == Self.headerBytes + (isCentred ? 4 * dimensions : 0) else {
      throw .badParameters("\(bytes.count) bytes for \(dimensions) dimensions")
    }
    try self.init(
      codec: Self.codecs[Int(bytes[1])], metric: Self.metrics[Int(bytes[2])], dimensions: dimensions,
      rotationSeed: bytes[3] & 1 == 0 ? nil : UInt64(word(8)) | UInt64(word(12)) << 32,
      origin: isCentred ? (0..<dimensions).map { Float(bitPattern: word(Self.headerBytes + 4 * $0)) } : nil)
  }
}
