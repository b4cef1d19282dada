/// Owner of the write buffer of one file: gathers pieces into whole 2 MiB of the file, from start to end.
///
/// Linux keeps what one write covers together in the page cache where it can: an aligned 2 MiB becomes a huge page, and
/// the mapped file is read as fast as anonymous huge pages are (docs/decisions/0007-mapped-files.md).
@safe
struct BufferedOutput: ~Copyable {
  private static let capacity = 2 << 20

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
    var rest = unsafe bytes
    while unsafe !rest.isEmpty {
      if buffered == 0, position.isMultiple(of: Self.capacity), rest.count >= Self.capacity {
        let whole = rest.count / Self.capacity * Self.capacity
        unsafe try write(UnsafeRawBufferPointer(rebasing: rest[..<whole]))
        unsafe rest = UnsafeRawBufferPointer(rebasing: rest[whole...])
        continue
      }
      let count = min(rest.count, room)
      unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[buffered...])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
      unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      try filled(by: count)
    }
  }

  /// Writes zeros up to the next multiple of `HeaderLayout.alignment`, which divides the capacity.
  mutating func pad() throws(SegmentError) {
    let count = -position & (HeaderLayout.alignment - 1)
    unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[buffered..<buffered + count])
      .initializeMemory(as: UInt8.self, repeating: 0)
    try filled(by: count)
  }

  /// Up to the next multiple of the capacity in the file.
  private var room: Int { Self.capacity - position % Self.capacity }

  private mutating func filled(by count: Int) throws(SegmentError) {
    buffered += count
    if position.isMultiple(of: Self.capacity) { try flush() }
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
