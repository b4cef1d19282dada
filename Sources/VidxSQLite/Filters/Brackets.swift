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
      case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"): skip(&bytes, to: [byte])
      case UInt8(ascii: "["): skip(&bytes, to: [UInt8(ascii: "]")])
      case UInt8(ascii: "-") where bytes.first == UInt8(ascii: "-"): skip(&bytes, to: [UInt8(ascii: "\n")])
      case UInt8(ascii: "/") where bytes.first == UInt8(ascii: "*"):
        bytes = bytes.dropFirst()
        skip(&bytes, to: Array("*/".utf8))
      default: break
      }
      if depth < 0 { return bytes.startIndex - 1 }
    }
    return nil
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
