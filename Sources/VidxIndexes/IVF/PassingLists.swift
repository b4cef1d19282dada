import VidxSegments
import VidxVectors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// What a filter passes of each list.
struct PassingLists: Sendable {
  /// Of each list, the logarithm of how many vectors the nearest of those that pass may be the nearest of; minus
  /// infinity where none passes.
  let logCounts: [Float]
  /// A quarter of what passes is in lists of which more passes than chance explains: rows were chosen for where they
  /// lie.
  let areUneven: Bool
}

extension IVFLists {
  /// What a filter passes of each list.
  ///
  /// The nearest of those that pass of a list is the nearest of so many. Of a list with more of them than chance
  /// explains (by two standard deviations), rows were chosen for where they lie, and it may be the nearest of all. And
  /// so of every list, where half of those that pass are in such lists: what passes of a list at the edge of a topic is
  /// what is nearest to the topic.
  /// - Parameter ordinals: vectors that pass.
  /// - Returns: nil where how far lists have to be searched was not measured.
  /// - Complexity: O(vectors / 64 + lists).
  func passing(_ ordinals: RowSet) throws(SegmentError) -> PassingLists? {
    if reach == nil { return nil }
    let passing = ordinals.count
    let share = Float(passing) / Float(max(vectorCount, 1))
    var logs: [Float] = []
    var whole: [Float] = []
    logs.reserveCapacity(listCount)
    whole.reserveCapacity(listCount)
    var crowded = 0
    var start = Int(try starts.load(UInt32.self, at: 0))
    for list in 0..<listCount {
      let end = Int(try starts.load(UInt32.self, at: list + 1))
      guard start <= end, end <= vectorCount else {
        throw .invalidContent(section: .listStarts, offset: list * 4, path: starts.path)
      }
      let count = ordinals.count(in: start..<end)
      let expected = Float(end - start) * share
      let isCrowded = Float(count) > expected + 2 * expected.squareRoot() + 1
      if isCrowded { crowded += count }
      whole.append(count == 0 ? -.infinity : log(Float(end - start)))
      logs.append(isCrowded ? whole[list] : log(Float(count)))
      start = end
    }
    return PassingLists(logCounts: 2 * crowded > passing ? whole : logs, areUneven: 4 * crowded > passing)
  }

  /// The same for all vectors.
  func wholePassing() throws(SegmentError) -> PassingLists? {
    if let known = whole.withLock({ $0 }) { return known }
    let passing = try passing(RowSet(capacity: vectorCount, full: true))
    whole.withLock { $0 = passing }
    return passing
  }
}
