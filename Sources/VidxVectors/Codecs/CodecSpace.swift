import CVidxKernels

/// Where codes of some parameters live: vectors less the origin, rotated. One for all encoders and queries of a
/// segment. Thread safe.
///
/// With P the rotation, g the origin and c the centre of a row (g, unless the encoder was given another), a row codes
/// the residual o = P(v - c), and a query is r = P(q - g).
@safe package final class CodecSpace: @unchecked Sendable {
  // @unchecked: filled by init, then only read.
  package let parameters: CodecParameters
  let table: UnsafePointer<vidx_codes>
  let origin: AlignedBuffer?
  /// Length of the origin.
  let originLength: Double
  private let rotation: Rotation?

  /// - Parameter isa: as for `CodeKernels`.
  package init(_ parameters: CodecParameters, isa: String? = nil) {
    self.parameters = parameters
    let dimensions = parameters.dimensions
    unsafe table = CodeKernels.table(isa: isa)
    rotation = parameters.rotationSeed.map { Rotation(dimensions: dimensions, seed: $0, isa: isa) }
    if let components = parameters.origin {
      let buffer = AlignedBuffer(byteCount: 4 * dimensions)
      unsafe buffer.floats.update(from: components, count: dimensions)
      unsafe originLength = table.pointee.dot(buffer.floats, buffer.floats, dimensions).squareRoot()
      origin = buffer
    } else {
      originLength = 0
      origin = nil
    }
  }

  var dimensions: Int { parameters.dimensions }

  /// out = vector - centre; nil: the vector itself.
  func subtract(_ centre: UnsafePointer<Float>?, from vector: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>)
  {
    let count = dimensions
    guard let centre = unsafe centre else { return unsafe out.update(from: vector, count: count) }
    for i in 0..<count { unsafe out[i] = vector[i] - centre[i] }
  }

  func rotate(_ vector: UnsafeMutablePointer<Float>) { if let rotation { unsafe rotation.apply(vector) } }

  func rotateBack(_ vector: UnsafeMutablePointer<Float>) { if let rotation { unsafe rotation.undo(vector) } }

  func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>) -> Double {
    unsafe table.pointee.dot(a, b, dimensions)
  }
}

// Relative errors that bounds allow for.
extension CodecSpace {
  /// Of a residual by its subtraction and its rotation: some 50 additions in a row, each with half a unit.
  var transformError: Double { parameters.rotationSeed == nil ? 0x1p-22 : 0x1p-18 }

  /// What the subtraction and the rotation of denormal components lose beside that: steps of 2^-149, many times.
  var smallestError: Double { 0x1p-140 * Double(dimensions).squareRoot() }

  /// Of a score that the f32 kernels compute, relative to the sum of its terms' magnitudes, with room.
  var scoreError: Double { Double(dimensions / 16 + 16) * 0x1p-24 }

  /// A query's error by rounding to bytes, relative to its length, that rows provide for in `error`.
  static var queryError: Double { 1.0 / 128 }
}
