internal import VidxIndexes
internal import VidxSegments
package import VidxVectors

/// What an index holds, in numbers.
package struct IndexContents: Sendable {
  package struct Segment: Sendable {
    package let file: String
    /// Those that are deleted or replaced included.
    package let rows: Int
    package let bytes: Int
    package let codec: Codec
    /// Bytes of each code; with codec f32 of each vector.
    package let bytesPerCode: Int
  }

  package let name: String
  package let segments: [Segment]
  /// Rows that live in segments or in the delta.
  package let rows: Int
  /// Rows not yet in a segment.
  package let deltaRows: Int
  /// Rows of segments that are deleted or replaced.
  package let deletedRows: Int
}

extension IndexStore {
  /// The segments in the state that the connection sees. Opens them.
  package func segments() throws -> [IndexContents.Segment] {
    try refresh(includingDelta: false)
    return segmentsLastSeen
  }

  /// What the index holds, in the state last refreshed to.
  package func contents() throws -> IndexContents {
    IndexContents(
      name: table, segments: segmentsLastSeen, rows: liveCount, deltaRows: delta?.cache.count ?? 0,
      deletedRows: views.reduce(0) { $0 + $1.index.entryCount - $1.liveCount })
  }

  private var segmentsLastSeen: [IndexContents.Segment] {
    views.map {
      IndexContents.Segment(
        file: $0.fileName, rows: $0.index.entryCount, bytes: $0.index.file.byteCount, codec: $0.index.coded.codec,
        bytesPerCode: $0.index.coded.bytesPerVector)
    }
  }
}
