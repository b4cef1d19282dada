import TestSupport
import VidxVectors

/// Every dimension around the lane counts and paddings, and those of common models.
let codedDimensions = Array(1...200) + [384, 768, 1536, 1537]

let integerCodecs: [Codec] = [.int8, .int4, .rabitq, .rabitq2, .rabitq4, .rabitq6]

/// Metrics that integer codecs support.
let codedMetrics: [Metric] = [.cosine, .innerProduct, .l2]

/// Vectors as models make them: a common offset, a few strong directions, some clusters, and noise.
func modelVectors(count: Int, dimensions: Int, unit: Bool, seed: UInt64) -> [[Float]] {
  var shape = SplitMix(seed: 99)  // of all seeds: queries and rows come from one distribution
  func normal(_ generator: inout SplitMix) -> Float {
    (0..<6).reduce(0) { sum, _ in sum + Float.random(in: -1...1, using: &generator) } / 1.414
  }
  let offset = (0..<dimensions).map { _ in 0.3 * normal(&shape) }
  let clusters = (0..<8).map { _ in (0..<dimensions).map { _ in 0.6 * normal(&shape) } }
  let scales = (0..<dimensions).map { 0.3 + 2 / Float($0 % 40 + 1) }
  var generator = SplitMix(seed: seed)
  return (0..<count).map { _ in
    let cluster = clusters[Int.random(in: 0..<8, using: &generator)]
    var vector = (0..<dimensions).map { offset[$0] + cluster[$0] + 0.5 * scales[$0] * normal(&generator) }
    if unit {
      unsafe _ = vector.withUnsafeMutableBufferPointer { unsafe normalise($0.baseAddress!, count: dimensions) }
    }
    return vector
  }
}

func mean(_ vectors: [[Float]]) -> [Float] {
  vectors[0].indices.map { i in Float(vectors.reduce(0.0) { $0 + Double($1[i]) } / Double(vectors.count)) }
}

func exactScore(_ metric: Metric, _ query: [Float], _ vector: [Float]) -> Double {
  unsafe ReferenceScore(metric, query, vector, query.count).score
}

/// Vectors coded, `shift` bytes beyond a line, with bytes of ones around the rows.
@safe final class CodedRows {
  let space: CodecSpace
  let stride: Int
  let extensionStride: Int
  let first: UnsafeMutableRawPointer
  let firstExtension: UnsafeMutableRawPointer?
  let count: Int
  private let storage: AlignedBuffer
  private let extensionStorage: AlignedBuffer

  init(
    _ space: CodecSpace, _ vectors: [[Float]], centre: [Float]? = nil, shift: Int = 0, padding: Int = 0
  ) throws(CodecError) {
    let parameters = space.parameters
    let dimensions = parameters.dimensions
    self.space = space
    count = vectors.count
    stride = parameters.codec.rowBytes(dimensions: dimensions) + padding
    extensionStride = parameters.codec.extensionRowBytes(dimensions: dimensions) + padding
    storage = AlignedBuffer(byteCount: 64 + shift + count * stride + 64)
    extensionStorage = AlignedBuffer(byteCount: 64 + shift + count * extensionStride + 64)
    unsafe storage.bytes.initializeMemory(as: UInt8.self, repeating: 255, count: storage.byteCount)
    unsafe extensionStorage.bytes.initializeMemory(as: UInt8.self, repeating: 255, count: extensionStorage.byteCount)
    unsafe first = storage.bytes + 64 + shift
    unsafe firstExtension = parameters.codec.extensionBits == 0 ? nil : extensionStorage.bytes + 64 + shift
    let components = vectors.flatMap { $0 }
    func encode(_ centre: UnsafePointer<Float>?) throws(CodecError) {
      try unsafe CodeEncoder(space).encode(
        components, stride: dimensions, count: count, centre: centre, rows: first, rowStride: stride,
        extensions: firstExtension, extensionStride: extensionStride)
    }
    if let centre { try unsafe encode(centre) } else { try encode(nil) }
  }

  func row(_ i: Int) -> UnsafeRawPointer { unsafe UnsafeRawPointer(first + i * stride) }

  func extensionRow(_ i: Int) -> UnsafeRawPointer? {
    unsafe firstExtension.map { unsafe UnsafeRawPointer($0 + i * extensionStride) }
  }

  /// All bytes of the rows, without what is between them.
  var bytes: [UInt8] {
    let parameters = space.parameters
    func bytes(_ start: UnsafeRawPointer, _ count: Int) -> [UInt8] {
      unsafe Array(UnsafeRawBufferPointer(start: start, count: count))
    }
    let rowBytes = parameters.codec.rowBytes(dimensions: parameters.dimensions)
    let extensionBytes = parameters.codec.extensionRowBytes(dimensions: parameters.dimensions)
    return (0..<count).flatMap { i in
      unsafe bytes(row(i), rowBytes) + (extensionRow(i).map { unsafe bytes($0, extensionBytes) } ?? [])
    }
  }

  /// Estimates and bounds of all rows, by the kernels of the whole code (`refine` where there is an extension).
  func estimates(_ query: CodedQuery, isa: String? = nil, refined: Bool = true) throws -> [(score: Float, bound: Float)]
  {
    let kernels = try CodeKernels(space.parameters.codec, space.parameters.metric, isa: isa)
    var scores = [Float](repeating: .nan, count: count)
    var bounds = scores
    let ids = (0..<count).map { UInt32($0) }
    if refined, let refine = unsafe kernels.refine, let firstExtension = unsafe firstExtension {
      unsafe refine(query.raw, first, stride, firstExtension, extensionStride, ids, count, &scores, &bounds)
    } else {
      unsafe kernels.boundedIDs(query.raw, first, stride, ids, count, &scores, &bounds)
    }
    return zip(scores, bounds).map { ($0, $1) }
  }
}

/// A space with the codec's own parameters.
func standardSpace(
  _ codec: Codec, _ metric: Metric, dimensions: Int, origin: [Float]? = nil, isa: String? = nil
) throws -> CodecSpace {
  CodecSpace(try .standard(codec, metric, dimensions: dimensions, origin: origin, seed: 7), isa: isa)
}

func prepared(_ space: CodecSpace, _ vector: [Float]) -> CodedQuery {
  let query = CodedQuery(space)
  unsafe query.prepare(vector)
  return query
}
