/// Owner of the write buffer of one file: gathers small pieces into writes of 1 MiB, from start to end.
@safe
struct BufferedOutput: ~Copyable {
  private static let capacity = 1 << 20

  private let file: TemporaryFile
  private let buffer: UnsafeMutableRawBufferPointer
  private var buffered = 0
  /// Where in the file the buffer belongs.
  private var flushed: Int
  /// Up to where the system was asked to begin writing to the device, so that little is left for the end.
  private var begun = 0
  private static let begunAtOnce = 8 << 20

  /// Where in the file the next byte goes.
  var position: Int { flushed + buffered }

  init(_ file: TemporaryFile, startingAt position: Int) {
    self.file = file
    flushed = position
    unsafe buffer = .allocate(byteCount: Self.capacity, alignment: HeaderLayout.alignment)
  }

  deinit { unsafe buffer.deallocate() }

  mutating func append(_ bytes: UnsafeRawBufferPointer) throws(SegmentError) {
    if bytes.count > Self.capacity - buffered { try flush() }
    guard bytes.count < Self.capacity else {
      try unsafe write(bytes)
      return
    }
    unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[buffered...]).copyMemory(from: bytes)
    buffered += bytes.count
  }

  /// Writes zeros up to the next multiple of `HeaderLayout.alignment`.
  mutating func pad() throws(SegmentError) {
    let count = -position & (HeaderLayout.alignment - 1)
    if count > Self.capacity - buffered { try flush() }
    unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[buffered..<buffered + count])
      .initializeMemory(as: UInt8.self, repeating: 0)
    buffered += count
  }

  mutating func flush() throws(SegmentError) {
    let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<buffered])
    buffered = 0
    try unsafe write(bytes)
  }

  private mutating func write(_ bytes: UnsafeRawBufferPointer) throws(SegmentError) {
    try unsafe file.fileSystem.writeAll(file.descriptor, bytes, at: flushed, path: file.path)
    flushed += bytes.count
    if flushed - begun >= Self.begunAtOnce {
      file.fileSystem.beginWriting(file.descriptor, begun..<flushed)
      begun = flushed
    }
  }
}
