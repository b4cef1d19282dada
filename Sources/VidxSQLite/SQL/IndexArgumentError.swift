internal import VidxIndexes
package import VidxVectors

/// What is wrong with the arguments of `CREATE VIRTUAL TABLE ... USING vidx(...)`.
package enum IndexArgumentError: Error, Equatable, Sendable {
  /// Not of the form `option = value`.
  case malformed(String)
  case unknownOption(String)
  case duplicate(String)
  case missing(String)
  case notAnInteger(option: String, value: String)
  case outOfRange(option: String, value: Int, allowed: ClosedRange<Int>)
  case unknownValue(option: String, value: String, known: [String])
  /// The option says something about another kind of index.
  case wrongKind(option: String, belongsTo: String, index: String)
  /// The codec cannot estimate the metric.
  case codec(CodecError)
  /// `content` without `column` or the other way round.
  case needs(option: String, other: String)
  /// A word that is almost `filter` or `partition`.
  case misspeltDeclaration(String, guess: String)
  /// `filter` or `partition` without the name of one column.
  case malformedFilter(String, word: String)
  case filterColumn(String, FilterColumnFault)
}

/// Why a filter column cannot be declared.
package enum FilterColumnFault: Sendable {
  case reserved, duplicate, tooMany
  /// The content table's column of vectors.
  case isVector
}

extension IndexArgumentError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .malformed(let text):
      "'\(text)' is not an option: write option = value, as in dimensions = 384, or filter <column>"
    case .unknownOption(let name):
      "unknown option '\(name)'\(Self.advice(name, IndexArguments.optionNames))"
    case .duplicate(let name):
      "option '\(name)' is given twice: keep one"
    case .missing(let name):
      "option '\(name)' is missing: write \(name) = \(name == "dimensions" ? "384, or what your model gives" : "...")"
    case .notAnInteger(let option, let value):
      "\(option) must be a whole number, not '\(value)'"
    case .outOfRange(let option, let value, let allowed):
      "\(option) must be between \(allowed.lowerBound) and \(allowed.upperBound), not \(value)"
    case .unknownValue(let option, let value, let known):
      "\(option) cannot be '\(value)'\(Self.advice(value, known))"
    case .wrongKind(let option, let owner, let index):
      "option '\(option)' is for index = \(owner), and this index is \(index): leave it out"
    case .codec(let error): "\(error)"
    case .needs(let option, let other):
      "\(option) needs \(other): give both, as in content = 'messages', column = 'embedding'"
    case .misspeltDeclaration(let text, let guess):
      "'\(text)' is not an option (did you mean '\(guess)'?): write option = value, or filter <column>"
    case .malformedFilter(let text, let word):
      "'\(text)' does not declare a column: write \(word) and its name, as in \(word) section; it has no type, and a name "
        + "that is not one word stands in quotes"
    case .filterColumn(let name, let fault): "filter column '\(name)': \(Self.reason(fault))"
    }
  }

  private static func reason(_ fault: FilterColumnFault) -> String {
    switch fault {
    case .reserved: "the table has a column of this name already; choose another name"
    case .duplicate: "it is declared twice: keep one"
    case .tooMany: "an index has at most \(IndexLimits.filterColumns) filter columns: leave some out"
    case .isVector: "it is the column of the vectors: leave it out"
    }
  }

  private static func advice(_ word: String, _ known: [String]) -> String {
    let guess = nearestSpelling(to: word, among: known).map { " (did you mean '\($0)'?)" } ?? ""
    return "\(guess): known \(known.count == 1 ? "is" : "are") \(known.joined(separator: ", "))"
  }
}
