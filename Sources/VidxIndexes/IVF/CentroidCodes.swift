import CVidxKernels
import VidxSegments
import VidxVectors

/// The centroids again, a byte a dimension: a search reads a quarter of the bytes to know which lists may be nearest,
/// and scores exactly only those whose bound does not say. Mapped from a segment; immutable.
@safe struct CentroidCodes: Sendable {
  let space: CodecSpace
  private let kernels: CodeKernels
  private let rows: Section
  /// Bytes from one code to the next.
  let stride: Int
  private let count: Int

  private static let codec = Codec.int8
  /// Below this many lists there is nothing to gain.
  static let leastLists = 64

  /// Whether segments of so many lists have codes. Estimates are functions of dot products, which l1 is not.
  static func areWorthHaving(_ metric: Metric, lists: Int) -> Bool { codec.supports(metric) && lists >= leastLists }

  /// - Returns: nil when the segment has none.
  init?(_ file: SegmentFile, metric: Metric, lists: Int) throws(SegmentError) {
    guard Self.areWorthHaving(metric, lists: lists) else { return nil }
    let dimensions = file.description.dimensions
    stride = Self.codec.rowBytes(dimensions: dimensions)
    guard let section = try file.optionalSection(.centroidCodes, expecting: lists * stride),
      let space = Self.space(metric, dimensions: dimensions),
      let kernels = try? CodeKernels(Self.codec, metric)
    else { return nil }
    rows = section
    self.space = space
    self.kernels = kernels
    count = lists
  }

  private static func space(_ metric: Metric, dimensions: Int) -> CodecSpace? {
    let parameters = try? CodecParameters.standard(codec, metric, dimensions: dimensions, origin: nil)
    return parameters.map { CodecSpace($0) }
  }

  /// Writes a score for each list.
  /// - Parameters:
  ///   - query: of `space`.
  ///   - asBounds: what the true score is not below, instead of an estimate of it.
  ///   - scratch: whose `scores` are overwritten.
  ///   - out: room for as many floats as there are lists.
  func score(
    _ query: CodedQuery, _ floats: UnsafePointer<Float>, _ scratch: SearchScratch, _ out: UnsafeMutablePointer<Float>,
    asBounds: Bool
  ) throws(SegmentError) {
    if !rows.isVerified { try rows.verifyAll() }
    guard let base = unsafe rows.bytes.baseAddress else { return }
    unsafe query.prepare(floats)
    if !asBounds { return unsafe kernels.rows(query.raw, base, stride, count, out) }
    let errors = unsafe scratch.scores
    var start = 0
    while start < count {
      let size = min(SearchScratch.blockCapacity, count - start)
      unsafe kernels.boundedRows(query.raw, base + start * stride, stride, size, out + start, errors)
      var i = 0
      while i < size {
        unsafe out[start &+ i] -= errors[i]
        i &+= 1
      }
      start += size
    }
  }

  /// Whether these are the codes of the centroids in a section, which is verified.
  func are(of centroids: Section) throws(SegmentError) -> Bool {
    try rows.verifyAll()
    let matrix = VectorMatrix(count: count, dimensions: space.parameters.dimensions)
    for i in 0..<count { unsafe matrix.setRow(i, to: centroids.floats + i * matrix.stride) }
    guard let expected = Self.encode(matrix, space.parameters.metric) else { return false }
    return unsafe expected.elementsEqual(rows.bytes)
  }

  /// The section of the codes of some centroids; nil where they are not worth having.
  static func encode(_ centroids: VectorMatrix, _ metric: Metric) -> [UInt8]? {
    guard areWorthHaving(metric, lists: centroids.count), let space = space(metric, dimensions: centroids.dimensions)
    else { return nil }
    let stride = codec.rowBytes(dimensions: centroids.dimensions)
    var bytes = [UInt8](repeating: 0, count: centroids.count * stride)
    let isCoded = unsafe bytes.withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return false }
      do throws(CodecError) {
        unsafe try CodeEncoder(space).encode(
          centroids.row(0), stride: centroids.stride, count: centroids.count, rows: base, rowStride: stride)
        return true
      } catch {
        // Only codec f16 has vectors it cannot code.
        return false
      }
    }
    return isCoded ? bytes : nil
  }
}
