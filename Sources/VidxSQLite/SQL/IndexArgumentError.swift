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
}

extension IndexArgumentError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .malformed(let text):
      "'\(text)' is not an option: write option = value, as in dimensions = 384"
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
    }
  }

  private static func advice(_ word: String, _ known: [String]) -> String {
    let guess = nearestSpelling(to: word, among: known).map { " (did you mean '\($0)'?)" } ?? ""
    return "\(guess): known \(known.count == 1 ? "is" : "are") \(known.joined(separator: ", "))"
  }
}
