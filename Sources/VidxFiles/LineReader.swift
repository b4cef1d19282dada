/// Bytes of a file from front to back, through a buffer of fixed size.
struct ByteStream {
  private let file: InputFile
  private var buffer: [UInt8] = []
  private var position = 0
  /// Offset in the file of the first byte not yet in `buffer`.
  private var nextOffset: Int

  static let bufferSize = 1 << 18

  init(_ file: InputFile, at offset: Int = 0) {
    self.file = file
    nextOffset = offset
  }

  var path: String { file.path }
  /// Offset in the file of the next byte.
  var offset: Int { nextOffset - (buffer.count - position) }

  mutating func next() throws(FileError) -> UInt8? {
    guard try fill() else { return nil }
    defer { position += 1 }
    return buffer[position]
  }

  mutating func peek() throws(FileError) -> UInt8? {
    guard try fill() else { return nil }
    return buffer[position]
  }

  /// Takes bytes up to, not including, the next newline or the end of the buffer; says whether the newline came.
  mutating func takeToNewline(into line: inout [UInt8]) throws(FileError) -> Bool {
    guard try fill() else { return true }
    let rest = buffer[position...]
    let newline = rest.firstIndex(of: 0x0A)
    line.append(contentsOf: rest[..<(newline ?? rest.endIndex)])
    position = newline.map { $0 + 1 } ?? rest.endIndex
    return newline != nil
  }

  /// Whether a byte is there, reading more if need be.
  private mutating func fill() throws(FileError) -> Bool {
    guard position == buffer.count else { return true }
    let size = min(Self.bufferSize, file.byteCount - nextOffset)
    guard size > 0 else { return false }
    buffer = try file.bytes(nextOffset..<nextOffset + size)
    nextOffset += size
    position = 0
    return true
  }
}

/// Lines of a text file, one at a time. A byte order mark and the \r of \r\n are taken away.
struct LineReader {
  /// Longer lines are refused, so that a file of another kind does not fill the memory.
  static let maximumLength = 256 << 20

  private var stream: ByteStream
  /// Number of the line last returned, from 1.
  private(set) var line: Int

  var path: String { stream.path }
  /// Offset in the file of the next line.
  var offset: Int { stream.offset }

  init(_ file: InputFile, at offset: Int = 0, linesBefore line: Int = 0) {
    stream = ByteStream(file, at: offset)
    self.line = line
  }

  /// The next line, nil after the last. A newline at the end of the file does not start another line.
  mutating func next() throws(FileError) -> [UInt8]? {
    guard try stream.peek() != nil else { return nil }
    let isFirst = stream.offset == 0
    line += 1
    var bytes: [UInt8] = []
    while try !stream.takeToNewline(into: &bytes) {
      guard bytes.count <= Self.maximumLength else {
        throw FileError(path: path, place: .line(line), reason: .lineTooLong(limit: Self.maximumLength))
      }
      if try stream.peek() == nil { break }
    }
    if bytes.last == 0x0D { bytes.removeLast() }
    if isFirst, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
    return bytes
  }

  /// The next line that is not empty. Empty lines are accepted at the end of the file only: between rows one would
  /// shift every row after it against its vector.
  mutating func nextRow() throws(FileError) -> [UInt8]? {
    guard let first = try next() else { return nil }
    guard first.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) else { return first }
    let blank = line
    while let bytes = try next() {
      guard bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) else {
        throw FileError(path: path, place: .line(blank), reason: .blankLine)
      }
    }
    return nil
  }
}
