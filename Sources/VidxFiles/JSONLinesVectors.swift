import Synchronization

/// Vectors from a field of the objects of a .jsonl file, one object to a line.
///
/// Blocks read in order cost one parse of each line; a block elsewhere costs up to `checkpointRows` lines skipped.
package final class JSONLinesVectors: VectorFile {
  package let count: Int
  package let dimensions: Int
  private let file: InputFile
  private let field: String
  /// Offsets of rows 0, checkpointRows, 2 * checkpointRows, ...
  private let checkpoints: [Int]
  private let cursor: Mutex<Cursor>

  private static let checkpointRows = 1024

  private struct Cursor {
    var reader: LineReader
    /// The row that `reader` is at.
    var row: Int
  }

  package var path: String { file.path }

  /// Opens the file: one pass to count the lines, the first parsed for its dimensions.
  package init(path: String, field: String) throws(FileError) {
    file = try InputFile(path: path)
    self.field = field
    var reader = LineReader(file)
    var checkpoints: [Int] = []
    var rows = 0
    var first: [UInt8]?
    while true {
      let offset = reader.offset
      guard let line = try reader.nextRow() else { break }
      if rows.isMultiple(of: Self.checkpointRows) { checkpoints.append(offset) }
      if first == nil { first = line }
      rows += 1
    }
    guard let first else { throw FileError(path: path, reason: .empty) }
    count = rows
    self.checkpoints = checkpoints
    cursor = Mutex(Cursor(reader: LineReader(file), row: 0))
    let vector = try JSONVectorLine(path: path, line: 1, field: field).parse(first)
    guard !vector.isEmpty else {
      throw FileError(
        path: path, place: .line(1), reason: .notAVector(field: field, found: "an empty array"))
    }
    dimensions = vector.count
    try VectorFormat.check(dimensions: dimensions, path: path, place: .line(1))
  }

  package func read(rows: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= count, "rows \(rows) of \(count)")
    precondition(destination.count >= rows.count * dimensions, "room for \(destination.count) floats")
    let result = cursor.withLock { cursor -> Result<Void, FileError> in
      do throws(FileError) {
        try move(&cursor, to: rows.lowerBound)
        for row in rows {
          let vector = try next(&cursor)
          let start = (row - rows.lowerBound) * dimensions
          for (index, element) in vector.enumerated() { unsafe destination[start + index] = element }
        }
        return .success(())
      } catch { return .failure(error) }
    }
    try result.get()
  }

  private func move(_ cursor: inout Cursor, to row: Int) throws(FileError) {
    if row < cursor.row || row - cursor.row > Self.checkpointRows {
      let checkpoint = row / Self.checkpointRows
      let before = checkpoint * Self.checkpointRows
      // Rows and lines agree: empty lines between rows are refused.
      cursor = Cursor(reader: LineReader(file, at: checkpoints[checkpoint], linesBefore: before), row: before)
    }
    while cursor.row < row {
      guard try cursor.reader.nextRow() != nil else { throw FileError(path: path, reason: .changed) }
      cursor.row += 1
    }
  }

  private func next(_ cursor: inout Cursor) throws(FileError) -> [Float] {
    guard let bytes = try cursor.reader.nextRow() else { throw FileError(path: path, reason: .changed) }
    cursor.row += 1
    let line = cursor.reader.line
    let vector = try JSONVectorLine(path: path, line: line, field: field, dimensions: dimensions).parse(bytes)
    guard vector.count == dimensions else {
      throw FileError(
        path: path, place: .line(line), reason: .dimensions(expected: dimensions, actual: vector.count))
    }
    return vector
  }
}

/// Reads the vector out of one line.
private struct JSONVectorLine {
  let path: String
  let line: Int
  let field: String
  var dimensions = 0

  func parse(_ bytes: [UInt8]) throws(FileError) -> [Float] {
    var object = try JSONLineObject(bytes, path: path, line: line)
    var vector: [Float]?
    var present: [String] = []
    while let key = try object.nextKey() {
      present.append(key)
      guard key == field else {
        _ = try object.scan { scanner throws(JSONError) in try scanner.skipValue() }
        continue
      }
      guard vector == nil else { throw object.fault(.repeatedField(key)) }
      vector = try elements(&object)
    }
    guard let vector else { throw object.fault(.missingField(name: field, present: present)) }
    return vector
  }

  private func elements(_ object: inout JSONLineObject) throws(FileError) -> [Float] {
    let kind = try object.kind()
    guard kind == .array else { throw object.fault(.notAVector(field: field, found: kind.rawValue)) }
    var vector: [Float] = []
    vector.reserveCapacity(dimensions)
    let stop = try object.scan { scanner throws(JSONError) -> FileError.Reason? in
      try scanner.beginArray()
      while try scanner.nextElement() {
        let kind = try scanner.kind()
        guard kind == .number else {
          return .notANumber(field: field, index: vector.count, found: kind.rawValue)
        }
        let element = Float(try scanner.number().value)
        guard element.isFinite else { return .notFinite(index: vector.count) }
        vector.append(element)
      }
      return nil
    }
    if let stop { throw object.fault(stop) }
    return vector
  }
}
