/// The object on one line of a .jsonl file, read field by field; faults name the file and the line.
struct JSONLineObject {
  private var scanner: JSONScanner
  private let path: String
  private let line: Int

  init(_ bytes: [UInt8], path: String, line: Int) throws(FileError) {
    (self.path, self.line) = (path, line)
    scanner = JSONScanner(bytes)
    let kind = try kind()
    guard kind == .object else { throw fault(.notAnObject(found: kind.rawValue)) }
    try scan { scanner throws(JSONError) in try scanner.beginObject() }
  }

  /// The next field's name, its value being next; nil when the object and the line are at their end.
  mutating func nextKey() throws(FileError) -> String? {
    try scan { scanner throws(JSONError) in
      if let key = try scanner.nextKey() { return key }
      try scanner.finish()
      return nil
    }
  }

  mutating func kind() throws(FileError) -> JSONScanner.Kind {
    try scan { scanner throws(JSONError) in try scanner.kind() }
  }

  /// Runs `body` over the scanner, its fault becoming one of this line.
  mutating func scan<Value>(_ body: (inout JSONScanner) throws(JSONError) -> Value) throws(FileError) -> Value {
    do throws(JSONError) { return try body(&scanner) } catch { throw fault(.json(error)) }
  }

  func fault(_ reason: FileError.Reason) -> FileError {
    FileError(path: path, place: .line(line), reason: reason)
  }
}
