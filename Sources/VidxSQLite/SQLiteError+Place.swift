extension SQLiteError {
  /// The line of a text where SQLite stopped, and below it a caret under the place; nil when SQLite names no place.
  /// - Parameters:
  ///   - text: what the user wrote.
  ///   - start: where it begins in the SQL that was compiled, in bytes; a place after its end is shown at its end.
  package func place(in text: String, startingAt start: Int = 0) -> String? {
    guard let offset, offset >= start else { return nil }
    let bytes = Array(text.utf8)
    let position = min(offset - start, bytes.count)
    let lineStart = (bytes[..<position].lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1
    let lineEnd = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
    // A tab stays one, so that the caret stands where it should.
    let before = String(decoding: bytes[lineStart..<position], as: UTF8.self)
    let indent = String(before.map { (character: Character) -> Character in character == "\t" ? "\t" : " " })
    let line = String(decoding: bytes[lineStart..<lineEnd], as: UTF8.self)
    return "  \(line)\n  \(indent)^"
  }
}
