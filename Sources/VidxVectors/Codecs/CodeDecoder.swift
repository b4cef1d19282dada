import CVidxKernels

extension CodecSpace {
  /// What a row's code says of P(v - c), or of v where the codec has no factors; `codes` is scratch of `dimensions`
  /// bytes.
  /// - Returns: the row's `add`, or that of the extension row; 0 without factors.
  func decode(
    _ row: UnsafeRawPointer, extension extensionRow: UnsafeRawPointer?, codes: UnsafeMutablePointer<UInt8>,
    into out: UnsafeMutablePointer<Float>
  ) -> Float {
    let codec = parameters.codec
    let count = dimensions
    if codec == .f32 {
      unsafe out.update(from: row.assumingMemoryBound(to: Float.self), count: count)
      return 0
    }
    if codec == .f16 {
      let padded = Codec.padded(count, to: 16)
      unsafe table.pointee.from_half(row.assumingMemoryBound(to: UInt16.self), padded, out)
      return 0
    }
    unsafe codes.update(repeating: 0, count: count)
    var plane = codec.plane(dimensions: count)
    if unsafe extensionRow == nil { plane = Codec.Plane(bits: plane.bits, shift: 0, bytes: plane.bytes) }
    unsafe unpack(row, plane, codes)
    var end = unsafe row + plane.bytes
    if let extensionRow = unsafe extensionRow {
      unsafe end = extensionRow
      for plane in codec.extensionPlanes(dimensions: count) {
        unsafe unpack(end, plane, codes)
        unsafe end += plane.bytes
      }
    }
    let tail = unsafe CodeTail(at: end)
    let factor: Float = parameters.metric == .l2 ? -0.5 : -1
    let scale = factor * tail.scale
    let offset = factor * tail.offset
    for i in 0..<count { unsafe out[i] = offset + scale * Float(codes[i]) }
    return tail.add
  }

  private func unpack(_ bytes: UnsafeRawPointer, _ plane: Codec.Plane, _ codes: UnsafeMutablePointer<UInt8>) {
    unsafe vidx_code_unpack(
      bytes.assumingMemoryBound(to: UInt8.self), plane.bytes, dimensions, Int32(plane.bits), Int32(plane.shift), codes)
  }

  /// The vector that a row stands for, of a row coded around `centre` (nil: the origin).
  /// - Parameter out: memory for `dimensions` floats, rounded up to 16.
  /// - Complexity: some microseconds; allocates.
  package func decode(
    _ row: UnsafeRawPointer, extension extensionRow: UnsafeRawPointer? = nil, centre: UnsafePointer<Float>? = nil,
    into out: UnsafeMutablePointer<Float>
  ) {
    let codes = AlignedBuffer(byteCount: dimensions)
    let scratch = unsafe codes.bytes.assumingMemoryBound(to: UInt8.self)
    _ = unsafe decode(row, extension: extensionRow, codes: scratch, into: out)
    guard parameters.codec.isInteger else { return }
    unsafe rotateBack(out)
    guard let centre = unsafe centre ?? origin.map({ unsafe UnsafePointer($0.floats) }) else { return }
    for i in 0..<dimensions { unsafe out[i] += centre[i] }
  }
}
