internal import CSQLite

extension Statement {
  /// What follows the compiled statement in the text it was compiled from; empty when that is white space, semicolons
  /// and comments only.
  package var tail: Substring {
    guard let compiled = unsafe sqlite3_sql(handle) else { return "" }
    let count = unsafe String(cString: compiled).utf8.count
    let rest = sql[(sql.utf8.index(sql.startIndex, offsetBy: count, limitedBy: sql.endIndex) ?? sql.endIndex)...]
    return SQLText.isBlank(rest) ? "" : rest
  }
}

/// The little of SQL's grammar that finds where statements begin and end.
enum SQLText {
  /// Nothing but white space, semicolons and comments.
  static func isBlank(_ text: Substring) -> Bool { behindBlanks(text).isEmpty }

  /// The text begins as a statement that answers rows of tables.
  static func isQuery(_ text: String) -> Bool {
    ["select", "values", "with"].contains(firstWord(of: text).lowercased())
  }

  /// The letters that a statement begins with.
  static func firstWord(of text: String) -> String {
    String(String.UnicodeScalarView(behindBlanks(text[...]).prefix { $0.properties.isAlphabetic || $0 == "_" }))
  }

  /// What follows white space, semicolons and comments.
  private static func behindBlanks(_ text: Substring) -> Substring.UnicodeScalarView {
    var rest = text.unicodeScalars[...]
    while let first = rest.first {
      if first.properties.isWhitespace || first == ";" {
        rest.removeFirst()
      } else if rest.starts(with: "--".unicodeScalars) {
        rest = rest.drop { $0 != "\n" }
      } else if rest.starts(with: "/*".unicodeScalars) {
        rest.removeFirst(2)
        while !rest.isEmpty, !rest.starts(with: "*/".unicodeScalars) { rest.removeFirst() }
        rest = rest.dropFirst(2)
      } else {
        break
      }
    }
    return rest
  }
}
