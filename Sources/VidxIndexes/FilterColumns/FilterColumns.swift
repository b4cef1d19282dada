package import VidxSegments
import VidxVectors

/// The filter columns of a segment: which values there are, which entries have each, which value each entry has. A view
/// of mapped sections; immutable.
@safe package struct FilterColumns: Sendable {
  /// How a value is stored.
  enum ValueKind: UInt32 {
    case null = 0
    case integer, real, text, blob
  }

  struct Column: Sendable {
    /// Distinct values.
    let valueCount: Int
    /// Of the first value among those of all columns.
    let firstValue: Int
    /// Of the first start, likewise.
    let firstStart: Int
  }

  /// A kind and a length of 32 bits, and 64 bits: a number, or where the bytes of a text or BLOB begin.
  static let valueByteCount = 16

  let entryCount: Int
  let columns: [Column]
  private let values: Section
  private let bytes: Section
  let starts: Section
  let entries: Section
  let ranks: Section

  /// - Returns: nil when the segment has no filter columns.
  init?(_ file: SegmentFile) throws(SegmentError) {
    guard let byteCount = file.byteCount(of: .filterColumns) else { return nil }
    let entryCount = file.description.entryCount
    let directory = try file.section(.filterColumns, expecting: byteCount)
    guard byteCount % 4 == 0, (1...IndexLimits.filterColumns).contains(byteCount / 4) else {
      throw .wrongSectionLength(section: .filterColumns, expected: 4, found: byteCount, path: file.path)
    }
    var columns: [Column] = []
    var (valueCount, startCount) = (0, 0)
    for i in 0..<byteCount / 4 {
      let count = Int(try directory.load(UInt32.self, at: i))
      // Each value is that of an entry at least.
      guard count <= entryCount, (count == 0) == (entryCount == 0) else {
        throw .invalidContent(section: .filterColumns, offset: 0, path: file.path)
      }
      columns.append(Column(valueCount: count, firstValue: valueCount, firstStart: startCount))
      valueCount += count
      startCount += count + 1
    }
    self.entryCount = entryCount
    let found = columns
    self.columns = found
    let content = file.byteCount(of: .filterBytes) ?? 0
    bytes = try file.section(.filterBytes, expecting: content)
    values = unsafe try file.section(.filterValues, expecting: valueCount * Self.valueByteCount) { block, _ in
      unsafe Validation.areValues(block, byteCount: content)
    }
    starts = unsafe try file.section(.filterStarts, expecting: startCount * 4) { block, offset in
      unsafe Validation.areStarts(block, at: offset, found, upTo: UInt32(entryCount))
    }
    entries = unsafe try file.section(.filterEntries, expecting: columns.count * entryCount * 4) { block, _ in
      unsafe Validation.allBelow(UInt32(entryCount), in: block)
    }
    ranks = unsafe try file.section(.filterRanks, expecting: columns.count * entryCount * 4) { block, offset in
      unsafe Validation.areRanks(block, at: offset, found, entryCount: entryCount)
    }
  }

  /// How many columns there are.
  package var count: Int { columns.count }

  // MARK: Values

  /// The value of an entry.
  package func value(column: Int, entry: Int) throws(SegmentError) -> ColumnValue {
    try value(column: column, rank: Int(try ranks.load(UInt32.self, at: column * entryCount + entry)))
  }

  /// The values of some entries, in their order.
  package func column(_ column: Int, entries: [UInt32]) throws(SegmentError) -> ValueColumn {
    var codes: [UInt32] = []
    codes.reserveCapacity(entries.count)
    for entry in entries { codes.append(try ranks.load(UInt32.self, at: column * entryCount + Int(entry))) }
    var values: [ColumnValue] = []
    for rank in 0..<columns[column].valueCount { values.append(try value(column: column, rank: rank)) }
    return ValueColumn(values: values, codes: codes)
  }

  func value(column: Int, rank: Int) throws(SegmentError) -> ColumnValue {
    let (kind, payload, content) = unsafe try stored(column: column, rank: rank)
    return switch kind {
    case .null: .null
    case .integer: .integer(Int64(bitPattern: payload))
    case .real: .number(Double(bitPattern: payload))
    case .text: .text(unsafe Array(content))
    case .blob: .blob(unsafe Array(content))
    }
  }

  /// The value at a rank against another, without copying it.
  func compare(column: Int, rank: Int, with other: ColumnValue) throws(SegmentError) -> Int {
    let (kind, payload, content) = unsafe try stored(column: column, rank: rank)
    switch (kind, other) {
    case (.null, _): return ColumnValue.compare(.null, other)
    case (.integer, _): return ColumnValue.compare(.integer(Int64(bitPattern: payload)), other)
    case (.real, _): return ColumnValue.compare(.number(Double(bitPattern: payload)), other)
    case (.text, .text(let bytes)), (.blob, .blob(let bytes)):
      return unsafe bytes.withUnsafeBytes { unsafe ColumnValue.compare(content, $0) }
    case (.text, _): return ColumnValue.compare(.text([]), other)
    case (.blob, _): return ColumnValue.compare(.blob([]), other)
    }
  }

  private func stored(
    column: Int, rank: Int
  ) throws(SegmentError) -> (kind: ValueKind, payload: UInt64, content: UnsafeRawBufferPointer) {
    let place = 2 * (columns[column].firstValue + rank)
    let head = try values.load(UInt64.self, at: place)
    let payload = try values.load(UInt64.self, at: place + 1)
    guard let kind = ValueKind(rawValue: UInt32(truncatingIfNeeded: head)) else {
      throw .invalidContent(section: .filterValues, offset: place * 8, path: values.path)
    }
    let length = Int(head >> 32)
    guard length > 0 else { return unsafe (kind, payload, UnsafeRawBufferPointer(start: nil, count: 0)) }
    // In range: the block of the value has been validated.
    let range = Int(payload)..<Int(payload) + length
    try bytes.verify(range)
    return unsafe (kind, payload, UnsafeRawBufferPointer(rebasing: bytes.bytes[range]))
  }
}

extension IndexLimits {
  /// Filter columns of an index.
  package static let filterColumns = 64
}

// MARK: Checks

extension Validation {
  /// Kinds are known, bytes are within theirs, numbers are numbers.
  static func areValues(_ block: UnsafeRawBufferPointer, byteCount: Int) -> Bool {
    for offset in stride(from: 0, to: block.count, by: FilterColumns.valueByteCount) {
      let head = unsafe block.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      let payload = unsafe block.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
      let length = head >> 32
      switch FilterColumns.ValueKind(rawValue: UInt32(truncatingIfNeeded: head)) {
      case .null, .integer: if length != 0 { return false }
      case .real: if length != 0 || Double(bitPattern: payload).isNaN { return false }
      case .text, .blob: if length > UInt64(byteCount) || payload > UInt64(byteCount) - length { return false }
      case nil: return false
      }
    }
    return true
  }

  /// The starts of each column begin with 0, do not descend, and end with `limit`.
  static func areStarts(
    _ block: UnsafeRawBufferPointer, at offset: Int, _ columns: [FilterColumns.Column], upTo limit: UInt32
  ) -> Bool {
    let words = unsafe block.assumingMemoryBound(to: UInt32.self)
    let first = offset / 4
    for column in columns {
      let range = column.firstStart..<column.firstStart + column.valueCount + 1
      for i in range.clamped(to: first..<first + words.count) {
        let word = unsafe words[i - first]
        if word > limit || (i == range.lowerBound && word != 0) || (i == range.upperBound - 1 && word != limit) {
          return false
        }
        // The section is mapped as a whole: the word before is there, in the block before if need be.
        guard i > range.lowerBound, let base = block.baseAddress else { continue }
        if unsafe (base + (i - first) * 4 - 4).loadUnaligned(as: UInt32.self) > word { return false }
      }
    }
    return true
  }

  /// Every rank is below the number of its column's values.
  static func areRanks(
    _ block: UnsafeRawBufferPointer, at offset: Int, _ columns: [FilterColumns.Column], entryCount: Int
  ) -> Bool {
    let words = unsafe block.assumingMemoryBound(to: UInt32.self)
    let first = offset / 4
    for (i, column) in columns.enumerated() {
      let range = (i * entryCount..<(i + 1) * entryCount).clamped(to: first..<first + words.count)
      if range.isEmpty { continue }
      var largest: UInt32 = 0
      for i in range { unsafe largest = max(largest, words[i - first]) }
      if largest >= UInt32(column.valueCount) { return false }
    }
    return true
  }
}
