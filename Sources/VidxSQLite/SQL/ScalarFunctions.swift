internal import CSQLite
internal import CVidxSQLite
internal import VidxVectors

/// The scalar functions of SQL, under pgvector's names. NULL in gives NULL out; all are deterministic.
enum ScalarFunctions {
  typealias Body = @Sendable (ScalarFunctionCall) throws(ScalarFunctionError) -> ScalarResult

  struct Definition: Sendable {
    let name: String
    let argumentCount: Int32
    let body: Body

    init(_ name: String, _ argumentCount: Int32, _ body: @escaping Body) {
      self.name = name
      self.argumentCount = argumentCount
      self.body = body
    }
  }

  /// Adds every function to a connection.
  /// - Returns: the first result code that is not SQLITE_OK, or SQLITE_OK.
  static func register(on database: OpaquePointer) -> Int32 {
    for definition in all {
      let code = unsafe ScalarFunctionBinding.create(definition, on: database)
      if code != SQLITE_OK { return code }
    }
    return SQLITE_OK
  }

  static let all: [Definition] = distances + measures + makers

  private static let distances: [Definition] = [
    distance("l2_distance") { VectorMath.squaredDistance($0, $1).squareRoot() },
    distance("vector_l2_squared_distance", VectorMath.squaredDistance),
    distance("inner_product", VectorMath.innerProduct),
    distance("negative_inner_product") { -VectorMath.innerProduct($0, $1) },
    distance("vector_negative_inner_product") { -VectorMath.innerProduct($0, $1) },
    distance("cosine_distance", VectorMath.cosineDistance),
    distance("l1_distance", VectorMath.l1Distance),
  ]

  private static let measures: [Definition] = [
    Definition("vector_dims", 1) { (call) throws(ScalarFunctionError) in
      guard let a = try call.vector(0) else { return .null }
      return .integer(Int64(a.count))
    },
    Definition("vector_norm", 1, norm),
    Definition("l2_norm", 1, norm),
    Definition("vidx_version", 0) { _ in .text(Extension.version) },
  ]

  private static let makers: [Definition] = [
    Definition("vector", 1) { (call) throws(ScalarFunctionError) in
      guard let a = try call.vector(0) else { return .null }
      try call.checkFinite(a)
      return unsafe .vector(Array(a.components))
    },
    Definition("vector_text", 1, text),
    Definition("vector_to_json", 1, text),
    Definition("l2_normalize", 1, normalize),
    Definition("subvector", 3, subvector),
    elementwise("vector_add", +),
    elementwise("vector_sub", -),
    elementwise("vector_mul", *),
    Definition("vector_concat", 2, concatenate),
  ]

  private static func distance(
    _ name: String, _ compute: @escaping @Sendable (SQLVector, SQLVector) -> Double
  ) -> Definition {
    Definition(name, 2) { (call) throws(ScalarFunctionError) in
      guard let (a, b) = try call.vectors() else { return .null }
      let result = compute(a, b)
      if !result.isFinite { try call.checkFinite(a, b) }
      return .real(result)
    }
  }

  private static func elementwise(
    _ name: String, _ compute: @escaping @Sendable (Float, Float) -> Float
  ) -> Definition {
    Definition(name, 2) { (call) throws(ScalarFunctionError) in
      guard let (a, b) = try call.vectors() else { return .null }
      try call.checkFinite(a, b)
      let result = unsafe zip(a.components, b.components).map(compute)
      if let component = result.firstIndex(where: { !$0.isFinite }) { throw .overflow(component: component) }
      return .vector(result)
    }
  }

  private static func norm(_ call: ScalarFunctionCall) throws(ScalarFunctionError) -> ScalarResult {
    guard let a = try call.vector(0) else { return .null }
    let result = VectorMath.norm(a)
    if !result.isFinite { try call.checkFinite(a) }
    return .real(result)
  }

  private static func text(_ call: ScalarFunctionCall) throws(ScalarFunctionError) -> ScalarResult {
    guard let a = try call.vector(0) else { return .null }
    try call.checkFinite(a)
    return unsafe .text(VectorLiteral.text(of: a.components))
  }

  /// A zero vector stays as it is, as in pgvector.
  private static func normalize(_ call: ScalarFunctionCall) throws(ScalarFunctionError) -> ScalarResult {
    guard let a = try call.vector(0) else { return .null }
    try call.checkFinite(a)
    let norm = VectorMath.norm(a)
    return unsafe .vector(a.components.map { norm == 0 ? 0 : Float(Double($0) / norm) })
  }

  /// `subvector(v, start, count)`: components from `start`, counted from 1, clipped to the vector as in pgvector.
  private static func subvector(_ call: ScalarFunctionCall) throws(ScalarFunctionError) -> ScalarResult {
    guard let a = try call.vector(0), let start = try call.integer(1), let count = try call.integer(2) else {
      return .null
    }
    try call.checkFinite(a)
    let (sum, overflow) = start.addingReportingOverflow(count)
    let end = overflow ? (start > 0 ? Int64.max : .min) : sum
    let range = (first: max(start, 1), end: min(end, Int64(a.count) + 1))
    guard count > 0, range.first < range.end else { throw .noDimensions }
    return unsafe .vector(Array(a.components[Int(range.first - 1)..<Int(range.end - 1)]))
  }

  private static func concatenate(_ call: ScalarFunctionCall) throws(ScalarFunctionError) -> ScalarResult {
    guard let a = try call.vector(0), let b = try call.vector(1) else { return .null }
    try call.checkFinite(a, b)
    guard a.count + b.count <= VectorLayout.maxDimensions else { throw .tooManyDimensions(a.count + b.count) }
    return unsafe .vector(Array(a.components) + Array(b.components))
  }
}

/// What SQLite keeps for a function: owned by the connection, released by it.
private final class ScalarFunctionBinding {
  let definition: ScalarFunctions.Definition

  init(_ definition: ScalarFunctions.Definition) { self.definition = definition }

  static func create(_ definition: ScalarFunctions.Definition, on database: OpaquePointer) -> Int32 {
    let binding = unsafe Unmanaged.passRetained(ScalarFunctionBinding(definition)).toOpaque()
    // When this fails, SQLite has called the destructor.
    return unsafe sqlite3_create_function_v2(
      database, definition.name, definition.argumentCount,
      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, binding,
      { context, _, values in unsafe ScalarFunctionBinding.call(context, values) }, nil, nil,
      { binding in
        guard let binding = unsafe binding else { return }
        unsafe Unmanaged<ScalarFunctionBinding>.fromOpaque(binding).release()
      })
  }

  private static func call(_ context: OpaquePointer?, _ values: UnsafeMutablePointer<OpaquePointer?>?) {
    guard let context = unsafe context, let data = unsafe sqlite3_user_data(context) else { return }
    let definition = unsafe Unmanaged<ScalarFunctionBinding>.fromOpaque(data).takeUnretainedValue().definition
    // A function of no arguments gets no array.
    var none: OpaquePointer? = nil
    do {
      let result = unsafe try withUnsafeMutablePointer(to: &none) { none throws(ScalarFunctionError) in
        unsafe try definition.body(ScalarFunctionCall(context: context, values: values ?? none))
      }
      unsafe deliver(result, to: context)
    } catch {
      unsafe sqlite3_result_error(context, "\(definition.name): \(error)", -1)
    }
  }

  private static func deliver(_ result: ScalarResult, to context: OpaquePointer) {
    switch result {
    case .null: unsafe sqlite3_result_null(context)
    case .integer(let value): unsafe sqlite3_result_int64(context, value)
    case .real(let value): unsafe sqlite3_result_double(context, value)
    case .text(let value): unsafe sqlite3_result_text(context, value, -1, vidx_transient())
    case .vector(let value): unsafe SQLResult.vector(value, to: context)
    }
  }
}

/// Giving vectors to SQLite.
enum SQLResult {
  static func vector(_ vector: [Float], to context: OpaquePointer?) {
    #if _endian(little)
      unsafe vector.withUnsafeBytes { bytes in
        unsafe sqlite3_result_blob64(context, bytes.baseAddress, UInt64(bytes.count), vidx_transient())
      }
    #else
      unsafe VectorLiteral.blob(of: vector).withUnsafeBytes { bytes in
        unsafe sqlite3_result_blob64(context, bytes.baseAddress, UInt64(bytes.count), vidx_transient())
      }
    #endif
  }
}
