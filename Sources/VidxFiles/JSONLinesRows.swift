/// Rows from a .jsonl file: one object to a line, fields are columns.
///
/// A field that a line lacks, or null, is NULL. true and false are 1 and 0, or their names in a TEXT column; numbers in
/// a TEXT column and arrays and objects keep their text as it stands in the file.
package struct JSONLinesRows: RowFile {
  package let columns: [Column]
  package let count: Int
  private let file: InputFile
  private let positions: [String: Int]
  private let excluded: Set<String>

  package var path: String { file.path }

  package init(path: String, excluding excluded: Set<String> = []) throws(FileError) {
    file = try InputFile(path: path)
    self.excluded = excluded
    var survey = ColumnSurvey()
    var reader = LineReader(file)
    var rows = 0
    while let line = try reader.nextRow() {
      rows += 1
      var object = try JSONLineObject(line, path: path, line: reader.line)
      while let key = try object.nextKey() {
        let token = try JSONToken(&object)
        guard !excluded.contains(key) else { continue }
        do throws(ColumnFault) {
          let position = try survey.position(of: key)
          if let type = token.type { survey.note(type, at: position, line: reader.line) }
        } catch { throw object.fault(error.reason) }
      }
    }
    guard rows > 0 else { throw FileError(path: path, reason: .empty) }
    if let fault = survey.keyFault(path: path) { throw fault }
    columns = survey.columns
    guard !columns.isEmpty else { throw FileError(path: path, reason: .noColumns) }
    count = rows
    positions = Dictionary(uniqueKeysWithValues: zip(survey.names, 0...))
  }

  package func makeReader() throws(FileError) -> any RowReader { Reader(self) }

  private struct Reader: RowReader {
    private let rows: JSONLinesRows
    private var lines: LineReader

    init(_ rows: JSONLinesRows) {
      self.rows = rows
      lines = LineReader(rows.file)
    }

    var line: Int { lines.line }

    mutating func next() throws(FileError) -> [FieldValue]? {
      guard let bytes = try lines.nextRow() else { return nil }
      var object = try JSONLineObject(bytes, path: rows.path, line: lines.line)
      var values = [FieldValue](repeating: .null, count: rows.columns.count)
      var seen: Set<Int> = []
      while let key = try object.nextKey() {
        let token = try JSONToken(&object)
        guard !rows.excluded.contains(key) else { continue }
        guard let position = rows.positions[key] else { throw FileError(path: rows.path, reason: .changed) }
        guard seen.insert(position).inserted else { throw object.fault(.repeatedField(key)) }
        values[position] = token.value(as: rows.columns[position].type)
      }
      return values
    }
  }
}

/// A field's value, before its column's type is known.
private enum JSONToken {
  case null
  case bool(Bool)
  case integer(Int64, text: String)
  case real(Double, text: String)
  case text(String)

  init(_ object: inout JSONLineObject) throws(FileError) {
    self = try object.scan { scanner throws(JSONError) in
      switch try scanner.kind() {
      case .null:
        try scanner.null()
        return .null
      case .bool: return .bool(try scanner.bool())
      case .string: return .text(try scanner.string())
      case .object, .array: return .text(try scanner.text(try scanner.skipValue()))
      case .number:
        let number = try scanner.number()
        let text = try scanner.text(number.range)
        if number.isInteger, let integer = Int64(text) { return .integer(integer, text: text) }
        return .real(number.value, text: text)
      }
    }
  }

  /// Nil for null, which any column takes.
  var type: ColumnType? {
    switch self {
    case .null: nil
    case .bool, .integer: .integer
    case .real: .real
    case .text: .text
    }
  }

  func value(as type: ColumnType) -> FieldValue {
    switch (self, type) {
    case (.null, _): .null
    case (.bool(let bool), .text): .text(bool ? "true" : "false")
    case (.bool(let bool), .real): .real(bool ? 1 : 0)
    case (.bool(let bool), .integer): .integer(bool ? 1 : 0)
    case (.integer(_, let text), .text), (.real(_, let text), .text), (.text(let text), _): .text(text)
    case (.integer(let integer, _), .integer): .integer(integer)
    case (.integer(let integer, _), .real): .real(Double(integer))
    case (.real(let real, _), _): .real(real)
    }
  }
}
