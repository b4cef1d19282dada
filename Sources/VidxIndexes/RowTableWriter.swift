import VidxSegments

/// Puts the rows of a new segment in order: entries grouped by vector, and the way back from row ids.
struct RowTableWriter {
  private(set) var rowIDs: [Int64]
  private(set) var sortedRowIDs: [Int64]
  private(set) var sortedEntries: [UInt32]
  /// Empty when every row has a vector of its own.
  private(set) var entryStarts: [UInt32]
  /// Empty when nothing was normalised away.
  private(set) var norms: [Float]
  /// The entry of each row, in the order they were given.
  private(set) var entryOf: [UInt32]

  /// - Parameters:
  ///   - ordinals: of each row, the position its vector gets in the file; `DistinctVectors.none` for a zero vector.
  ///   - vectorCount: distinct vectors in the file; each must have a row.
  /// - Throws: `BuildError.duplicateRowID`.
  init(rowIDs ids: [Int64], ordinals: [UInt32], norms lengths: [Float], vectorCount: Int) throws(BuildError) {
    let byID = Self.order(ids)
    for i in byID.indices.dropFirst() where ids[Int(byID[i - 1])] == ids[Int(byID[i])] {
      throw .duplicateRowID(ids[Int(byID[i])])
    }
    // Counting sort by vector, stable over ascending row ids; zero vectors go behind all others.
    var starts = [UInt32](repeating: 0, count: vectorCount + 2)
    for ordinal in ordinals { starts[min(Int(ordinal), vectorCount) + 1] += 1 }
    for i in 1..<starts.count { starts[i] += starts[i - 1] }
    var next = starts
    var entries = [UInt32](repeating: 0, count: ids.count)
    rowIDs = [Int64](repeating: 0, count: ids.count)
    norms = [Float](repeating: 1, count: ids.count)
    entryOf = [UInt32](repeating: 0, count: ids.count)
    for (position, row) in byID.enumerated() {
      let group = min(Int(ordinals[Int(row)]), vectorCount)
      let entry = next[group]
      next[group] += 1
      entries[position] = entry
      entryOf[Int(row)] = entry
      rowIDs[Int(entry)] = ids[Int(row)]
      norms[Int(entry)] = lengths[Int(row)]
    }
    sortedEntries = entries
    sortedRowIDs = byID.map { ids[Int($0)] }
    entryStarts = Array(starts.dropLast())
    if vectorCount == ids.count { entryStarts = [] }
    if norms.allSatisfy({ $0 == 1 }) { norms = [] }
  }

  private static func order(_ ids: [Int64]) -> [UInt32] {
    var order = ids.indices.map { UInt32($0) }
    let isSorted = zip(ids, ids.dropFirst()).allSatisfy { $0 <= $1 }
    if !isSorted { order.sort { ids[Int($0)] < ids[Int($1)] } }
    return order
  }

  func write(to writer: inout SegmentWriter) throws(SegmentError) {
    try writer.write(.rowIDs, rowIDs)
    try writer.write(.sortedRowIDs, sortedRowIDs)
    try writer.write(.sortedEntries, sortedEntries)
    if !entryStarts.isEmpty { try writer.write(.entryStarts, entryStarts) }
    if !norms.isEmpty { try writer.write(.norms, norms) }
  }
}

extension SegmentWriter {
  /// Writes a whole section.
  mutating func write<T: BitwiseCopyable>(_ kind: SectionKind, _ elements: [T]) throws(SegmentError) {
    try begin(kind)
    try append(elements)
  }

  mutating func append<T: BitwiseCopyable>(_ elements: [T]) throws(SegmentError) {
    // The closure cannot throw a typed error across `withUnsafeBytes`: carry it out.
    var failure: SegmentError?
    unsafe elements.withUnsafeBytes { bytes in
      do throws(SegmentError) { unsafe try append(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}
