import Testing

@testable import VidxSegments

@Suite("Damaged segments")
struct SegmentCorruptionTests {
  static let path = "/nowhere/damaged.seg"
  let bytes: [UInt8]
  let header: SegmentHeader

  init() throws {
    bytes = try SampleSegment.tiny.encoded()
    header = try SegmentFile(path: Self.path, fileSystem: MemoryFileSystem(bytes)).header
  }

  private func open(_ bytes: some Collection<UInt8>) throws(SegmentError) -> SegmentFile {
    try SegmentFile(path: Self.path, fileSystem: MemoryFileSystem(bytes))
  }

  @Test("Any flipped byte is found where it is: at opening, by verify, by check")
  func everyByte() throws {
    #expect(bytes.count < 20_000 && header.sections.count == 4)
    var damaged = bytes
    for offset in bytes.indices {
      damaged[offset] ^= 1 << UInt8(offset % 8)
      if let section = header.sections.first(where: { $0.range.contains(offset) }) {
        try expectFoundByVerify(damaged, section, offset)
      } else if offset < 4096 || header.sections.contains(where: { $0.checksumsRange.contains(offset) }) {
        expectFoundAtOpening(damaged, offset)
      } else {
        #expect(try open(damaged).check() == [.nonZeroPadding(offset: offset, path: Self.path)])
      }
      damaged[offset] = bytes[offset]
    }
  }

  private func expectFoundAtOpening(_ damaged: [UInt8], _ offset: Int) {
    let error = #expect(throws: SegmentError.self, "byte \(offset)") { try open(damaged) }
    switch error {
    case .notASegment?: #expect(offset < 8)
    case .headerChecksumMismatch?: #expect((8..<4096).contains(offset))
    case .checksumArrayMismatch(let kind, _, _, _)?:
      #expect(header.sections.contains { $0.kind == kind && $0.checksumsRange.contains(offset) }, "byte \(offset)")
    default: Issue.record("byte \(offset): \(String(describing: error))")
    }
  }

  private func expectFoundByVerify(_ damaged: [UInt8], _ entry: SectionEntry, _ offset: Int) throws {
    let file = try open(damaged)
    let section = try file.section(entry.kind, expecting: entry.byteCount)
    let position = offset - entry.offset
    let error = #expect(throws: SegmentError.self, "byte \(offset)") { try section.verify(position..<position + 1) }
    guard case .checksumMismatch(entry.kind, 0, _, _, _) = error else {
      Issue.record("byte \(offset): \(String(describing: error))")
      return
    }
    #expect(!section.isVerified && !section.isBlockVerified(containing: position))
    #expect(file.check() == [try #require(error)], "byte \(offset)")
  }

  @Test("Cut at any length, it is refused with both lengths")
  func everyLength() {
    for length in 0..<bytes.count {
      let expected: SegmentError =
        length < 8
        ? .notASegment(path: Self.path)
        : .truncated(expected: length < 4096 ? 4096 : bytes.count, found: length, path: Self.path)
      #expect(throws: expected, "length \(length)") { try open(bytes[..<length]) }
    }
  }

  @Test("Bytes behind the end are refused", arguments: [1, 4096])
  func trailing(count: Int) {
    let longer = bytes + Array(repeating: 0, count: count)
    #expect(
      throws: SegmentError.trailingBytes(expected: bytes.count, found: longer.count, path: Self.path)
    ) { try open(longer) }
  }

  @Test("check reports every problem, not the first one only")
  func allProblems() throws {
    var damaged = bytes
    let sections = header.sections.filter { $0.byteCount > 0 }
    for section in sections { damaged[section.offset] ^= 0x10 }
    let gap = sections[0].range.upperBound + 5
    damaged[gap] = 1
    let problems = try open(damaged).check()
    #expect(problems.count == sections.count + 1)
    #expect(problems.last == .nonZeroPadding(offset: gap, path: Self.path))
    for section in sections {
      let isNamed = problems.contains {
        if case .checksumMismatch(section.kind, 0, _, _, _) = $0 { true } else { false }
      }
      #expect(isNamed, "\(section.kind)")
    }
  }

  @Test("A damaged block does not keep the others from being read")
  func otherBlocks() throws {
    var damaged = try SampleSegment.section(.baseLinks, byteCount: 5 * 65_536 + 1).encoded()
    damaged[4096 + 2 * 65_536 + 77] ^= 1
    let section = try open(damaged).section(.baseLinks, expecting: 5 * 65_536 + 1)
    try section.verify(0..<2 * 65_536)
    try section.verify(3 * 65_536..<5 * 65_536 + 1)
    for _ in 0..<2 {
      let error = #expect(throws: SegmentError.self) { try section.verifyAll() }
      guard case .checksumMismatch(.baseLinks, 2, _, _, Self.path) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
    #expect((0...5).map { section.isBlockVerified(containing: $0 * 65_536) } == [true, true, false, true, true, true])
  }
}
