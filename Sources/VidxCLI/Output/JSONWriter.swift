/// Writes one JSON value, front to back: members in the order they are written, ": " and ", " between things.
struct JSONWriter {
  private(set) var text = ""
  private var needsComma = false

  mutating func object(_ body: (inout JSONWriter) -> Void) { enclosed("{", "}", body) }

  mutating func array(_ body: (inout JSONWriter) -> Void) { enclosed("[", "]", body) }

  /// A key; the value must be written next.
  mutating func key(_ name: String) {
    separate()
    text += Self.quoted(name) + ": "
    needsComma = false
  }

  mutating func string(_ value: String) { scalar(Self.quoted(value)) }
  mutating func integer(_ value: Int64) { scalar(String(value)) }
  mutating func bool(_ value: Bool) { scalar(value ? "true" : "false") }
  mutating func null() { scalar("null") }

  /// The shortest text that reads back as the same number; JSON has no NaN and no infinity, so they are null.
  mutating func number(_ value: some BinaryFloatingPoint & CustomStringConvertible) {
    scalar(value.isFinite ? value.description : "null")
  }

  mutating func member(_ name: String, _ value: String?) {
    key(name)
    if let value { string(value) } else { null() }
  }

  mutating func member(_ name: String, _ value: Int?) {
    key(name)
    if let value { integer(Int64(value)) } else { null() }
  }

  private mutating func scalar(_ token: String) {
    separate()
    text += token
    needsComma = true
  }

  private mutating func enclosed(_ opening: String, _ closing: String, _ body: (inout JSONWriter) -> Void) {
    separate()
    text += opening
    needsComma = false
    body(&self)
    text += closing
    needsComma = true
  }

  private mutating func separate() {
    if needsComma { text += ", " }
  }

  static func quoted(_ value: String) -> String {
    var result = "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{0}"..<" ":
        let hex = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
