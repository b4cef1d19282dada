internal import CSQLite

/// A vector argument of an SQL function: the bytes of SQLite's own value when they can be read in place, a copy if not.
///
/// Valid while the value is, so for one call; not thread safe.
@safe final class SQLVector {
  let floats: UnsafePointer<Float>
  let count: Int
  private let owned: UnsafeMutablePointer<Float>?

  /// Refers to memory that stays where it is as long as this object is used.
  init(borrowing floats: UnsafePointer<Float>, count: Int) {
    unsafe self.floats = floats
    self.count = count
    unsafe owned = nil
  }

  init(copying vector: [Float]) {
    let copy = UnsafeMutablePointer<Float>.allocate(capacity: max(vector.count, 1))
    for (i, component) in vector.enumerated() { unsafe (copy + i).initialize(to: component) }
    unsafe floats = UnsafePointer(copy)
    count = vector.count
    unsafe owned = copy
  }

  deinit { unsafe owned?.deallocate() }

  var components: UnsafeBufferPointer<Float> { unsafe UnsafeBufferPointer(start: floats, count: count) }

  /// The components, checked: a BLOB read in place may hold anything.
  func checkFinite() throws(VectorLiteralError) {
    for i in 0..<count where unsafe !floats[i].isFinite { throw .notFinite(component: i) }
  }
}

/// Reading vectors from SQLite's values.
enum SQLValue {
  /// A vector, every component finite; nil for NULL.
  static func vector(_ value: OpaquePointer?) throws(VectorLiteralError) -> [Float]? {
    switch unsafe sqlite3_value_type(value) {
    case SQLITE_NULL: nil
    case SQLITE_BLOB: unsafe try VectorLiteral.decode(blob(value))
    case SQLITE_TEXT: unsafe try VectorLiteral.parse(utf8: text(value))
    case let type: throw .wrongType(typeName(type))
    }
  }

  static func blob(_ value: OpaquePointer?) -> UnsafeRawBufferPointer {
    // The pointer first: asking for it may convert the value and so change its length.
    let start = unsafe sqlite3_value_blob(value)
    return unsafe UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_value_bytes(value)))
  }

  static func text(_ value: OpaquePointer?) -> UnsafeBufferPointer<UInt8> {
    let start = unsafe sqlite3_value_text(value)
    return unsafe UnsafeBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_value_bytes(value)))
  }

  /// What SQL calls a type code of SQLite.
  static func typeName(_ type: Int32) -> String {
    switch type {
    case SQLITE_INTEGER: "INTEGER"
    case SQLITE_FLOAT: "REAL"
    case SQLITE_TEXT: "TEXT"
    case SQLITE_BLOB: "BLOB"
    default: "NULL"
    }
  }
}
