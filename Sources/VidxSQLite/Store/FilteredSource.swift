import VidxIndexes

/// Rows with as many filter columns as their index has: NULLs where the source has none.
struct FilteredSource: VectorSource {
  private let source: any VectorSource
  private let columnCount: Int

  init(_ source: any VectorSource, columnCount: Int) {
    self.source = source
    self.columnCount = columnCount
  }

  var rowIDs: [Int64] { source.rowIDs }

  var filterColumns: [ValueColumn] {
    let columns = source.filterColumns
    return (0..<columnCount).map { $0 < columns.count ? columns[$0] : ValueColumn(nulls: source.rowIDs.count) }
  }

  func copyVectors(_ rows: Range<Int>, to destination: UnsafeMutablePointer<Float>) throws {
    unsafe try source.copyVectors(rows, to: destination)
  }
}
