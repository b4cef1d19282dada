/// Some consecutive rows of a source.
package struct PartOfSource: VectorSource {
  package let rowIDs: [Int64]
  package let filterColumns: [ValueColumn]
  private let source: any VectorSource
  private let start: Int

  package init(_ source: any VectorSource, _ rows: Range<Int>) {
    self.source = source
    start = rows.lowerBound
    rowIDs = Array(source.rowIDs[rows])
    filterColumns = source.filterColumns.map { $0.rows(rows) }
  }

  package func copyVectors(_ rows: Range<Int>, to destination: UnsafeMutablePointer<Float>) throws {
    unsafe try source.copyVectors(rows.lowerBound + start..<rows.upperBound + start, to: destination)
  }
}
