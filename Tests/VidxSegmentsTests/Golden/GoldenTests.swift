import Testing

@testable import VidxSegments

@Suite("Segments of earlier releases")
struct GoldenTests {
  @Test("Version 1 is read, whole and unchanged")
  func version1() throws {
    let file = try SegmentFile(path: "/nowhere/golden.seg", fileSystem: MemoryFileSystem(GoldenVersion1.bytes))
    #expect(file.check() == [])
    #expect(file.description == GoldenVersion1.sample.description)
    #expect(file.description.identifier.description == "00112233-4455-6677-8899-aabbccddeeff")
    for (kind, bytes) in GoldenVersion1.sample.sections {
      let section = try file.section(kind, expecting: bytes.count)
      try section.verifyAll()
      #expect(section.contents == bytes, "\(kind)")
    }
  }

  @Test("The writer still writes version 1, byte for byte")
  func writer() throws {
    // Compared outside #expect: a failure would print both files.
    let isSame = try GoldenVersion1.sample.encoded() == GoldenVersion1.bytes
    #expect(isSame)
  }
}
