internal import Synchronization
internal import VidxSegments

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// How far the writers of this process are ahead of merges that nobody has asked for, and how long they wait for that.
///
/// A writer that never pauses brings rows faster than a graph is built over them. What is not merged is scanned by
/// every search, so something has to give way: writers do, each commit by so much that about as many rows come as are
/// merged (the delayed writes of log-structured merge trees). Who pauses now and then never waits: nobody does before
/// as many rows have come during one merge as are worth the next. What were too many counts on in the merge that
/// follows at once, so that no more come during it than it takes in (docs/decisions/0011-back-pressure.md). Who waits
/// goes on when the merge has ended.
package enum MergeBacklog {
  /// Of a merge that is at work.
  struct Work: Equatable {
    /// Rows that may come meanwhile without waiting.
    let room: Int
    /// That have come, and those that were too many in the merge before.
    private(set) var rows: Int
    /// When the next writer need not wait for those before it, in microseconds.
    private var free = 0

    /// - Parameters:
    ///   - merging: rows that are linked: the more, the longer it takes. A fourth of them leaves the next merge less.
    ///   - worth: rows that are worth a merge.
    ///   - new: of those that are linked the ones that nothing was built over yet.
    ///   - before: the work of the merge that has just ended, of the same index.
    init(merging: Int, new: Int, worth: Int, following before: Work? = nil) {
      room = max(worth, merging / 4)
      rows = before.map { max(min($0.rows - $0.room, new - worth), 0) } ?? 0
    }

    /// Counts rows of a commit: for each a millisecond where twice as many have come as there is room for, four times
    /// that where three times, none where there was room.
    /// - Parameter now: in microseconds.
    /// - Returns: how long the writer is to wait, in microseconds: behind those before it, but not much longer than for
    ///   rows of its own.
    mutating func add(_ count: Int, now: Int) -> Int {
      rows += count
      let excess = Double(rows) / Double(room) - 1
      if excess <= 0 { return 0 }
      let each = min(Self.microseconds * excess * excess, Self.mostEach)
      let wait = Int(min(each * Double(count), Double(Self.most)))
      free = min(max(free, now) + wait, now + Self.most)
      return min(free - now, Int(min(Self.mostBehindOthers * Double(count), Double(Self.most))))
    }

    private static let microseconds = 1_000.0
    private static let mostEach = 4_000.0
    /// For a row. Who writes a few waits little, whatever others write.
    private static let mostBehindOthers = 16_000.0
    /// Of a commit.
    private static let most = 10_000_000
  }

  /// An index of a file.
  fileprivate struct Key: Hashable {
    let path: String
    let index: [UInt8]
  }

  private struct Entry {
    var work: Work
    /// Of several merges of one index, by whom it was entered.
    let number: Int
    /// The child of a fork has nobody who merges.
    let process: Int
    /// When the merge ended, in microseconds; nil while it is at work.
    var end: Int?
  }

  /// Merges that begin later than so many microseconds after another has ended do not follow it.
  private static let pause = 1_000_000

  /// Touched by who is alone at the fork gate only, so that the child of a fork does not find it locked.
  private static let entries = Locked<[Key: Entry]>([:])
  private static let numbers = Atomic<Int>(0)
  /// Merges at work: without one a commit looks no further.
  private static let atWork = Atomic<Int>(0)

  /// Runs a merge of an index: writers that are ahead of it wait.
  /// - Parameters:
  ///   - rows: that it links, and how many of them are new.
  ///   - worth: rows that are worth a merge.
  static func merging<Result>(
    path: String?, index: String, rows: (linked: Int, new: Int), worth: Int, _ body: () throws -> Result
  ) rethrows -> Result {
    guard let path else { return try body() }
    let key = Key(path: path, index: Array(index.utf8))
    let number = numbers.wrappingAdd(1, ordering: .relaxed).newValue
    let begin = now
    ForkGate.alone { process in
      entries.withLock { entries in
        entries = entries.filter { $0.value.process == process && $0.value.end ?? begin > begin - pause }
        let before = entries[key].flatMap { $0.end == nil ? nil : $0.work }
        let work = Work(merging: rows.linked, new: rows.new, worth: worth, following: before)
        entries[key] = Entry(work: work, number: number, process: process)
      }
    }
    atWork.wrappingAdd(1, ordering: .relaxed)
    // Also behind one that failed: nobody waits for what does not come about.
    defer {
      atWork.wrappingSubtract(1, ordering: .relaxed)
      ForkGate.alone { _ in
        entries.withLock { if $0[key]?.number == number { $0[key]?.end = now } }
      }
    }
    return try body()
  }

  /// Counts rows that a transaction has changed.
  /// - Returns: nil where its writer need not wait.
  static func add(_ rows: Int, path: String, index: String) -> Wait? {
    if rows <= 0 || atWork.load(ordering: .relaxed) == 0 { return nil }
    let key = Key(path: path, index: Array(index.utf8))
    let now = Self.now
    return ForkGate.alone { process in
      entries.withLock { entries in
        guard let entry = entries[key], entry.process == process, entry.end == nil else { return nil }
        let microseconds = entries[key]?.work.add(rows, now: now) ?? 0
        return microseconds > 0 ? Wait(key, entry.number, microseconds, now: now) : nil
      }
    }
  }

  /// In microseconds, of a clock that nobody sets.
  private static var now: Int {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
  }

  /// That of the merge of an index that is at work.
  private static func numberAtWork(_ key: Key) -> Int? {
    ForkGate.alone { process in
      entries.withLock { entries in
        guard let entry = entries[key], entry.process == process, entry.end == nil else { return nil }
        return entry.number
      }
    }
  }

  /// How long a commit is to wait: until the merge that was at work has ended, at the latest.
  package struct Wait: Sendable {
    fileprivate let key: Key
    /// Of the merge.
    private let number: Int
    private let end: Int
    let microseconds: Int

    fileprivate init(_ key: Key, _ number: Int, _ microseconds: Int, now: Int) {
      (self.key, self.number, self.microseconds) = (key, number, microseconds)
      end = now + microseconds
    }

    /// What is left of it, or the part after which to look again; in microseconds. nil when it is over.
    package func next() -> Int? {
      let left = end - now
      return left > 0 && numberAtWork(key) == number ? min(left, 20_000) : nil
    }

    /// Keeps the thread from other work.
    func block() {
      while let part = next() {
        var time = timespec(tv_sec: 0, tv_nsec: part * 1_000)
        // A signal ends it early.
        unsafe nanosleep(&time, nil)
      }
    }
  }
}
