import VidxSegments
import VidxVectors

/// Many rows at a time. What limits these is misses of the caches: neighbours among the rows that a filter gives lie
/// anywhere in a segment, and each table that is asked for one is a line of memory.
extension RowTable {
  /// Puts the entries of ascending row ids into `set` and returns how many there were.
  /// - Complexity: O(ids) where the table's row ids have no gaps, or where many were looked for before (`RowRanks`);
  ///   otherwise O(ids x log gap), galloping from each id to the next.
  func insertEntries(ofSortedRowIDs ids: UnsafeBufferPointer<Int64>, into set: RowSet) throws(SegmentError) -> Int {
    if entryCount == 0 || ids.isEmpty { return 0 }
    let table = SectionReader<Int64>(sortedRowIDs)
    let (first, last) = (try table.at(0), try table.at(entryCount - 1))
    let (span, overflow) = last.subtractingReportingOverflow(first)
    // So many distinct ids between these two are all there are. (That they are distinct is for `problems` to say.)
    if !overflow, span == Int64(entryCount - 1) {
      return unsafe try insertEntries(of: ids, into: set) { id in
        let (place, overflow) = id.subtractingReportingOverflow(first)
        return !overflow && place >= 0 && place <= span ? Int(place) : nil
      }
    }
    if !overflow, let places = places(from: first, span: span, lookups: ids.count) {
      return unsafe try insertEntries(of: ids, into: set) { id in
        let (place, overflow) = id.subtractingReportingOverflow(first)
        return overflow ? nil : places.rank(ofMember: Int(place))
      }
    }
    var found = 0
    var cursor = 0
    let entries = SectionReader<UInt32>(sortedEntries)
    for i in 0..<ids.count {
      guard let entry = unsafe try find(ids[i], from: &cursor, table, entries) else { continue }
      set.insert(entry)
      found += 1
    }
    return found
  }

  /// - Parameter place: of a row id among the ids in order; nil where it is none.
  @inline(__always)
  private func insertEntries(
    of ids: UnsafeBufferPointer<Int64>, into set: RowSet, place: (Int64) -> Int?
  ) throws(SegmentError) -> Int {
    let entries = SectionReader<UInt32>(sortedEntries)
    var found = 0
    for i in 0..<ids.count {
      if i + Self.ahead < ids.count, let next = unsafe place(ids[i + Self.ahead]) { entries.prefetch(next) }
      guard let place = unsafe place(ids[i]) else { continue }
      set.insert(Int(try entries.at(place)))
      found += 1
    }
    return found
  }

  /// Ids whose entries are on their way from memory while others are put into the set.
  private static var ahead: Int { 16 }

  /// Which ids from the first on there are; nil where it does not pay, or they lie too far apart.
  private func places(from first: Int64, span: Int64, lookups: Int) -> RankedBits? {
    if span < 0 || span / Self.mostGap >= Int64(entryCount) { return nil }
    return idRanks.ranks(for: lookups, of: entryCount) { () throws(SegmentError) in
      try sortedRowIDs.verifyAll()
      let ids = SectionReader<Int64>(sortedRowIDs)
      return try RankedBits(capacity: Int(span) + 1) { (insert) throws(SegmentError) in
        var last = -1
        for i in 0..<entryCount {
          let place = Int(try ids.at(i) &- first)
          guard place > last, insert(place) else {
            throw SegmentError.invalidContent(section: .sortedRowIDs, offset: i * 8, path: sortedRowIDs.path)
          }
          last = place
        }
      }
    }
  }

  /// With so many ids missing for each that there is, the ranks take as much as the ids.
  private static var mostGap: Int64 { 32 }

  /// Puts the vectors of `count` entries into `ordinals`; zero vectors have none.
  /// - Complexity: O(entryCount / 64 + entries) where many were looked for before (`RowRanks`); otherwise O(entries x
  ///   log(how unevenly rows share vectors)).
  func insertOrdinals(of entries: RowSet, count: Int, into ordinals: RowSet) throws(SegmentError) {
    guard let entryStarts else { preconditionFailure("entries are ordinals") }
    let starts = SectionReader<UInt32>(entryStarts)
    let searchable = Int(try starts.at(vectorCount))
    guard let owners = owners(entryStarts, searchable, lookups: count) else {
      return try insertOrdinals(of: entries, into: ordinals, starts, searchable)
    }
    for i in 0..<(searchable + 63) / 64 {
      var bits = unsafe entries.words[i]
      while bits != 0 {
        let entry = i << 6 + bits.trailingZeroBitCount
        if entry >= searchable { return }
        ordinals.insert(owners.count(through: entry) - 1)
        bits &= bits &- 1
      }
    }
  }

  /// Which entries are the first of their vector; nil where it does not pay.
  private func owners(_ section: Section, _ searchable: Int, lookups: Int) -> RankedBits? {
    vectorRanks.ranks(for: lookups, of: vectorCount) { () throws(SegmentError) in
      try section.verifyAll()
      let starts = SectionReader<UInt32>(section)
      return try RankedBits(capacity: searchable) { (insert) throws(SegmentError) in
        for i in 0..<vectorCount where !insert(Int(try starts.at(i))) {
          throw SegmentError.invalidContent(section: .entryStarts, offset: i * 4, path: section.path)
        }
      }
    }
  }

  private func insertOrdinals(
    of entries: RowSet, into ordinals: RowSet, _ starts: SectionReader<UInt32>, _ searchable: Int
  ) throws(SegmentError) {
    let perEntry = Double(vectorCount) / Double(max(searchable, 1))
    var ordinal = -1
    // Of the entries of `ordinal`.
    var end = 0
    try entries.forEach { (entry) throws(SegmentError) in
      if entry >= searchable { return }
      if entry >= end {
        // Every vector has an entry at least: the one that is looked for is no farther on than the entry.
        let first = ordinal + 1
        let last = min(first + (entry - end), vectorCount - 1)
        let guess = min(first + Int(Double(entry - end) * perEntry), last)
        ordinal = try Self.owner(of: entry, in: first...last, guess: guess, starts)
        end = Int(try starts.at(ordinal + 1))
      }
      ordinals.insert(ordinal)
    }
  }

  /// The vector that has an entry, looked for at growing distances from a guess: what rows share differs little from
  /// one stretch to the next, and what is near the guess is in a cache when the guess is.
  @inline(__always)
  private static func owner(
    of entry: Int, in ordinals: ClosedRange<Int>, guess: Int, _ starts: SectionReader<UInt32>
  ) throws(SegmentError) -> Int {
    var (low, high) = (guess, guess + 1)
    var step = 8
    if Int(try starts.at(guess)) <= entry {
      while high <= ordinals.upperBound, Int(try starts.at(high)) <= entry {
        low = high
        high += step
        step *= 2
      }
      high = min(high, ordinals.upperBound + 1)
    } else {
      high = guess
      low = max(guess - step, ordinals.lowerBound)
      while low > ordinals.lowerBound, Int(try starts.at(low)) > entry {
        step *= 2
        high = low
        low = max(low - step, ordinals.lowerBound)
      }
    }
    while high - low > 1 {
      let middle = (low + high) / 2
      if Int(try starts.at(middle)) <= entry { low = middle } else { high = middle }
    }
    return low
  }
}
