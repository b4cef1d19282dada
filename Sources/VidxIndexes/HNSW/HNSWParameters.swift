import VidxSegments

/// The `parameters` section of an HNSW segment: 48 bytes, little-endian (docs/FORMAT.md).
struct HNSWParameters: Sendable, Equatable {
  /// Links a node has at most in the upper layers (M).
  var m: UInt32
  /// Links a node has at most at the base (M0 = 2M).
  var baseDegree: UInt32
  var efConstruction: UInt32
  /// The highest layer that has a node; 0 when there is only the base.
  var maxLevel: UInt32
  /// Where a search starts: an upper node when maxLevel > 0, otherwise an ordinal.
  var entryPoint: UInt32
  /// Nodes above the base, and lists of links they have together.
  var upperCount: UInt32
  var upperListCount: UInt32
  var seed: UInt64

  static let byteCount = 48
  private static let wordCount = 12

  var encoded: [UInt32] {
    [
      m, baseDegree, efConstruction, maxLevel, entryPoint, upperCount, upperListCount, 0,
      UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32), 0, 0,
    ]
  }
}

extension HNSWParameters {
  /// - Throws: `SegmentError.invalidContent` for values that no builder writes.
  init(_ section: Section, vectorCount: Int) throws(SegmentError) {
    var words: [UInt32] = []
    for i in 0..<Self.wordCount { words.append(try section.load(UInt32.self, at: i)) }
    self.init(
      m: words[0], baseDegree: words[1], efConstruction: words[2], maxLevel: words[3], entryPoint: words[4],
      upperCount: words[5], upperListCount: words[6], seed: UInt64(words[8]) | UInt64(words[9]) << 32)
    let entryLimit = maxLevel > 0 ? Int(upperCount) : max(vectorCount, 1)
    guard IndexLimits.m.contains(Int(m)), baseDegree == 2 * m, Int(upperCount) <= vectorCount,
      maxLevel <= HNSWLevels.maximum,
      Int(entryPoint) < entryLimit, upperListCount >= upperCount, UInt64(upperListCount) <= UInt64(upperCount) * 64
    else { throw .invalidContent(section: .parameters, offset: 0, path: section.path) }
  }
}
