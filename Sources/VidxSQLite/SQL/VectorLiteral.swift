internal import VidxVectors

/// The two spellings of a vector in SQL: a BLOB of 32-bit floats, little-endian, and TEXT such as `[1, 2.5, -3e-2]`.
///
/// The text is a JSON array of numbers, strictly; what pgvector prints is one. Every component is finite.
package enum VectorLiteral {
  /// The vector that a text spells.
  /// - Complexity: O(length).
  package static func parse(_ text: String) throws(VectorLiteralError) -> [Float] {
    var copy = text
    var result: Result<[Float], VectorLiteralError> = .failure(.empty)
    copy.withUTF8 { utf8 in
      result = Result { () throws(VectorLiteralError) in unsafe try parse(utf8: utf8) }
    }
    return try result.get()
  }

  /// The vector that a text spells, given its UTF-8 bytes.
  package static func parse(utf8: UnsafeBufferPointer<UInt8>) throws(VectorLiteralError) -> [Float] {
    var parser = unsafe VectorTextParser(bytes: utf8)
    return try parser.vector()
  }

  /// The vector that a BLOB holds. The bytes may lie at any address.
  /// - Complexity: O(length).
  package static func decode(_ bytes: UnsafeRawBufferPointer) throws(VectorLiteralError) -> [Float] {
    let count = try dimensions(ofBlobOf: bytes.count)
    let vector = unsafe [Float](unsafeUninitializedCapacity: count) { floats, initialized in
      for i in 0..<count {
        let bits = unsafe UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * i, as: UInt32.self))
        unsafe floats.initializeElement(at: i, to: Float(bitPattern: bits))
      }
      initialized = count
    }
    if let component = vector.firstIndex(where: { !$0.isFinite }) { throw .notFinite(component: component) }
    return vector
  }

  /// How many dimensions a BLOB of so many bytes has.
  static func dimensions(ofBlobOf byteCount: Int) throws(VectorLiteralError) -> Int {
    if byteCount == 0 { throw .empty }
    guard byteCount % 4 == 0 else { throw .blobLength(byteCount: byteCount) }
    guard byteCount / 4 <= VectorLayout.maxDimensions else { throw .tooManyDimensions(count: byteCount / 4) }
    return byteCount / 4
  }

  /// The shortest text that reads back as the same floats: `[1,2.5,-0.03]`.
  package static func text(of vector: some Sequence<Float>) -> String {
    var text = "["
    for component in vector {
      if text.utf8.count > 1 { text += "," }
      let number = component.description
      text += number.hasSuffix(".0") ? number.dropLast(2) : number[...]
    }
    return text + "]"
  }

  /// The bytes of a vector's BLOB.
  package static func blob(of vector: [Float]) -> [UInt8] {
    vector.flatMap { component in unsafe withUnsafeBytes(of: component.bitPattern.littleEndian) { unsafe [UInt8]($0) } }
  }
}

/// A reader of one text. Not for keeping: the bytes are borrowed.
@safe private struct VectorTextParser {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var position = 0

  init(bytes: UnsafeBufferPointer<UInt8>) { unsafe self.bytes = bytes }

  private var next: UInt8? {
    guard unsafe position < bytes.count else { return nil }
    return unsafe bytes[position]
  }

  mutating func vector() throws(VectorLiteralError) -> [Float] {
    var vector: [Float] = []
    skipSpace()
    try expect("[", described: "'['")
    skipSpace()
    if next == UInt8(ascii: "]") { throw .empty }
    while true {
      guard vector.count < VectorLayout.maxDimensions else { throw .tooManyDimensions(count: nil) }
      skipSpace()
      vector.append(try component(vector.count))
      skipSpace()
      guard next != UInt8(ascii: "]") else { break }
      try expect(",", described: "',' or ']'")
    }
    position += 1
    skipSpace()
    guard next == nil else { throw .unexpected(byte: position + 1, expected: "nothing after ']'") }
    return vector
  }

  private mutating func component(_ index: Int) throws(VectorLiteralError) -> Float {
    let start = position
    try number(index)
    let text = unsafe String(decoding: bytes[start..<position], as: UTF8.self)
    // The standard library's conversion, unlike strtof, does not depend on the host's locale, and rounds once.
    guard let value = Float(text), value.isFinite else { throw .outOfRange(component: index, byte: start + 1) }
    return value
  }

  /// Steps over a number as JSON has it: no leading zeros, no bare points, no plus sign.
  private mutating func number(_ index: Int) throws(VectorLiteralError) {
    if next == UInt8(ascii: "-") { position += 1 }
    switch next {
    case UInt8(ascii: "0"): position += 1
    case .some(UInt8(ascii: "1")...UInt8(ascii: "9")): try digits()
    case UInt8(ascii: "N"), UInt8(ascii: "n"), UInt8(ascii: "I"), UInt8(ascii: "i"):
      throw .notFinite(component: index)
    case nil: throw .unexpectedEnd(expected: "a number")
    default: throw .unexpected(byte: position + 1, expected: "a number")
    }
    if next == UInt8(ascii: ".") {
      position += 1
      try digits()
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      position += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
      try digits()
    }
  }

  private mutating func digits() throws(VectorLiteralError) {
    let start = position
    while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
    if position > start { return }
    throw next == nil ? .unexpectedEnd(expected: "a digit") : .unexpected(byte: position + 1, expected: "a digit")
  }

  private mutating func expect(_ character: Unicode.Scalar, described: String) throws(VectorLiteralError) {
    guard let byte = next else { throw .unexpectedEnd(expected: described) }
    guard byte == UInt8(ascii: character) else { throw .unexpected(byte: position + 1, expected: described) }
    position += 1
  }

  /// The white space of JSON.
  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || (byte >= 0x09 && byte <= 0x0D && byte != 0x0B && byte != 0x0C) {
      position += 1
    }
  }
}
