/// The terms of a condition that AND joins, outside of brackets: all of them have to be true.
///
/// Nothing but OR binds more loosely than AND, and nothing but BETWEEN and CASE takes one for itself
/// (https://www.sqlite.org/lang_expr.html). What is not certainly understood has no terms.
struct Conjunction {
  /// Bytes of the text, in order; what lies between two is an AND.
  let terms: [Range<Int>]

  /// - Returns: nil for a text with OR, CASE or a SELECT outside of brackets, or that is no condition.
  init?(_ text: [UInt8]) {
    var terms: [Range<Int>] = []
    var start = 0
    /// Whose AND is still to come.
    var betweens = 0
    var rest = text[...]
    while let byte = rest.first {
      if SQLWords.skipQuoted(&rest) { continue }
      if let word = SQLWords.takeWord(&rest) {
        // The mark of an encoding is space to some versions of SQLite.
        if word.utf8.contains(0xEF) { return nil }
        switch word {
        case "AND" where betweens > 0: betweens -= 1
        case "AND":
          terms.append(start..<rest.startIndex - 3)
          start = rest.startIndex
        case "BETWEEN": betweens += 1
        case "OR", "CASE", "END", "SELECT", "VALUES", "WITH": return nil
        default: break
        }
        continue
      }
      rest = rest.dropFirst()
      switch byte {
      case UInt8(ascii: "("):
        guard let end = Brackets.end(of: rest) else { return nil }
        rest = rest[(end + 1)...]
      case UInt8(ascii: "?"): rest = rest.drop { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      case UInt8(ascii: ":"), UInt8(ascii: "@"):
        // A parameter's name is no word. It may go on in brackets.
        _ = SQLWords.takeWord(&rest)
        if rest.first == UInt8(ascii: "(") || rest.first == UInt8(ascii: ":") { return nil }
      case UInt8(ascii: ")"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "$"), UInt8(ascii: "#"), 0: return nil
      default: break
      }
    }
    if betweens > 0 { return nil }
    self.terms = terms + [start..<text.count]
  }
}

/// Parts of an SQL text.
enum SQLWords {
  /// Goes behind a string, a name in quotes or a comment, if one begins here; to the end where it has none.
  static func skipQuoted(_ bytes: inout ArraySlice<UInt8>) -> Bool {
    guard let byte = bytes.first else { return false }
    let next = bytes.dropFirst().first
    switch byte {
    case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"): skip(&bytes, 1, to: [byte])
    case UInt8(ascii: "["): skip(&bytes, 1, to: [UInt8(ascii: "]")])
    case UInt8(ascii: "-") where next == byte: skip(&bytes, 2, to: [UInt8(ascii: "\n")])
    case UInt8(ascii: "/") where next == UInt8(ascii: "*"): skip(&bytes, 2, to: Array("*/".utf8))
    default: return false
    }
    return true
  }

  /// Takes a name, keyword or number without quotes, if one begins here.
  /// - Returns: in capitals.
  static func takeWord(_ bytes: inout ArraySlice<UInt8>) -> String? {
    guard let first = bytes.first, isOfName(first), first != UInt8(ascii: "$") else { return nil }
    let word = bytes.prefix(while: isOfName)
    bytes = bytes[word.endIndex...]
    return String(decoding: word, as: UTF8.self).uppercased()
  }

  static func isSpace(_ byte: UInt8) -> Bool { [9, 10, 12, 13, 32].contains(byte) }

  static func isOfName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "$"), 0x80...: true
    default: false
    }
  }

  /// A quote that is doubled begins anew, which comes to the same.
  private static func skip(_ bytes: inout ArraySlice<UInt8>, _ beginning: Int, to end: [UInt8]) {
    bytes = bytes.dropFirst(beginning)
    while !bytes.isEmpty {
      if bytes.starts(with: end) {
        bytes = bytes.dropFirst(end.count)
        return
      }
      bytes = bytes.dropFirst()
    }
  }
}
