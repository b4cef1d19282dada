import Synchronization

/// One section of an opened segment. Sendable: any number of threads may read and verify it at the same time.
///
/// Verification is lazy: a block of 64 KiB is checked against its checksum when `verify` first touches it. Whoever
/// reads `bytes` must have verified the blocks he reads; what is not verified may be anything.
// @unchecked: the memory is read only, the bits are atomics.
@safe
package final class Section: @unchecked Sendable {
  /// Checks a block beyond its checksum, given its bytes and their offset in the section.
  package typealias Validation = @Sendable (_ block: UnsafeRawBufferPointer, _ offset: Int) -> Bool

  package let kind: SectionKind
  /// The whole section, at a multiple of 4096 bytes; valid as long as this object.
  package let bytes: UnsafeRawBufferPointer
  /// Length of the section.
  package var byteCount: Int { entry.byteCount }
  /// The file the section belongs to.
  package var path: String { file.path }
  /// Which blocks have been verified, for a hot loop to copy into a local.
  package let verifiedBits: VerifiedBits

  private let file: MappedFile
  private let entry: SectionEntry
  private let validate: Validation?
  private let verifiedCount = Atomic<Int>(0)

  init(_ entry: SectionEntry, of file: MappedFile, validate: Validation?) {
    self.entry = entry
    self.file = file
    unsafe self.validate = validate
    kind = entry.kind
    unsafe bytes = file.bytes(entry.range)
    verifiedBits = VerifiedBits(allocating: entry.blockCount)
  }

  deinit { verifiedBits.deallocate(entry.blockCount) }

  /// Whether every block has been verified. One atomic load.
  package var isVerified: Bool { verifiedCount.load(ordering: .relaxed) == entry.blockCount }

  /// Whether the block with this byte of the section has been verified. See `verifiedBits` for hot loops.
  package func isBlockVerified(containing offset: Int) -> Bool { verifiedBits.contains(offset: offset) }

  /// Verifies the blocks that a range of bytes touches. Idempotent, thread safe; near free when already done.
  ///
  /// - Parameter range: within `0..<byteCount`; a range outside is a programmer's error.
  /// - Throws: `checksumMismatch` or `invalidContent`, every time a damaged block is asked for.
  package func verify(_ range: Range<Int>) throws(SegmentError) {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= byteCount,
      "bytes \(range) of section \(kind), which has \(byteCount)")
    if isVerified || range.isEmpty { return }
    for block in range.lowerBound >> Block.shift...(range.upperBound - 1) >> Block.shift
    where !verifiedBits.contains(block: block) {
      try verifyBlock(block)
    }
  }

  /// Verifies rows of a fixed size that lie all over the section, as a graph visits them. Near free when already done.
  ///
  /// - Parameters:
  ///   - rows: `count` numbers of rows, each within the section; one outside is a programmer's error.
  ///   - rowByteCount: from one row to the next; at least 1.
  /// - Throws: as `verify`, for the first row that is damaged.
  package func verify(rows: UnsafePointer<UInt32>, count: Int, rowByteCount: Int) throws(SegmentError) {
    if isVerified { return }
    let bits = verifiedBits
    let byteCount = byteCount
    for index in 0..<count {
      let start = unsafe Int(rows[index]) * rowByteCount
      let end = start + rowByteCount
      precondition(end <= byteCount, "row at \(start) of section \(kind), which has \(byteCount) bytes")
      let first = start >> Block.shift
      let last = (end - 1) >> Block.shift
      if last - first <= 1, bits.contains(block: first), bits.contains(block: last) { continue }
      try verify(start..<end)
    }
  }

  /// Verifies the whole section. Reads all of it unless that has been done before.
  package func verifyAll() throws(SegmentError) { try verify(0..<byteCount) }

  /// Tells the kernel how the section will be read. A hint.
  package func advise(_ advice: MemoryAdvice) { unsafe file.fileSystem.advise(bytes, advice) }

  // Two threads may verify the same block at once: both read the same bytes and reach the same verdict.
  @inline(never)
  private func verifyBlock(_ block: Int) throws(SegmentError) {
    if let error = entry.mismatch(inBlock: block, of: file) { throw error }
    let content = unsafe entry.bytes(ofBlock: block, of: file)
    if let validate = unsafe validate, unsafe !validate(content, block << Block.shift) {
      throw .invalidContent(section: kind, offset: block << Block.shift, path: file.path)
    }
    if verifiedBits.insert(block: block) { verifiedCount.add(1, ordering: .relaxed) }
  }
}

extension SectionEntry {
  func bytes(ofBlock block: Int, of file: MappedFile) -> UnsafeRawBufferPointer {
    let start = offset + block << Block.shift
    return unsafe file.bytes(start..<min(start + Block.byteCount, offset + byteCount))
  }

  /// Compares a block with its checksum, whatever has been verified before.
  func mismatch(inBlock block: Int, of file: MappedFile) -> SegmentError? {
    let expected = unsafe UInt32(
      littleEndian: file.bytes.load(fromByteOffset: checksumsOffset + 4 * block, as: UInt32.self))
    let found = unsafe crc32c(bytes(ofBlock: block, of: file))
    if found == expected { return nil }
    return .checksumMismatch(section: kind, block: block, expected: expected, found: found, path: file.path)
  }

  /// Compares the array of block checksums with the checksum that the header has of it.
  func checksumArrayMismatch(in file: MappedFile) -> SegmentError? {
    let found = unsafe crc32c(file.bytes(checksumsRange))
    if found == checksumsChecksum { return nil }
    return .checksumArrayMismatch(section: kind, expected: checksumsChecksum, found: found, path: file.path)
  }
}
