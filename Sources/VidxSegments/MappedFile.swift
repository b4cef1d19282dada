/// Owner of a file's read-only mapping; everything that points into it keeps it alive.
///
/// The file may be renamed or removed meanwhile. It must not be shortened: reading beyond its end then raises SIGBUS,
/// as with every mapped file. vidx itself never writes to a published segment.
// @unchecked: the memory is read only and the properties are constants.
@safe
final class MappedFile: @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer
  let path: String
  let fileSystem: any FileSystem

  /// Maps the first `byteCount` bytes, not 0. The mapping outlives the descriptor.
  init(_ file: OpenFile, byteCount: Int) throws(SegmentError) {
    unsafe bytes = try file.fileSystem.complete(.map, file.path) { () throws(SystemCallError) in
      try unsafe file.fileSystem.map(file.descriptor, byteCount: byteCount)
    }
    path = file.path
    fileSystem = file.fileSystem
  }

  deinit { unsafe fileSystem.unmap(bytes) }

  /// Part of the file. `range` has been validated against its length.
  func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(rebasing: bytes[range])
  }
}
