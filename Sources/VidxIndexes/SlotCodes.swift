package import VidxVectors

/// Codes of vectors that lie in slots of memory, change and move: a scan reads them, a twentieth of the vectors, and
/// scores in full what they select.
///
/// The codec is rabitq, whose bounds hold nearly always (docs/CODECS.md, "Bounds"): a scan beside searches that are not
/// exact either. One thread changes them while no other scans.
@safe package final class SlotCodes: @unchecked Sendable {
  // @unchecked: the owner sees to it that nobody scans while one thread changes them.
  /// Slots that are coded: the first ones.
  package private(set) var count = 0
  let vectors: VectorKernels
  let kernels: CodeKernels
  let rowBytes: Int
  let scans = ObjectPool<SlotScan>()
  private let encoder: CodeEncoder
  private var capacity = 0
  private var memory = AlignedBuffer(byteCount: 0)

  private static let codec = Codec.rabitq
  /// A row's factors outweigh what the code of fewer dimensions saves.
  private static let fewestDimensions = 64
  /// Slots looked at at once.
  static let block = 512
  /// Slots looked at between two looks whether the search is to go on.
  static let slotsBetweenLooks = 16 * block

  /// nil where codes are of no use: under l1, of which they tell nothing, and of few dimensions.
  /// - Parameter origin: what is coded around: the mean of the vectors, more or less.
  package init?(_ metric: Metric, dimensions: Int, origin: [Float]) {
    guard Self.codec.supports(metric), dimensions >= Self.fewestDimensions,
      let parameters = try? CodecParameters.standard(Self.codec, metric, dimensions: dimensions, origin: origin),
      let kernels = try? CodeKernels(Self.codec, metric)
    else { return nil }
    self.kernels = kernels
    vectors = VectorKernels(metric)
    encoder = CodeEncoder(CodecSpace(parameters))
    rowBytes = Self.codec.rowBytes(dimensions: dimensions)
  }

  var space: CodecSpace { encoder.space }

  /// The code of a slot.
  func code(_ slot: Int) -> UnsafeRawPointer { unsafe UnsafeRawPointer(memory.bytes + slot * rowBytes) }

  /// Codes the slots behind those that are coded.
  /// - Parameters:
  ///   - vectors: of all slots, `stride` floats apart, padded with zeros; cosine: of unit length.
  ///   - count: how many slots there are.
  /// - Complexity: some 1 us for a vector of 384 dimensions.
  package func extend(to count: Int, _ vectors: UnsafePointer<Float>, stride: Int) {
    if count <= self.count { return }
    reserve(count)
    unsafe encode(vectors + self.count * stride, stride: stride, self.count..<count)
    self.count = count
  }

  /// Codes a slot anew, whose vector is another.
  package func change(_ slot: Int, to vector: UnsafePointer<Float>) {
    if slot < count { unsafe encode(vector, stride: 0, slot..<slot + 1) }
  }

  /// The vector of the last of so many slots has moved to another, and the last is gone.
  package func move(last: Int, to slot: Int, _ vector: UnsafePointer<Float>) {
    if last < count {
      unsafe (memory.bytes + slot * rowBytes).copyMemory(from: memory.bytes + last * rowBytes, byteCount: rowBytes)
      count = last
    } else {
      unsafe change(slot, to: vector)
    }
  }

  private func reserve(_ count: Int) {
    if count <= capacity { return }
    let newCapacity = max(count, capacity + capacity / 2)
    // Padding is not written by the encoder.
    let grown = AlignedBuffer(byteCount: newCapacity * rowBytes, zeroed: true)
    unsafe grown.bytes.copyMemory(from: memory.bytes, byteCount: self.count * rowBytes)
    memory = grown
    capacity = newCapacity
  }

  private func encode(_ vectors: UnsafePointer<Float>, stride: Int, _ slots: Range<Int>) {
    do throws(CodecError) {
      unsafe try encoder.encode(
        vectors, stride: stride, count: slots.count, rows: memory.bytes + slots.lowerBound * rowBytes,
        rowStride: rowBytes)
    } catch {
      preconditionFailure("rabitq codes every vector")
    }
  }
}
