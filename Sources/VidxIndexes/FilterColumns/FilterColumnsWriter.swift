import VidxSegments

/// The filter columns of a new segment: values sorted, entries in the order of their values (docs/FORMAT.md).
struct FilterColumnsWriter {
  private var valueCounts: [UInt32] = []
  private var values: [UInt64] = []
  private var bytes: [UInt8] = []
  private var starts: [UInt32] = []
  private var entries: [[UInt32]] = []
  private var ranks: [[UInt32]] = []

  /// - Parameters:
  ///   - columns: as many rows each as there are entries.
  ///   - entryOf: the entry of each row.
  init(_ columns: [ValueColumn], entryOf: [UInt32]) {
    for column in columns { add(column, entryOf) }
  }

  private mutating func add(_ column: ValueColumn, _ entryOf: [UInt32]) {
    precondition(column.count == entryOf.count, "\(column.count) values for \(entryOf.count) rows")
    var uses = [UInt32](repeating: 0, count: column.values.count)
    for code in column.codes { uses[Int(code)] += 1 }
    let order = column.values.indices.filter { uses[$0] > 0 }
      .sorted { ColumnValue.isBefore(column.values[$0], column.values[$1]) }
    var rankOf = [UInt32](repeating: 0, count: column.values.count)
    var next: [UInt32] = []
    var total: UInt32 = 0
    for (rank, code) in order.enumerated() {
      rankOf[code] = UInt32(rank)
      next.append(total)
      total += uses[code]
      add(column.values[code])
    }
    valueCounts.append(UInt32(order.count))
    starts += next + [total]
    var rankOfEntry = [UInt32](repeating: 0, count: entryOf.count)
    for (row, code) in column.codes.enumerated() { rankOfEntry[Int(entryOf[row])] = rankOf[Int(code)] }
    var sorted = [UInt32](repeating: 0, count: entryOf.count)
    for (entry, rank) in rankOfEntry.enumerated() {
      sorted[Int(next[Int(rank)])] = UInt32(entry)
      next[Int(rank)] += 1
    }
    entries.append(sorted)
    ranks.append(rankOfEntry)
  }

  private mutating func add(_ value: ColumnValue) {
    switch value {
    case .null: values += [UInt64(FilterColumns.ValueKind.null.rawValue), 0]
    case .integer(let integer):
      values += [UInt64(FilterColumns.ValueKind.integer.rawValue), UInt64(bitPattern: integer)]
    case .real(let real): values += [UInt64(FilterColumns.ValueKind.real.rawValue), real.bitPattern]
    case .text(let text): add(text, .text)
    case .blob(let blob): add(blob, .blob)
    }
  }

  private mutating func add(_ content: [UInt8], _ kind: FilterColumns.ValueKind) {
    values += [UInt64(kind.rawValue) | UInt64(content.count) << 32, UInt64(bytes.count)]
    bytes += content
  }

  /// Writes nothing when there are no columns.
  func write(to writer: inout SegmentWriter) throws(SegmentError) {
    if valueCounts.isEmpty { return }
    try writer.write(.filterColumns, valueCounts)
    try writer.write(.filterValues, values)
    try writer.write(.filterBytes, bytes)
    try writer.write(.filterStarts, starts)
    try writer.begin(.filterEntries)
    for column in entries { try writer.append(column) }
    try writer.begin(.filterRanks)
    for column in ranks { try writer.append(column) }
  }
}
