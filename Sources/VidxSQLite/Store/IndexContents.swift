internal import VidxIndexes
internal import VidxSegments

/// What an index holds, in numbers.
package struct IndexContents: Sendable {
  package struct Segment: Sendable {
    package let file: String
    /// Those that are deleted or replaced included.
    package let rows: Int
    package let bytes: Int
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
  /// What the index holds, in the state last refreshed to.
  package func contents() throws -> IndexContents {
    let segments = views.map {
      IndexContents.Segment(file: $0.fileName, rows: $0.index.entryCount, bytes: $0.index.file.byteCount)
    }
    return IndexContents(
      name: table, segments: segments, rows: liveCount, deltaRows: delta?.cache.count ?? 0,
      deletedRows: views.reduce(0) { $0 + $1.index.entryCount - $1.liveCount })
  }
}
