import Testing

@testable import VidxCLI

@Suite struct ArgumentParserTests {
  static let syntax = CommandSyntax(
    name: "try", summary: "", operands: ["DB"],
    options: [Options.index, Options.k, Options.json, Options.metric, Options.param, Options.within], lesson: "")

  static func parse(_ words: String...) throws(UsageError) -> Arguments { try Arguments(words, syntax: syntax) }

  static func message(_ words: String...) throws -> String {
    try #require(throws: UsageError.self) { try Arguments(words, syntax: syntax) }.message
  }

  @Test func readsOptionsAndOperandsInAnyOrder() throws {
    for words in [["--index", "a", "x.db", "--json"], ["x.db", "--json", "--index=a"]] {
      let arguments = try Arguments(words, syntax: Self.syntax)
      #expect(arguments.operands == ["x.db"])
      #expect(try arguments.required(Options.index) == "a")
      #expect(arguments.has(Options.json))
      #expect(!arguments.has(Options.k))
    }
    #expect(try Self.parse("--", "--json").operands == ["--json"])
    #expect(try Self.parse("x", "--index=a=b").string(Options.index) == "a=b")
    #expect(try Self.parse("x", "--param", "a=1", "--param", "b=2").strings(Options.param) == ["a=1", "b=2"])
  }

  @Test func takesAValueThatBeginsWithADash() throws {
    #expect(try Self.parse("x", "-k", "-5").string(Options.k) == "-5")
    #expect(try Self.parse("x", "--within", "-0.5").number(Options.within) == -0.5)
  }

  @Test func namesWhatIsWrong() throws {
    #expect(try Self.message() == "DB is missing; see vidx try --help")
    #expect(try Self.message("a", "b").hasPrefix("\"b\" is one argument too many"))
    #expect(try Self.message("a", "--indx", "b") == "unknown option --indx; did you mean --index?")
    #expect(try Self.message("a", "--zzzzzz") == "unknown option --zzzzzz; see vidx try --help")
    #expect(try Self.message("a", "--index") == "--index needs a value: --index NAME")
    #expect(try Self.message("a", "--index", "--json") == "--index needs a value: --index NAME")
    #expect(try Self.message("a", "--json=1") == "--json takes no value")
    #expect(try Self.message("a", "-k", "1", "-k", "2") == "-k is given twice; keep one")
  }

  @Test func judgesValues() throws {
    func message(_ body: () throws -> Void) throws -> String {
      try #require(throws: UsageError.self) { try body() }.message
    }
    for bad in ["-1", "0", "101", "1.5", "x", "99999999999999999999"] {
      let arguments = try Self.parse("a", "-k", bad)
      let text = try message { _ = try arguments.integer(Options.k, in: 1...100) }
      #expect(text == "-k \(bad): a whole number from 1 to 100 expected")
    }
    let metric = try Self.parse("a", "--metric", "cosin")
    #expect(
      try message { _ = try metric.choice(Options.metric, Choice.self) }
        == "--metric cosin: one of cosine, l2 expected; did you mean cosine?")
    let within = try Self.parse("a", "--within", "nan")
    #expect(try message { _ = try within.number(Options.within) } == "--within nan: a number expected")
    #expect(
      try message { _ = try within.required(Options.index) } == "--index is missing: give --index NAME")
  }

  enum Choice: String, CaseIterable { case cosine, l2 }

  @Test func helpNeedsNothingElse() throws {
    #expect(try Self.parse("--help").has(Options.help))
    #expect(try Self.parse("-h").has(Options.help))
  }
}

@Suite struct SpellingTests {
  @Test(arguments: [
    ("", "", 0), ("a", "", 1), ("abc", "abc", 0), ("abc", "acb", 1), ("kitten", "sitting", 3), ("ca", "abc", 3),
  ]) func countsEdits(a: String, b: String, edits: Int) {
    #expect(Spelling.distance(a, b) == edits)
    #expect(Spelling.distance(b, a) == edits)
  }
}

@Suite struct OptionsTests {
  /// One spelling per option everywhere: commands share the values of `Options`, and names are distinct.
  @Test func optionsAreSpeltOnce() {
    var byName: [String: Option] = [:]
    for command in Tool.commands {
      let names = command.syntax.options.map(\.name)
      #expect(Set(names).count == names.count, "\(command.syntax.name) lists an option twice")
      for option in command.syntax.options {
        // Commands explain them in their own words.
        #expect(
          byName[option.name, default: option].explained("") == option.explained(""), "\(option.name) means two things")
        byName[option.name] = option
      }
    }
  }

  @Test func everyCommandTeaches() {
    for command in Tool.commands {
      let help = Help.text(of: command.syntax)
      #expect(help.contains("vidx \(command.syntax.name) "), "\(command.syntax.name) has no example")
      for option in command.syntax.options { #expect(help.contains(option.spelling)) }
      for line in help.split(separator: "\n") { #expect(line.count <= 120, "too wide: \(line)") }
    }
  }
}
