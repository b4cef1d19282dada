import VidxIndexes
import VidxSegments
import VidxVectors

/// Vectors of a content table, read and checked, but not yet part of the index.
enum ContentImage {
  /// Few rows, or no file to put a segment beside: they go to the delta.
  case rows([(rowID: Int64, row: StoredRow)])
  case segments([PublishedSegment])
}

extension IndexStore {
  /// From so many rows on a content table is indexed straight into segments.
  package static let segmentThreshold = 1_000

  /// Reads a whole content table. Changes nothing in the database.
  /// - Throws: `StoreError.contentRow` for the first row whose vector cannot be indexed.
  func image(of content: ContentTable, options: BuildOptions) throws -> ContentImage {
    let configuration = definition.configuration
    let source = try ContentRows(content, dimensions: configuration.dimensions, metric: configuration.metric)
    defer { source.finish() }
    if folder == nil || source.rowIDs.count < Self.segmentThreshold {
      return .rows(try rows(of: source))
    }
    return .segments(try buildSegments(source, options: options))
  }

  private func rows(of source: ContentRows) throws -> [(rowID: Int64, row: StoredRow)] {
    var rows: [(rowID: Int64, row: StoredRow)] = []
    rows.reserveCapacity(source.rowIDs.count)
    var vector = [Float](repeating: 0, count: definition.configuration.dimensions)
    for (i, rowID) in source.rowIDs.enumerated() {
      try unsafe vector.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return }
        unsafe try source.copyVectors(i..<i + 1, to: base)
      }
      rows.append((rowID, StoredRow(vector: vector, values: source.filterColumns.map { $0[i] })))
    }
    return rows
  }

  /// Makes an image part of an index that holds no rows.
  func adopt(_ image: ContentImage, after revision: Revision) throws {
    var revision = revision.next()
    switch image {
    case .rows(let rows):
      for (rowID, row) in rows { try writeDelta(.insertDelta, rowID, row, stamp: revision.stamp) }
    case .segments(let segments):
      unsettledFiles += segments
      for published in segments {
        try name(published, entryCount: settling { try SegmentIndex.open(path: published.path).entryCount })
      }
    }
    revision.deltaMark = Revision.random()
    revision.settledMark = Revision.random()
    try write(revision)
  }
}
