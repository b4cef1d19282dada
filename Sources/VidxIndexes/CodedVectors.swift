import CVidxKernels
import VidxSegments
package import VidxVectors

/// What a search of a segment scores first: the codes of its vectors, by ordinal, or with codec f32 the vectors.
@safe package struct CodedVectors: Sendable {
  package let space: CodecSpace
  let kernels: CodeKernels
  let rows: RowMemory
  /// The further bits of codecs that have an extension.
  let extensions: RowMemory?

  package var codec: Codec { space.parameters.codec }
  /// Bytes of a vector's code, those of its extension included; with codec f32 of the vector.
  package var bytesPerVector: Int { rows.stride + (extensions?.stride ?? 0) }

  init(_ file: SegmentFile, vectors: Section, metric: Metric) throws(SegmentError) {
    let description = file.description
    guard let codec = Codec(code: description.codec) else {
      throw .invalidContent(section: .codecParameters, offset: 0, path: file.path)
    }
    let dimensions = description.dimensions
    if codec == .f32 {
      self = CodedVectors(plain: vectors, metric, dimensions: dimensions)
      return
    }
    let block = try file.section(.codecParameters, expecting: file.byteCount(of: .codecParameters) ?? 0)
    try block.verifyAll()
    let parameters: CodecParameters
    let kernels: CodeKernels
    do throws(CodecError) {
      parameters = unsafe try CodecParameters(decoding: block.bytes)
      kernels = try CodeKernels(codec, metric)
    } catch {
      throw .invalidContent(section: .codecParameters, offset: 0, path: file.path)
    }
    guard parameters.codec == codec, parameters.metric == metric, parameters.dimensions == dimensions else {
      throw .invalidContent(section: .codecParameters, offset: 0, path: file.path)
    }
    let stride = codec.rowBytes(dimensions: dimensions)
    let rows = RowMemory(try file.section(.codes, expecting: description.vectorCount * stride), stride: stride)
    let further = codec.extensionRowBytes(dimensions: dimensions)
    var extensions: RowMemory?
    if further > 0 {
      let section = try file.section(.extensions, expecting: description.vectorCount * further)
      extensions = RowMemory(section, stride: further)
    }
    self = CodedVectors(CodecSpace(parameters), kernels, rows: rows, extensions: extensions)
  }

  init(_ space: CodecSpace, _ kernels: CodeKernels, rows: RowMemory, extensions: RowMemory?) {
    self.space = space
    self.kernels = kernels
    self.rows = rows
    self.extensions = extensions
  }

  /// Vectors that are their own codes.
  private init(plain vectors: Section, _ metric: Metric, dimensions: Int) {
    // f32 has no parameters that could be wrong, and estimates every metric.
    guard let parameters = try? CodecParameters(codec: .f32, metric: metric, dimensions: dimensions),
      let kernels = try? CodeKernels(.f32, metric)
    else { preconditionFailure("codec f32 is refused") }
    space = CodecSpace(parameters)
    self.kernels = kernels
    rows = RowMemory(vectors, stride: VectorLayout.stride(dimensions: dimensions) * 4)
    extensions = nil
  }
}

extension CodedVectors {
  /// Scores scattered rows; they are verified when they are first touched.
  func score(
    _ query: UnsafePointer<vidx_code_query>, _ ordinals: UnsafePointer<UInt32>, _ count: Int,
    _ out: UnsafeMutablePointer<Float>
  ) throws(SegmentError) {
    if !rows.isVerified { unsafe try rows.verify(ordinals, count) }
    unsafe kernels.ids(query, rows.base, rows.stride, ordinals, count, out)
  }
}

extension Codec {
  // By the code in a segment's header.
  private static let inOrder: [Codec] = [.f32, .f16, .int8, .int4, .rabitq, .rabitq2, .rabitq4, .rabitq6]

  /// The code of the codec in a segment's header.
  package var code: UInt32 { UInt32(Self.inOrder.firstIndex(of: self)!) + 1 }

  package init?(code: UInt32) {
    guard code >= 1, code <= Self.inOrder.count else { return nil }
    self = Self.inOrder[Int(code) - 1]
  }
}
