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
  package let settings: MaintenanceSettings
}

extension IndexStore {
  /// The segments in the state that the connection sees, but for those whose files are missing, damaged or of another
  /// index: what is wrong with these, `integrityCheck` says. Opens the files one by one.
  /// - Throws: `SQLiteError`.
  package func readableSegments() throws -> [IndexContents.Segment] {
    let manifest = try tables.statement(.segments)
    defer { manifest.reset() }
    var segments: [IndexContents.Segment] = []
    while try manifest.step() {
      let file = try manifest.textOrNull(1) ?? ""
      guard let index = try? openSegment(file, entryCount: manifest.int64(2)) else { continue }
      segments.append(IndexContents.Segment(file, index))
    }
    return segments
  }

  /// What the index holds, in the state last refreshed to.
  package func contents() throws -> IndexContents {
    IndexContents(
      name: table, segments: segmentsLastSeen, rows: liveCount, deltaRows: delta?.cache.count ?? 0,
      deletedRows: views.reduce(0) { $0 + $1.index.entryCount - $1.liveCount },
      settings: try maintenanceSettings())
  }

  private var segmentsLastSeen: [IndexContents.Segment] {
    views.map { IndexContents.Segment($0.fileName, $0.index) }
  }
}

extension IndexContents.Segment {
  fileprivate init(_ file: String, _ index: SegmentIndex) {
    self.init(
      file: file, rows: index.entryCount, bytes: index.file.byteCount, codec: index.coded.codec,
      bytesPerCode: index.coded.bytesPerVector)
  }
}
