/// Why a text is not JSON.
package struct JSONError: Error, Equatable, Sendable {
  package enum Reason: Equatable, Sendable {
    case expected(String)
    case number
    case numberRange
    case escape
    case surrogate
    case controlCharacter
    case notUTF8
    case tooDeep
    case trailing
  }

  package let reason: Reason
  /// Bytes before the fault.
  package let offset: Int

  package var message: String {
    let what =
      switch reason {
      case .expected(let what): "\(what) expected"
      case .number: "not a number as JSON writes it (NaN and Infinity are not JSON)"
      case .numberRange: "a number out of range"
      case .escape: "an unknown escape"
      case .surrogate: "half of a surrogate pair"
      case .controlCharacter: "a control character inside a string (write it as an escape)"
      case .notUTF8: "not UTF-8"
      case .tooDeep: "more than \(JSONScanner.maximumDepth) levels of nesting"
      case .trailing: "text after the end of the value"
      }
    return "\(what) at byte \(offset + 1)"
  }
}

/// A strict reader of one JSON text (RFC 8259), pulled forward by its caller: no tree is built.
///
/// Written here because Foundation's costs a command 20 ms at start. A value is read by asking `kind`, then by the
/// method of that kind; containers with `beginObject`/`nextKey` and `beginArray`/`nextElement`.
package struct JSONScanner {
  package enum Kind: String, Sendable {
    case object = "an object"
    case array = "an array"
    case string = "a string"
    case number = "a number"
    case bool = "true or false"
    case null = "null"
  }

  package static let maximumDepth = 128

  private let bytes: [UInt8]
  /// Bytes consumed.
  package private(set) var position = 0
  private var depth = 0
  /// Whether an item of the innermost container has been read, so that a comma must precede the next.
  private var needsComma = false

  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// What the next value is; nothing is consumed but white space.
  package mutating func kind() throws(JSONError) -> Kind {
    skipSpace()
    guard position < bytes.count else { throw error(.expected("a value")) }
    switch bytes[position] {
    case UInt8(ascii: "{"): return .object
    case UInt8(ascii: "["): return .array
    case UInt8(ascii: "\""): return .string
    case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
    case UInt8(ascii: "n"): return .null
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
    case UInt8(ascii: "N"), UInt8(ascii: "I"): throw error(.number)
    default: throw error(.expected("a value"))
    }
  }

  // MARK: Containers

  package mutating func beginObject() throws(JSONError) { try begin("{") }

  /// The next key of the innermost object, its value being next; nil at the end, which is consumed.
  package mutating func nextKey() throws(JSONError) -> String? {
    guard try nextItem(end: "}") else { return nil }
    let key = try string()
    try expect(":")
    return key
  }

  package mutating func beginArray() throws(JSONError) { try begin("[") }

  /// Whether the innermost array has a next element; at the end, which is consumed, false.
  package mutating func nextElement() throws(JSONError) -> Bool { try nextItem(end: "]") }

  private mutating func begin(_ opening: Unicode.Scalar) throws(JSONError) {
    try expect(opening)
    depth += 1
    guard depth <= Self.maximumDepth else { throw error(.tooDeep) }
    needsComma = false
  }

  private mutating func nextItem(end: Unicode.Scalar) throws(JSONError) -> Bool {
    if accept(end) {
      depth -= 1
      needsComma = true
      return false
    }
    if needsComma {
      guard accept(",") else { throw error(.expected("\",\" or \"\(end)\"")) }
    }
    needsComma = true
    return true
  }

  // MARK: Values

  /// Reads past the next value, validating it; returns where its text is.
  package mutating func skipValue() throws(JSONError) -> Range<Int> {
    let kind = try kind()
    let start = position
    switch kind {
    case .object:
      try beginObject()
      while try nextKey() != nil { _ = try skipValue() }
    case .array:
      try beginArray()
      while try nextElement() { _ = try skipValue() }
    case .string: _ = try string()
    case .number: _ = try number()
    case .bool: _ = try bool()
    case .null: try null()
    }
    return start..<position
  }

  package mutating func null() throws(JSONError) { try literal("null") }

  package mutating func bool() throws(JSONError) -> Bool {
    let isTrue = position < bytes.count && bytes[position] == UInt8(ascii: "t")
    try literal(isTrue ? "true" : "false")
    return isTrue
  }

  /// The text of bytes `range`, which must come from this scanner.
  package func text(_ range: Range<Int>) throws(JSONError) -> String {
    guard let text = String(validating: bytes[range], as: UTF8.self) else {
      throw JSONError(reason: .notUTF8, offset: range.lowerBound)
    }
    return text
  }

  /// Nothing but white space may follow.
  package mutating func finish() throws(JSONError) {
    skipSpace()
    guard position == bytes.count else { throw error(.trailing) }
  }

  // MARK: Bytes

  func error(_ reason: JSONError.Reason) -> JSONError { JSONError(reason: reason, offset: position) }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  private mutating func accept(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(JSONError) {
    guard accept(character) else { throw error(.expected("\"\(character)\"")) }
  }

  private mutating func literal(_ text: StaticString) throws(JSONError) {
    skipSpace()
    for index in 0..<text.utf8CodeUnitCount {
      let byte = unsafe text.utf8Start[index]
      guard position + index < bytes.count, bytes[position + index] == byte else {
        throw error(.expected("a value"))
      }
    }
    position += text.utf8CodeUnitCount
  }
}

// MARK: - Strings

extension JSONScanner {
  package mutating func string() throws(JSONError) -> String {
    try expect("\"")
    let start = position
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "\""):
        let text = try text(start..<position)
        position += 1
        return text
      case UInt8(ascii: "\\"): return try stringWithEscapes(from: start)
      case 0..<0x20: throw error(.controlCharacter)
      default: position += 1
      }
    }
    throw error(.expected("the end of a string"))
  }

  private mutating func stringWithEscapes(from start: Int) throws(JSONError) -> String {
    var result = try text(start..<position)
    var plain = position
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "\""):
        result += try text(plain..<position)
        position += 1
        return result
      case UInt8(ascii: "\\"):
        result += try text(plain..<position)
        position += 1
        result.unicodeScalars.append(try escape())
        plain = position
      case 0..<0x20: throw error(.controlCharacter)
      default: position += 1
      }
    }
    throw error(.expected("the end of a string"))
  }

  private mutating func escape() throws(JSONError) -> Unicode.Scalar {
    guard position < bytes.count else { throw error(.escape) }
    let scalar: Unicode.Scalar
    switch bytes[position] {
    case UInt8(ascii: "\""): scalar = "\""
    case UInt8(ascii: "\\"): scalar = "\\"
    case UInt8(ascii: "/"): scalar = "/"
    case UInt8(ascii: "b"): scalar = "\u{8}"
    case UInt8(ascii: "f"): scalar = "\u{C}"
    case UInt8(ascii: "n"): scalar = "\n"
    case UInt8(ascii: "r"): scalar = "\r"
    case UInt8(ascii: "t"): scalar = "\t"
    case UInt8(ascii: "u"):
      position += 1
      return try unicodeEscape()
    default: throw error(.escape)
    }
    position += 1
    return scalar
  }

  private mutating func unicodeEscape() throws(JSONError) -> Unicode.Scalar {
    let first = try hexQuad()
    if let scalar = Unicode.Scalar(first) { return scalar }
    guard first < 0xDC00, position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
      bytes[position + 1] == UInt8(ascii: "u")
    else { throw error(.surrogate) }
    position += 2
    let second = try hexQuad()
    guard (0xDC00...0xDFFF).contains(second),
      let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10 | (second - 0xDC00)))
    else { throw error(.surrogate) }
    return scalar
  }

  private mutating func hexQuad() throws(JSONError) -> UInt32 {
    guard position + 4 <= bytes.count else { throw error(.escape) }
    var value: UInt32 = 0
    for byte in bytes[position..<position + 4] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else { throw error(.escape) }
      value = value << 4 | UInt32(digit)
    }
    position += 4
    return value
  }
}

// MARK: - Numbers

extension JSONScanner {
  /// A number and how it was written.
  package struct Number: Equatable, Sendable {
    package let value: Double
    /// Where its text is.
    package let range: Range<Int>
    /// Without fraction and exponent.
    package let isInteger: Bool
  }

  /// The powers of ten that a Double holds exactly.
  private static let exactPowers: [Double] = [
    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
  ]

  /// Reads a number, correctly rounded. Throws `.numberRange` when a Double cannot hold it.
  package mutating func number() throws(JSONError) -> Number {
    skipSpace()
    let start = position
    let negative = acceptByte("-")
    var digits = DecimalDigits()
    let integerStart = position
    while let digit = nextDigit() { digits.append(digit, fraction: false) }
    let integerDigits = position - integerStart
    guard integerDigits > 0, integerDigits == 1 || bytes[integerStart] != UInt8(ascii: "0") else {
      throw JSONError(reason: .number, offset: start)
    }
    var isInteger = true
    if acceptByte(".") {
      isInteger = false
      let fractionStart = position
      while let digit = nextDigit() { digits.append(digit, fraction: true) }
      guard position > fractionStart else { throw JSONError(reason: .number, offset: start) }
    }
    if acceptByte("e") || acceptByte("E") {
      isInteger = false
      let minus = acceptByte("-")
      if !minus { _ = acceptByte("+") }
      let exponentStart = position
      var exponent = 0
      while let digit = nextDigit() { exponent = min(exponent * 10 + Int(digit), 100_000) }
      guard position > exponentStart else { throw JSONError(reason: .number, offset: start) }
      digits.exponent += minus ? -exponent : exponent
    }
    let value = try value(of: digits, negative: negative, range: start..<position)
    return Number(value: value, range: start..<position, isInteger: isInteger)
  }

  /// Clinger's fast path: an exact mantissa times or over an exact power of ten rounds once. The rest goes to strtod.
  private func value(of digits: DecimalDigits, negative: Bool, range: Range<Int>) throws(JSONError) -> Double {
    let power = digits.exponent
    if !digits.overflowed, digits.mantissa < 1 << 53, abs(power) <= 22 {
      let mantissa = Double(digits.mantissa)
      let value = power < 0 ? mantissa / Self.exactPowers[-power] : mantissa * Self.exactPowers[power]
      return negative ? -value : value
    }
    guard let value = Double(String(decoding: bytes[range], as: UTF8.self)), value.isFinite else {
      throw JSONError(reason: .numberRange, offset: range.lowerBound)
    }
    return value
  }

  private struct DecimalDigits {
    var mantissa: UInt64 = 0
    var exponent = 0
    var overflowed = false

    mutating func append(_ digit: UInt64, fraction: Bool) {
      guard mantissa < 1 << 59 else {
        overflowed = true
        return
      }
      mantissa = mantissa * 10 + digit
      if fraction { exponent -= 1 }
    }
  }

  private mutating func acceptByte(_ character: Unicode.Scalar) -> Bool {
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func nextDigit() -> UInt64? {
    guard position < bytes.count else { return nil }
    let digit = bytes[position] &- UInt8(ascii: "0")
    guard digit <= 9 else { return nil }
    position += 1
    return UInt64(digit)
  }
}
