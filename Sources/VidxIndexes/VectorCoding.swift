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
  convenience init(
    _ vectors: UnsafePointer<Float>, count: Int, _ codec: Codec, origin: [Float], _ configuration: IndexConfiguration,
    options: BuildOptions
  ) throws(BuildError) {
    let space: CodecSpace
    let kernels: CodeKernels
    do throws(CodecError) {
      let parameters = try CodecParameters.standard(
        codec, configuration.metric, dimensions: configuration.dimensions, origin: codec.isRotated ? origin : nil,
        seed: configuration.seed)
      space = CodecSpace(parameters)
      kernels = try CodeKernels(codec, configuration.metric)
    } catch {
      throw .codec(error)
    }
    unsafe self.init(space, kernels, vectors, count: count, stride: configuration.stride)
    unsafe try encode(0..<count, of: vectors, stride: configuration.stride, options)
  }

  /// Takes over the codes of an older segment's vectors, and codes the others as these.
  /// - Throws: `BuildError.codec`, `.cancelled`; `SegmentError` when the older codes are damaged.
  /// - Complexity: a copy, and 1 to 3 us for each other vector, shared out to the threads.
  convenience init(_ distinct: DistinctVectors, inheriting survivors: Survivors, options: BuildOptions) throws {
    let old = survivors.index.coded
    unsafe self.init(
      old.space, old.kernels, UnsafePointer(distinct.vectors), count: distinct.count, stride: distinct.stride)
    if codec == .f32 { return }
    try Self.copy(old.rows, to: rows, survivors.newOrdinals, options)
    if let from = old.extensions, let to = extensions { try Self.copy(from, to: to, survivors.newOrdinals, options) }
    unsafe try encode(survivors.count..<distinct.count, of: distinct.vectors, stride: distinct.stride, options)
  }

  /// Room for the codes.
  private init(_ space: CodecSpace, _ kernels: CodeKernels, _ vectors: UnsafePointer<Float>, count: Int, stride: Int) {
    self.space = space
    self.kernels = kernels
    self.count = count
    let (codec, dimensions) = (space.parameters.codec, space.parameters.dimensions)
    if codec == .f32 {
      unsafe rows = RowMemory(vectors, stride: stride * 4)
      (extensions, memory) = (nil, [])
      return
    }
    let rowBytes = codec.rowBytes(dimensions: dimensions)
    let extensionBytes = codec.extensionRowBytes(dimensions: dimensions)
    memory = [rowBytes, extensionBytes].map { AlignedBuffer(byteCount: max(count, 1) * $0, zeroed: true) }
    unsafe rows = RowMemory(memory[0].bytes, stride: rowBytes)
    unsafe extensions = extensionBytes == 0 ? nil : RowMemory(memory[1].bytes, stride: extensionBytes)
  }

  /// Codes some of the vectors; with codec f32 there is nothing to do.
  private func encode(
    _ range: Range<Int>, of vectors: UnsafePointer<Float>, stride: Int, _ options: BuildOptions
  ) throws(BuildError) {
    if codec == .f32 { return }
    let encoder = CodeEncoder(space)
    let source = unsafe RowMemory(vectors + range.lowerBound * stride, stride: stride * 4)
    let first = range.lowerBound
    let (rows, extensions) = (self.rows, self.extensions)
    let failure = Locked<CodecError?>(nil)
    Parallel.chunks(range.count, chunk: 512, threads: options.threads) { _, part in
      if options.isCancelled() { return }
      let from = unsafe (source.base + part.lowerBound * source.stride).assumingMemoryBound(to: Float.self)
      let place = first + part.lowerBound
      do throws(CodecError) {
        unsafe try encoder.encode(
          from, stride: stride, count: part.count,
          rows: UnsafeMutableRawPointer(mutating: rows.base) + place * rows.stride, rowStride: rows.stride,
          extensions: extensions.map { unsafe UnsafeMutableRawPointer(mutating: $0.base) + place * $0.stride },
          extensionStride: extensions?.stride ?? 0)
      } catch {
        failure.withLock { $0 = $0 ?? error }
      }
    }
    options.work.addCoded(range.count)
    if options.isCancelled() { throw .cancelled }
    if let error = failure.withLock({ $0 }) { throw .codec(error) }
  }

  /// Copies the rows of an older segment to their new places; `DistinctVectors.none` for those that are dropped.
  private static func copy(
    _ old: RowMemory, to new: RowMemory, _ places: [UInt32], _ options: BuildOptions
  ) throws {
    try old.section?.verifyAll()
    Parallel.chunks(places.count, chunk: 4096, threads: options.threads) { _, range in
      if options.isCancelled() { return }
      let rows = unsafe UnsafeMutableRawPointer(mutating: new.base)
      for i in range where places[i] != DistinctVectors.none {
        unsafe (rows + Int(places[i]) * new.stride).copyMemory(from: old.base + i * old.stride, byteCount: old.stride)
      }
    }
    if options.isCancelled() { throw BuildError.cancelled }
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
    // Checksums of many rows at once cost less.
    let most = max((1 << 20) / rows.stride, 1)
    let part = AlignedBuffer(byteCount: most * rows.stride)
    for start in Swift.stride(from: 0, to: order.count, by: most) {
      let positions = order[start..<min(start + most, order.count)]
      for (i, position) in positions.enumerated() {
        unsafe (part.bytes + i * rows.stride)
          .copyMemory(from: rows.base + Int(position) * rows.stride, byteCount: rows.stride)
      }
      unsafe try writer.append(UnsafeRawBufferPointer(start: part.bytes, count: positions.count * rows.stride))
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
