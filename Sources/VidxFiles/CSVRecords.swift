/// One field of a record.
struct CSVField: Equatable {
  /// Nil when nothing stands between the commas.
  let text: String?
}

/// The records of a .csv file, front to back.
struct CSVRecords {
  /// More than any table has columns.
  static let mostFields = 32_767

  private var stream: ByteStream
  private var nextLine = 1
  private let path: String
  /// Number of the line at which the record last returned begins.
  private(set) var line = 0

  init(_ file: InputFile) {
    stream = ByteStream(file)
    path = file.path
  }

  /// The next record, which must have `count` fields; nil after the last.
  mutating func next(expecting count: Int) throws(FileError) -> [CSVField]? {
    guard let record = try next() else { return nil }
    if record.count != count {
      if record == [CSVField(text: nil)] {
        // RFC 4180 knows no empty lines; some writers end the file with one or more.
        let blank = line
        while let more = try next() {
          guard more == [CSVField(text: nil)] else { throw fault(.blankLine, line: blank) }
        }
        return nil
      }
      throw fault(.fieldCount(expected: count, actual: record.count), line: line)
    }
    return record
  }

  /// The next record of any number of fields.
  mutating func next() throws(FileError) -> [CSVField]? {
    if stream.offset == 0 { try skipByteOrderMark() }
    guard try stream.peek() != nil else { return nil }
    line = nextLine
    var record: [CSVField] = []
    while true {
      let (field, end) = try stream.peek() == UInt8(ascii: "\"") ? quotedField() : plainField()
      record.append(field)
      if end { return record }
      // Of commas alone a line of some megabytes would take hundreds of them in memory.
      guard record.count < Self.mostFields else { throw fault(.tooManyColumns(limit: Self.mostFields), line: line) }
    }
  }

  /// A field without quotes and whether it was its record's last.
  private mutating func plainField() throws(FileError) -> (CSVField, isLast: Bool) {
    var bytes: [UInt8] = []
    while true {
      let byte = try stream.next()
      switch byte {
      case UInt8(ascii: ","): return (try field(bytes), false)
      case 0x0A, nil:
        if byte != nil { nextLine += 1 }
        if bytes.last == 0x0D { bytes.removeLast() }
        return (try field(bytes), true)
      case UInt8(ascii: "\""): throw fault(.quoteInsideField, line: nextLine)
      case .some(let byte):
        bytes.append(byte)
        try checkLength(bytes)
      }
    }
  }

  private mutating func quotedField() throws(FileError) -> (CSVField, isLast: Bool) {
    let opening = nextLine
    _ = try stream.next()
    var bytes: [UInt8] = []
    while true {
      guard let byte = try stream.next() else { throw fault(.unterminatedQuote, line: opening) }
      if byte == 0x0A { nextLine += 1 }
      if byte != UInt8(ascii: "\"") {
        bytes.append(byte)
        try checkLength(bytes)
      } else if try stream.peek() == UInt8(ascii: "\"") {
        _ = try stream.next()
        bytes.append(byte)
      } else {
        break
      }
    }
    let text = CSVField(text: try text(bytes, line: opening))
    var after = try stream.next()
    if after == 0x0D {
      after = try stream.next()
      guard after == nil || after == 0x0A else { throw fault(.textAfterQuote, line: nextLine) }
    }
    switch after {
    case UInt8(ascii: ","): return (text, false)
    case nil: return (text, true)
    case 0x0A:
      nextLine += 1
      return (text, true)
    default: throw fault(.textAfterQuote, line: nextLine)
    }
  }

  private func field(_ bytes: [UInt8]) throws(FileError) -> CSVField {
    CSVField(text: bytes.isEmpty ? nil : try text(bytes, line: line))
  }

  private func text(_ bytes: [UInt8], line: Int) throws(FileError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else { throw fault(.notUTF8, line: line) }
    return text
  }

  private func checkLength(_ bytes: [UInt8]) throws(FileError) {
    guard bytes.count <= LineReader.maximumLength else {
      throw fault(.lineTooLong(limit: LineReader.maximumLength), line: line)
    }
  }

  private mutating func skipByteOrderMark() throws(FileError) {
    guard try stream.peek() == 0xEF else { return }
    var mark: [UInt8] = []
    for _ in 0..<3 { if let byte = try stream.next() { mark.append(byte) } }
    guard mark == [0xEF, 0xBB, 0xBF] else { throw fault(.notUTF8, line: 1) }
  }

  private func fault(_ reason: FileError.Reason, line: Int) -> FileError {
    FileError(path: path, place: .line(line), reason: reason)
  }
}
