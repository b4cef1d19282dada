/// How a vector is stored for scoring (docs/CODECS.md).
package enum Codec: String, Sendable, CaseIterable {
  /// The floats themselves.
  case f32
  /// Halves.
  case f16
  /// A byte a dimension, with an offset and a step for each vector.
  case int8
  /// Four bits a dimension, with an offset and a step for each vector.
  case int4
  /// RaBitQ: one bit a dimension of the rotated residual.
  case rabitq
  /// RaBitQ with 2 further bits a dimension in a row of their own.
  case rabitq2 = "rabitq+2"
  /// RaBitQ with 4 further bits.
  case rabitq4 = "rabitq+4"
  /// RaBitQ with 6 further bits.
  case rabitq6 = "rabitq+6"

  /// Whether rows are codes with a tail of factors, not components.
  package var isInteger: Bool { self != .f32 && self != .f16 }

  /// Whether the codec needs its vectors centred and rotated; the others gain nothing from it.
  package var isRotated: Bool { isInteger && self != .int8 }

  /// Whether rows are signs, with or without an extension.
  var isOneBit: Bool { self == .rabitq || extensionBits > 0 }

  /// Bits a dimension in the extension row: 0, 2, 4 or 6.
  package var extensionBits: Int {
    switch self {
    case .rabitq2: 2
    case .rabitq4: 4
    case .rabitq6: 6
    default: 0
    }
  }

  /// Whether scores of this metric can be estimated: l1 is no function of inner products.
  package func supports(_ metric: Metric) -> Bool { metric != .l1 || !isInteger }
}

// Layout: a code's bytes are padded to 16, and four 32-bit floats follow; components are padded to 64 bytes.
extension Codec {
  static let tailBytes = 16

  static func padded(_ bytes: Int, to multiple: Int = 16) -> Int { (bytes + multiple - 1) / multiple * multiple }

  /// Bytes of a row's code, without the tail.
  package func codeBytes(dimensions: Int) -> Int {
    switch self {
    case .f32: Self.padded(dimensions * 4, to: 64)
    case .f16: Self.padded(dimensions * 2, to: 64)
    case .int8: Self.padded(dimensions)
    case .int4: Self.padded((dimensions + 1) / 2)
    case .rabitq, .rabitq2, .rabitq4, .rabitq6: Self.padded((dimensions + 7) / 8)
    }
  }

  /// Bytes from one row to the next.
  package func rowBytes(dimensions: Int) -> Int {
    codeBytes(dimensions: dimensions) + (isInteger ? Self.tailBytes : 0)
  }

  /// Bytes from one extension row to the next; 0 without extension.
  package func extensionRowBytes(dimensions: Int) -> Int {
    extensionBits == 0 ? 0 : extensionPlanes(dimensions: dimensions).reduce(Self.tailBytes) { $0 + $1.bytes }
  }

  /// What a row's code consists of: so many bits of each code, from bit `shift` on.
  struct Plane {
    let bits: Int
    let shift: Int
    let bytes: Int
  }

  func plane(dimensions: Int) -> Plane {
    let bytes = codeBytes(dimensions: dimensions)
    return switch self {
    case .int8: Plane(bits: 8, shift: 0, bytes: bytes)
    case .int4: Plane(bits: 4, shift: 0, bytes: bytes)
    default: Plane(bits: 1, shift: extensionBits, bytes: bytes)
    }
  }

  /// The planes of an extension row, one after the other.
  func extensionPlanes(dimensions: Int) -> [Plane] {
    let quarters = Self.padded((dimensions + 3) / 4)
    let halves = Self.padded((dimensions + 1) / 2)
    return switch self {
    case .rabitq2: [Plane(bits: 2, shift: 0, bytes: quarters)]
    case .rabitq4: [Plane(bits: 4, shift: 0, bytes: halves)]
    case .rabitq6: [Plane(bits: 4, shift: 2, bytes: halves), Plane(bits: 2, shift: 0, bytes: quarters)]
    default: []
    }
  }
}

/// Why vectors cannot be coded, or a codec's parameters not be read.
package enum CodecError: Error, Equatable, Sendable {
  /// The codec has no estimate of this metric.
  case unsupported(Codec, Metric)
  /// A component of this row (from 0) is beyond the range of halves.
  case beyondHalf(row: Int)
  /// Stored parameters do not hold what they must.
  case badParameters(String)
}

extension CodecError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unsupported(let codec, let metric):
      "codec \(codec.rawValue) cannot estimate the metric \(metric.rawValue): use codec f32 or f16"
    case .beyondHalf(let row):
      "row \(row) has a component beyond 65504, the largest number of codec f16: scale the vectors down, or use f32"
    case .badParameters(let what):
      "the codec's parameters are damaged: \(what); rebuild the index"
    }
  }
}
