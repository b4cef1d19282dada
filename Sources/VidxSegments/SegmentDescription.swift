/// How the vectors of a segment are searched. The raw value is its code in the file.
package enum IndexKind: UInt32, Sendable, CaseIterable {
  case flat = 1
  case ivfflat = 2
  case hnsw = 3
}

/// What the header of a segment says about its contents.
package struct SegmentDescription: Sendable, Equatable {
  package var identifier: SegmentIdentifier
  package var indexKind: IndexKind
  /// Code of the metric: 1 cosine, 2 l2, 3 inner product, 4 l1.
  package var metric: UInt32
  /// Code of the codec: 1 f32, 2 f16, 3 int8, 4 int4, 5 rabitq, 6, 7, 8 rabitq with 2, 4, 6 further bits.
  package var codec: UInt32
  /// Numbers in a vector, 1...65,536.
  package var dimensions: Int
  /// Distinct vectors, at most `entryCount`.
  package var vectorCount: Int
  /// Rows, at most 2^32 - 2: an entry is a UInt32 and 0xFFFFFFFF means "none".
  package var entryCount: Int

  package init(
    identifier: SegmentIdentifier, indexKind: IndexKind, metric: UInt32, codec: UInt32 = 1, dimensions: Int,
    vectorCount: Int, entryCount: Int
  ) {
    self.identifier = identifier
    self.indexKind = indexKind
    self.metric = metric
    self.codec = codec
    self.dimensions = dimensions
    self.vectorCount = vectorCount
    self.entryCount = entryCount
  }
}

extension SegmentDescription {
  static let metrics: ClosedRange<UInt32> = 1...4
  static let codecs: ClosedRange<UInt32> = 1...8
  static let dimensionLimits: ClosedRange<Int> = 1...65_536
  static let maximumEntryCount = Int(UInt32.max) - 1

  /// Refuses what the format cannot express; reader and writer apply the same rules.
  func validate(path: String) throws(SegmentError) {
    func refuse(_ field: HeaderField, _ value: Int) -> SegmentError {
      .invalidHeader(field: field, value: UInt64(truncatingIfNeeded: value), path: path)
    }
    guard Self.metrics.contains(metric) else { throw refuse(.metric, Int(metric)) }
    guard Self.codecs.contains(codec) else { throw refuse(.codec, Int(codec)) }
    guard Self.dimensionLimits.contains(dimensions) else { throw refuse(.dimensions, dimensions) }
    guard (0...Self.maximumEntryCount).contains(entryCount) else { throw refuse(.entryCount, entryCount) }
    guard (0...entryCount).contains(vectorCount) else { throw refuse(.vectorCount, vectorCount) }
  }
}
