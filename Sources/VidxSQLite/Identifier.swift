/// An SQL identifier in double quotes, so that any name is safe to put into a statement.
package func quoted(identifier name: String) -> String {
  quoted(name, with: "\"")
}

/// An SQL string literal, for the places where SQLite takes no parameter (DDL, triggers).
package func quoted(literal text: String) -> String {
  quoted(text, with: "'")
}

/// Goes by code points: to Swift a mark and an accent behind it are one character, to SQLite the mark ends the name.
private func quoted(_ text: String, with quote: Unicode.Scalar) -> String {
  var result = String.UnicodeScalarView()
  result.append(quote)
  for scalar in text.unicodeScalars {
    if scalar == quote { result.append(quote) }
    result.append(scalar)
  }
  result.append(quote)
  return String(result)
}

/// Two names are one to SQLite, which folds the case of ASCII letters and compares bytes. To Swift texts that look the
/// same are equal, too, and they may be names of two tables.
func isSameName(_ a: String, _ b: String) -> Bool {
  func folded(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
  return a.utf8.elementsEqual(b.utf8) { folded($0) == folded($1) }
}
