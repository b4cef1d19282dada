import TestSupport
import Testing

@testable import VidxSegments

@Suite("SegmentHeader")
struct SegmentHeaderTests {
  static let path = "/nowhere/hostile.seg"
  /// A file of 48 KiB with sections at 4096 (vectors, 128 bytes), 8192 (rowIDs, 24 bytes) and their checksums at
  /// 12288 and 12292: valid, for each test to break in one place.
  static let header = SegmentHeader(
    description: SampleSegment.tiny.description, fileLength: 49_152,
    sections: [
      SectionEntry(kind: .vectors, offset: 4096, byteCount: 128, checksumsOffset: 12_288, checksumsChecksum: 1),
      SectionEntry(kind: .rowIDs, offset: 8192, byteCount: 24, checksumsOffset: 12_292, checksumsChecksum: 2),
    ])

  /// Changes some fields of the page, gives it a right checksum, and reads it.
  static func decode(
    fileLength: Int = header.fileLength, resealed: Bool = true, patching patches: [(offset: Int, bytes: [UInt8])]
  ) throws(SegmentError) -> SegmentHeader {
    let page = UnsafeMutableRawBufferPointer.allocate(byteCount: HeaderLayout.byteCount, alignment: 8)
    defer { unsafe page.deallocate() }
    unsafe header.encode(into: page)
    for patch in patches {
      for (index, byte) in patch.bytes.enumerated() { unsafe page[patch.offset + index] = byte }
    }
    if resealed {
      let checksum = unsafe SegmentHeader.checksum(of: UnsafeRawBufferPointer(page))
      unsafe page.storeBytes(of: checksum.littleEndian, toByteOffset: HeaderLayout.checksumOffset, as: UInt32.self)
    }
    return try unsafe SegmentHeader(decoding: UnsafeRawBufferPointer(page), fileLength: fileLength, path: path)
  }

  @Test("What is encoded is decoded")
  func roundTrip() throws {
    #expect(try Self.decode(patching: []) == Self.header)
  }

  @Test("The limit of sections is what fits the page, and there is room for every kind")
  func capacity() {
    #expect(HeaderLayout.maximumSectionCount == 123)
    #expect(SectionKind.allCases.count <= HeaderLayout.maximumSectionCount)
  }

  @Test("A newer version is refused with both numbers", arguments: [4, 5, 0x7FFF_FFFF, UInt32.max])
  func newerVersion(version: UInt32) {
    let error = SegmentError.newerVersion(found: version, supported: 3, path: Self.path)
    #expect(throws: error) { try Self.decode(patching: [(8, littleEndian([version]))]) }
    #expect(error.message.contains("version \(version)") && error.message.contains("up to 3"))
  }

  @Test("A version that a flipped bit made is damage, not a newer version")
  func damagedVersion() {
    let error = #expect(throws: SegmentError.self) { try Self.decode(resealed: false, patching: [(8, [4])]) }
    guard case .headerChecksumMismatch = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  typealias Field = (field: HeaderField, offset: Int, bytes: [UInt8], value: UInt64)

  @Test(
    "Impossible fields are refused by name and value",
    arguments: [
      (.version, 8, littleEndian([0 as UInt32]), 0),
      (.headerLength, 12, littleEndian([8192 as UInt32]), 8192),
      (.indexKind, 32, littleEndian([0 as UInt32]), 0),
      (.indexKind, 32, littleEndian([4 as UInt32]), 4),
      (.metric, 36, littleEndian([0 as UInt32]), 0),
      (.metric, 36, littleEndian([5 as UInt32]), 5),
      (.codec, 40, littleEndian([2 as UInt32]), 2),
      (.dimensions, 44, littleEndian([0 as UInt32]), 0),
      (.dimensions, 44, littleEndian([65_537 as UInt32]), 65_537),
      (.dimensions, 44, littleEndian([UInt32.max]), UInt64(UInt32.max)),
      (.vectorCount, 48, littleEndian([4 as UInt64]), 4),
      (.vectorCount, 48, littleEndian([UInt64.max]), .max),
      (.vectorCount, 48, littleEndian([UInt64(Int.max)]), UInt64(Int.max)),
      (.entryCount, 56, littleEndian([UInt64(UInt32.max)]), UInt64(UInt32.max)),
      (.entryCount, 56, littleEndian([UInt64.max]), .max),
      (.entryCount, 56, littleEndian([1 << 63 as UInt64]), 1 << 63),
      (.fileLength, 64, littleEndian([UInt64.max]), .max),
      (.fileLength, 64, littleEndian([4095 as UInt64]), 4095),
      (.fileLength, 64, littleEndian([0 as UInt64]), 0),
      (.sectionCount, 72, littleEndian([124 as UInt32]), 124),
      (.sectionCount, 72, littleEndian([UInt32.max]), UInt64(UInt32.max)),
      (.blockSize, 76, littleEndian([4096 as UInt32]), 4096),
      (.reserved, 80, [1], 80),
      (.reserved, 127, [1], 127),
      (.reserved, 192, [1], 192),
      (.reserved, 4091, [1], 4091),
    ] as [Field])
  func impossible(field: Field) {
    #expect(throws: SegmentError.invalidHeader(field: field.field, value: field.value, path: Self.path)) {
      try Self.decode(patching: [(field.offset, field.bytes)])
    }
  }

  /// `section` is the code that the error names; the patch is relative to the table.
  typealias Line = (fault: SectionFault, section: UInt32, patches: [(offset: Int, bytes: [UInt8])])

  // The first line of the table begins at 128, the second at 160: kind +0, offset +8, length +16, checksums +24.
  @Test(
    "A section table that contradicts itself or the file is refused",
    arguments: [
      (.unknownKind, 0, [(128, littleEndian([0 as UInt32]))]),
      (.unknownKind, 99, [(160, littleEndian([99 as UInt32]))]),
      (.duplicate, 1, [(160, littleEndian([1 as UInt32]))]),
      (.misaligned, 1, [(136, littleEndian([4097 as UInt64]))]),
      (.misaligned, 2, [(168, littleEndian([8320 as UInt64]))]),
      (.outOfBounds, 1, [(136, littleEndian([UInt64.max]))]),
      (.outOfBounds, 1, [(136, littleEndian([UInt64.max - 4095]))]),
      (.outOfBounds, 1, [(136, littleEndian([1 << 63 as UInt64]))]),
      (.outOfBounds, 1, [(136, littleEndian([53_248 as UInt64]))]),
      (.outOfBounds, 1, [(144, littleEndian([UInt64.max]))]),
      (.outOfBounds, 1, [(144, littleEndian([UInt64.max - 4095]))]),
      (.outOfBounds, 2, [(176, littleEndian([40_961 as UInt64]))]),
      (.checksumsMisaligned, 1, [(152, littleEndian([12_290 as UInt64]))]),
      (.checksumsOutOfBounds, 1, [(152, littleEndian([UInt64.max]))]),
      (.checksumsOutOfBounds, 1, [(152, littleEndian([UInt64.max - 3]))]),
      (.checksumsOutOfBounds, 2, [(184, littleEndian([49_152 as UInt64]))]),
      // A section in the header; one in the other; one in checksums; checksums in the header, in a section, in others.
      (.overlap, 1, [(136, littleEndian([0 as UInt64]))]),
      (.overlap, 1, [(168, littleEndian([4096 as UInt64]))]),
      (.overlap, 2, [(144, littleEndian([4097 as UInt64]))]),
      (.overlap, 1, [(176, littleEndian([4097 as UInt64]))]),
      (.overlap, 1, [(152, littleEndian([4000 as UInt64]))]),
      (.overlap, 1, [(152, littleEndian([8196 as UInt64]))]),
      (.overlap, 2, [(184, littleEndian([12_288 as UInt64]))]),
    ] as [Line])
  func table(line: Line) {
    #expect(throws: SegmentError.invalidSection(section: line.section, fault: line.fault, path: Self.path)) {
      try Self.decode(patching: line.patches)
    }
  }

  @Test("A section may end with the file, and an empty one may lie anywhere within")
  func limits() throws {
    let last = try Self.decode(patching: [(168, littleEndian([45_056 as UInt64, 4096]))])
    #expect(last.sections[1].range == 45_056..<49_152)
    let empty = try Self.decode(patching: [(168, littleEndian([4096, 0 as UInt64]))])
    #expect(empty.sections[1].byteCount == 0)
  }

  @Test("A length other than the file's is told from damage")
  func lengths() {
    #expect(throws: SegmentError.truncated(expected: 49_152, found: 49_151, path: Self.path)) {
      try Self.decode(fileLength: 49_151, patching: [])
    }
    #expect(throws: SegmentError.trailingBytes(expected: 49_152, found: 49_153, path: Self.path)) {
      try Self.decode(fileLength: 49_153, patching: [])
    }
  }

  @Test("Random pages with a right checksum are refused or valid, never a trap")
  func randomPages() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SplitMix(seed: seed)
    var accepted = 0
    for round in 0..<5_000 {
      let patches = (0..<Int.random(in: 1...3, using: &random)).map { _ in
        let offset = 8 + 8 * Int.random(in: 0..<23, using: &random)
        return (offset: offset, bytes: littleEndian([random.hostile()]))
      }
      guard let header = try? Self.decode(patching: patches) else { continue }
      accepted += 1
      var end = 0
      for part in header.parts {
        #expect(part.range.lowerBound >= end && part.range.upperBound <= 49_152, "seed \(seed), round \(round)")
        end = part.range.upperBound
      }
    }
    // Patches of the identifier, and numbers in range, are no faults: the generator does reach the valid side.
    #expect(accepted > 20, "seed \(seed)")
  }
}

extension SplitMix {
  /// Numbers at which arithmetic on offsets goes wrong, and some that fit.
  mutating func hostile() -> UInt64 {
    let base: UInt64 = [0, 1, 4096, 49_152, 65_536, 1 << 31, 1 << 32, 1 << 62, 1 << 63, .max].randomElement(
      using: &self)!
    return base &+ [0, 1, 4, 128, 4096, .max, .max - 3, .max - 4095].randomElement(using: &self)!
  }
}
