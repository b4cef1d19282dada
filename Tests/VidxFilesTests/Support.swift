import Foundation
import Testing

@testable import VidxFiles

/// A directory that goes away with its owner.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "vidx-files-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file and returns its path.
  func file(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
    let file = path + "/" + name
    try Data(bytes).write(to: URL(fileURLWithPath: file))
    return file
  }

  func file(_ name: String, _ text: String) throws -> String { try file(name, text.utf8) }
}

/// Bytes of .npy files, good and bad.
enum NPYBytes {
  static func make(
    header: String, major: UInt8 = 1, data: [UInt8]
  ) -> [UInt8] {
    let literal = Array((header + "\n").utf8)
    let length = (0..<(major == 1 ? 2 : 4)).map { UInt8(truncatingIfNeeded: literal.count >> (8 * $0)) }
    return [0x93] + Array("NUMPY".utf8) + [major, 0] + length + literal + data
  }

  static func header(_ type: String, fortran: Bool = false, _ shape: String) -> String {
    "{'descr': '\(type)', 'fortran_order': \(fortran ? "True" : "False"), 'shape': \(shape), }"
  }

  static func floats(_ values: [Float]) -> [UInt8] { values.flatMap { littleEndian($0.bitPattern) } }

  static func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    (0..<MemoryLayout<Value>.size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}

extension VectorFile {
  func block(_ rows: Range<Int>) throws -> [Float] {
    var result = [Float](repeating: -1, count: rows.count * dimensions)
    try unsafe result.withUnsafeMutableBufferPointer { try unsafe read(rows: rows, into: $0) }
    return result
  }
}

extension RowFile {
  func rows() throws -> [[FieldValue]] {
    var reader = try makeReader()
    var result: [[FieldValue]] = []
    while let row = try reader.next() { result.append(row) }
    return result
  }
}

/// Runs `body`, which must throw a `FileError`, and returns it.
func fileError(_ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) throws -> FileError {
  try #require(throws: FileError.self, sourceLocation: sourceLocation) { try body() }
}
