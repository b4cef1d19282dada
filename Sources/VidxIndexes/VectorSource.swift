package import VidxVectors

/// Rows to build a segment from, read in blocks in ascending order, possibly more than once.
package protocol VectorSource: Sendable {
  /// One row id a row; they must be distinct.
  var rowIDs: [Int64] { get }

  /// The values of the rows in each filter column of the index; empty stands for NULLs.
  var filterColumns: [ValueColumn] { get }

  /// Copies rows as the user gave them: row-major f32, `dimensions` floats a row, nothing between rows.
  /// - Parameter rows: positions in `rowIDs`; at most a few thousand at a time.
  func copyVectors(_ rows: Range<Int>, to destination: UnsafeMutablePointer<Float>) throws
}

/// Rows that are in memory.
package struct ArraySource: VectorSource {
  package let rowIDs: [Int64]
  package let vectors: [Float]
  package let dimensions: Int
  package let filterColumns: [ValueColumn]

  /// - Parameter vectors: rowIDs.count x dimensions, row-major.
  package init(rowIDs: [Int64], vectors: [Float], dimensions: Int, filterColumns: [ValueColumn] = []) {
    precondition(vectors.count == rowIDs.count * dimensions, "\(vectors.count) floats for \(rowIDs.count) rows")
    self.rowIDs = rowIDs
    self.vectors = vectors
    self.dimensions = dimensions
    self.filterColumns = filterColumns
  }

  package func copyVectors(_ rows: Range<Int>, to destination: UnsafeMutablePointer<Float>) {
    unsafe vectors.withUnsafeBufferPointer { all in
      guard let base = all.baseAddress else { return }
      unsafe destination.update(from: base + rows.lowerBound * dimensions, count: rows.count * dimensions)
    }
  }
}

/// Several sources, one after the other.
package struct ConcatenatedSource: VectorSource {
  package let rowIDs: [Int64]
  package let filterColumns: [ValueColumn]
  private let parts: [any VectorSource]
  private let starts: [Int]
  private let dimensions: Int

  package init(_ parts: [any VectorSource], dimensions: Int) {
    self.parts = parts
    self.dimensions = dimensions
    rowIDs = parts.flatMap(\.rowIDs)
    filterColumns = Self.filterColumns(of: parts)
    starts = parts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.rowIDs.count) }
  }

  private static func filterColumns(of parts: [any VectorSource]) -> [ValueColumn] {
    let columns = parts.map(\.filterColumns)
    return (0..<(columns.map(\.count).max() ?? 0)).map { i in
      var column = ValueColumn()
      for (part, columns) in zip(parts, columns) {
        column.append(i < columns.count ? columns[i] : ValueColumn(nulls: part.rowIDs.count))
      }
      return column
    }
  }

  package func copyVectors(_ rows: Range<Int>, to destination: UnsafeMutablePointer<Float>) throws {
    for (part, start) in zip(parts, starts) {
      let local = (rows.lowerBound - start)..<(rows.upperBound - start)
      let overlap = local.clamped(to: 0..<part.rowIDs.count)
      if overlap.isEmpty { continue }
      unsafe try part.copyVectors(
        overlap, to: destination + (overlap.lowerBound + start - rows.lowerBound) * dimensions)
    }
  }
}

/// Why a segment could not be built.
package enum BuildError: Error, Sendable, Equatable {
  /// The vector of a row cannot be indexed. `row` counts from 0 in the source's order.
  case badVector(row: Int, rowID: Int64, VectorError)
  case duplicateRowID(Int64)
  case tooManyRows(Int)
  /// The vectors cannot be coded as asked.
  case codec(CodecError)
  /// Not enough for a segment worth the name.
  case tooLittleMemory(bytes: Int, needed: Int)
  case cancelled
}

extension BuildError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .badVector(let row, let rowID, let error): "row \(row) (id \(rowID)): \(error)"
    case .duplicateRowID(let id): "row id \(id) occurs twice: row ids must be distinct"
    case .tooManyRows(let count): "\(count) rows do not fit into one segment (at most \(IndexLimits.entries))"
    case .codec(let error): "\(error)"
    case .tooLittleMemory(let bytes, let needed):
      "\(bytes >> 20) MiB of memory are too little to build with: give it \((needed >> 20) + 1) MiB or more"
    case .cancelled: "the build was cancelled; nothing was changed"
    }
  }
}
