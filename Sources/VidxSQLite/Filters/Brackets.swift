/// Brackets of an SQL text.
enum Brackets {
  /// More brackets are closed than were opened before, outside of strings, names and comments: a condition in brackets
  /// ends before its text does.
  static func closeTooMany(in sql: String) -> Bool { end(of: Array(sql.utf8)[...]) != nil }

  /// Where the bracket is that closes what none has opened; nil without one.
  static func end(of text: ArraySlice<UInt8>) -> Int? {
    var bytes = text
    var depth = 0
    while let byte = bytes.popFirst() {
      switch byte {
      case UInt8(ascii: "("): depth += 1
      case UInt8(ascii: ")"): depth -= 1
      default: skipQuotation(beginningWith: byte, &bytes)
      }
      if depth < 0 { return bytes.startIndex - 1 }
    }
    return nil
  }

  /// Where the first bracket is opened; nil without one.
  static func start(of text: ArraySlice<UInt8>) -> Int? {
    var bytes = text
    while let byte = bytes.popFirst() {
      if byte == UInt8(ascii: "(") { return bytes.startIndex - 1 }
      skipQuotation(beginningWith: byte, &bytes)
    }
    return nil
  }

  /// Goes behind the string, name or comment whose first byte has been taken; stays where none begins.
  private static func skipQuotation(beginningWith byte: UInt8, _ bytes: inout ArraySlice<UInt8>) {
    switch byte {
    case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"): skip(&bytes, to: [byte])
    case UInt8(ascii: "["): skip(&bytes, to: [UInt8(ascii: "]")])
    case UInt8(ascii: "-") where bytes.first == UInt8(ascii: "-"): skip(&bytes, to: [UInt8(ascii: "\n")])
    case UInt8(ascii: "/") where bytes.first == UInt8(ascii: "*"):
      bytes = bytes.dropFirst()
      skip(&bytes, to: Array("*/".utf8))
    default: break
    }
  }

  /// Goes behind the next end, or to the end of all. A quote that is doubled begins anew, which comes to the same.
  private static func skip(_ bytes: inout ArraySlice<UInt8>, to end: [UInt8]) {
    while !bytes.isEmpty {
      if bytes.starts(with: end) {
        bytes = bytes.dropFirst(end.count)
        return
      }
      bytes = bytes.dropFirst()
    }
  }
}
