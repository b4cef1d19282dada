import VidxSegments
import VidxVectors

/// Rows of a segment: which entry a row id has, which vector an entry has. A view of mapped sections; immutable.
@safe struct RowTable: Sendable {
  let entryCount: Int
  let vectorCount: Int
  private let rowIDs: Section
  let sortedRowIDs: Section
  let sortedEntries: Section
  let entryStarts: Section?
  private let norms: Section?
  /// Of the ids in order, and of the entries that are the first of a vector.
  let idRanks = RowRanks()
  let vectorRanks = RowRanks()

  init(_ file: SegmentFile) throws(SegmentError) {
    let entries = file.description.entryCount
    let vectors = file.description.vectorCount
    entryCount = entries
    vectorCount = vectors
    rowIDs = try file.section(.rowIDs, expecting: entries * 8)
    sortedRowIDs = try file.section(.sortedRowIDs, expecting: entries * 8)
    sortedEntries = unsafe try file.section(.sortedEntries, expecting: entries * 4) { block, _ in
      unsafe Validation.allBelow(UInt32(entries), in: block)
    }
    entryStarts = unsafe try file.optionalSection(.entryStarts, expecting: (vectors + 1) * 4) { block, offset in
      unsafe Validation.isAscending(block, at: offset, upTo: UInt32(entries))
    }
    norms = try file.optionalSection(.norms, expecting: entries * 4)
    // Without the table entries are taken for ordinals.
    guard entryStarts != nil || vectors == entries else {
      throw .invalidContent(section: .entryStarts, offset: 0, path: file.path)
    }
  }

  /// Rows share vectors, or some vectors are zero: entries and ordinals are not the same numbers.
  var hasSharedVectors: Bool { entryStarts != nil }

  /// The entries that have a vector to be near to; the others, behind them, are zero vectors under cosine.
  func searchableCount() throws(SegmentError) -> Int {
    guard let entryStarts else { return vectorCount }
    return Int(try entryStarts.load(UInt32.self, at: vectorCount))
  }

  func rowID(entry: Int) throws(SegmentError) -> Int64 {
    try rowIDs.load(Int64.self, at: entry)
  }

  /// The entries of the rows that have this vector, ascending by row id.
  func entries(ordinal: Int) throws(SegmentError) -> Range<Int> {
    guard let entryStarts else { return ordinal..<(ordinal + 1) }
    let starts = SectionReader<UInt32>(entryStarts)
    let (start, end) = (Int(try starts.at(ordinal)), Int(try starts.at(ordinal + 1)))
    guard start < end else { throw .invalidContent(section: .entryStarts, offset: 0, path: entryStarts.path) }
    return start..<end
  }

  /// The vector of an entry; nil for a zero vector under cosine.
  /// - Complexity: O(log vectorCount) when rows share vectors, otherwise O(1).
  func ordinal(entry: Int) throws(SegmentError) -> Int? {
    guard let entryStarts else { return entry < vectorCount ? entry : nil }
    guard vectorCount > 0, entry < Int(try entryStarts.load(UInt32.self, at: vectorCount)) else { return nil }
    var low = 0
    var high = vectorCount
    while high - low > 1 {
      let middle = (low + high) / 2
      if Int(try entryStarts.load(UInt32.self, at: middle)) <= entry { low = middle } else { high = middle }
    }
    return low
  }

  /// The length of an entry's vector before it was normalised; 1 where nothing was changed.
  func norm(entry: Int) throws(SegmentError) -> Float {
    guard let norms else { return 1 }
    return try norms.load(Float.self, at: entry)
  }

  /// The entry of a row id.
  /// - Complexity: O(1) for row ids without gaps, O(log entryCount) otherwise.
  func entry(rowID: Int64) throws(SegmentError) -> Int? {
    var cursor = 0
    return try find(rowID, from: &cursor, SectionReader(sortedRowIDs), SectionReader(sortedEntries))
  }

  /// The places, among the ids in order, of the row ids in a range.
  /// - Complexity: O(log entryCount).
  func sortedPlaces(of range: ClosedRange<Int64>) throws(SegmentError) -> Range<Int> {
    let ids = SectionReader<Int64>(sortedRowIDs)
    func place(of id: Int64, isAfter: Bool) throws(SegmentError) -> Int {
      var (low, high) = (0, entryCount)
      while low < high {
        let middle = (low + high) / 2
        let found = try ids.at(middle)
        if isAfter ? found <= id : found < id { low = middle + 1 } else { high = middle }
      }
      return low
    }
    let start = try place(of: range.lowerBound, isAfter: false)
    return start..<max(start, try place(of: range.upperBound, isAfter: true))
  }

  /// Puts the entries at some places of the ids in order into `set`.
  func insertEntries(atSorted places: Range<Int>, into set: RowSet) throws(SegmentError) {
    let entries = SectionReader<UInt32>(sortedEntries)
    for place in places { set.insert(Int(try entries.at(place))) }
  }

  /// Finds a row id at or behind `cursor`, and leaves the cursor at the place where it is or would be.
  @inline(__always)
  func find(
    _ id: Int64, from cursor: inout Int, _ rowIDs: SectionReader<Int64>, _ entries: SectionReader<UInt32>
  ) throws(SegmentError) -> Int? {
    if cursor >= entryCount { return nil }
    let first = try rowIDs.at(cursor)
    if id < first { return nil }
    // Without gaps the row id itself says where: a guess that costs one look.
    let (distance, overflow) = id.subtractingReportingOverflow(first)
    if !overflow, distance < Int64(entryCount - cursor) {
      let guess = cursor + Int(distance)
      if try rowIDs.at(guess) == id {
        cursor = guess
        return Int(try entries.at(guess))
      }
    }
    var low = cursor
    var step = 1
    while low + step < entryCount, try rowIDs.at(low + step) <= id {
      low += step
      step *= 2
    }
    var high = min(low + step, entryCount)
    while high - low > 1 {
      let middle = (low + high) / 2
      if try rowIDs.at(middle) <= id { low = middle } else { high = middle }
    }
    cursor = low
    guard try rowIDs.at(low) == id else { return nil }
    return Int(try entries.at(low))
  }

  /// The i-th smallest row id and its entry.
  func sortedRow(_ i: Int) throws(SegmentError) -> (rowID: Int64, entry: Int) {
    (try sortedRowIDs.load(Int64.self, at: i), Int(try sortedEntries.load(UInt32.self, at: i)))
  }

  /// What no checksum can say: ids ascend, and both tables name the same rows.
  func problems() throws(SegmentError) -> [String] {
    try entryStarts?.verifyAll()
    for i in 0..<entryCount {
      let (id, entry) = try sortedRow(i)
      if i > 0, try sortedRowIDs.load(Int64.self, at: i - 1) >= id { return ["row ids do not ascend at \(i)"] }
      if try rowIDs.load(Int64.self, at: entry) != id { return ["row id \(id) is not that of its entry \(entry)"] }
    }
    return []
  }
}

/// Checks of a block's content beyond its checksum.
enum Validation {
  /// Every 32-bit word is below the limit.
  static func allBelow(_ limit: UInt32, in block: UnsafeRawBufferPointer) -> Bool {
    let words = unsafe block.assumingMemoryBound(to: UInt32.self)
    var largest: UInt32 = 0
    for i in 0..<words.count { unsafe largest = max(largest, words[i]) }
    return words.isEmpty || largest < limit
  }

  /// Every 32-bit word is below the limit or marks an unused place.
  static func allBelowOrUnused(_ limit: UInt32, in block: UnsafeRawBufferPointer) -> Bool {
    let words = unsafe block.assumingMemoryBound(to: UInt32.self)
    var largest: UInt32 = 0
    // Adding one maps the mark to zero and keeps the order of all else.
    for i in 0..<words.count { unsafe largest = max(largest, words[i] &+ 1) }
    return largest <= limit
  }

  /// The 32-bit words do not descend, from the last of the block before on, and do not exceed `limit`. A section begins
  /// with 0.
  /// - Parameter offset: of the block in its section, which is mapped as a whole.
  static func isAscending(_ block: UnsafeRawBufferPointer, at offset: Int, upTo limit: UInt32) -> Bool {
    let words = unsafe block.assumingMemoryBound(to: UInt32.self)
    guard let first = unsafe words.first else { return true }
    if offset == 0, first != 0 { return false }
    var last: UInt32 = 0
    if offset > 0, let base = block.baseAddress { last = unsafe (base - 4).loadUnaligned(as: UInt32.self) }
    for i in 0..<words.count {
      if unsafe words[i] < last { return false }
      unsafe last = words[i]
    }
    return last <= limit
  }

  /// Every 32-bit float is finite and not below 0.
  static func areLengths(_ block: UnsafeRawBufferPointer) -> Bool {
    let lengths = unsafe block.assumingMemoryBound(to: Float.self)
    for i in 0..<lengths.count where unsafe !(lengths[i] >= 0 && lengths[i].isFinite) { return false }
    return true
  }
}

extension Section {
  /// The i-th element of a section seen as an array; its block is verified when it is first touched.
  func load<T: BitwiseCopyable>(_ type: T.Type, at index: Int) throws(SegmentError) -> T {
    let size = MemoryLayout<T>.stride
    let offset = index * size
    guard index >= 0, offset + size <= byteCount else {
      throw .invalidContent(section: kind, offset: offset, path: path)
    }
    if !isVerified { try verify(offset..<(offset + size)) }
    return unsafe bytes.loadUnaligned(fromByteOffset: offset, as: T.self)
  }
}
