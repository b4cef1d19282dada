/// How texts are ordered under SQLite's BINARY collation: byte by byte, in the encoding of the database.
///
/// Segments and the delta hold UTF-8 whatever that encoding is, and their values are sorted by it. In a database of
/// another encoding the ends of ranges are therefore found by looking at each value.
package enum TextOrder: Hashable, Sendable {
  case utf8
  case utf16LittleEndian
  case utf16BigEndian

  /// Below 0 when `a` comes before `b`, both in UTF-8.
  func compare(_ a: [UInt8], _ b: [UInt8]) -> Int {
    if self == .utf8 { return ColumnValue.compare(.text(a), .text(b)) }
    // Most differ first in characters of one byte, which are one unit each.
    guard let i = zip(a, b).enumerated().first(where: { $0.element.0 != $0.element.1 })?.offset else {
      return a.count - b.count
    }
    if a[i] < 0x80, b[i] < 0x80 { return Int(a[i]) - Int(b[i]) }
    let (a, b) = (units(a), units(b))
    for (x, y) in zip(a, b) where x != y { return x < y ? -1 : 1 }
    return a.count - b.count
  }

  /// Numbers that are ordered as the bytes of the UTF-16 units are.
  private func units(_ text: [UInt8]) -> [UInt16] {
    String(decoding: text, as: UTF8.self).utf16.map { unit in
      // Which are no characters: SQLite's translation replaces them.
      let kept = unit >= 0xFFFE ? 0xFFFD : unit
      return self == .utf16LittleEndian ? kept.byteSwapped : kept
    }
  }
}
