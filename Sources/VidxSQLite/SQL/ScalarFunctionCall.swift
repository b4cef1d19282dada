internal import CSQLite
internal import VidxVectors

/// What a scalar function gives back.
enum ScalarResult {
  case null
  case integer(Int64)
  case real(Double)
  case text(String)
  case vector([Float])
}

/// Why a scalar function fails. Arguments are counted from 1.
enum ScalarFunctionError: Error, Equatable {
  case notAVector(argument: Int, VectorLiteralError)
  case notAnInteger(argument: Int, type: String)
  case differentDimensions(Int, Int)
  case overflow(component: Int)
  case noDimensions
  case tooManyDimensions(Int)
}

extension ScalarFunctionError: CustomStringConvertible {
  var description: String {
    switch self {
    case .notAVector(let argument, let error): "argument \(argument): \(error)"
    case .notAnInteger(let argument, let type): "argument \(argument) must be an INTEGER, not \(type)"
    case .differentDimensions(let a, let b):
      "different dimensions, \(a) and \(b): both vectors must be of the same model"
    case .overflow(let component): "component \(component) (counted from 0) of the result overflows a 32-bit float"
    case .noDimensions: "the result would be empty: a vector has at least 1 dimension"
    case .tooManyDimensions(let count):
      "the result would have \(count) dimensions: the most is \(VectorLayout.maxDimensions)"
    }
  }
}

/// One call of a scalar function by SQLite.
@safe struct ScalarFunctionCall {
  private let context: OpaquePointer
  private let values: UnsafeMutablePointer<OpaquePointer?>

  init(context: OpaquePointer, values: UnsafeMutablePointer<OpaquePointer?>) {
    unsafe self.context = context
    unsafe self.values = values
  }

  /// The vector at an argument (from 0), or nil for NULL. A BLOB may hold NaN or infinities: see `checkFinite`.
  ///
  /// The text of a constant argument is parsed once a statement: SQLite keeps the outcome.
  func vector(_ index: Int) throws(ScalarFunctionError) -> SQLVector? {
    do throws(VectorLiteralError) {
      let value = unsafe values[index]
      switch unsafe sqlite3_value_type(value) {
      case SQLITE_NULL: return nil
      case SQLITE_BLOB: return unsafe try Self.inPlace(SQLValue.blob(value))
      case SQLITE_TEXT: return unsafe try parsed(value, index: Int32(index))
      case let type: throw VectorLiteralError.wrongType(SQLValue.typeName(type))
      }
    } catch {
      throw .notAVector(argument: index + 1, error)
    }
  }

  /// Both vectors, of the same dimensions, or nil when one is NULL.
  func vectors() throws(ScalarFunctionError) -> (SQLVector, SQLVector)? {
    guard let a = try vector(0), let b = try vector(1) else { return nil }
    guard a.count == b.count else { throw .differentDimensions(a.count, b.count) }
    return (a, b)
  }

  /// Refuses BLOBs that hold something else than finite numbers.
  func checkFinite(_ vectors: SQLVector...) throws(ScalarFunctionError) {
    for (i, vector) in vectors.enumerated() {
      do { try vector.checkFinite() } catch { throw .notAVector(argument: i + 1, error) }
    }
  }

  /// The integer at an argument (from 0), or nil for NULL.
  func integer(_ index: Int) throws(ScalarFunctionError) -> Int64? {
    switch unsafe sqlite3_value_type(values[index]) {
    case SQLITE_NULL: nil
    case SQLITE_INTEGER: unsafe sqlite3_value_int64(values[index])
    case let type: throw .notAnInteger(argument: index + 1, type: SQLValue.typeName(type))
    }
  }

  private static func inPlace(_ bytes: UnsafeRawBufferPointer) throws(VectorLiteralError) -> SQLVector {
    let count = try VectorLiteral.dimensions(ofBlobOf: bytes.count)
    #if _endian(little)
      if let start = bytes.baseAddress, UInt(bitPattern: start) % UInt(MemoryLayout<Float>.alignment) == 0 {
        return unsafe SQLVector(borrowing: start.assumingMemoryBound(to: Float.self), count: count)
      }
    #endif
    return unsafe SQLVector(copying: try VectorLiteral.decode(bytes))
  }

  private func parsed(_ value: OpaquePointer?, index: Int32) throws(VectorLiteralError) -> SQLVector {
    if let kept = unsafe sqlite3_get_auxdata(context, index) {
      return unsafe Unmanaged<SQLVector>.fromOpaque(kept).takeUnretainedValue()
    }
    let vector = unsafe SQLVector(copying: try VectorLiteral.parse(utf8: SQLValue.text(value)))
    // SQLite may release its reference at once when the argument is not a constant; this function holds another.
    unsafe sqlite3_set_auxdata(context, index, Unmanaged.passRetained(vector).toOpaque()) { kept in
      guard let kept = unsafe kept else { return }
      unsafe Unmanaged<SQLVector>.fromOpaque(kept).release()
    }
    return vector
  }
}
