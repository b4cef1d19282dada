/// Where things are in the header page. All numbers are little-endian; docs/FORMAT.md has the same table.
enum HeaderLayout {
  static let byteCount = 4096
  /// Sections, and the checksum arrays as a whole, begin at multiples of this.
  static let alignment = 4096
  static let version: UInt32 = 3
  /// "VIDXSEG" and a zero byte, read as a little-endian number.
  static let magic: UInt64 = 0x0047_4553_5844_4956

  static let magicOffset = 0
  static let versionOffset = 8
  static let headerLengthOffset = 12
  static let identifierOffset = 16
  static let indexKindOffset = 32
  static let metricOffset = 36
  static let codecOffset = 40
  static let dimensionsOffset = 44
  static let vectorCountOffset = 48
  static let entryCountOffset = 56
  static let fileLengthOffset = 64
  static let sectionCountOffset = 72
  static let blockSizeOffset = 76
  static let reservedOffset = 80
  static let tableOffset = 128
  static let tableEntryByteCount = 32
  static let checksumOffset = 4092
  static let maximumSectionCount = (checksumOffset - tableOffset) / tableEntryByteCount

  /// Offsets within an entry of the section table.
  static let entryKindOffset = 0
  static let entryChecksumOffset = 4
  static let entryOffsetOffset = 8
  static let entryLengthOffset = 16
  static let entryChecksumsOffsetOffset = 24
}

/// One line of the section table. Offsets are from the start of the file, in bytes.
struct SectionEntry: Sendable, Equatable {
  var kind: SectionKind
  var offset: Int
  var byteCount: Int
  /// Where the array of block checksums is: u32 x `blockCount`.
  var checksumsOffset: Int
  /// CRC-32C of that array.
  var checksumsChecksum: UInt32

  var blockCount: Int { Block.count(covering: byteCount) }
  var range: Range<Int> { offset..<offset + byteCount }
  var checksumsRange: Range<Int> { checksumsOffset..<checksumsOffset + 4 * blockCount }
}

/// The header page: description, file length and section table.
///
/// A value of this type that came from `init(decoding:)` is safe to map by: every range lies within the file, and no
/// two overlap.
struct SegmentHeader: Sendable, Equatable {
  var description: SegmentDescription
  var fileLength: Int
  /// At most one of each kind, in the order of the table.
  var sections: [SectionEntry]
}

extension SegmentHeader {
  /// The lowest version of the format that has all that is in the file: what every reader that can read it reads.
  var requiredVersion: UInt32 {
    max(description.codec > 1 ? 2 : 1, sections.map(\.kind.version).max() ?? 1)
  }

  /// Writes the page, its checksum included. The page is `HeaderLayout.byteCount` long.
  func encode(into page: UnsafeMutableRawBufferPointer) {
    precondition(page.count == HeaderLayout.byteCount && sections.count <= HeaderLayout.maximumSectionCount)
    unsafe page.initializeMemory(as: UInt8.self, repeating: 0)
    func store<T: FixedWidthInteger>(_ value: T, at offset: Int) {
      unsafe page.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }
    store(HeaderLayout.magic, at: HeaderLayout.magicOffset)
    store(requiredVersion, at: HeaderLayout.versionOffset)
    store(UInt32(HeaderLayout.byteCount), at: HeaderLayout.headerLengthOffset)
    store(description.identifier.low, at: HeaderLayout.identifierOffset)
    store(description.identifier.high, at: HeaderLayout.identifierOffset + 8)
    store(description.indexKind.rawValue, at: HeaderLayout.indexKindOffset)
    store(description.metric, at: HeaderLayout.metricOffset)
    store(description.codec, at: HeaderLayout.codecOffset)
    store(UInt32(description.dimensions), at: HeaderLayout.dimensionsOffset)
    store(UInt64(description.vectorCount), at: HeaderLayout.vectorCountOffset)
    store(UInt64(description.entryCount), at: HeaderLayout.entryCountOffset)
    store(UInt64(fileLength), at: HeaderLayout.fileLengthOffset)
    store(UInt32(sections.count), at: HeaderLayout.sectionCountOffset)
    store(UInt32(Block.byteCount), at: HeaderLayout.blockSizeOffset)
    for (index, section) in sections.enumerated() {
      let base = HeaderLayout.tableOffset + index * HeaderLayout.tableEntryByteCount
      store(section.kind.rawValue, at: base + HeaderLayout.entryKindOffset)
      store(section.checksumsChecksum, at: base + HeaderLayout.entryChecksumOffset)
      store(UInt64(section.offset), at: base + HeaderLayout.entryOffsetOffset)
      store(UInt64(section.byteCount), at: base + HeaderLayout.entryLengthOffset)
      store(UInt64(section.checksumsOffset), at: base + HeaderLayout.entryChecksumsOffsetOffset)
    }
    unsafe store(Self.checksum(of: UnsafeRawBufferPointer(page)), at: HeaderLayout.checksumOffset)
  }

  /// CRC-32C of everything in the page before the place of the checksum.
  static func checksum(of page: UnsafeRawBufferPointer) -> UInt32 {
    unsafe crc32c(UnsafeRawBufferPointer(rebasing: page[..<HeaderLayout.checksumOffset]))
  }
}
