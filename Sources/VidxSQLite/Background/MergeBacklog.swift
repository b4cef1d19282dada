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
/// merged (the delayed writes of log-structured merge trees). Who pauses now and then never waits: nothing does before
/// as many rows have come during one merge as are worth the next (docs/decisions/0011-back-pressure.md).
package enum MergeBacklog {
  /// An index of a file.
  private struct Key: Hashable, Sendable {
    private let path: String
    private let index: [UInt8]
    /// The child of a fork has nobody who merges.
    private let process: Int

    init(path: String, index: String) {
      self.path = path
      self.index = Array(index.utf8)
      process = ForkGate.process
    }
  }

  /// Of a merge that is at work.
  struct Work: Equatable {
    /// Rows that may come meanwhile without waiting.
    let room: Int
    /// That have come.
    var rows = 0

    /// - Parameters:
    ///   - merging: rows that are merged: the more, the longer it takes. A fourth of them leaves the next merge less.
    ///   - worth: rows that are worth a merge.
    init(merging: Int, worth: Int) { room = max(worth, merging / 4) }

    /// Counts rows of a commit.
    /// - Returns: how long it is to wait, in microseconds: for each row a quarter of a millisecond where twice as many
    ///   have come as there is room for, four times that where three times, nothing where there was room.
    mutating func add(_ count: Int) -> Int {
      rows += count
      let excess = Double(rows) / Double(room) - 1
      if excess <= 0 { return 0 }
      let each = min(Self.microseconds * excess * excess, Self.mostEach)
      return Int(min(each * Double(count), Self.most))
    }

    private static let microseconds = 250.0
    private static let mostEach = 20_000.0
    /// Of a commit.
    private static let most = 1_000_000.0
  }

  private struct State {
    var work: [Key: Work] = [:]
    /// What writers of a file have not waited yet, in microseconds.
    var owed: [String: Int] = [:]
  }

  private static let state = Locked(State())

  /// Runs a merge of an index: writers that are ahead of it wait.
  static func merging<Result>(
    path: String?, index: String, rows: Int, worth: Int, _ body: () throws -> Result
  ) rethrows -> Result {
    guard let path else { return try body() }
    let key = Key(path: path, index: index)
    state.withLock { $0.work[key] = Work(merging: rows, worth: worth) }
    // Also behind one that failed: nobody waits for what does not come about.
    defer { state.withLock { _ = $0.work.removeValue(forKey: key) } }
    return try body()
  }

  /// Counts rows that a transaction has changed.
  /// - Returns: how long its writer is to wait, in microseconds.
  static func add(_ rows: Int, path: String, index: String) -> Int {
    state.withLock { state in
      if state.work.isEmpty { return 0 }
      return state.work[Key(path: path, index: index)]?.add(rows) ?? 0
    }
  }

  static func wait(_ microseconds: Int) {
    if microseconds <= 0 { return }
    var time = timespec(tv_sec: microseconds / 1_000_000, tv_nsec: microseconds % 1_000_000 * 1_000)
    // A signal ends it early.
    unsafe nanosleep(&time, nil)
  }

  /// For a writer that waits elsewhere.
  static func owe(_ microseconds: Int, _ path: String) {
    if microseconds > 0 { state.withLock { $0.owed[path, default: 0] += microseconds } }
  }

  /// What the writers of a file are to wait, once for all of them; in microseconds.
  package static func takeOwed(path: String) -> Int {
    state.withLock { $0.owed.isEmpty ? 0 : $0.owed.removeValue(forKey: path) ?? 0 }
  }
}
