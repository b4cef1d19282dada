internal import VidxVectors

/// Why a value of SQL is not a vector. Components are counted from 0, bytes of the text from 1.
package enum VectorLiteralError: Error, Equatable, Sendable {
  /// `[]`, or a BLOB of no bytes.
  case empty
  /// More components than `VectorLayout.maxDimensions`; the count is known for a BLOB only.
  case tooManyDimensions(count: Int?)
  /// The text has something else where this was expected.
  case unexpected(byte: Int, expected: String)
  /// The text ends where this was expected.
  case unexpectedEnd(expected: String)
  /// NaN, an infinity or null.
  case notFinite(component: Int)
  /// A number that a 32-bit float cannot hold.
  case outOfRange(component: Int, byte: Int)
  /// The BLOB's length is not a multiple of four bytes.
  case blobLength(byteCount: Int)
  /// Neither BLOB nor TEXT.
  case wrongType(String)
}

extension VectorLiteralError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .empty:
      "the vector is empty: it must have at least 1 dimension"
    case .tooManyDimensions(let count):
      "the vector has \(count.map { "\($0)" } ?? "too many") dimensions: the most is \(VectorLayout.maxDimensions)"
    case .unexpected(let byte, let expected):
      "byte \(byte) of the vector's text is wrong: expected \(expected), as in '[1, 2.5, -3e-2]'"
    case .unexpectedEnd(let expected):
      "the vector's text ends early: expected \(expected), as in '[1, 2.5, -3e-2]'"
    case .notFinite(let component):
      "component \(component) (counted from 0) is not a finite number: every component must be one"
    case .outOfRange(let component, let byte):
      "component \(component) (counted from 0, at byte \(byte)) does not fit in a 32-bit float"
    case .blobLength(let byteCount):
      "a vector BLOB holds 32-bit floats, 4 bytes each, and \(byteCount) bytes is not a multiple of 4"
    case .wrongType(let type):
      "a vector is a BLOB of 32-bit floats (little-endian) or TEXT such as '[1, 2.5, -3e-2]', not \(type)"
    }
  }
}
