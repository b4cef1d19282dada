/// 16 random bytes that tell one segment from every other; written in its header and in its file name.
package struct SegmentIdentifier: Sendable, Hashable {
  /// Bytes 0..<8 of the identifier as a little-endian number.
  package let low: UInt64
  /// Bytes 8..<16 of the identifier as a little-endian number.
  package let high: UInt64

  package init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }

  /// A new identifier from the system's random source.
  package static func random() -> SegmentIdentifier {
    var generator = SystemRandomNumberGenerator()
    return SegmentIdentifier(low: generator.next(), high: generator.next())
  }
}

extension SegmentIdentifier: CustomStringConvertible {
  /// The 16 bytes in order, in hexadecimal, grouped as a UUID is: 36 characters.
  package var description: String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(36)
    for index in 0..<16 {
      if index == 4 || index == 6 || index == 8 || index == 10 { text.append(UInt8(ascii: "-")) }
      let word = index < 8 ? low : high
      let byte = UInt8(truncatingIfNeeded: word >> UInt64(8 * (index % 8)))
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}
