import Foundation
import Testing

@testable import VidxSegments

@Suite("SegmentError")
struct SegmentErrorTests {
  static let path = "/data/app.db-vidx/messages-1.seg"

  static let damage: [SegmentError] = [
    .notASegment(path: path),
    .headerChecksumMismatch(expected: 1, found: 0xAB, path: path),
    .truncated(expected: 8192, found: 100, path: path),
    .trailingBytes(expected: 8192, found: 9000, path: path),
    .invalidHeader(field: .dimensions, value: 0, path: path),
    .invalidSection(section: 8, fault: .overlap, path: path),
    .invalidSection(section: 99, fault: .unknownKind, path: path),
    .checksumArrayMismatch(section: .vectors, expected: 1, found: 2, path: path),
    .checksumMismatch(section: .baseLinks, block: 7, expected: 1, found: 2, path: path),
    .invalidContent(section: .baseLinks, offset: 65_536, path: path),
    .missingSection(section: .centroids, path: path),
    .wrongSectionLength(section: .norms, expected: 8, found: 4, path: path),
    .nonZeroPadding(offset: 5000, path: path),
  ]

  @Test("Damage is told with the file and the remedy", arguments: damage)
  func remedy(error: SegmentError) {
    #expect(error.message.contains(Self.path))
    #expect(error.message.contains("vidx check") && error.message.contains("rebuild the index"))
    #expect(error.description == error.message)
  }

  @Test("The numbers that matter are in the message")
  func numbers() {
    let mismatch = SegmentError.checksumMismatch(
      section: .baseLinks, block: 7, expected: 1, found: 0xAB, path: Self.path)
    for part in ["baseLinks", "block 7", "0x000000ab", "0x00000001"] { #expect(mismatch.message.contains(part)) }
    #expect(SegmentError.truncated(expected: 8192, found: 100, path: Self.path).message.contains("100 of 8192"))
    let newer = SegmentError.newerVersion(found: 3, supported: 1, path: Self.path).message
    #expect(newer.contains("version 3") && newer.contains("up to 1") && newer.contains("newer vidx"))
    #expect(
      SegmentError.invalidSection(section: 99, fault: .unknownKind, path: Self.path).message.contains("section 99"))
    #expect(SegmentError.invalidFileName(name: "../x").message.contains("'../x'"))
  }

  @Test(
    "A failed call is told with the file, the system's reason and what to do",
    arguments: [
      (ENOSPC, "nothing was changed"), (EDQUOT, "nothing was changed"), (EACCES, "permissions"), (EROFS, "writable"),
      (EMFILE, "ulimit -n"), (ENOMEM, "ulimit -v"), (EIO, "disk"), (ENOLCK, "local file system"),
    ])
  func io(code: Int32, advice: String) {
    let message = SegmentError.io(operation: .write, code: code, path: Self.path).message
    #expect(message.contains(Self.path) && message.contains("write") && message.contains(advice))
    #expect(message.contains(unsafe String(cString: strerror(code))))
  }

  @Test("A missing file names the folder that may not have been moved")
  func notFound() {
    let message = SegmentError.notFound(path: Self.path).message
    #expect(message.contains(Self.path) && message.contains("moved") && message.contains("backup"))
  }
}
