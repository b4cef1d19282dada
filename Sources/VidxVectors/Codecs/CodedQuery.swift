package import CVidxKernels

/// A query made ready for the kernels of its space's codec. Reusable: `prepare` allocates nothing. Not thread safe.
@safe package final class CodedQuery {
  package let space: CodecSpace
  private let query: UnsafeMutablePointer<vidx_code_query>
  /// Holds what follows: one piece, since batches make a query for each of theirs.
  private let memory: AlignedBuffer
  /// The query, or what a row decodes to, zero padded.
  private let floats: UnsafeMutablePointer<Float>
  /// r = P(q - g).
  private let rotated: UnsafeMutablePointer<Float>
  private let values: UnsafeMutablePointer<Int8>
  /// What one-bit rows are scored with: four bits a value, bit planes.
  private let planes: UnsafeMutablePointer<UInt8>?
  private let codes: UnsafeMutablePointer<UInt8>
  // Of the prepared query: |q|, |r|, and how far the rounded r is from r.
  private var length = 0.0
  private var rotatedLength = 0.0
  private var lost = 0.0
  private var coarselyLost = 0.0

  package init(_ space: CodecSpace) {
    self.space = space
    let dimensions = space.dimensions
    let codec = space.parameters.codec
    let floatBytes = 4 * Codec.padded(dimensions, to: 32)
    let valueBytes = Codec.padded(dimensions + Int(VIDX_QUERY_PADDING), to: 64)
    let codeBytes = Codec.padded(dimensions, to: 64)
    let planeBytes = codec.isOneBit ? Codec.padded(dimensions, to: 128) / 2 : 0
    memory = AlignedBuffer(byteCount: 2 * floatBytes + valueBytes + codeBytes + planeBytes, zeroed: true)
    unsafe floats = memory.floats
    unsafe rotated = memory.floats + floatBytes / 4
    let bytes = unsafe memory.bytes + 2 * floatBytes
    unsafe values = bytes.assumingMemoryBound(to: Int8.self)
    unsafe codes = (bytes + valueBytes).assumingMemoryBound(to: UInt8.self)
    unsafe planes = planeBytes > 0 ? (bytes + valueBytes + codeBytes).assumingMemoryBound(to: UInt8.self) : nil
    unsafe query = .allocate(capacity: 1)
    unsafe query.initialize(to: vidx_code_query())
    unsafe query.pointee.dimensions = dimensions
    unsafe query.pointee.code_bytes = codec.codeBytes(dimensions: dimensions)
    unsafe query.pointee.floats = UnsafePointer(floats)
    unsafe query.pointee.values = UnsafePointer(values)
    unsafe query.pointee.planes = planes.map { unsafe UnsafePointer($0) }
  }

  deinit { unsafe query.deallocate() }

  /// What the kernels take. Stays where it is as long as this object lives.
  package var raw: UnsafePointer<vidx_code_query> { unsafe UnsafePointer(query) }

  /// Makes ready for rows coded around the origin. Cosine: the query is of unit length.
  /// - Complexity: under 1 us for 384 dimensions.
  package func prepare(_ vector: UnsafePointer<Float>) {
    let dimensions = space.dimensions
    unsafe floats.update(from: vector, count: dimensions)
    length = unsafe space.dot(vector, vector).squareRoot()
    guard space.parameters.codec.isInteger else { return boundComponents() }
    let origin = unsafe space.origin.map { unsafe UnsafePointer($0.floats) }
    unsafe space.subtract(origin, from: vector, rotated)
    let distance = unsafe space.dot(rotated, rotated)
    let alongOrigin = unsafe origin.map { unsafe space.dot(vector, $0) } ?? 0
    unsafe space.rotate(rotated)
    roundRotated()
    setCentre(
      score: space.parameters.metric == .l2 ? distance : -alongOrigin, squaredDistance: distance, isMoved: false)
  }

  /// Makes ready for rows coded around `centre`, when `prepare` has been called: costs two dot products.
  package func moveCentre(_ centre: UnsafePointer<Float>) {
    guard space.parameters.codec.isInteger else { return }
    let along = unsafe space.dot(floats, centre)
    let centreNorm = unsafe space.dot(centre, centre)
    // In double: what cancels here is far below what codes resolve.
    let distance = max(length * length - 2 * along + centreNorm, 0)
    setCentre(score: space.parameters.metric == .l2 ? distance : -along, squaredDistance: distance, isMoved: true)
  }

  /// The same from what a search for the nearest centres has computed already, which leaves nothing to compute.
  /// - Parameters:
  ///   - score: of the query and the centre: -dot, or the squared distance for l2.
  ///   - squaredDistance: between the query and the centre, for the bounds.
  package func moveCentre(score: Float, squaredDistance: Float) {
    setCentre(score: Double(score), squaredDistance: Double(squaredDistance), isMoved: true)
  }

  /// Makes ready with a stored row, coded around the origin, as the query: what it decodes to takes the vector's place.
  /// The kernels' bounds are then infinite.
  /// - Complexity: under 1 us for 384 dimensions; rotates nothing.
  package func prepare(row: UnsafeRawPointer, extension extensionRow: UnsafeRawPointer? = nil) {
    let scratch = unsafe codes
    guard space.parameters.codec.isInteger else {
      _ = unsafe space.decode(row, extension: nil, codes: scratch, into: floats)
      length = unsafe space.dot(floats, floats).squareRoot()
      return boundComponents()
    }
    let add = unsafe Double(space.decode(row, extension: extensionRow, codes: scratch, into: rotated))
    roundRotated()
    // l2: add = |v - g|^2. Otherwise add = -<g, v - g>, and the score of the origin is -<g, v>.
    let originNorm = space.originLength * space.originLength
    unsafe query.pointee.constant = space.parameters.metric == .l2 ? add : add - originNorm
    unsafe query.pointee.error_constant = .infinity
  }

  private func roundRotated() {
    var fit = vidx_query_fit()
    unsafe space.table.pointee.fit_query(rotated, space.dimensions, values, &fit)
    unsafe query.pointee.scale = fit.scale
    unsafe query.pointee.sum = Double(fit.sum)
    rotatedLength = fit.norm.squareRoot()
    lost = lost(fit)
    guard let planes = unsafe planes else { return }
    unsafe space.table.pointee.fit_planes(rotated, space.dimensions, planes, &fit)
    unsafe query.pointee.coarse_scale = Self.coarseShrinkage * fit.scale
    unsafe query.pointee.coarse_sum = Double(fit.sum)
    let (rounding, shrinkage) = (lost(fit), 1 - Self.coarseShrinkage)
    coarselyLost = (rounding * rounding + shrinkage * shrinkage * fit.norm).squareRoot()
  }

  /// Levels so wide take small components for zero, just those whose signs near rows do not share, which makes near
  /// rows seem nearer by that much.
  private static let coarseShrinkage = 0.997

  /// The scale makes the query and what it loses orthogonal: a square is lost, not a product with vectors near by.
  private func lost(_ fit: vidx_query_fit) -> Double {
    let lostNorm = fit.scale == 0 ? fit.norm : max(fit.scale * fit.scale * fit.value_norm - fit.norm, 0)
    return (lostNorm + 0x1p-44 * fit.norm).squareRoot() + space.smallestError
  }
}

// Bounds: docs/CODECS.md, "Bounds", derives them.
extension CodedQuery {
  private func setCentre(score: Double, squaredDistance: Double, isMoved: Bool) {
    let metric = space.parameters.metric
    let codec = space.parameters.codec
    let distance = max(squaredDistance, 0).squareRoot()
    let factor = metric == .l2 ? 2.0 : 1
    let slack = 2 * factor * space.transformError * distance
    unsafe query.pointee.constant = score
    unsafe query.pointee.error_rounding = space.scoreError + 0x1p-22
    unsafe query.pointee.error_constant = slack * distance + space.scoreError * (metric == .l2 ? 0 : length)
    let longest = max(distance, lost / CodecSpace.queryError)
    switch (codec, metric) {
    case (.int8, .innerProduct), (.int4, .innerProduct):
      setBound(linear: max(longest, length / 16), shift: 0, root: 0, rootShift: 0, square: 0)
    case (.int8, _), (.int4, _):
      let rootShift = metric == .l2 ? 0 : (length * length + 1) / 2 + 0x1p-20
      setBound(
        linear: 0, shift: lost + slack, root: metric == .l2 ? 2 : 1.414_214, rootShift: rootShift, square: 4 * factor)
      if isMoved { unsafe query.pointee.error_constant += factor * lost * distance }
    default:
      setBound(linear: factor * longest, shift: 0, root: 0, rootShift: 0, square: 0)
      // A one-bit row's |x| is half the root of the dimensions times its scale, which has the factor in it.
      let dimensions = Double(space.dimensions)
      unsafe query.pointee.error_spread =
        CodeTail.confidence(dimensions: space.dimensions) * coarselyLost * dimensions.squareRoot() / 2
    }
  }

  private func setBound(linear: Double, shift: Double, root: Double, rootShift: Double, square: Double) {
    unsafe query.pointee.error_scale = linear
    unsafe query.pointee.error_shift = shift
    unsafe query.pointee.error_root = root
    unsafe query.pointee.root_shift = rootShift
    unsafe query.pointee.error_square = square
  }

  /// Of halves, which are within 2^-11 of their components, or 2^-25 where they are denormal.
  private func boundComponents() {
    guard space.parameters.codec == .f16 else { return }
    let relative = 0x1.01p-11
    let smallest = 0x1p-25
    let rounding = 4 * space.scoreError
    let dimensions = Double(space.dimensions)
    var sum = 0.0
    for i in 0..<space.dimensions { unsafe sum += Double(floats[i].magnitude) }
    unsafe query.pointee.error_rounding = rounding
    switch space.parameters.metric {
    case .cosine, .innerProduct:
      unsafe query.pointee.error_scale = relative + rounding
      unsafe query.pointee.error_constant = 1.01 * smallest * sum
    case .l2:
      unsafe query.pointee.error_scale = relative
      unsafe query.pointee.error_shift = relative * length + smallest * dimensions.squareRoot()
    case .l1:
      unsafe query.pointee.error_scale = relative
      unsafe query.pointee.error_shift = relative * sum + smallest * dimensions
    }
  }
}
