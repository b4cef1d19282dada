import Vidx

/// Reads tests of filter columns as SQL writes them: `section = 'admin' AND size BETWEEN 1 AND 5`.
struct ColumnConditionParser {
  private enum Token: Equatable {
    /// A bare word: a name, or a keyword.
    case word(String)
    /// In double quotes, backquotes or brackets: a name, or, as to SQLite, a text where no name can stand.
    case quoted(String)
    case value(Value)
    case symbol(String)
  }

  private let text: String
  private var tokens: ArraySlice<Token>

  /// The tests of a text, which are joined by AND.
  static func conditions(_ text: String) throws(UsageError) -> [ColumnCondition] {
    var parser = try ColumnConditionParser(text)
    var conditions = [try parser.condition()]
    while parser.takes("and") { conditions.append(try parser.condition()) }
    guard parser.tokens.isEmpty else { throw parser.refusal }
    return conditions
  }

  private init(_ text: String) throws(UsageError) {
    self.text = text
    var rest = Array(text)[...]
    var found: [Token] = []
    while let token = try Self.token(&rest, of: text) { found.append(token) }
    tokens = found[...]
  }

  private static func refusal(of text: String) -> UsageError {
    UsageError(
      "--filter \(text): tests of filter columns joined by AND expected, for example section = 'admin' AND size < 500; "
        + "they are =, <>, <, <=, >, >=, BETWEEN ... AND, IN (...), IS NULL and IS NOT NULL, and --where takes any SQL")
  }

  private var refusal: UsageError { Self.refusal(of: text) }

  // MARK: Tests

  private mutating func condition() throws(UsageError) -> ColumnCondition {
    switch tokens.popFirst() {
    case .word(let name), .quoted(let name): return ColumnCondition(name, try test())
    default: throw refusal
    }
  }

  private mutating func test() throws(UsageError) -> ColumnCondition.Test {
    switch tokens.popFirst() {
    case .symbol("="), .symbol("=="): return .equals(try value())
    case .symbol("<>"), .symbol("!="): return .differs(from: try value())
    case .symbol("<"): return .isBelow(try value())
    case .symbol("<="): return .isAtMost(try value())
    case .symbol(">"): return .isAbove(try value())
    case .symbol(">="): return .isAtLeast(try value())
    case .word(let word): return try test(word.lowercased())
    default: throw refusal
    }
  }

  private mutating func test(_ word: String) throws(UsageError) -> ColumnCondition.Test {
    switch word {
    case "between":
      let low = try value()
      guard takes("and") else { throw refusal }
      return .isBetween(low, try value())
    case "in":
      guard takes(symbol: "(") else { throw refusal }
      var values: [Value] = []
      while !takes(symbol: ")") {
        if !values.isEmpty, !takes(symbol: ",") { throw refusal }
        values.append(try value())
      }
      return .isIn(values)
    case "is":
      let isNegated = takes("not")
      guard takes("null") else { throw refusal }
      return isNegated ? .isNotNull : .isNull
    default: throw refusal
    }
  }

  private mutating func value() throws(UsageError) -> Value {
    switch tokens.popFirst() {
    case .value(let value): return value
    case .quoted(let text): return .text(text)
    case .word(let word) where word.lowercased() == "null": return .null
    case .word(let word) where word.lowercased() == "true": return 1
    case .word(let word) where word.lowercased() == "false": return 0
    case .word(let word):
      throw UsageError("--filter \(text): \(word) is neither a number nor a text; write '\(word)' for the text")
    default: throw refusal
    }
  }

  private mutating func takes(_ keyword: String) -> Bool {
    guard case .word(let word) = tokens.first, word.lowercased() == keyword else { return false }
    tokens = tokens.dropFirst()
    return true
  }

  private mutating func takes(symbol: String) -> Bool {
    guard tokens.first == .symbol(symbol) else { return false }
    tokens = tokens.dropFirst()
    return true
  }

  // MARK: Tokens

  /// The next token; nil at the end.
  private static func token(_ rest: inout ArraySlice<Character>, of text: String) throws(UsageError) -> Token? {
    rest = rest.drop(while: \.isWhitespace)
    guard let first = rest.first else { return nil }
    switch first {
    case "'": return .value(.text(try quoted(&rest, until: "'", of: text)))
    case "\"", "`": return .quoted(try quoted(&rest, until: first, of: text))
    case "[": return .quoted(try quoted(&rest, until: "]", of: text))
    case "0"..."9", ".", "-", "+": return .value(try number(&rest, of: text))
    case _ where first.isLetter || first == "_": return word(&rest)
    default:
      for symbol in ["<>", "<=", ">=", "!=", "==", "=", "<", ">", "(", ")", ","] where rest.starts(with: symbol) {
        rest = rest.dropFirst(symbol.count)
        return .symbol(symbol)
      }
      throw refusal(of: text)
    }
  }

  /// What stands between quotes; a doubled one is one of the text.
  private static func quoted(
    _ rest: inout ArraySlice<Character>, until end: Character, of text: String
  ) throws(UsageError) -> String {
    rest = rest.dropFirst()
    var result = ""
    while let character = rest.popFirst() {
      if character != end {
        result.append(character)
      } else if rest.first == end, end != "]" {
        rest = rest.dropFirst()
        result.append(end)
      } else {
        return result
      }
    }
    throw UsageError("--filter \(text): the \(end) at the end of a name or text is missing; add it")
  }

  private static func number(_ rest: inout ArraySlice<Character>, of text: String) throws(UsageError) -> Value {
    var digits = ""
    while let character = rest.first {
      let isSign = (character == "-" || character == "+") && (digits.isEmpty || digits.last?.lowercased() == "e")
      guard isSign || character == "." || character.isLetter || character.isNumber else { break }
      digits.append(character)
      rest = rest.dropFirst()
    }
    if let integer = Int64(digits) { return .integer(integer) }
    guard let real = Double(digits), real.isFinite else { throw refusal(of: text) }
    return .real(real)
  }

  /// A name or keyword, or a BLOB: x'00ff'.
  private static func word(_ rest: inout ArraySlice<Character>) -> Token {
    let word = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "$" }
    rest = rest.dropFirst(word.count)
    guard word.count == 1, word.first == "x" || word.first == "X", rest.first == "'" else { return .word(String(word)) }
    let digits = rest.dropFirst().prefix { $0.isHexDigit }
    guard digits.count % 2 == 0, rest.dropFirst(digits.count + 1).first == "'" else { return .word(String(word)) }
    rest = rest.dropFirst(digits.count + 2)
    let numbers = digits.compactMap { $0.hexDigitValue.map { UInt8($0) } }
    return .value(.blob(stride(from: 0, to: numbers.count, by: 2).map { numbers[$0] << 4 | numbers[$0 + 1] }))
  }
}
