/// One value of a row, as SQLite will store it.
package enum FieldValue: Equatable, Sendable {
  case null
  case integer(Int64)
  case real(Double)
  case text(String)
}

/// What a column holds, the narrowest of the three that all its values fit.
package enum ColumnType: String, Sendable {
  case integer = "INTEGER"
  case real = "REAL"
  case text = "TEXT"

  /// The narrowest type that holds what both hold.
  func joined(with other: ColumnType) -> ColumnType {
    switch (self, other) {
    case (.text, _), (_, .text): .text
    case (.real, _), (_, .real): .real
    case (.integer, .integer): .integer
    }
  }
}

package struct Column: Equatable, Sendable {
  package let name: String
  package let type: ColumnType

  package init(name: String, type: ColumnType) { (self.name, self.type) = (name, type) }
}

/// Rows of a file: their columns and types, inferred from all rows, and their number. Nothing of the rows is kept.
/// A column "id" of numbers holds whole ones of 64 bits, or the file is refused.
package protocol RowFile: Sendable {
  var path: String { get }
  /// In the order of their first appearance in the file; names are distinct, also without regard to case.
  var columns: [Column] { get }
  /// At least 1.
  var count: Int { get }

  /// A new pass over the rows.
  func makeReader() throws(FileError) -> any RowReader
}

/// One pass over the rows of a file, in their order.
package protocol RowReader {
  /// One value for each column of the file; nil after the last row.
  mutating func next() throws(FileError) -> [FieldValue]?
  /// Number of the line at which the row last returned begins.
  var line: Int { get }
}

/// The formats rows are read from, told apart by the end of the file's name.
package enum RowFormat: String, CaseIterable, Sendable {
  case jsonl, csv

  /// Opens a file of rows. Cost: one pass over the file, to infer the types.
  ///
  /// - Parameter excluded: fields to leave out (the vector, when it stands among the fields).
  package static func open(_ path: String, excluding excluded: Set<String> = []) throws(FileError) -> any RowFile {
    guard let format = allCases.first(where: { path.hasSuffix("." + $0.rawValue) }) else {
      throw FileError(path: path, reason: .unknownFormat(supported: allCases.map { "." + $0.rawValue }))
    }
    return switch format {
    case .jsonl: try JSONLinesRows(path: path, excluding: excluded)
    case .csv: try CSVRows(path: path, excluding: excluded)
    }
  }
}

/// Columns while they are being found.
struct ColumnSurvey {
  private(set) var names: [String] = []
  private var types: [ColumnType?] = []
  private var positions: [String: Int] = [:]
  private var folded: [String: String] = [:]
  /// Where the first value of "id" stands that is a number but not a whole one.
  private var firstReal: (line: Int, position: Int)?

  /// As many as SQLite gives a table, unless it was made otherwise.
  static let mostColumns = 2_000

  func has(_ name: String) -> Bool { positions[name] != nil }

  /// The position of a column, new or known.
  mutating func position(of name: String) throws(ColumnFault) -> Int {
    if let position = positions[name] { return position }
    guard !name.isEmpty else { throw ColumnFault.unnamed(position: names.count + 1) }
    guard !name.utf8.contains(0) else { throw ColumnFault.holdsNUL }
    guard names.count < Self.mostColumns else { throw ColumnFault.tooMany }
    if let other = folded.updateValue(name, forKey: asciiLowercased(name)) {
      throw ColumnFault.repeated(other, name)
    }
    positions[name] = names.count
    names.append(name)
    types.append(nil)
    return names.count - 1
  }

  mutating func note(_ type: ColumnType, at position: Int, line: Int) {
    types[position] = types[position]?.joined(with: type) ?? type
    if type == .real, firstReal == nil, isKey(position) { firstReal = (line, position) }
  }

  private func isKey(_ position: Int) -> Bool { asciiLowercased(names[position]) == "id" }

  /// The fault of a column "id" of numbers that are not all whole. Rows would be numbered anew, and nobody told: what
  /// refers to them by these numbers would find other rows. An id that is text stays a column.
  func keyFault(path: String) -> FileError? {
    guard let (line, position) = firstReal, types[position] == .real else { return nil }
    return FileError(path: path, place: .line(line), reason: .keyNotWhole(column: names[position]))
  }

  /// A column without a value anywhere is TEXT.
  var columns: [Column] { zip(names, types).map { Column(name: $0, type: $1 ?? .text) } }
}

enum ColumnFault: Error {
  case unnamed(position: Int)
  case repeated(String, String)
  case holdsNUL
  case tooMany

  var reason: FileError.Reason {
    switch self {
    case .unnamed(let position): .unnamedColumn(position: position)
    case .repeated(let first, let second): .repeatedColumn(first, second)
    case .holdsNUL: .nulInColumnName
    case .tooMany: .tooManyColumns(limit: ColumnSurvey.mostColumns)
    }
  }
}

/// SQLite folds the case of ASCII letters only.
private func asciiLowercased(_ name: String) -> String {
  String(decoding: name.utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
}
