/// The header of a .npy file: a magic, a version, a length and a Python dictionary literal.
struct NPYHeader: Equatable {
  enum ElementType: Equatable {
    case float16, float32

    var byteCount: Int { self == .float16 ? 2 : 4 }
  }

  let elementType: ElementType
  let shape: [Int]
  /// Where the elements begin.
  let byteCount: Int

  /// Headers are about 100 bytes; NumPy itself refuses more than 10,000 by default.
  private static let limit = 65_536

  init(_ file: InputFile) throws(FileError) {
    let path = file.path
    guard file.byteCount > 0 else { throw FileError(path: path, reason: .empty) }
    let prefix = try file.bytes(0..<min(file.byteCount, 12))
    guard prefix.starts(with: [0x93] + Array("NUMPY".utf8)) else { throw FileError(path: path, reason: .notNPY) }
    guard prefix.count == 12 else {
      throw FileError(path: path, reason: .truncated(expected: 12, actual: file.byteCount))
    }
    let (major, minor) = (prefix[6], prefix[7])
    guard (1...3).contains(major) else {
      throw FileError(path: path, reason: .npyVersion(major: major, minor: minor))
    }
    let lengthBytes = major == 1 ? 2 : 4
    let length = (0..<lengthBytes).reduce(0) { $0 | Int(prefix[8 + $1]) << (8 * $1) }
    let start = 8 + lengthBytes
    guard length <= Self.limit else {
      throw FileError(path: path, reason: .npyHeader(expected: "a header of at most \(Self.limit) bytes"))
    }
    guard start + length <= file.byteCount else {
      throw FileError(path: path, reason: .truncated(expected: start + length, actual: file.byteCount))
    }
    var literal = PythonLiteral(try file.bytes(start..<start + length))
    let entries: [String: PythonLiteral.Value]
    do throws(PythonLiteral.Failure) { entries = try literal.dictionary() } catch {
      throw FileError(path: path, reason: .npyHeader(expected: error.expected))
    }
    elementType = try Self.elementType(entries["descr"], path: path)
    guard case .bool(let fortran) = entries["fortran_order"] else {
      throw FileError(path: path, reason: .npyHeader(expected: "'fortran_order': True or False"))
    }
    guard case .tuple(let shape) = entries["shape"] else {
      throw FileError(path: path, reason: .npyHeader(expected: "'shape': a tuple of integers"))
    }
    // With one axis, or one row or column, both orders are the same bytes; NumPy then writes False.
    guard !fortran else { throw FileError(path: path, reason: .fortranOrder) }
    self.shape = shape
    byteCount = start + length
  }

  private static func elementType(_ value: PythonLiteral.Value?, path: String) throws(FileError) -> ElementType {
    switch value {
    case .string("<f2"): return .float16
    case .string("<f4"): return .float32
    case .string(let name) where name.hasPrefix(">"):
      throw FileError(path: path, reason: .bigEndian(found: "'\(name)'"))
    case .string(let name): throw FileError(path: path, reason: .elementType(found: "'\(name)'"))
    case .list: throw FileError(path: path, reason: .elementType(found: "a record (structured array)"))
    default: throw FileError(path: path, reason: .npyHeader(expected: "'descr': a string"))
    }
  }
}

/// The part of Python's literal syntax that NumPy writes into headers.
struct PythonLiteral {
  enum Value: Equatable {
    case string(String)
    case bool(Bool)
    case tuple([Int])
    /// Fields of a structured type; what they are does not matter here.
    case list
  }

  struct Failure: Error {
    let expected: String
  }

  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func dictionary() throws(Failure) -> [String: Value] {
    try expect("{")
    var entries: [String: Value] = [:]
    while !accept("}") {
      let key = try string()
      try expect(":")
      guard entries.updateValue(try value(), forKey: key) == nil else { throw Failure(expected: "each key once") }
      if !accept(",") {
        try expect("}")
        break
      }
    }
    skipSpace()
    guard position == bytes.count else { throw Failure(expected: "nothing after the dictionary") }
    return entries
  }

  private mutating func value() throws(Failure) -> Value {
    skipSpace()
    guard position < bytes.count else { throw Failure(expected: "a value") }
    switch bytes[position] {
    case UInt8(ascii: "'"), UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "("): return .tuple(try tuple())
    case UInt8(ascii: "["): return try list()
    default:
      if accept("True") { return .bool(true) }
      if accept("False") { return .bool(false) }
      throw Failure(expected: "a string, True, False or a tuple")
    }
  }

  private mutating func string() throws(Failure) -> String {
    skipSpace()
    guard position < bytes.count, bytes[position] == UInt8(ascii: "'") || bytes[position] == UInt8(ascii: "\""),
      let end = bytes[(position + 1)...].firstIndex(of: bytes[position])
    else { throw Failure(expected: "a quoted string") }
    defer { position = end + 1 }
    return String(decoding: bytes[(position + 1)..<end], as: UTF8.self)
  }

  private mutating func tuple() throws(Failure) -> [Int] {
    try expect("(")
    var items: [Int] = []
    while !accept(")") {
      items.append(try integer())
      if !accept(",") {
        try expect(")")
        break
      }
    }
    return items
  }

  private mutating func integer() throws(Failure) -> Int {
    skipSpace()
    let digits = bytes[position...].prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    guard let value = Int(String(decoding: digits, as: UTF8.self)) else { throw Failure(expected: "an integer") }
    position += digits.count
    // Python 2 wrote long integers as 3L.
    if position < bytes.count, bytes[position] == UInt8(ascii: "L") { position += 1 }
    return value
  }

  private mutating func list() throws(Failure) -> Value {
    var depth = 0
    while position < bytes.count {
      if bytes[position] == UInt8(ascii: "[") { depth += 1 }
      if bytes[position] == UInt8(ascii: "]") { depth -= 1 }
      position += 1
      if depth == 0 { return .list }
    }
    throw Failure(expected: "the end of a list")
  }

  private mutating func skipSpace() {
    while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
  }

  private mutating func accept(_ text: String) -> Bool {
    skipSpace()
    guard bytes[position...].starts(with: text.utf8) else { return false }
    position += text.utf8.count
    return true
  }

  private mutating func expect(_ text: String) throws(Failure) {
    guard accept(text) else { throw Failure(expected: "\"\(text)\"") }
  }
}
