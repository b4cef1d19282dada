/// A NumPy array of f16 or f32 vectors (.npy versions 1 to 3, little-endian, C order, two axes).
///
/// Format: numpy.lib.format, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
package final class NPYFile: VectorFile {
  package let count: Int
  package let dimensions: Int
  private let file: InputFile
  private let elementType: NPYHeader.ElementType
  private let dataOffset: Int

  package var path: String { file.path }

  package init(path: String) throws(FileError) {
    file = try InputFile(path: path)
    let header = try NPYHeader(file)
    guard header.shape.count == 2 else { throw FileError(path: path, reason: .shape(header.shape)) }
    guard header.shape[0] > 0, header.shape[1] > 0 else { throw FileError(path: path, reason: .empty) }
    (count, dimensions) = (header.shape[0], header.shape[1])
    elementType = header.elementType
    dataOffset = header.byteCount

    let (elements, overflow) = count.multipliedReportingOverflow(by: dimensions)
    let (bytes, overflowToo) = elements.multipliedReportingOverflow(by: elementType.byteCount)
    let (expected, overflowThree) = bytes.addingReportingOverflow(dataOffset)
    guard !overflow, !overflowToo, !overflowThree else {
      throw FileError(path: path, reason: .truncated(expected: .max, actual: file.byteCount))
    }
    guard file.byteCount >= expected else {
      throw FileError(path: path, reason: .truncated(expected: expected, actual: file.byteCount))
    }
    guard file.byteCount == expected else {
      throw FileError(path: path, reason: .surplus(expected: expected, actual: file.byteCount))
    }
    try VectorFormat.check(dimensions: dimensions, path: path)
  }

  package func read(rows: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= count, "rows \(rows) of \(count)")
    let elements = rows.count * dimensions
    precondition(destination.count >= elements, "room for \(destination.count) of \(elements) floats")
    let offset = dataOffset + rows.lowerBound * dimensions * elementType.byteCount
    let target = unsafe UnsafeMutableBufferPointer(rebasing: destination[..<elements])
    switch elementType {
    case .float32: try unsafe file.read(into: UnsafeMutableRawBufferPointer(target), at: offset)
    case .float16: try unsafe readHalves(into: target, at: offset)
    }
  }

  /// Reads the halves into the upper half of the destination and widens them in place, front to back: element i is
  /// written to bytes [4i, 4i + 4), which end at or before the half read next, at 2n + 2(i + 1).
  private func readHalves(into target: UnsafeMutableBufferPointer<Float>, at offset: Int) throws(FileError) {
    let raw = UnsafeMutableRawBufferPointer(target)
    let halves = unsafe UnsafeMutableRawBufferPointer(rebasing: raw[(target.count * 2)...])
    try unsafe file.read(into: halves, at: offset)
    var index = 0
    while index < target.count {
      unsafe target[index] = widen(half: halves.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
      index += 1
    }
  }
}

/// The f32 of an IEEE 754 half, exactly: without F16C, `Float(Float16)` is a call into the runtime library.
@inline(__always)
func widen(half: UInt16) -> Float {
  // The exponent's bias is mended by a multiplication by 2^112, which also normalises subnormal halves.
  let magnitude = UInt32(half & 0x7FFF) << 13
  let scaled = (Float(bitPattern: magnitude) * Float(bitPattern: 0x7780_0000)).bitPattern
  let special: UInt32 = magnitude >= 0x0F80_0000 ? 0x7F80_0000 : 0
  let sign = UInt32(half & 0x8000) << 16
  return Float(bitPattern: scaled | special | sign)
}
