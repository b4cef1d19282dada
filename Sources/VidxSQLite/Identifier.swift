/// An SQL identifier in double quotes, so that any name is safe to put into a statement.
package func quoted(identifier name: String) -> String {
  quoted(name, with: "\"")
}

/// An SQL string literal, for the places where SQLite takes no parameter (DDL, triggers).
package func quoted(literal text: String) -> String {
  quoted(text, with: "'")
}

private func quoted(_ text: String, with quote: Character) -> String {
  var result = String(quote)
  for character in text {
    if character == quote { result.append(quote) }
    result.append(character)
  }
  result.append(quote)
  return result
}
