/// Writes one segment, section by section, and publishes it. For one thread; dropped unpublished, it leaves nothing.
///
/// The bytes go to `<fileName>.tmp`. `publish` writes the header last, makes the contents durable, and only then gives
/// the file its name: whoever finds a file of that name finds all of it, after a crash too.
package struct SegmentWriter: ~Copyable {
  private let description: SegmentDescription
  private let directory: String
  private let fileName: String
  private let file: TemporaryFile
  private var output: BufferedOutput
  /// The sections so far; the last one is still open.
  private var sections: [(kind: SectionKind, offset: Int, checksums: BlockChecksums)] = []

  /// Creates the temporary file, and the folder when there is none yet.
  ///
  /// - Parameters:
  ///   - directory: the folder of the database's segments (`SegmentFolder.path`). Files get its owner and permissions.
  ///   - fileName: from `SegmentFolder.fileName`.
  /// - Throws: `invalidFileName`, `invalidHeader` when the format cannot express the description (too many rows or
  ///   dimensions), `alreadyExists`, `io`.
  package init(
    directory: String, fileName: String, description: SegmentDescription,
    fileSystem: any FileSystem = POSIXFileSystem()
  ) throws(SegmentError) {
    let folder = SegmentFolder(path: directory, fileSystem: fileSystem)
    let path = try folder.path(ofFile: fileName)
    try description.validate(path: path)
    let status = try folder.create()
    let file = try TemporaryFile(path: path + SegmentFolder.temporarySuffix, like: status, fileSystem: fileSystem)
    // Checked under the lock of the temporary name, which all writers of this name go through.
    guard try fileSystem.statusIfPresent(ofPath: path) == nil else { throw .alreadyExists(path: path) }
    self.file = file
    output = BufferedOutput(file, startingAt: HeaderLayout.byteCount)
    self.description = description
    self.directory = directory
    self.fileName = fileName
  }

  /// Ends the section before and starts the next. Any order; each kind at most once.
  package mutating func begin(_ kind: SectionKind) throws(SegmentError) {
    precondition(!sections.contains { $0.kind == kind }, "section \(kind) is begun twice")
    endSection()
    try output.pad()
    sections.append((kind, output.position, BlockChecksums()))
  }

  /// Appends to the section begun last. Cost: a checksum and a copy or write of the bytes.
  package mutating func append(_ bytes: UnsafeRawBufferPointer) throws(SegmentError) {
    precondition(!sections.isEmpty, "append before begin")
    unsafe sections[sections.count - 1].checksums.append(bytes)
    try unsafe output.append(bytes)
  }

  /// Appends bytes whose checksums are known: `SegmentWriter.checksums(of:)` of them. Up to here the section must hold
  /// whole blocks.
  package mutating func append(_ bytes: UnsafeRawBufferPointer, checksums: [UInt32]) throws(SegmentError) {
    precondition(!sections.isEmpty, "append before begin")
    sections[sections.count - 1].checksums.append(byteCount: bytes.count, values: checksums)
    try unsafe output.append(bytes)
  }

  /// The checksums of bytes that begin at a block; from any thread.
  package static func checksums(of bytes: UnsafeRawBufferPointer) -> [UInt32] {
    var checksums = BlockChecksums()
    unsafe checksums.append(bytes)
    checksums.finish()
    return checksums.values
  }

  /// Bytes of a block: what `append(_:checksums:)` counts in.
  package static var blockByteCount: Int { Block.byteCount }

  /// Makes the segment durable and gives it its name. Still unlisted: a sweep would take it once the result is gone.
  package consuming func publish() throws(SegmentError) -> PublishedSegment {
    endSection()
    let fileLength = try writeChecksumsAndHeader()
    let descriptor = file.descriptor
    let fileSystem = file.fileSystem
    try fileSystem.complete(.synchronize, file.path) { () throws(SystemCallError) in
      try fileSystem.synchronize(descriptor)
    }
    try file.rename(to: directory + "/" + fileName)
    try fileSystem.synchronizeDirectory(directory)
    // The folder's own name too: whoever created it may not have come that far yet.
    try fileSystem.synchronizeDirectory(parentDirectory(of: directory))
    file.keep()
    return PublishedSegment(file, fileName: fileName, byteCount: fileLength)
  }

  private mutating func endSection() {
    if !sections.isEmpty { sections[sections.count - 1].checksums.finish() }
  }

  /// Returns the length of the file.
  private mutating func writeChecksumsAndHeader() throws(SegmentError) -> Int {
    try output.pad()
    var entries: [SectionEntry] = []
    for section in sections {
      let checksumsOffset = output.position
      let checksum = try append(checksums: section.checksums.values)
      entries.append(
        SectionEntry(
          kind: section.kind, offset: section.offset, byteCount: section.checksums.byteCount,
          checksumsOffset: checksumsOffset, checksumsChecksum: checksum))
    }
    let fileLength = output.position
    try output.flush()
    try write(SegmentHeader(description: description, fileLength: fileLength, sections: entries))
    return fileLength
  }

  /// Returns the checksum of the array.
  private mutating func append(checksums: [UInt32]) throws(SegmentError) -> UInt32 {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 4 * checksums.count, alignment: 4)
    defer { unsafe bytes.deallocate() }
    for (index, checksum) in checksums.enumerated() {
      unsafe bytes.storeBytes(of: checksum.littleEndian, toByteOffset: 4 * index, as: UInt32.self)
    }
    try unsafe output.append(UnsafeRawBufferPointer(bytes))
    return unsafe crc32c(UnsafeRawBufferPointer(bytes))
  }

  private func write(_ header: SegmentHeader) throws(SegmentError) {
    let page = UnsafeMutableRawBufferPointer.allocate(byteCount: HeaderLayout.byteCount, alignment: 8)
    defer { unsafe page.deallocate() }
    unsafe header.encode(into: page)
    try unsafe file.fileSystem.writeAll(file.descriptor, UnsafeRawBufferPointer(page), at: 0, path: file.path)
  }
}
