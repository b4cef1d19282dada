import VidxSegments
import VidxVectors

/// Writes the vectors of a segment in an order: while one part is written, the next is gathered and summed on another
/// thread.
@safe struct VectorWriting: Sendable {
  private let vectors: VectorRows
  /// The vector at each place of the file; nil for their own order.
  private let order: [UInt32]?
  private let rowByteCount: Int

  /// Bytes of a part, in whole blocks.
  private static let partByteCount = 4 << 20

  init(_ distinct: DistinctVectors, order: [UInt32]?) {
    vectors = unsafe VectorRows(
      distinct.vectors, count: distinct.count, dimensions: distinct.configuration.dimensions, owner: distinct.buffer)
    self.order = order
    rowByteCount = distinct.stride * 4
  }

  /// - Throws: `SegmentError`, `BuildError.cancelled`.
  func write(to writer: inout SegmentWriter, _ options: BuildOptions) throws {
    try writer.begin(.vectors)
    let total = vectors.count * rowByteCount
    var part = Part()
    var next = Part()
    part.gather(self, 0..<min(Self.partByteCount, total))
    while part.range.count > 0 {
      if options.isCancelled() { throw BuildError.cancelled }
      let following = part.range.upperBound..<min(part.range.upperBound + Self.partByteCount, total)
      let (current, ahead) = (part, next)
      let gather: @Sendable () -> Void = { ahead.gather(self, following) }
      if options.threads > 1 {
        try Parallel.beside(gather) { unsafe try writer.append(current.bytes, checksums: current.checksums) }
      } else {
        unsafe try writer.append(current.bytes, checksums: current.checksums)
        gather()
      }
      options.progress(
        BuildProgress(stage: .writing, done: current.range.upperBound / rowByteCount, total: vectors.count))
      (part, next) = (ahead, current)
    }
  }

  /// Some bytes of the section, gathered by one thread, then read by another.
  @safe private final class Part: @unchecked Sendable {
    // @unchecked: handed from one thread to the other, never used by both.
    private(set) var range = 0..<0
    private(set) var checksums: [UInt32] = []
    private var buffer: AlignedBuffer?
    private var source: UnsafeRawPointer?

    var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: source, count: range.count) }

    func gather(_ writing: VectorWriting, _ range: Range<Int>) {
      self.range = range
      if let order = writing.order {
        unsafe source = UnsafeRawPointer(copy(writing, order, range))
      } else {
        unsafe source = UnsafeRawPointer(writing.vectors.base) + range.lowerBound
      }
      checksums = unsafe SegmentWriter.checksums(of: bytes)
    }

    private func copy(_ writing: VectorWriting, _ order: [UInt32], _ range: Range<Int>) -> UnsafeMutableRawPointer {
      let buffer = self.buffer ?? AlignedBuffer(byteCount: VectorWriting.partByteCount)
      self.buffer = buffer
      let size = writing.rowByteCount
      var start = range.lowerBound
      while start < range.upperBound {
        let (row, offset) = start.quotientAndRemainder(dividingBy: size)
        let count = min(size - offset, range.upperBound - start)
        let from = unsafe UnsafeRawPointer(writing.vectors.row(Int(order[row]))) + offset
        unsafe (buffer.bytes + (start - range.lowerBound)).copyMemory(from: from, byteCount: count)
        start += count
      }
      return unsafe buffer.bytes
    }
  }
}
