import VidxSegments

/// The `parameters` section of an IVFFlat segment: 32 bytes, little-endian (docs/FORMAT.md).
struct IVFParameters: Sendable, Equatable {
  /// Lists in the file; at least 1.
  var listCount: UInt32
  /// Lists the index was made with; 0 when the builder chose.
  var requestedLists: UInt32
  /// Vectors there were when the centroids were trained.
  var trainedVectors: UInt32
  var seed: UInt64

  static let byteCount = 32
  private static let wordCount = 8

  var encoded: [UInt32] {
    [
      listCount, requestedLists, trainedVectors, 0, UInt32(truncatingIfNeeded: seed),
      UInt32(truncatingIfNeeded: seed >> 32), 0, 0,
    ]
  }

  /// Lists for a number of vectors, as pgvector advises: a thousandth up to a million, the square root above.
  static func defaultLists(vectorCount: Int) -> Int {
    let advised = vectorCount <= 1_000_000 ? vectorCount / 1000 : Int(Double(vectorCount).squareRoot())
    return min(max(advised, 1), IndexLimits.lists.upperBound)
  }

  /// Lists beside a graph of so many vectors: their square root, so that ranking them costs what scanning a list does.
  static func listsBesideGraph(vectorCount: Int) -> Int {
    min(max(Int(Double(vectorCount).squareRoot()), 1), IndexLimits.lists.upperBound)
  }

  /// Lists to scan when a query does not say, as pgvector advises: the square root of their number.
  static func defaultProbes(lists: Int) -> Int { max(1, Int(Double(lists).squareRoot().rounded())) }
}

extension IVFParameters {
  /// - Throws: `SegmentError.invalidContent` for values that no builder writes.
  init(_ section: Section) throws(SegmentError) {
    var words: [UInt32] = []
    for i in 0..<Self.wordCount { words.append(try section.load(UInt32.self, at: i)) }
    self.init(
      listCount: words[0], requestedLists: words[1], trainedVectors: words[2],
      seed: UInt64(words[4]) | UInt64(words[5]) << 32)
    guard listCount >= 1, IndexLimits.lists.contains(Int(listCount)), IndexLimits.lists.contains(Int(requestedLists))
    else { throw .invalidContent(section: .parameters, offset: 0, path: section.path) }
  }
}
