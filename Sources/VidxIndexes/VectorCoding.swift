import Synchronization
import VidxSegments
import VidxVectors

/// The codes of a segment to be, in memory, by position of the distinct vectors.
@safe final class VectorCoding: Sendable {
  let space: CodecSpace
  let kernels: CodeKernels
  let rows: RowMemory
  let extensions: RowMemory?
  private let count: Int
  /// What the rows are in; nothing with codec f32, whose rows are the vectors.
  private let memory: [AlignedBuffer]

  var codec: Codec { space.parameters.codec }

  /// Codes `count` vectors.
  /// - Parameters:
  ///   - vectors: as `DistinctVectors` holds them; with codec f32 they must outlive this object.
  ///   - origin: what rotated codecs code around: the mean of the vectors.
  /// - Throws: `BuildError.codec`, `.cancelled`.
  /// - Complexity: 1 to 3 us for a vector of 384 dimensions, shared out to the threads.
  init(
    _ vectors: UnsafePointer<Float>, count: Int, _ codec: Codec, origin: [Float], _ configuration: IndexConfiguration,
    options: BuildOptions
  ) throws(BuildError) {
    do throws(CodecError) {
      let parameters = try CodecParameters.standard(
        codec, configuration.metric, dimensions: configuration.dimensions, origin: codec.isRotated ? origin : nil,
        seed: configuration.seed)
      space = CodecSpace(parameters)
      kernels = try CodeKernels(codec, configuration.metric)
    } catch {
      throw .codec(error)
    }
    self.count = count
    let stride = configuration.stride
    let source = unsafe RowMemory(vectors, stride: stride * 4)
    if codec == .f32 {
      (rows, extensions, memory) = (source, nil, [])
      return
    }
    let rowBytes = codec.rowBytes(dimensions: configuration.dimensions)
    let extensionBytes = codec.extensionRowBytes(dimensions: configuration.dimensions)
    memory = [rowBytes, extensionBytes].map { AlignedBuffer(byteCount: max(count, 1) * $0, zeroed: true) }
    unsafe rows = RowMemory(memory[0].bytes, stride: rowBytes)
    unsafe extensions = extensionBytes == 0 ? nil : RowMemory(memory[1].bytes, stride: extensionBytes)
    let encoder = CodeEncoder(space)
    let (rows, extensions) = (self.rows, self.extensions)
    let failure = Locked<CodecError?>(nil)
    Parallel.chunks(count, chunk: 512, threads: options.threads) { _, range in
      if options.isCancelled() { return }
      let first = unsafe (source.base + range.lowerBound * source.stride).assumingMemoryBound(to: Float.self)
      do throws(CodecError) {
        unsafe try encoder.encode(
          first, stride: stride, count: range.count,
          rows: UnsafeMutableRawPointer(mutating: rows.base) + range.lowerBound * rowBytes, rowStride: rowBytes,
          extensions: extensions.map {
            unsafe UnsafeMutableRawPointer(mutating: $0.base) + range.lowerBound * extensionBytes
          }, extensionStride: extensionBytes)
      } catch {
        failure.withLock { $0 = $0 ?? error }
      }
    }
    if options.isCancelled() { throw .cancelled }
    if let error = failure.withLock({ $0 }) { throw .codec(error) }
  }

  /// As a search sees them.
  var coded: CodedVectors { CodedVectors(space, kernels, rows: rows, extensions: extensions) }

  /// Writes the sections of the codes.
  /// - Parameter order: the position of the vector at each place in the file; nil for their own order.
  func write(order: [UInt32]?, to writer: inout SegmentWriter) throws(SegmentError) {
    if codec == .f32 { return }
    try writer.write(.codecParameters, space.parameters.encoded())
    try writer.begin(.codes)
    try Self.append(rows, count: count, order, to: &writer)
    guard let extensions else { return }
    try writer.begin(.extensions)
    try Self.append(extensions, count: count, order, to: &writer)
  }

  private static func append(
    _ rows: RowMemory, count: Int, _ order: [UInt32]?, to writer: inout SegmentWriter
  ) throws(SegmentError) {
    guard let order else {
      return unsafe try writer.append(UnsafeRawBufferPointer(start: rows.base, count: count * rows.stride))
    }
    for position in order {
      unsafe try writer.append(
        UnsafeRawBufferPointer(start: rows.base + Int(position) * rows.stride, count: rows.stride))
    }
  }
}

extension DistinctVectors {
  /// The mean of the vectors, of at most 65,536 that lie evenly.
  func mean() -> [Float] {
    let dimensions = configuration.dimensions
    var sums = [Double](repeating: 0, count: dimensions)
    var taken = 0
    for i in Swift.stride(from: 0, to: count, by: max(1, count / 65_536)) {
      let vector = unsafe vectors + i * stride
      for j in 0..<dimensions { unsafe sums[j] += Double(vector[j]) }
      taken += 1
    }
    return sums.map { Float($0 / Double(max(taken, 1))) }
  }
}
