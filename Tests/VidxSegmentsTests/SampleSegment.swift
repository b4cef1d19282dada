@testable import VidxSegments

/// A small segment for tests: what is in it, and the writing of it.
struct SampleSegment {
  var description = SegmentDescription(
    identifier: SegmentIdentifier(low: 0x0706_0504_0302_0100, high: 0x0F0E_0D0C_0B0A_0908), indexKind: .flat,
    metric: 2, dimensions: 3, vectorCount: 2, entryCount: 3)
  var sections: [(kind: SectionKind, bytes: [UInt8])]
  var fileName = "sample-1.seg"

  /// Two vectors, three rows: every offset of the file can be tried one by one.
  static let tiny = SampleSegment(sections: [
    (
      .vectors,
      littleEndian([1, 2, 3] + Array(repeating: 0, count: 13) + [4, 5, 6.5] + Array(repeating: 0, count: 13))
    ),
    (.rowIDs, littleEndian([7, -2, 900] as [Int64])),
    (.entryStarts, littleEndian([0, 2, 3] as [UInt32])),
    (.norms, []),
  ])

  /// A section of `byteCount` bytes that differ from block to block.
  static func section(_ kind: SectionKind, byteCount: Int) -> SampleSegment {
    SampleSegment(sections: [(kind, pattern(byteCount))])
  }

  static func pattern(_ byteCount: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < byteCount {
      bytes.append(UInt8(truncatingIfNeeded: bytes.count / patternPeriod.count))
      bytes += patternPeriod.prefix(byteCount - bytes.count)
    }
    return bytes
  }

  private static let patternPeriod = (0..<10_006).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8 &* 7) }

  /// Writes and publishes it, appending `piece` bytes at a time.
  func publish(
    in directory: String, piece: Int = .max, fileSystem: any FileSystem = POSIXFileSystem()
  ) throws(SegmentError) -> PublishedSegment {
    var writer = try SegmentWriter(
      directory: directory, fileName: fileName, description: description, fileSystem: fileSystem)
    for section in sections {
      try writer.begin(section.kind)
      var rest = section.bytes[...]
      while !rest.isEmpty {
        try writer.append(rest.prefix(piece))
        rest = rest.dropFirst(piece)
      }
    }
    return try writer.publish()
  }

  /// The bytes of the file.
  func encoded() throws -> [UInt8] {
    let directory = try TemporaryDirectory()
    return try directory.contents(of: publish(in: directory.path).path)
  }
}

extension SegmentWriter {
  mutating func append(_ bytes: ArraySlice<UInt8>) throws(SegmentError) {
    var failure: SegmentError?
    unsafe bytes.withUnsafeBytes { buffer in
      do throws(SegmentError) { try unsafe append(buffer) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}

extension Section {
  var contents: [UInt8] { unsafe [UInt8](bytes) }
}

func littleEndian(_ values: [Float]) -> [UInt8] { littleEndian(values.map(\.bitPattern)) }

func littleEndian<Value: FixedWidthInteger>(_ values: [Value]) -> [UInt8] {
  values.flatMap { value in
    stride(from: 0, to: Value.bitWidth, by: 8).map { UInt8(truncatingIfNeeded: value >> Value($0)) }
  }
}
