import Foundation
import Testing

/// Runs the examples of docs/SQL.md.
@Suite(.needsAPlainLibrary) struct DocumentationTests {
  struct Example {
    var line: Int
    var sql: String
    var expected: String
  }

  @Test func examplesPrintWhatTheySay() throws {
    let library = try InstalledExtension()
    let examples = try Self.examples()
    #expect(examples.count > 20)
    for example in examples {
      let outcome = try library.shell(example.sql)
      if example.expected.hasPrefix("Error: ") {
        let message = example.expected.dropFirst("Error: ".count).trimmingCharacters(in: .newlines)
        #expect(outcome.errors.contains(message), "docs/SQL.md:\(example.line) says \(outcome.errors)")
        #expect(outcome.status != 0 && outcome.output.isEmpty, "docs/SQL.md:\(example.line)")
      } else {
        #expect(outcome.output == example.expected, "docs/SQL.md:\(example.line) \(outcome.errors)")
        #expect(outcome.status == 0, "docs/SQL.md:\(example.line) \(outcome.errors)")
      }
    }
  }

  /// The blocks marked sql, each with the block marked text that follows at once, if one does.
  static func examples() throws -> [Example] {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let lines = try String(contentsOf: root.appendingPathComponent("docs/SQL.md"), encoding: .utf8)
      .split(separator: "\n", omittingEmptySubsequences: false)
    var examples: [Example] = []
    var i = 0
    func block() -> String {
      var text = ""
      i += 1
      while i < lines.count, lines[i] != "```" {
        text += lines[i] + "\n"
        i += 1
      }
      i += 1
      return text
    }
    while i < lines.count {
      guard lines[i] == "```sql" else {
        i += 1
        continue
      }
      var example = Example(line: i + 1, sql: block(), expected: "")
      if i < lines.count, lines[i] == "```text" { example.expected = block() }
      examples.append(example)
    }
    return examples
  }
}
