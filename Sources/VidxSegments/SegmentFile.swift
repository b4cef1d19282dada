/// An opened segment: mapped, read only, its header validated. Sendable; readers need no lock.
///
/// Opening reads the header and the checksum arrays (4 bytes for 64 KiB), nothing else.
package final class SegmentFile: Sendable {
  package var path: String { file.path }
  package let description: SegmentDescription
  /// Length of the file.
  package var byteCount: Int { header.fileLength }

  let header: SegmentHeader
  let file: MappedFile
  private let sections = Locked<[SectionKey: Section]>([:])

  private struct SectionKey: Hashable {
    var kind: SectionKind
    var isValidated: Bool
  }

  /// Opens a segment for the caller alone; `shared` is what connections use.
  ///
  /// - Throws: `notFound`, `notASegment`, `newerVersion` or what is wrong with header, length or section table.
  package convenience init(path: String, fileSystem: any FileSystem = POSIXFileSystem()) throws(SegmentError) {
    let candidate = try SegmentCandidate(path: path, fileSystem: fileSystem)
    try self.init(candidate)
  }

  init(_ candidate: SegmentCandidate) throws(SegmentError) {
    header = candidate.header
    description = candidate.header.description
    file = try candidate.map()
    for section in header.sections {
      if let error = section.checksumArrayMismatch(in: file) { throw error }
    }
  }

  /// A section that the index cannot do without, its blocks checked against their checksums only.
  ///
  /// - Parameter byteCount: the length that the header's counts require.
  /// - Throws: `missingSection`, `wrongSectionLength`.
  package func section(_ kind: SectionKind, expecting byteCount: Int) throws(SegmentError) -> Section {
    try unsafe required(optionalSection(kind, expecting: byteCount, validate: nil), kind)
  }

  /// A section that the index cannot do without, whose blocks are validated beyond their checksums.
  ///
  /// - Parameters:
  ///   - byteCount: the length that the header's counts require.
  ///   - validate: called when a block is first verified, after its checksum matched (twice at most, if two threads
  ///     meet in it); false makes `verify` throw `invalidContent`. All callers get the same `Section`, so the closure
  ///     of the first one counts: it must depend on the segment only.
  /// - Throws: `missingSection`, `wrongSectionLength`.
  package func section(
    _ kind: SectionKind, expecting byteCount: Int, validate: Section.Validation?
  ) throws(SegmentError) -> Section {
    try unsafe required(optionalSection(kind, expecting: byteCount, validate: validate), kind)
  }

  /// A section that may be absent: nil then. Otherwise as `section`.
  package func optionalSection(_ kind: SectionKind, expecting byteCount: Int) throws(SegmentError) -> Section? {
    try unsafe optionalSection(kind, expecting: byteCount, validate: nil)
  }

  /// A section that may be absent: nil then. Otherwise as `section`.
  package func optionalSection(
    _ kind: SectionKind, expecting byteCount: Int, validate: Section.Validation?
  ) throws(SegmentError) -> Section? {
    guard let entry = header.sections.first(where: { $0.kind == kind }) else { return nil }
    guard entry.byteCount == byteCount else {
      throw .wrongSectionLength(section: kind, expected: byteCount, found: entry.byteCount, path: path)
    }
    // Blocks verified without validation must not count as validated.
    let key = SectionKey(kind: kind, isValidated: unsafe validate != nil)
    return sections.withLock { sections in
      if let section = sections[key] { return section }
      let section = unsafe Section(entry, of: file, validate: validate)
      sections[key] = section
      return section
    }
  }

  private func required(_ section: Section?, _ kind: SectionKind) throws(SegmentError) -> Section {
    guard let section else { throw .missingSection(section: kind, path: path) }
    return section
  }

  /// Length of a section in bytes, nil when it is absent.
  package func byteCount(of kind: SectionKind) -> Int? {
    header.sections.first { $0.kind == kind }?.byteCount
  }
}

/// A segment whose header has been read and validated, but which is not mapped yet.
struct SegmentCandidate {
  let header: SegmentHeader
  let status: FileStatus
  private let file: OpenFile

  init(path: String, fileSystem: any FileSystem) throws(SegmentError) {
    let file = try OpenFile(path, for: .reading, fileSystem: fileSystem)
    let status = try file.status()
    guard status.isRegularFile else { throw .notASegment(path: path) }
    header = try Self.readHeader(file, fileLength: status.byteCount)
    self.status = status
    self.file = file
  }

  func map() throws(SegmentError) -> MappedFile { try MappedFile(file, byteCount: header.fileLength) }

  private static func readHeader(_ file: OpenFile, fileLength: Int) throws(SegmentError) -> SegmentHeader {
    let page = UnsafeMutableRawBufferPointer.allocate(byteCount: HeaderLayout.byteCount, alignment: 8)
    defer { unsafe page.deallocate() }
    let count = try unsafe file.fileSystem.readAll(file.descriptor, into: page, at: 0, path: file.path)
    let read = unsafe UnsafeRawBufferPointer(rebasing: page[..<count])
    return try unsafe SegmentHeader(decoding: read, fileLength: fileLength, path: file.path)
  }
}
