extension SegmentFile {
  /// Reads every byte of the file and reports all that is wrong with it; empty means that it is as it was written.
  ///
  /// Trusts nothing that was verified before. Cost: one pass over the file at the speed of the disk.
  package func check() -> [SegmentError] {
    var problems: [SegmentError] = []
    checkHeader(&problems)
    for section in header.sections {
      if let error = section.checksumArrayMismatch(in: file) { problems.append(error) }
      for block in 0..<section.blockCount {
        if block % Self.readAhead == 0 { adviseBlocks(from: block, of: section) }
        if let error = section.mismatch(inBlock: block, of: file) { problems.append(error) }
      }
    }
    checkPadding(&problems)
    return problems
  }

  /// Blocks to announce to the kernel at once: 8 MiB.
  private static let readAhead = 128

  // Announced piece by piece, as advice about the order would stay with the mapping, which searches share.
  private func adviseBlocks(from block: Int, of section: SectionEntry) {
    let start = section.offset + block << Block.shift
    let end = min(start + Self.readAhead << Block.shift, section.range.upperBound)
    unsafe file.fileSystem.advise(file.bytes(start..<end), .willNeed)
  }

  /// The header again, as the file has it now.
  private func checkHeader(_ problems: inout [SegmentError]) {
    do throws(SegmentError) {
      let page = unsafe file.bytes(0..<HeaderLayout.byteCount)
      _ = try unsafe SegmentHeader(decoding: page, fileLength: header.fileLength, path: path)
    } catch {
      problems.append(error)
    }
  }

  /// What no checksum covers is zero: one report for each gap that is not.
  private func checkPadding(_ problems: inout [SegmentError]) {
    var end = 0
    for part in header.parts.map(\.range) + [header.fileLength..<header.fileLength] {
      if let offset = unsafe firstNonZero(in: file.bytes(end..<part.lowerBound)) {
        problems.append(.nonZeroPadding(offset: end + offset, path: path))
      }
      end = part.upperBound
    }
  }
}
