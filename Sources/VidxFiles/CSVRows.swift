/// Rows from a .csv file (RFC 4180): a header, comma-separated fields, quotes doubled inside quoted fields, lines ended
/// by \r\n or \n.
///
/// A field with nothing between its commas is NULL, "" is the empty text. Types are inferred from all values, quoted or
/// not; numbers with leading zeros or a plus sign are text, because they are codes.
package struct CSVRows: RowFile {
  package let columns: [Column]
  package let count: Int
  private let file: InputFile
  /// For each field of the file the column it fills; nil: left out.
  private let targets: [Int?]

  package var path: String { file.path }

  package init(path: String, excluding excluded: Set<String> = []) throws(FileError) {
    file = try InputFile(path: path)
    var records = CSVRecords(file)
    guard let header = try records.next() else { throw FileError(path: path, reason: .empty) }
    var survey = ColumnSurvey()
    var targets: [Int?] = []
    for (index, field) in header.enumerated() {
      let name = field.text ?? ""
      guard !excluded.contains(name) else {
        targets.append(nil)
        continue
      }
      do throws(ColumnFault) {
        if name.isEmpty { throw ColumnFault.unnamed(position: index + 1) }
        if survey.has(name) { throw ColumnFault.repeated(name, name) }
        targets.append(try survey.position(of: name))
      } catch { throw FileError(path: path, place: .line(1), reason: error.reason) }
    }
    guard !survey.names.isEmpty else { throw FileError(path: path, reason: .noColumns) }
    var rows = 0
    while let record = try records.next(expecting: targets.count) {
      rows += 1
      for (field, target) in zip(record, targets) {
        if let target, let text = field.text { survey.note(Self.type(of: text), at: target, line: records.line) }
      }
    }
    guard rows > 0 else { throw FileError(path: path, reason: .empty) }
    if let fault = survey.keyFault(path: path) { throw fault }
    columns = survey.columns
    count = rows
    self.targets = targets
  }

  package func makeReader() throws(FileError) -> any RowReader {
    var records = CSVRecords(file)
    _ = try records.next()
    return Reader(rows: self, records: records)
  }

  private struct Reader: RowReader {
    let rows: CSVRows
    var records: CSVRecords

    var line: Int { records.line }

    mutating func next() throws(FileError) -> [FieldValue]? {
      guard let record = try records.next(expecting: rows.targets.count) else { return nil }
      var values = [FieldValue](repeating: .null, count: rows.columns.count)
      for (field, target) in zip(record, rows.targets) {
        guard let target, let text = field.text else { continue }
        values[target] = try value(text, as: rows.columns[target].type)
      }
      return values
    }

    private func value(_ text: String, as type: ColumnType) throws(FileError) -> FieldValue {
      switch type {
      case .text: return .text(text)
      case .integer:
        guard let integer = Int64(text) else { throw FileError(path: rows.path, reason: .changed) }
        return .integer(integer)
      case .real:
        guard let real = Double(text) else { throw FileError(path: rows.path, reason: .changed) }
        return .real(real)
      }
    }
  }

  /// The narrowest type of one value: JSON's grammar of numbers decides what is a number.
  private static func type(of text: String) -> ColumnType {
    guard let first = text.utf8.first, first == UInt8(ascii: "-") || (0x30...0x39).contains(first) else {
      return .text
    }
    var scanner = JSONScanner(Array(text.utf8))
    do throws(JSONError) {
      let number = try scanner.number()
      guard number.range.count == text.utf8.count else { return .text }
      return number.isInteger ? (Int64(text) == nil ? .real : .integer) : .real
    } catch { return .text }
  }
}
