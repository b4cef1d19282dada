/// Candidates in no order, in memory that grows as needed and that the owner deallocates: what scans append to in their
/// hot loops, without an array's checks.
@safe struct CandidateArray {
  private(set) var items: UnsafeMutablePointer<Candidate>
  private(set) var count = 0
  /// Candidates that memory is held for.
  private(set) var capacity = 0

  /// What is held at least, if anything is: 4 KiB.
  static let least = 512

  init() { unsafe items = .allocate(capacity: 0) }

  func deallocate() { unsafe items.deallocate() }

  /// Forgets all; the memory is kept.
  mutating func removeAll() { count = 0 }

  /// Makes room for so many more. What there is may move.
  mutating func reserve(_ more: Int) {
    if count + more > capacity { resize(max(count + more, 2 * capacity, Self.least)) }
  }

  /// Takes over what has been written behind the last, where there was room.
  mutating func appended(_ more: Int) { count += more }

  /// Drops candidates whose score is beyond a limit, and those that have none.
  mutating func keep(upTo limit: Float) {
    let (items, count) = unsafe (items, count)
    var kept = 0
    var i = 0
    while i < count {
      let candidate = unsafe items[i]
      unsafe items[kept] = candidate
      kept &+= candidate.score <= limit ? 1 : 0
      i &+= 1
    }
    self.count = kept
  }

  /// Gives back room beyond what is held.
  mutating func shrink() { resize(count) }

  private mutating func resize(_ size: Int) {
    let room = UnsafeMutablePointer<Candidate>.allocate(capacity: size)
    unsafe room.update(from: items, count: count)
    unsafe items.deallocate()
    unsafe items = room
    capacity = size
  }
}
