import VidxIndexes

/// One option of the command line. An option means the same, and is spelt the same, in every command that takes it.
struct Option: Equatable, Sendable {
  /// Without the leading dashes.
  let name: String
  /// One letter after "-" that means the same; nil: none.
  var short: Character?
  /// What stands for the value in help; nil: a flag.
  var value: String?
  let help: String
  /// May be given more than once.
  var repeats = false
  /// Written with one dash.
  var hasOneDash = false

  /// As users write it.
  var spelling: String { (hasOneDash ? "-" : "--") + name }

  /// The same option with the help of a command to which the general one does not apply word for word.
  func explained(_ help: String) -> Option {
    Option(name: name, short: short, value: value, help: help, repeats: repeats, hasOneDash: hasOneDash)
  }
}

/// What a command takes; everything that parsing and help need.
struct CommandSyntax: Sendable {
  let name: String
  let summary: String
  /// Names of the arguments that are not options, all required.
  let operands: [String]
  let options: [Option]
  /// What help says after the options: how to, with examples.
  let lesson: String
}

/// A command line that says something wrong: exit code 2.
struct UsageError: Error, Equatable {
  let message: String

  init(_ message: String) { self.message = message }
}

/// The values of a command line.
struct Arguments: Equatable {
  private(set) var operands: [String] = []
  private var values: [String: [String]] = [:]

  init() {}

  /// Parses `--name value`, `--name=value`, `-k value` and operands, in any order; "--" ends the options.
  init(_ words: [String], syntax: CommandSyntax) throws(UsageError) {
    var rest = words[...]
    var optionsEnded = false
    while let word = rest.popFirst() {
      if optionsEnded || !word.hasPrefix("-") || word == "-" {
        operands.append(word)
      } else if word == "--" {
        optionsEnded = true
      } else {
        try parse(word, rest: &rest, syntax: syntax)
      }
    }
    if has(Options.help) { return }
    if operands.count < syntax.operands.count {
      throw UsageError("\(syntax.operands[operands.count]) is missing; see vidx \(syntax.name) --help")
    }
    if operands.count > syntax.operands.count {
      throw UsageError("\"\(operands[syntax.operands.count])\" is one argument too many; quote arguments with spaces")
    }
  }

  private mutating func parse(
    _ word: String, rest: inout ArraySlice<String>, syntax: CommandSyntax
  ) throws(UsageError) {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let known = syntax.options + [Options.help]
    guard let option = known.first(where: { $0.spelling == parts[0] || $0.short.map { "-\($0)" } == parts[0] }) else {
      let nearest = Spelling.nearest(to: parts[0], among: known.map(\.spelling))
      let advice = nearest.map { "did you mean \($0)?" } ?? "see vidx \(syntax.name) --help"
      throw UsageError("unknown option \(parts[0]); \(advice)")
    }
    if option.value == nil {
      guard parts.count == 1 else { throw UsageError("\(option.spelling) takes no value") }
      values[option.name, default: []].append("")
      return
    }
    guard let value = parts.count == 2 ? parts[1] : rest.popFirst() else {
      throw UsageError("\(option.spelling) needs a value: \(option.spelling) \(option.value ?? "")")
    }
    if parts.count == 1, known.contains(where: { !$0.hasOneDash && $0.spelling == value }) {
      throw UsageError("\(option.spelling) needs a value: \(option.spelling) \(option.value ?? "")")
    }
    guard option.repeats || values[option.name] == nil else {
      throw UsageError("\(option.spelling) is given twice; keep one")
    }
    values[option.name, default: []].append(value)
  }

  /// An operand that is a database's file, the first if nothing is said. SQLite has databases without one, but they end
  /// with the command.
  func database(_ position: Int = 0) throws(UsageError) -> String {
    let path = operands[position]
    guard !path.isEmpty, path != ":memory:" else {
      throw UsageError(
        "\"\(path)\" is not a file, and nothing would be left of it; give a file, for example vectors.db")
    }
    return path
  }

  func has(_ option: Option) -> Bool { values[option.name] != nil }

  func string(_ option: Option) -> String? { values[option.name]?.last }

  func strings(_ option: Option) -> [String] { values[option.name] ?? [] }

  func required(_ option: Option) throws(UsageError) -> String {
    guard let value = string(option) else {
      throw UsageError("\(option.spelling) is missing: give \(option.spelling) \(option.value ?? "")")
    }
    return value
  }

  func integer(_ option: Option, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
    guard let text = string(option) else { return nil }
    guard let value = Int(text), range.contains(value) else {
      throw UsageError(
        "\(option.spelling) \(text): a whole number from \(range.lowerBound) to \(range.upperBound) expected")
    }
    return value
  }

  /// Bytes, as 512M, 8G or 1.5GiB.
  func size(_ option: Option) throws(UsageError) -> Int? {
    guard let text = string(option) else { return nil }
    guard let bytes = BuildMemory.bytes(of: text) else {
      throw UsageError("\(option.spelling) \(text): a size expected, such as 512M or 8G")
    }
    return bytes
  }

  func number(_ option: Option) throws(UsageError) -> Double? {
    guard let text = string(option) else { return nil }
    guard let value = Double(text), value.isFinite else {
      throw UsageError("\(option.spelling) \(text): a number expected")
    }
    return value
  }

  /// One of the names of a set.
  func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ option: Option, _ type: Choice.Type
  ) throws(UsageError) -> Choice? {
    guard let text = string(option) else { return nil }
    guard let choice = Choice(rawValue: text) else {
      let names = Choice.allCases.map(\.rawValue)
      let nearest = Spelling.nearest(to: text, among: names).map { "; did you mean \($0)?" } ?? ""
      throw UsageError("\(option.spelling) \(text): one of \(names.joined(separator: ", ")) expected\(nearest)")
    }
    return choice
  }
}
