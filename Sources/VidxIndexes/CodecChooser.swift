import VidxVectors

/// Chooses the codec of a segment by how well estimates keep the order of true neighbours, on this data.
///
/// A walk scores some 350 codes; what follows scores as many full vectors as it takes to have the true neighbours among
/// them. Memory decides both: the cost of a row is taken to be its cache lines. One bit a dimension wins in high
/// dimensions and collapses on some Euclidean data, where nothing but measuring tells (arXiv 2605.02171).
struct CodecChooser {
  let vectors: DistinctVectors
  let sample: SearchSample
  /// Of the vectors.
  let mean: [Float]

  static let candidates: [Codec] = [.rabitq4, .int4, .int8]

  /// Nanoseconds of a cache line out of cache, and of all else a walk does for a row; fitted on Zen 5 to 1 to 13 lines
  /// in 384 and 1536 dimensions, where they choose as the clock does.
  private static let line = 4.0
  private static let row = 28.0
  private static let walk = 350.0
  /// Questions asked: the depth that nineteen of twenty need is told well enough.
  private static let asked = 64
  /// Codes that need more than half of the known neighbours may need any number.
  private static let deepest = 60

  /// - Throws: `BuildError.cancelled`.
  func choose(options: BuildOptions) throws(BuildError) -> Codec {
    let metric = vectors.configuration.metric
    var best: (codec: Codec, cost: Double) = (.f32, cost(of: .f32, depth: SearchSample.k, refined: SearchSample.k))
    if sample.questions.isEmpty { return best.codec }
    let (local, memory) = neighbours()
    let count = memory.byteCount / (vectors.stride * 4)
    for codec in Self.candidates where codec.supports(metric) {
      let coding = unsafe try VectorCoding(
        memory.floats, count: count, codec, origin: mean, vectors.configuration, options: options)
      let depth = local.depthNeeded(by: coding.coded, refined: false)
      let refined = codec.extensionBits == 0 ? depth : local.depthNeeded(by: coding.coded, refined: true)
      guard depth <= Self.deepest else { continue }
      let cost = cost(of: codec, depth: depth, refined: refined)
      if cost < best.cost { best = (codec, cost) }
    }
    return best.codec
  }

  /// The neighbours of some questions, copied together, and the questions with these as positions.
  private func neighbours() -> (SearchSample, AlignedBuffer) {
    var asked = Array(sample.questions.prefix(Self.asked))
    let stride = vectors.stride
    let memory = AlignedBuffer(byteCount: asked.reduce(0) { $0 + $1.nearest.count } * stride * 4)
    var position = 0
    for i in asked.indices {
      for j in asked[i].nearest.indices {
        let source = unsafe vectors.vectors + Int(asked[i].nearest[j].rowID) * stride
        unsafe (memory.floats + position * stride).update(from: source, count: stride)
        asked[i].nearest[j].rowID = Int64(position)
        position += 1
      }
    }
    return (SearchSample(asked), memory)
  }

  private func cost(of codec: Codec, depth: Int, refined: Int) -> Double {
    let dimensions = vectors.configuration.dimensions
    func lines(_ bytes: Int) -> Double { Double((bytes + 63) / 64) * Self.line }
    let walked = Self.walk + 4 * Double(depth - SearchSample.k)
    let further = codec.extensionBits == 0 ? 0 : Double(depth) * lines(codec.extensionRowBytes(dimensions: dimensions))
    return walked * (lines(codec.rowBytes(dimensions: dimensions)) + Self.row) + further
      + Double(refined) * lines(vectors.stride * 4)
  }
}
