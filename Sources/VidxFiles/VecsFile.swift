/// Vectors in the .fvecs and .bvecs formats of the TEXMEX corpora: each row is an i32 number of dimensions, then that
/// many elements, little-endian. All rows must have the same dimensions.
package final class VecsFile: VectorFile {
  /// The raw value is its size in bytes.
  package enum Element: Int, Sendable {
    /// .bvecs: 0...255
    case u8 = 1
    /// .fvecs
    case f32 = 4
  }

  package let count: Int
  package let dimensions: Int
  private let element: Element
  private let file: InputFile

  package var path: String { file.path }
  private var rowBytes: Int { 4 + element.rawValue * dimensions }

  package init(path: String, element: Element) throws(FileError) {
    self.element = element
    file = try InputFile(path: path)
    guard file.byteCount > 0 else { throw FileError(path: path, reason: .empty) }
    guard file.byteCount >= 4 else {
      throw FileError(path: path, place: .row(1), reason: .truncated(expected: 4, actual: file.byteCount))
    }
    let head = try file.bytes(0..<4)
    let found = Int32(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(head[$1]) << UInt32(8 * $1) })
    guard found > 0 else { throw FileError(path: path, place: .row(1), reason: .shape([Int(found)])) }
    dimensions = Int(found)
    try VectorFormat.check(dimensions: dimensions, path: path, place: .row(1))
    let rowBytes = 4 + element.rawValue * dimensions
    count = file.byteCount / rowBytes
    // A rest may be a cut, or a row of other dimensions: the first row that says so is the better message.
    guard file.byteCount % rowBytes == 0 else {
      for row in 0..<count { try checkHead(try file.bytes(row * rowBytes..<row * rowBytes + 4), row: row) }
      throw FileError(
        path: path, place: .row(count + 1),
        reason: .truncated(expected: (count + 1) * rowBytes, actual: file.byteCount))
    }
  }

  package func read(rows: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= count, "rows \(rows) of \(count)")
    precondition(destination.count >= rows.count * dimensions, "room for \(destination.count) floats")
    // Whole rows in blocks of about 1 MB, each row then moved without its head.
    let blockRows = max(1, 1_048_576 / rowBytes)
    for start in stride(from: rows.lowerBound, to: rows.upperBound, by: blockRows) {
      let end = min(start + blockRows, rows.upperBound)
      let block = try file.bytes(start * rowBytes..<end * rowBytes)
      for row in start..<end {
        let offset = (row - start) * rowBytes
        try checkHead(block[offset..<offset + 4], row: row)
        let place = (row - rows.lowerBound) * dimensions
        unsafe block.withUnsafeBytes { bytes in
          let elements = unsafe UnsafeRawBufferPointer(rebasing: bytes[offset + 4..<offset + rowBytes])
          unsafe copy(elements, to: UnsafeMutableBufferPointer(rebasing: destination[place..<place + dimensions]))
        }
      }
    }
  }

  private func copy(_ elements: UnsafeRawBufferPointer, to destination: UnsafeMutableBufferPointer<Float>) {
    switch element {
    case .f32: unsafe UnsafeMutableRawBufferPointer(destination).copyMemory(from: elements)
    case .u8: for i in 0..<dimensions { unsafe destination[i] = Float(elements[i]) }
    }
  }

  private func checkHead(_ head: some Collection<UInt8>, row: Int) throws(FileError) {
    let found = Int32(bitPattern: head.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
    guard Int(found) == dimensions else {
      throw FileError(
        path: path, place: .row(row + 1), reason: .dimensions(expected: dimensions, actual: Int(found)))
    }
  }
}
