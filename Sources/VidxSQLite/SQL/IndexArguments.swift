internal import VidxIndexes
internal import VidxSegments
internal import VidxVectors

/// The arguments of `CREATE VIRTUAL TABLE ... USING vidx(option = value, ...)`.
///
/// An argument is `option = value`, `filter column` or `partition column`. Names and words do not depend on case;
/// values may be quoted as SQL quotes strings or identifiers.
package struct IndexArguments {
  private var values: [String: String] = [:]
  private var filterColumns: [FilterColumn] = []

  static let optionNames = [
    "dimensions", "metric", "index", "m", "ef_construction", "lists", "codec", "model", "content", "column",
    "seed",
  ]
  private static let kinds: [(name: String, kind: IndexKind)] = [
    ("flat", .flat), ("ivfflat", .ivfflat), ("hnsw", .hnsw),
  ]

  /// What the arguments define.
  /// - Parameter arguments: one text an argument, as SQLite splits them.
  package static func definition(of arguments: [String]) throws(IndexArgumentError) -> IndexDefinition {
    try IndexArguments(arguments).definition()
  }

  /// The filter columns that the arguments declare.
  static func filterColumns(of arguments: [String]) throws(IndexArgumentError) -> [FilterColumn] {
    try IndexArguments(arguments).filterColumns
  }

  /// The content table that the arguments name.
  static func content(of arguments: [String]) throws(IndexArgumentError) -> String? {
    try IndexArguments(arguments).values["content"]
  }

  private init(_ arguments: [String]) throws(IndexArgumentError) {
    for argument in arguments {
      let text = argument.trimmed
      // `USING vidx()` is one empty argument.
      if text.isEmpty && arguments.count == 1 { continue }
      if try addFilterColumn(text) { continue }
      guard let equals = text.firstIndex(of: "=") else { throw .malformed(text) }
      let name = String(text[..<equals]).trimmed.lowercased()
      let value = Self.unquoted(String(text[text.index(after: equals)...]).trimmed)
      guard Self.optionNames.contains(name) else { throw .unknownOption(name) }
      guard !value.isEmpty else { throw .malformed(text) }
      guard values.updateValue(value, forKey: name) == nil else { throw .duplicate(name) }
    }
  }

  private func definition() throws(IndexArgumentError) -> IndexDefinition {
    guard let dimensions = try integer("dimensions", in: IndexLimits.dimensions) else { throw .missing("dimensions") }
    let metric = try word("metric", among: Metric.allCases.map(\.rawValue)).flatMap(Metric.init(rawValue:))
    let kindName = try word("index", among: Self.kinds.map(\.name)) ?? "hnsw"
    let kind = Self.kinds.first { $0.name == kindName }?.kind ?? .hnsw
    try check(["m", "ef_construction"], belongTo: "hnsw", index: kindName)
    try check(["lists"], belongTo: "ivfflat", index: kindName)
    var configuration = IndexConfiguration(dimensions: dimensions, metric: metric ?? .cosine, kind: kind)
    if let codec = try word("codec", among: CodecChoice.names).flatMap(CodecChoice.init(name:)) {
      if case .fixed(let fixed) = codec, !fixed.supports(configuration.metric) {
        throw .codec(.unsupported(fixed, configuration.metric))
      }
      configuration.codec = codec
    }
    if let m = try integer("m", in: IndexLimits.m) { configuration.m = m }
    if let ef = try integer("ef_construction", in: IndexLimits.efConstruction) { configuration.efConstruction = ef }
    if let lists = try integer("lists", in: IndexLimits.lists) { configuration.lists = lists }
    if let seed = try integer("seed", in: 0...Int.max) { configuration.seed = UInt64(seed) }
    let (content, column) = (values["content"], values["column"])
    if content == nil && column != nil { throw .needs(option: "column", other: "content") }
    if content != nil && column == nil { throw .needs(option: "content", other: "column") }
    if let column, let same = filterColumns.first(where: { $0.name.lowercased() == column.lowercased() }) {
      throw .filterColumn(same.name, .isVector)
    }
    return IndexDefinition(
      configuration: configuration, content: content, column: column, filterColumns: filterColumns,
      model: values["model"])
  }

  static let declarations = ["filter", "partition"]

  /// Takes `filter name` and `partition name`.
  /// - Returns: false when the text is an option.
  private mutating func addFilterColumn(_ text: String) throws(IndexArgumentError) -> Bool {
    guard let space = text.firstIndex(where: \.isWhitespace) else { return false }
    let word = text[..<space].lowercased()
    let rest = String(text[space...]).trimmed
    guard Self.declarations.contains(word) else {
      // `fliter section`, but not `m = 8`.
      if !text.contains("="), let guess = nearestSpelling(to: word, among: Self.declarations) {
        throw .misspeltDeclaration(text, guess: "\(guess) \(rest)")
      }
      return false
    }
    // `filter = section`
    if rest.hasPrefix("=") { throw .malformedFilter(text, word: word) }
    let name = Self.unquoted(rest)
    // Unquoted it is one word.
    guard !name.isEmpty, name != rest || !rest.contains(where: { $0.isWhitespace || "=\"'`[]()".contains($0) }) else {
      throw .malformedFilter(text, word: word)
    }
    try addFilterColumn(FilterColumn(name, isPartition: word == "partition"))
    return true
  }

  private mutating func addFilterColumn(_ column: FilterColumn) throws(IndexArgumentError) {
    let lowercased = column.name.lowercased()
    if Column.reservedNames.contains(lowercased) { throw .filterColumn(column.name, .reserved) }
    if filterColumns.contains(where: { $0.name.lowercased() == lowercased }) {
      throw .filterColumn(column.name, .duplicate)
    }
    if filterColumns.count == IndexLimits.filterColumns { throw .filterColumn(column.name, .tooMany) }
    filterColumns.append(column)
  }

  private func check(_ options: [String], belongTo owner: String, index: String) throws(IndexArgumentError) {
    guard index != owner, let option = options.first(where: { values[$0] != nil }) else { return }
    throw .wrongKind(option: option, belongsTo: owner, index: index)
  }

  private func integer(_ option: String, in range: ClosedRange<Int>) throws(IndexArgumentError) -> Int? {
    guard let text = values[option] else { return nil }
    guard let value = Int(text) else { throw .notAnInteger(option: option, value: text) }
    guard range.contains(value) else { throw .outOfRange(option: option, value: value, allowed: range) }
    return value
  }

  private func word(_ option: String, among known: [String]) throws(IndexArgumentError) -> String? {
    guard let text = values[option] else { return nil }
    guard known.contains(text.lowercased()) else { throw .unknownValue(option: option, value: text, known: known) }
    return text.lowercased()
  }

  /// The text inside SQL's quotes: 'a', "a", `a` or [a], a doubled quote standing for one.
  ///
  /// By code points, as SQLite reads: to Swift a mark and an accent behind it are one character.
  private static func unquoted(_ text: String) -> String {
    let scalars = text.unicodeScalars
    guard scalars.count >= 2, let first = scalars.first, let last = scalars.last else { return text }
    let inside = scalars.dropFirst().dropLast()
    if first == "[" && last == "]" { return inside.contains("]") ? text : String(inside) }
    guard ["'", "\"", "`"].contains(first), first == last else { return text }
    var result = String.UnicodeScalarView()
    var isEscaped = false
    for scalar in inside {
      // A single mark ends what is quoted, and text follows: whoever puts this into a statement would run it.
      if isEscaped, scalar != first { return text }
      isEscaped = scalar == first && !isEscaped
      if !isEscaped { result.append(scalar) }
    }
    return isEscaped ? text : String(result)
  }
}

extension String {
  /// Without white space at both ends.
  var trimmed: String {
    let start = firstIndex { !$0.isWhitespace } ?? endIndex
    return String(self[start...].reversed().drop { $0.isWhitespace }.reversed())
  }
}
