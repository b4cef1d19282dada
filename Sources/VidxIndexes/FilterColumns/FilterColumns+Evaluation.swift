package import VidxSegments
package import VidxVectors

extension FilterColumns {
  /// The entries that pass all conditions.
  ///
  /// The condition that fewest pass is followed through its entries, unless most of all pass it; the others are tests
  /// of an entry's rank.
  /// - Complexity: O(entryCount / 64 + entries that pass the most selective condition x conditions), or O(entryCount x
  ///   conditions) when that is above a quarter of all.
  package func entries(passing conditions: [FilterCondition]) throws(SegmentError) -> RowSet {
    var selections: [Selection] = []
    for condition in conditions { selections.append(try Selection(condition, self)) }
    selections.sort { $0.count < $1.count }
    guard let first = selections.first else { return RowSet(capacity: entryCount, full: true) }
    let set = RowSet(capacity: entryCount)
    if first.count == 0 { return set }
    if first.count == entryCount { return RowSet(capacity: entryCount, full: true) }
    if first.count > entryCount / 4 {
      try insert(all: selections, into: set)
    } else {
      try insert(first, testedBy: Array(selections.dropFirst()), into: set)
    }
    return set
  }

  /// The entries of one value after the other.
  private func insert(_ first: Selection, testedBy others: [Selection], into set: RowSet) throws(SegmentError) {
    let tests = try others.filter { $0.count < entryCount }.map { (other) throws(SegmentError) in
      try RankTest(other, self)
    }
    let base = first.column * entryCount
    let words = unsafe set.words
    for run in first.runs {
      try entries.verify((base + run.lowerBound) * 4..<(base + run.upperBound) * 4)
      let start = unsafe (entries.bytes.baseAddress! + base * 4).assumingMemoryBound(to: UInt32.self)
      var i = run.lowerBound
      while i < run.upperBound {
        let entry = unsafe Int(start[i])
        i &+= 1
        if !tests.isEmpty, !tests.allSatisfy({ $0.passes(entry) }) { continue }
        unsafe words[entry &>> 6] |= 1 &<< UInt64(truncatingIfNeeded: entry & 63)
      }
    }
  }

  /// Every entry's rank, column by column.
  private func insert(all selections: [Selection], into set: RowSet) throws(SegmentError) {
    for (i, selection) in selections.enumerated() where selection.count < entryCount {
      let test = try RankTest(selection, self)
      unsafe test.intersect(set.words, count: entryCount, isFirst: i == 0)
    }
  }
}

/// What passes one condition: runs of the column's sorted entries, and ranges of ranks.
struct Selection {
  let column: Int
  let ranks: [Range<Int>]
  let runs: [Range<Int>]
  /// Entries.
  let count: Int

  init(_ condition: FilterCondition, _ columns: FilterColumns) throws(SegmentError) {
    precondition(columns.columns.indices.contains(condition.column), "no filter column \(condition.column)")
    let column = columns.columns[condition.column]
    ranks = try condition.ranks(
      among: column.valueCount,
      value: { (rank) throws(SegmentError) in try columns.value(column: condition.column, rank: rank) }
    ) { (rank, value) throws(SegmentError) in
      try columns.compare(column: condition.column, rank: rank, with: value)
    }
    var runs: [Range<Int>] = []
    for range in ranks {
      let start = Int(try columns.starts.load(UInt32.self, at: column.firstStart + range.lowerBound))
      let end = Int(try columns.starts.load(UInt32.self, at: column.firstStart + range.upperBound))
      // Blocks on their own cannot tell that starts do not descend from one to another.
      guard start <= end else { throw .invalidContent(section: .filterStarts, offset: 0, path: columns.starts.path) }
      runs.append(start..<end)
    }
    self.runs = runs
    self.column = condition.column
    count = runs.reduce(0) { $0 + $1.count }
    guard count <= columns.entryCount else {
      throw .invalidContent(section: .filterStarts, offset: 0, path: columns.starts.path)
    }
  }
}

/// Tests the rank of an entry. Valid as long as the columns it was made of.
@safe private struct RankTest {
  /// The ranks of the column, verified.
  private let ranks: UnsafePointer<UInt32>
  private let range: Range<UInt32>
  /// Which ranks pass, when they are not one range.
  private let table: [Bool]

  init(_ selection: Selection, _ columns: FilterColumns) throws(SegmentError) {
    let base = selection.column * columns.entryCount * 4
    try columns.ranks.verify(base..<base + columns.entryCount * 4)
    unsafe ranks = (columns.ranks.bytes.baseAddress! + base).assumingMemoryBound(to: UInt32.self)
    let first = selection.ranks.first ?? 0..<0
    range = UInt32(first.lowerBound)..<UInt32(first.upperBound)
    if selection.ranks.count > 1 {
      var table = [Bool](repeating: false, count: columns.columns[selection.column].valueCount)
      for range in selection.ranks {
        for rank in range { table[rank] = true }
      }
      self.table = table
    } else {
      table = []
    }
  }

  @inline(__always)
  func passes(_ entry: Int) -> Bool {
    let rank = unsafe ranks[entry]
    return table.isEmpty ? rank >= range.lowerBound && rank < range.upperBound : table[Int(rank)]
  }

  /// Keeps the bits of those that pass; with `isFirst` sets them.
  func intersect(_ words: UnsafeMutablePointer<UInt64>, count: Int, isFirst: Bool) {
    let (ranks, low, width) = unsafe (self.ranks, range.lowerBound, UInt32(range.count))
    var entry = 0
    while entry < count {
      let end = min(entry &+ 64, count)
      var word: UInt64 = 0
      var bit: UInt64 = 0
      let place = entry &>> 6
      if table.isEmpty {
        while entry < end {
          // Below the range wraps around to far above it.
          unsafe word |= (ranks[entry] &- low < width ? 1 : 0) &<< bit
          bit &+= 1
          entry &+= 1
        }
      } else {
        while entry < end {
          unsafe word |= (table[Int(ranks[entry])] ? 1 : 0) &<< bit
          bit &+= 1
          entry &+= 1
        }
      }
      unsafe words[place] = isFirst ? word : words[place] & word
    }
  }
}

extension FilterColumns {
  /// What no checksum can say: values ascend, and entries and ranks say the same.
  func problems() throws(SegmentError) -> [String] {
    for section in [starts, entries, ranks] { try section.verifyAll() }
    for (i, column) in columns.enumerated() {
      for rank in 0..<column.valueCount {
        let value = try value(column: i, rank: rank)
        if rank > 0, try !ColumnValue.isBefore(self.value(column: i, rank: rank - 1), value) {
          return ["values of filter column \(i) do not ascend at \(rank)"]
        }
        let run = try (0...1).map { (end) throws(SegmentError) in
          Int(try starts.load(UInt32.self, at: column.firstStart + rank + end))
        }
        var last = -1
        for place in run[0]..<max(run[0], run[1]) {
          let entry = Int(try entries.load(UInt32.self, at: i * entryCount + place))
          let stated = Int(try ranks.load(UInt32.self, at: i * entryCount + entry))
          if stated != rank || entry <= last { return ["filter column \(i) lists entry \(entry) in the wrong place"] }
          last = entry
        }
      }
    }
    return []
  }
}
