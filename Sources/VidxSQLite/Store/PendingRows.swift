import VidxIndexes

/// Which inserts are many.
package struct BulkPolicy: Sendable {
  /// Rows that a transaction inserts one by one before it keeps others in memory.
  var fewInserts = 64
  /// Of rows, for which a file of their own pays: the two waits for the disk are as dear as a thousand pages.
  var fewestBytes = 1 << 20
  /// Of rows that are kept in memory; while they are written they are there a second time.
  var mostBytes = 64 << 20
  /// Each is opened with the index, and searched for itself.
  var mostSegments = 64

  package init() {}
}

/// Rows that the open transaction has inserted and that are in no table yet: see `IndexStore.insertInBulk`.
struct PendingRows {
  private(set) var rowIDs: [Int64] = []
  /// Row-major, `dimensions` floats a row.
  private var vectors: [Float] = []
  private var columns: [ValueColumn]
  private var known: Set<Int64> = []
  private var byteCountOfValues = 0
  private var highest: Int64
  /// No row of the index beside these has a higher id.
  let highestBeside: Int64
  let dimensions: Int

  init(dimensions: Int, columnCount: Int, highestBeside: Int64) {
    self.dimensions = dimensions
    self.highestBeside = highestBeside
    highest = highestBeside
    columns = (0..<columnCount).map { _ in ValueColumn() }
  }

  var count: Int { rowIDs.count }

  /// What they take in memory, about: of each besides vector and texts its id, twice, and a code for each value.
  var byteCount: Int { vectors.count * MemoryLayout<Float>.stride + count * 64 + byteCountOfValues }

  func contains(_ rowID: Int64) -> Bool { rowID <= highest && known.contains(rowID) }

  /// One more than the highest id of all, 1 at least; nil when there is none.
  var nextRowID: Int64? { highest == .max ? nil : max(highest, 0) + 1 }

  mutating func append(_ rowID: Int64, _ row: StoredRow) {
    rowIDs.append(rowID)
    known.insert(rowID)
    highest = max(highest, rowID)
    vectors += row.vector
    for i in columns.indices {
      switch row.values[i] {
      case .text(let bytes), .blob(let bytes): byteCountOfValues += bytes.count
      default: break
      }
      columns[i].append(row.values[i])
    }
  }

  func row(_ i: Int) -> StoredRow {
    StoredRow(vector: Array(vectors[i * dimensions..<(i + 1) * dimensions]), values: columns.map { $0[i] })
  }

  /// All of them, as rows to build a segment from.
  var source: ArraySource {
    ArraySource(rowIDs: rowIDs, vectors: vectors, dimensions: dimensions, filterColumns: columns)
  }
}
