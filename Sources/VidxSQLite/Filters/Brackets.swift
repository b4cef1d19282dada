/// Brackets of an SQL text.
enum Brackets {
  /// More brackets are closed than were opened before, outside of strings, names and comments: a condition in brackets
  /// ends before its text does.
  static func closeTooMany(in sql: String) -> Bool { end(of: Array(sql.utf8)[...]) != nil }

  /// Where the bracket is that closes what none has opened; nil without one.
  static func end(of text: ArraySlice<UInt8>) -> Int? {
    var bytes = text
    var depth = 0
    while !bytes.isEmpty {
      if SQLWords.skipQuoted(&bytes) { continue }
      let byte = bytes.removeFirst()
      if byte == UInt8(ascii: "(") { depth += 1 }
      if byte == UInt8(ascii: ")") { depth -= 1 }
      if depth < 0 { return bytes.startIndex - 1 }
    }
    return nil
  }

  /// Where the first bracket is opened; nil without one.
  static func start(of text: ArraySlice<UInt8>) -> Int? {
    var bytes = text
    while let byte = bytes.first {
      if SQLWords.skipQuoted(&bytes) { continue }
      if byte == UInt8(ascii: "(") { return bytes.startIndex }
      bytes.removeFirst()
    }
    return nil
  }
}
