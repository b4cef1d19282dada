/// Filters that were resolved, to be used again while they are right. When it is full, those used longest ago make
/// room, for what is kept the second time only: filters that nobody asks for twice would have all others forgotten, and
/// the memory of each come from the system anew. (The doorkeeper of TinyLFU: Einziger, Friedman and Manes 2017, 3.4.)
/// Not thread safe.
final class RowSetCache {
  /// What a resolved filter was read from. Equal as long as nothing has been committed.
  struct Stamp: Equatable {
    /// SQLite's data versions of schemas `main` and `temp`; nil without a temporary database.
    var main: UInt32?
    var temp: UInt32?
    var state: IndexState
    /// `PRAGMA case_sensitive_like`, which commits nothing, is on.
    var isLikeCaseSensitive = false
  }

  private struct Entry {
    var stamp: Stamp
    var filter: PreparedFilter
    var lastUse: UInt64
    var byteCount: Int
  }

  private let limit: Int
  private var entries: [FilterText: Entry] = [:]
  private var uses: UInt64 = 0
  private(set) var byteCount = 0
  /// Hash values of the texts and values that were asked for in this state. Two that share one do no harm: rows are
  /// read then.
  private var asked: (stamp: Stamp, hashes: Set<Int>)?
  /// Of those that found no room.
  private var refused: (stamp: Stamp, hashes: Set<Int>)?
  /// Of the last that was asked for again.
  private var repeated: Int?
  private static let askedLimit = 4_096

  /// - Parameter limit: bytes that the filters may take together.
  init(limit: Int = 64 << 20) { self.limit = limit }

  var count: Int { entries.count }

  func filter(_ text: FilterText, _ stamp: Stamp) -> PreparedFilter? {
    guard let entry = entries[text] else { return nil }
    guard entry.stamp == stamp else {
      remove(text)
      return nil
    }
    uses += 1
    entries[text]?.lastUse = uses
    return entry.filter
  }

  func keep(_ filter: PreparedFilter, for text: FilterText, _ stamp: Stamp) {
    remove(text)
    let size = filter.byteCount + text.byteCount
    if size > limit || byteCount + size > limit && !makeRoom(for: text, size, stamp) { return }
    uses += 1
    entries[text] = Entry(stamp: stamp, filter: filter, lastUse: uses, byteCount: size)
    byteCount += size
  }

  /// Notes that a filter is asked for, whose rows may be checked rather than read. Who asks for the same again will ask
  /// more often.
  /// - Returns: whether that was noted before, in the same state.
  func noteUse(_ text: FilterText, _ stamp: Stamp) -> Bool {
    if asked?.stamp != stamp || asked?.hashes.count ?? 0 >= Self.askedLimit { asked = (stamp, []) }
    if asked?.hashes.insert(text.hashValue).inserted == true { return false }
    repeated = text.hashValue
    return true
  }

  /// The filter was asked for, now or in an earlier state.
  func knows(_ text: FilterText) -> Bool {
    entries[text] != nil || asked?.hashes.contains(text.hashValue) == true
  }

  /// At once for some hundred filters to come: looking for the oldest takes longer than a search.
  /// - Returns: false when it is not worth while: nobody has asked for the text before, as far as is known.
  private func makeRoom(for text: FilterText, _ size: Int, _ stamp: Stamp) -> Bool {
    if refused?.stamp != stamp {
      // What is of another state will not be asked for again, whatever its text.
      for (text, entry) in entries where entry.stamp != stamp { remove(text) }
      refused = (stamp, [])
    }
    if byteCount + size <= limit { return true }
    let hash = text.hashValue
    guard repeated == hash || refused?.hashes.remove(hash) != nil else {
      if refused?.hashes.count ?? 0 >= Self.askedLimit { refused = (stamp, []) }
      refused?.hashes.insert(hash)
      return false
    }
    for (text, _) in entries.map({ ($0.key, $0.value.lastUse) }).sorted(by: { $0.1 < $1.1 }) {
      remove(text)
      if byteCount + size <= limit / 4 * 3 { break }
    }
    return true
  }

  private func remove(_ text: FilterText) {
    if let removed = entries.removeValue(forKey: text) { byteCount -= removed.byteCount }
  }
}
