import CVidxKernels

/// Codes vectors. Thread safe: threads may encode different rows at the same time.
@safe package final class CodeEncoder: Sendable {
  package let space: CodecSpace

  package init(_ space: CodecSpace) { self.space = space }

  /// Memory for one vector on its way, and what is the same for all rows of a call.
  @safe private struct Work {
    let residual: UnsafeMutablePointer<Float>
    let decoded: UnsafeMutablePointer<Float>
    let codes: UnsafeMutablePointer<UInt8>
    /// What was subtracted, if anything.
    let centre: UnsafePointer<Float>?
    let centreLength: Double
    /// P(c - g), when the centre is not the origin.
    let shift: UnsafePointer<Float>?
  }

  /// Codes `count` vectors, `stride` floats apart. Cosine: of unit length, as they are stored.
  /// - Parameters:
  ///   - centre: of these vectors; nil: the origin. Codecs without factors ignore it.
  ///   - rows: memory for `count` rows, `rowStride` bytes apart (at least `Codec.rowBytes`); padding is not written.
  ///   - extensions: the same for extension rows; needed exactly when the codec has them.
  /// - Throws: `CodecError.beyondHalf`.
  /// - Complexity: 1 to 3 us for a vector of 384 dimensions; allocates once a call.
  package func encode(
    _ vectors: UnsafePointer<Float>, stride: Int, count: Int, centre: UnsafePointer<Float>? = nil,
    rows: UnsafeMutableRawPointer, rowStride: Int, extensions: UnsafeMutableRawPointer? = nil, extensionStride: Int = 0
  ) throws(CodecError) {
    let dimensions = space.dimensions
    let codec = space.parameters.codec
    let needsExtensions = codec.extensionBits > 0
    unsafe precondition((extensions != nil) == needsExtensions, "extension rows where the codec has them")
    let lane = Codec.padded(dimensions, to: 32)
    let memory = AlignedBuffer(byteCount: 14 * lane)
    let floats = unsafe memory.floats
    unsafe (floats + dimensions).update(repeating: 0, count: lane - dimensions)
    let origin = unsafe space.origin.map { unsafe UnsafePointer($0.floats) }
    var shift: UnsafePointer<Float>?
    if let centre = unsafe centre, codec.isInteger {
      unsafe space.subtract(origin, from: centre, floats + 2 * lane)
      unsafe space.rotate(floats + 2 * lane)
      unsafe shift = UnsafePointer(floats + 2 * lane)
    }
    let used = unsafe centre ?? origin
    let work = unsafe Work(
      residual: floats, decoded: floats + lane, codes: (memory.bytes + 12 * lane).assumingMemoryBound(to: UInt8.self),
      centre: used, centreLength: used.map { unsafe space.dot($0, $0).squareRoot() } ?? 0, shift: shift)
    for i in 0..<count {
      let vector = unsafe vectors + i * stride
      let row = unsafe rows + i * rowStride
      switch codec {
      case .f32: unsafe storeFloats(vector, row)
      case .f16: try unsafe storeHalves(vector, row, number: i, work)
      default: unsafe encode(vector, row, extensions.map { unsafe $0 + i * extensionStride }, work)
      }
    }
  }

  private func storeFloats(_ vector: UnsafePointer<Float>, _ row: UnsafeMutableRawPointer) {
    let bytes = 4 * space.dimensions
    let padded = Codec.f32.codeBytes(dimensions: space.dimensions)
    unsafe row.copyMemory(from: vector, byteCount: bytes)
    unsafe (row + bytes).initializeMemory(as: UInt8.self, repeating: 0, count: padded - bytes)
  }

  private func storeHalves(
    _ vector: UnsafePointer<Float>, _ row: UnsafeMutableRawPointer, number: Int, _ work: Work
  ) throws(CodecError) {
    let dimensions = space.dimensions
    for i in 0..<dimensions where unsafe !(vector[i].magnitude < 65_520) { throw .beyondHalf(row: number) }
    unsafe work.residual.update(from: vector, count: dimensions)
    let halves = Codec.f16.codeBytes(dimensions: dimensions) / 2
    unsafe space.table.pointee.to_half(work.residual, halves, row.assumingMemoryBound(to: UInt16.self))
  }

  private func encode(
    _ vector: UnsafePointer<Float>, _ row: UnsafeMutableRawPointer, _ extensionRow: UnsafeMutableRawPointer?,
    _ work: Work
  ) {
    let dimensions = space.dimensions
    let codec = space.parameters.codec
    let x = unsafe work.residual
    unsafe space.subtract(work.centre, from: vector, x)
    let alongCentre = unsafe work.centre.map { unsafe space.dot($0, x) } ?? 0
    unsafe space.rotate(x)

    var fit = vidx_code_fit()
    switch codec {
    case .int8: unsafe space.table.pointee.fit_levels(x, dimensions, 256, work.codes, &fit)
    case .int4: unsafe space.table.pointee.fit_levels(x, dimensions, 16, work.codes, &fit)
    default: unsafe space.table.pointee.fit_signs(x, dimensions, 0, work.codes, &fit)
    }
    let plane = codec.plane(dimensions: dimensions)
    unsafe vidx_code_pack(
      work.codes, dimensions, Int32(plane.bits), 0, row.assumingMemoryBound(to: UInt8.self), plane.bytes)
    unsafe tail(fit, alongCentre, work).store(at: row + plane.bytes)

    guard let extensionRow = unsafe extensionRow else { return }
    unsafe space.table.pointee.fit_signs(x, dimensions, Int32(codec.extensionBits), work.codes, &fit)
    var end = unsafe extensionRow
    for plane in codec.extensionPlanes(dimensions: dimensions) {
      unsafe vidx_code_pack(
        work.codes, dimensions, Int32(plane.bits), Int32(plane.shift), end.assumingMemoryBound(to: UInt8.self),
        plane.bytes)
      unsafe end += plane.bytes
    }
    unsafe tail(fit, alongCentre, work).store(at: end)
  }

  /// - Parameter alongCentre: <c, v - c>.
  private func tail(_ fit: vidx_code_fit, _ alongCentre: Double, _ work: Work) -> CodeTail {
    let isSquared = space.parameters.metric == .l2
    let factor: Float = isSquared ? -2 : -1
    var shifted = 0.0
    if let shift = unsafe work.shift {
      for i in 0..<space.dimensions { unsafe work.decoded[i] = fit.offset + fit.scale * Float(work.codes[i]) }
      unsafe shifted = space.dot(shift, work.decoded)
    }
    let add = isSquared ? fit.norm + 2 * shifted : shifted - alongCentre
    return CodeTail(
      add: CodeTail.finite(add), scale: factor * fit.scale, offset: factor * fit.offset,
      error: CodeTail.finite(error(fit, work.centreLength)).nextUp)
  }

  /// What the kernels' bounds take from a row (docs/CODECS.md, "Bounds").
  private func error(_ fit: vidx_code_fit, _ centreLength: Double) -> Double {
    let dimensions = Double(space.dimensions)
    let offset = Double(fit.offset)
    // The sums are exact but for 2^-50 or so of their terms.
    let cancelled = (fit.norm + dimensions * offset * offset) * 0x1p-44
    let length = fit.norm.squareRoot()
    let transformed = space.transformError * length + space.smallestError
    let lost = (max(fit.norm - 2 * fit.product + fit.decoded_norm, 0) + cancelled).squareRoot() + transformed
    let ofQuery = CodecSpace.queryError * fit.decoded_norm.squareRoot()
    switch (space.parameters.codec, space.parameters.metric) {
    case (.int8, .innerProduct), (.int4, .innerProduct):
      return lost + ofQuery + 2 * space.transformError * length + 16 * space.scoreError * (length + centreLength)
    case (.int8, _), (.int4, _):
      return lost + (abs(fit.norm - fit.product) + cancelled).squareRoot()
    default:
      return CodeTail.confidence(dimensions: space.dimensions) * (lost + ofQuery)
    }
  }
}

/// The factors behind a row's code.
struct CodeTail {
  var add: Float
  var scale: Float
  var offset: Float
  var error: Float

  /// What a random direction leaves of a length, with e0 of the RaBitQ paper (arXiv 2405.12497, section 3.2.2): errors
  /// exceed the bound in some 6 of 100 cases.
  static func confidence(dimensions: Int) -> Double { 1.9 / Double(max(dimensions - 1, 1)).squareRoot() }

  /// As a float, which is finite.
  static func finite(_ value: Double) -> Float {
    Float(min(max(value, -0x1p127), 0x1p127))
  }

  func store(at address: UnsafeMutableRawPointer) {
    unsafe address.storeBytes(of: add, as: Float.self)
    unsafe address.storeBytes(of: scale, toByteOffset: 4, as: Float.self)
    unsafe address.storeBytes(of: offset, toByteOffset: 8, as: Float.self)
    unsafe address.storeBytes(of: error, toByteOffset: 12, as: Float.self)
  }

  init(add: Float, scale: Float, offset: Float, error: Float) {
    self.add = add
    self.scale = scale
    self.offset = offset
    self.error = error
  }

  init(at address: UnsafeRawPointer) {
    unsafe add = address.loadUnaligned(as: Float.self)
    unsafe scale = address.loadUnaligned(fromByteOffset: 4, as: Float.self)
    unsafe offset = address.loadUnaligned(fromByteOffset: 8, as: Float.self)
    unsafe error = address.loadUnaligned(fromByteOffset: 12, as: Float.self)
  }
}
