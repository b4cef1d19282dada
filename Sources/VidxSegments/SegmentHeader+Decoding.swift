extension SegmentHeader {
  /// Reads and validates a header page.
  ///
  /// - Parameters:
  ///   - page: what the file begins with: `HeaderLayout.byteCount` bytes, or all the file has.
  ///   - fileLength: the length the file really has, in bytes.
  ///   - path: for errors.
  /// - Throws: the first thing found wrong, in this order: not a segment, too short for a header, checksum, version,
  ///   fields, file length, section table.
  init(decoding page: UnsafeRawBufferPointer, fileLength: Int, path: String) throws(SegmentError) {
    let fields = unsafe HeaderFields(page: page, path: path)
    try fields.checkFrame()
    description = try fields.description()
    try description.validate(path: path)
    try fields.checkLength(fileLength)
    self.fileLength = fileLength
    sections = try fields.sectionTable(fileLength: fileLength)
    try checkOverlaps(path: path)
  }

  /// Refuses a file of which two parts claim the same byte.
  private func checkOverlaps(path: String) throws(SegmentError) {
    for (part, next) in zip(parts, parts.dropFirst()) where next.range.lowerBound < part.range.upperBound {
      // The header is a part without a section, and the only one.
      let section = next.section ?? part.section
      throw .invalidSection(section: section?.rawValue ?? 0, fault: .overlap, path: path)
    }
  }

  /// The parts of the file that hold something, by offset: header, sections, checksum arrays. The rest is padding.
  var parts: [(range: Range<Int>, section: SectionKind?)] {
    var parts: [(range: Range<Int>, section: SectionKind?)] = [(0..<HeaderLayout.byteCount, nil)]
    for section in sections where section.byteCount > 0 {
      parts.append((section.range, section.kind))
      parts.append((section.checksumsRange, section.kind))
    }
    return parts.sorted { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
  }
}

/// A header page while it is being read: nothing in it is to be trusted yet.
@safe
private struct HeaderFields {
  let page: UnsafeRawBufferPointer
  let path: String

  func load<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) -> T {
    unsafe T(littleEndian: page.loadUnaligned(fromByteOffset: offset, as: T.self))
  }

  var version: UInt32 { load(UInt32.self, at: HeaderLayout.versionOffset) }

  func refuse(_ field: HeaderField, _ value: UInt64) -> SegmentError {
    .invalidHeader(field: field, value: value, path: path)
  }

  /// Magic, checksum, version: what every version of the format has in the same place.
  func checkFrame() throws(SegmentError) {
    guard unsafe page.count >= 8 else { throw .notASegment(path: path) }
    guard load(UInt64.self, at: HeaderLayout.magicOffset) == HeaderLayout.magic else {
      throw .notASegment(path: path)
    }
    guard unsafe page.count == HeaderLayout.byteCount else {
      throw .truncated(expected: HeaderLayout.byteCount, found: unsafe page.count, path: path)
    }
    let expected = load(UInt32.self, at: HeaderLayout.checksumOffset)
    let found = unsafe SegmentHeader.checksum(of: page)
    guard found == expected else { throw .headerChecksumMismatch(expected: expected, found: found, path: path) }
    guard version <= HeaderLayout.version else {
      throw .newerVersion(found: version, supported: HeaderLayout.version, path: path)
    }
    guard version > 0 else { throw refuse(.version, UInt64(version)) }
    let headerLength = load(UInt32.self, at: HeaderLayout.headerLengthOffset)
    guard headerLength == HeaderLayout.byteCount else { throw refuse(.headerLength, UInt64(headerLength)) }
    let blockSize = load(UInt32.self, at: HeaderLayout.blockSizeOffset)
    guard blockSize == Block.byteCount else { throw refuse(.blockSize, UInt64(blockSize)) }
  }

  /// What the header says, with counts that fit an Int; `SegmentDescription.validate` does the rest.
  func description() throws(SegmentError) -> SegmentDescription {
    let kind = load(UInt32.self, at: HeaderLayout.indexKindOffset)
    guard let indexKind = IndexKind(rawValue: kind) else { throw refuse(.indexKind, UInt64(kind)) }
    let vectorCount = load(UInt64.self, at: HeaderLayout.vectorCountOffset)
    guard let vectorCount = Int(exactly: vectorCount) else { throw refuse(.vectorCount, vectorCount) }
    let entryCount = load(UInt64.self, at: HeaderLayout.entryCountOffset)
    guard let entryCount = Int(exactly: entryCount) else { throw refuse(.entryCount, entryCount) }
    let codec = load(UInt32.self, at: HeaderLayout.codecOffset)
    guard codec <= 1 || version > 1 else { throw refuse(.codec, UInt64(codec)) }
    return SegmentDescription(
      identifier: SegmentIdentifier(
        low: load(UInt64.self, at: HeaderLayout.identifierOffset),
        high: load(UInt64.self, at: HeaderLayout.identifierOffset + 8)),
      indexKind: indexKind,
      metric: load(UInt32.self, at: HeaderLayout.metricOffset),
      codec: codec,
      dimensions: Int(load(UInt32.self, at: HeaderLayout.dimensionsOffset)),
      vectorCount: vectorCount,
      entryCount: entryCount)
  }

  func checkLength(_ fileLength: Int) throws(SegmentError) {
    let stated = load(UInt64.self, at: HeaderLayout.fileLengthOffset)
    guard let expected = Int(exactly: stated), expected >= HeaderLayout.byteCount else {
      throw refuse(.fileLength, stated)
    }
    guard fileLength >= expected else { throw .truncated(expected: expected, found: fileLength, path: path) }
    guard fileLength == expected else { throw .trailingBytes(expected: expected, found: fileLength, path: path) }
  }

  func sectionTable(fileLength: Int) throws(SegmentError) -> [SectionEntry] {
    let count = load(UInt32.self, at: HeaderLayout.sectionCountOffset)
    guard count <= HeaderLayout.maximumSectionCount else { throw refuse(.sectionCount, UInt64(count)) }
    let tableEnd = HeaderLayout.tableOffset + Int(count) * HeaderLayout.tableEntryByteCount
    try checkReserved(HeaderLayout.reservedOffset..<HeaderLayout.tableOffset)
    try checkReserved(tableEnd..<HeaderLayout.checksumOffset)
    var sections: [SectionEntry] = []
    for index in 0..<Int(count) {
      let base = HeaderLayout.tableOffset + index * HeaderLayout.tableEntryByteCount
      let section = try sectionEntry(at: base, fileLength: fileLength)
      guard !sections.contains(where: { $0.kind == section.kind }) else {
        throw .invalidSection(section: section.kind.rawValue, fault: .duplicate, path: path)
      }
      sections.append(section)
    }
    return sections
  }

  /// Bytes that version 1 gives no meaning are zero, so that a later version can give them one.
  private func checkReserved(_ range: Range<Int>) throws(SegmentError) {
    if let offset = unsafe firstNonZero(in: UnsafeRawBufferPointer(rebasing: page[range])) {
      throw refuse(.reserved, UInt64(range.lowerBound + offset))
    }
  }

  /// One line of the table; every product and sum is formed only after it is known to fit.
  private func sectionEntry(at base: Int, fileLength: Int) throws(SegmentError) -> SectionEntry {
    let code = load(UInt32.self, at: base + HeaderLayout.entryKindOffset)
    func refuse(_ fault: SectionFault) -> SegmentError { .invalidSection(section: code, fault: fault, path: path) }
    guard let kind = SectionKind(rawValue: code), kind.version <= version else { throw refuse(.unknownKind) }

    let limit = UInt64(fileLength)
    let offset = load(UInt64.self, at: base + HeaderLayout.entryOffsetOffset)
    let length = load(UInt64.self, at: base + HeaderLayout.entryLengthOffset)
    guard offset <= limit, length <= limit - offset else { throw refuse(.outOfBounds) }
    guard offset % UInt64(HeaderLayout.alignment) == 0 else { throw refuse(.misaligned) }

    let checksumsOffset = load(UInt64.self, at: base + HeaderLayout.entryChecksumsOffsetOffset)
    let checksumsLength = 4 * UInt64(Block.count(covering: Int(length)))
    guard checksumsOffset <= limit, checksumsLength <= limit - checksumsOffset else {
      throw refuse(.checksumsOutOfBounds)
    }
    guard checksumsOffset % 4 == 0 else { throw refuse(.checksumsMisaligned) }
    return SectionEntry(
      kind: kind, offset: Int(offset), byteCount: Int(length), checksumsOffset: Int(checksumsOffset),
      checksumsChecksum: load(UInt32.self, at: base + HeaderLayout.entryChecksumOffset))
  }
}
